"""`torch.linalg`: every function published under that name, and their exception."""

from __future__ import annotations

from ._functions import NAMESPACES
from .composite.linalg_errors import LinAlgError as LinAlgError

globals().update(NAMESPACES["linalg"])
__all__ = sorted([*NAMESPACES["linalg"], "LinAlgError"])
