"""`torch.linalg`: every function published under that name."""

from __future__ import annotations

from ._functions import NAMESPACES

globals().update(NAMESPACES["linalg"])
__all__ = sorted(NAMESPACES["linalg"])
