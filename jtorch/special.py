"""`torch.special`: every function published under that name."""

from __future__ import annotations

from ._functions import NAMESPACES

globals().update(NAMESPACES["special"])
__all__ = sorted(NAMESPACES["special"])
