"""Nested arguments with their tensors taken out and put back: what regions need of a call."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ._gate import TensorBase


class _Slot:
    """Stands for a tensor taken out of a nested value."""


def strip(x: Any, tensors: list[Any]) -> Any:
    """A nested value with its tensors moved into a list."""
    if isinstance(x, TensorBase):
        tensors.append(x)
        return _Slot
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(strip(i, tensors) for i in x))
    if isinstance(x, list | tuple):
        return type(x)(strip(i, tensors) for i in x)
    if isinstance(x, dict):
        new = copy.copy(x)
        for k in x:
            new[k] = strip(x[k], tensors)
        return new
    return x


def fill(x: Any, tensors: Any) -> Any:
    """The reverse of `strip`."""
    return _fill(x, iter(tensors))


def _fill(x: Any, supply: Iterator[Any]) -> Any:
    # Not a nested function: one that calls itself is a cycle, and would keep the tensors alive.
    if x is _Slot:
        return next(supply)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(_fill(i, supply) for i in x))
    if isinstance(x, list | tuple):
        return type(x)(_fill(i, supply) for i in x)
    if isinstance(x, dict):
        new = copy.copy(x)
        for k in x:
            new[k] = _fill(x[k], supply)
        return new
    return x
