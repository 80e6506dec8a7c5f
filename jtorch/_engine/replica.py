"""Which replica of a data-parallel region is being traced: random draws must differ
between them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from jax import lax


class _Axes(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []


_axes = _Axes()


@contextlib.contextmanager
def replica_axis(name: str) -> Iterator[None]:
    """While a function is traced as one of several replicas along a mapped axis."""
    _axes.names.append(name)
    try:
        yield
    finally:
        _axes.names.pop()


def replica_index() -> Any:
    """The number of the replica being traced, or None outside a data-parallel region."""
    return lax.axis_index(_axes.names[-1]) if _axes.names else None
