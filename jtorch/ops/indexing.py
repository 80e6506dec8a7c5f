"""Indexing: the basic view, gathers by index tensors, and the writes through both."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Arrays, Operand, Scalar, View, op


def _plan(shape: tuple[int, ...], spec: Any, starts: Any) -> tuple[list[Any], list[int], list[Any]]:
    """Per source dimension: start, extent (elements spanned) and the spec entry."""
    given = iter(starts)
    at: list[Any] = []
    extent: list[int] = []
    entries = [e for e in spec if e[0] != "n"]
    for size, e in zip(shape, entries, strict=True):
        if e[0] == "i":
            at.append(next(given))
            extent.append(1)
        elif e[1] is None:
            at.append(0)
            extent.append(size)
        else:
            at.append(next(given))
            extent.append((e[1] - 1) * e[2] + 1 if e[1] else 0)
    return at, extent, entries


def _block(base: Any, at: list[Any], extent: list[int]) -> Any:
    if all(isinstance(a, int) for a in at):
        return lax.slice(base, at, [a + n for a, n in zip(at, extent, strict=True)])
    return lax.dynamic_slice(base, [jnp.asarray(a, jnp.int64) for a in at], extent)


def _strides(entries: list[Any]) -> list[int]:
    return [e[2] if e[0] == "s" and e[1] is not None else 1 for e in entries]


def _out_shape(shape: tuple[int, ...], spec: Any) -> tuple[int, ...]:
    sizes, out = iter(shape), []
    for e in spec:
        if e[0] == "n":
            out.append(1)
            continue
        size = next(sizes)
        if e[0] == "s":
            out.append(size if e[1] is None else e[1])
    return tuple(out)


def _write_basic(base: Any, new: Any, *, starts: Any, spec: Any) -> Any:
    if not base.ndim:
        return new.reshape(())
    at, _, entries = _plan(base.shape, spec, starts)
    block = tuple(
        1 if e[0] == "i" else n if e[1] is None else e[1]
        for e, n in zip(entries, base.shape, strict=True)
    )
    new = new.reshape(block)
    steps = _strides(entries)
    if any(s != 1 for s in steps):
        index = tuple(a + s * jnp.arange(n) for a, n, s in zip(at, block, steps, strict=True))
        return base.at[jnp.ix_(*index)].set(new)
    return lax.dynamic_update_slice(base, new, [jnp.asarray(a, jnp.int64) for a in at])


def _strided_basic(
    sizes: Any, strides: Any, offset: int, *, starts: Any, spec: Any
) -> tuple[Any, Any, int]:
    given, out_sizes, out_strides, dim = iter(starts), [], [], 0
    for e in spec:
        if e[0] == "n":
            out_sizes.append(1)
            out_strides.append(sizes[dim] * strides[dim] if dim < len(sizes) else 1)
            continue
        size, stride = sizes[dim], strides[dim]
        dim += 1
        if e[0] == "i":
            offset += next(given) * stride
        elif e[1] is None:
            out_sizes.append(size)
            out_strides.append(stride)
        else:
            offset += next(given) * stride
            out_sizes.append(e[1])
            out_strides.append(stride * e[2])
    return tuple(out_sizes), tuple(out_strides), offset


def _host_basic(array: Any, *rest: Any) -> Any:
    *starts, (spec,) = rest
    given = iter(starts)
    index: list[Any] = []
    for e in spec:
        if e[0] == "n":
            index.append(None)
        elif e[0] == "i":
            index.append(next(given))
        elif e[1] is None:
            index.append(slice(None))
        else:
            start = next(given)
            index.append(slice(start, start + (e[1] - 1) * e[2] + 1 if e[1] else start, e[2]))
    return array[tuple(index)]


@op(
    "_basic_index", view=View(_strided_basic, _write_basic), linear=True, namespaces=(),
    grad_name="Slice", host=_host_basic,
)  # fmt: skip
def _basic_index(input: Array, starts: Arrays, *, spec: Any) -> Any:
    """x[ints, slices, None]: the starts are numbers that may vary, the lengths are structure."""
    if not input.ndim:
        return input.reshape(_out_shape((), spec))
    at, extent, entries = _plan(input.shape, spec, starts)
    block = _block(input, at, extent)
    steps = _strides(entries)
    if any(s != 1 for s in steps):
        block = lax.slice(block, [0] * block.ndim, block.shape, steps)
    return block.reshape(_out_shape(input.shape, spec))


def _aligned(input: Any, tensors: Any, layout: Any) -> tuple[Any, ...]:
    """NumPy-style index with negative indices wrapped."""
    given = iter(tensors)
    index: list[Any] = []
    for dim, taken in enumerate(layout):
        if not taken:
            index.append(slice(None))
            continue
        i = next(given)
        i = i.astype(jnp.int64)
        index.append(jnp.where(i < 0, i + input.shape[dim], i))
    return tuple(index)


def _check_tensors(input: Any, tensors: Any, *rest: Any, layout: Any) -> None:
    sizes = [n for n, taken in zip(input.shape, layout, strict=False) if taken]
    if 0 in sizes and all(t.numel for t in tensors):
        raise IndexError("index is out of bounds for dimension with size 0")
    try:
        np.broadcast_shapes(*(t.shape for t in tensors))
    except ValueError:
        shapes = ", ".join(str(list(t.shape)) for t in tensors)
        raise IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes " + shapes
        ) from None


def _host_gather(array: Any, *rest: Any) -> Any:
    *tensors, (layout,) = rest
    given = iter(tensors)
    return array[tuple(next(given) if taken else slice(None) for taken in layout)]


@op(
    "_gather_index", namespaces=(), grad_name="Index", host=_host_gather, linear=False,
    check=_check_tensors,
)  # fmt: skip
def _gather_index(input: Array, tensors: Arrays, *, layout: Any) -> Any:
    """x[index tensors]."""
    return input[_aligned(input, tensors, layout)]


@op("_scatter_index", namespaces=(), grad_name="IndexPut", check=_check_tensors)
def _scatter_index(input: Array, tensors: Arrays, new: Array, *, layout: Any) -> Any:
    """x with x[index tensors] = new."""
    index = _aligned(input, tensors, layout)
    return input.at[index].set(_fit(new, input[index].shape).astype(input.dtype))


def _fit(new: Any, shape: tuple[int, ...]) -> Any:
    while new.ndim > len(shape) and new.shape[0] == 1:
        new = new[0]
    if new.ndim > len(shape) or any(
        a not in (1, b) for a, b in zip(new.shape[::-1], shape[::-1], strict=False)
    ):
        raise ValueError(
            f"shape mismatch: value tensor of shape {list(new.shape)} cannot be broadcast to "
            "indexing "
            f"result of shape {list(shape)}"
        )
    return new


@op("_mask_write", namespaces=(), grad_name="IndexPut")
def _mask_write(input: Array, mask: Array, new: Array) -> Any:
    """x with x[mask] = a single value; needs no sync."""
    mask = mask.astype(bool)
    mask = mask.reshape(mask.shape + (1,) * (input.ndim - mask.ndim))
    return jnp.where(mask, new.astype(input.dtype), input)


def _strided_select(sizes: Any, strides: Any, offset: int, *, index: Any, dim: int) -> Any:
    d = dim % len(sizes)
    i = index + sizes[d] if index < 0 else index
    return sizes[:d] + sizes[d + 1 :], strides[:d] + strides[d + 1 :], offset + i * strides[d]


def _check_select(input: Any, index: Any, *, dim: int) -> None:
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")


def _write_select(base: Any, new: Any, *, index: Any, dim: int) -> Any:
    return lax.dynamic_update_index_in_dim(
        base, new, _positive(index, base.shape[dim]), dim % base.ndim
    )


def _positive(index: Any, size: int) -> Any:
    return (
        index + size
        if isinstance(index, int) and index < 0
        else jnp.where(jnp.asarray(index) < 0, jnp.asarray(index) + size, index)
    )


def _host_select(array: Any, index: Any, static: Any) -> Any:
    return np.take(array, index, axis=static[0])


@op(view=View(_strided_select, _write_select), linear=True, check=None, host=_host_select)
def select(input: Array, dim: int, index: Scalar) -> Any:
    """The slice at `index` of dimension `dim`, as a view."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    return lax.dynamic_index_in_dim(
        input, _positive(index, input.shape[dim]), dim % input.ndim, False
    )


__all__ = ["Operand"]
