"""`torch.utils.swap_tensors`: two tensors exchange everything but their identity."""

from __future__ import annotations

from typing import Any

_SLOTS = (
    "_base", "_base_chain", "_cached", "_chain", "_cver", "_edge_", "_gen", "_grad", "_hooks",
    "_req", "_storage",
)  # fmt: skip
_GONE = object()


def swap_tensors(t1: Any, t2: Any) -> None:
    """Whoever held `t1` now holds what `t2` was, and the other way round, class included."""
    for name in _SLOTS:
        a, b = getattr(t1, name, _GONE), getattr(t2, name, _GONE)
        _put(t1, name, b)
        _put(t2, name, a)
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    t1.__dict__, t2.__dict__ = t2.__dict__, t1.__dict__


def _put(t: Any, name: str, x: Any) -> None:
    if x is not _GONE:
        setattr(t, name, x)
    elif hasattr(t, name):
        delattr(t, name)
