"""Views that rearrange: transpose, reshape and their kin."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from .._engine.strides import reshape_strides
from ._define import Array, View, op


def _permuted(sizes: Any, strides: Any, offset: int, dims: Any) -> Any:
    return tuple(sizes[d] for d in dims), tuple(strides[d] for d in dims), offset


def _swapped(ndim: int, a: int, b: int) -> list[int]:
    order = list(range(ndim))
    if ndim:
        order[a], order[b] = order[b], order[a]
    return order


@op(linear=True, view=View(
    lambda sizes, strides, offset, *, dim0, dim1:
        _permuted(sizes, strides, offset, _swapped(len(sizes), dim0, dim1)),
    lambda base, new, *, dim0, dim1: jnp.swapaxes(new, dim0, dim1) if new.ndim else new,
))  # fmt: skip
def transpose(input: Array, dim0: int, dim1: int) -> Any:
    """Swap two dimensions, as a view."""
    return jnp.swapaxes(input, dim0, dim1) if input.ndim else input


def _t(x: Any) -> Any:
    return x.T if x.ndim == 2 else x


@op(linear=True, view=View(
    lambda sizes, strides, offset: (sizes[::-1], strides[::-1], offset), lambda base, new: _t(new)
))  # fmt: skip
def t(input: Array) -> Any:
    """Transpose of a matrix, as a view."""
    return _t(input)
