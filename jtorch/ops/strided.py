"""Views that pick elements: diagonals, sliding windows, arbitrary strides; and their scatters."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, View, op
from ._dims import one

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


def _diagonal_dims(ndim: int, dim1: int, dim2: int) -> tuple[int, int]:
    a, b = one(dim1, ndim), one(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return a, b


def _diagonal_length(rows: int, columns: int, offset: int) -> int:
    return max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)


def _strided_diagonal(
    sizes: Any, strides: Any, start: int, *, offset: int, dim1: int, dim2: int
) -> Geometry:
    a, b = _diagonal_dims(len(sizes), dim1, dim2)
    n = _diagonal_length(sizes[a], sizes[b], offset)
    if n:
        start += offset * strides[b] if offset >= 0 else -offset * strides[a]
    rest = [d for d in range(len(sizes)) if d not in (a, b)]
    out = (*(sizes[d] for d in rest), n)
    return out, (*(strides[d] for d in rest), strides[a] + strides[b]), start


def _write_diagonal(base: Any, new: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    a, b = _diagonal_dims(base.ndim, dim1, dim2)
    n = _diagonal_length(base.shape[a], base.shape[b], offset)
    moved = jnp.moveaxis(base, (a, b), (-2, -1))
    steps = np.arange(n)
    moved = moved.at[..., steps + max(-offset, 0), steps + max(offset, 0)].set(new)
    return jnp.moveaxis(moved, (-2, -1), (a, b))


@op(linear=True, view=View(_strided_diagonal, _write_diagonal))
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two dimensions as the last dimension of a view."""
    a, b = _diagonal_dims(input.ndim, dim1, dim2)
    n = _diagonal_length(input.shape[a], input.shape[b], offset)
    if not n:
        rest = [m for d, m in enumerate(input.shape) if d not in (a, b)]
        return jnp.zeros((*rest, 0), input.dtype)
    return jnp.diagonal(input, offset, a, b)


def _check_fits(src: Any, wanted: Any) -> None:
    if src.shape != tuple(wanted):
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, "
            f"slice size = {list(wanted)}"
        )


@op(linear=True)
def diagonal_scatter(
    input: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Any:
    """A copy of `input` with its diagonal replaced by `src`."""
    wanted = diagonal(input, offset, dim1, dim2).shape
    _check_fits(src, wanted)
    src = src.astype(input.dtype)
    return _write_diagonal(input, src, offset=offset, dim1=dim1, dim2=dim2)


@op(linear=True)
def select_scatter(input: Array, src: Array, dim: int, index: int) -> Any:
    """A copy of `input` with the slice at `index` replaced by `src`."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = one(dim, input.ndim)
    size = input.shape[d]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {d}"
        )
    wanted = input.shape[:d] + input.shape[d + 1 :]
    _check_fits(src, wanted)
    at = index % size
    return lax.dynamic_update_index_in_dim(input, src.astype(input.dtype), at, d)


@op(linear=True, out=True)
def slice_scatter(
    input: Array, src: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    """A copy of `input` with the slice start:end:step replaced by `src`."""
    d = one(dim, input.ndim)
    where = np.arange(input.shape[d])[slice(start, end, step)]
    wanted = (*input.shape[:d], len(where), *input.shape[d + 1 :])
    _check_fits(src, wanted)
    return input.at[(slice(None),) * d + (where,)].set(src.astype(input.dtype))


def _windows(n: int, dimension: int, size: int, step: int) -> int:
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dimension} is {n} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return (n - size) // step + 1


def _strided_unfold(
    sizes: Any, strides: Any, offset: int, *, dimension: int, size: int, step: int
) -> Geometry:
    if not sizes:
        return (size,), (1,), offset
    d = one(dimension, len(sizes))
    n = _windows(sizes[d], d, size, step)
    out = (*sizes[:d], n, *sizes[d + 1 :], size)
    return out, (*strides[:d], strides[d] * step, *strides[d + 1 :], strides[d]), offset


@op("_unfold_view", linear=True, view=View(_strided_unfold), namespaces=("Tensor:unfold",),
    grad_name="Unfold")  # fmt: skip
def _unfold_view(input: Array, dimension: int, size: int, step: int) -> Any:
    """Sliding windows along a dimension, as a view with the windows in a new last dimension."""
    x = input if input.ndim else input.reshape((1,))
    d = one(dimension, x.ndim)
    n = _windows(x.shape[d], d, size, step)
    if not input.ndim:
        return x[:size]
    if step == size:  # no overlap: a reshape
        cut = lax.slice_in_dim(x, 0, n * size, axis=d)
        parts = cut.reshape((*x.shape[:d], n, size, *x.shape[d + 1 :]))
        return jnp.moveaxis(parts, d + 1, -1)
    where = step * np.arange(n)[:, None] + np.arange(size)
    return jnp.moveaxis(jnp.take(x, where, axis=d, mode="clip"), d + 1, -1)


def positions(size: Any, stride: Any, offset: int) -> Any:
    """Flat storage positions of a strided view."""
    where = np.full(size, offset, np.int64)
    for d, (n, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[d] = n
        where += (np.arange(n, dtype=np.int64) * step).reshape(shape)
    return where


def _check_strided(input: Any, *, size: Any, stride: Any, storage_offset: int) -> None:
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {len(size)} vs {len(stride)}")
    if any(s < 0 for s in stride):
        raise RuntimeError("as_strided: Negative strides are not supported at the moment, "
                           f"got strides: {list(stride)}")  # fmt: skip
    if storage_offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {storage_offset}")
    last = storage_offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if math.prod(size) and last > input.numel:
        width = input.np.itemsize
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{storage_offset}, and itemsize {width} requiring a storage size of {last * width} "
            "are "
            f"out of bounds for storage of size {input.numel * width}"
        )


def _strided_as(
    sizes: Any, strides: Any, offset: int, *, size: Any, stride: Any, storage_offset: int
) -> Geometry:
    return size, stride, storage_offset


# Applied to the whole storage by the composite.
@op("as_strided", linear=True, view=View(_strided_as), check=_check_strided, namespaces=())
def as_strided(input: Array, size: Any, stride: Any, storage_offset: int) -> Any:
    """Elements of the storage at arbitrary strides, as a view."""
    return input.ravel()[positions(size, stride, storage_offset)]


def _check_strided_scatter(
    input: Any, src: Any, *, size: Any, stride: Any, storage_offset: Any
) -> None:
    _check_strided(input, size=size, stride=stride, storage_offset=storage_offset or 0)


@op(linear=True, check=_check_strided_scatter)
def as_strided_scatter(
    input: Array, src: Array, size: Any, stride: Any, storage_offset: Any = None
) -> Any:
    """A copy of `input` with the elements at these strides replaced by `src`."""
    where = positions(size, stride, storage_offset or 0)
    _check_fits(src, where.shape)
    flat = input.ravel().at[where.ravel()].set(src.ravel().astype(input.dtype))
    return flat.reshape(input.shape)
