"""Weights in another memory format: XLA chooses layouts itself, so there is nothing to convert."""

from __future__ import annotations

from typing import Any, TypeVar

from ..module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

_M = TypeVar("_M", bound=Module)


def convert_conv2d_weight_memory_format(module: _M, memory_format: Any) -> _M:
    """The module as it is: layouts are XLA's own choice, per program."""
    return module


def convert_conv3d_weight_memory_format(module: _M, memory_format: Any) -> _M:
    """The module as it is: layouts are XLA's own choice, per program."""
    return module
