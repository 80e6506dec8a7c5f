"""Padding of the last one, two or three dimensions."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import functional as F
from ._ntuple import _ntuple
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """Padding by `_mode`; `padding` is one number or two per dimension, last dimension first."""

    _spatial: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._spatial)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_Pad):
    _mode = "circular"

    def _check_input_dim(self, input: Tensor) -> None:
        low, high = self._spatial + 1, self._spatial + 2
        if input.dim() not in (low, high):
            raise ValueError(f"expected {low}D or {high}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Continue with the other end."""

    _spatial = 1


class CircularPad2d(_CircularPadNd):
    """Continue with the other end."""

    _spatial = 2


class CircularPad3d(_CircularPadNd):
    """Continue with the other end."""

    _spatial = 3


class _ConstantPadNd(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Continue with `value`."""

    _spatial = 1


class ConstantPad2d(_ConstantPadNd):
    """Continue with `value`."""

    _spatial = 2


class ConstantPad3d(_ConstantPadNd):
    """Continue with `value`."""

    _spatial = 3


class _ReflectionPadNd(_Pad):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Continue with the mirror image, without repeating the edge."""

    _spatial = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Continue with the mirror image, without repeating the edge."""

    _spatial = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Continue with the mirror image, without repeating the edge."""

    _spatial = 3


class _ReplicationPadNd(_Pad):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Continue with the edge."""

    _spatial = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Continue with the edge."""

    _spatial = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Continue with the edge."""

    _spatial = 3


class ZeroPad1d(ConstantPad1d):
    """Continue with zero."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Continue with zero."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Continue with zero."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"
