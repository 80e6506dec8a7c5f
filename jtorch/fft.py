"""`torch.fft`: every function published under that name."""

from __future__ import annotations

from ._functions import NAMESPACES
from .tensor import Tensor as Tensor

globals().update(NAMESPACES["fft"])
__all__ = sorted([*NAMESPACES["fft"], "Tensor"])
