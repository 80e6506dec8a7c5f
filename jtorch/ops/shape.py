"""Views that keep every element: reshapes, permutations, dimensions of size one."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .._engine.strides import reshape_strides
from ._define import Array, Dims, Ints, View, op
from ._dims import one, several

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


def _like_base(base: Any, new: Any, **_: Any) -> Any:
    """The write of every view that keeps the order of the elements."""
    return new.reshape(base.shape)


def _strided_view(sizes: Any, strides: Any, offset: int, *, size: Any) -> Geometry | None:
    found = reshape_strides(tuple(sizes), tuple(strides), size)
    return None if found is None else (size, found, offset)


def _host_reshape(array: Any, static: Any) -> Any:
    return array.reshape(static[0])


# The size comes complete from the composites, which know the strides.
@op(linear=True, view=View(_strided_view, _like_base), namespaces=(), host=_host_reshape)
def view(input: Array, size: Any) -> Any:
    """The same elements under another shape, as a view."""
    return input.reshape(size)


@op("_reshape_copy", linear=True, namespaces=(), grad_name="UnsafeView", host=_host_reshape)
def _reshape_copy(input: Array, size: Any) -> Any:
    """A reshape that torch cannot express with strides: a copy."""
    return input.reshape(size)


def _as_bits(x: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    if x.dtype == bool:
        x = x.astype(jnp.uint8)
    ratio = x.dtype.itemsize // dtype.itemsize or 1
    if dtype.itemsize > x.dtype.itemsize:
        k = dtype.itemsize // x.dtype.itemsize
        x = x.reshape((*x.shape[:-1], x.shape[-1] // k, k))
    if dtype == np.dtype(bool):
        return (lax.bitcast_convert_type(x, jnp.uint8) != 0).reshape(shape)
    if x.dtype.kind == "c" or dtype.kind == "c":
        return _complex_bits(x, dtype, ratio).reshape(shape)
    return lax.bitcast_convert_type(x, dtype).reshape(shape)


def _complex_bits(x: Any, dtype: Any, ratio: int) -> Any:
    """XLA has no bit casts of complex numbers: they pass as pairs of reals."""
    if x.dtype.kind == "c":
        if dtype.kind == "c":
            return x
        pairs = jnp.stack([x.real, x.imag], -1)
        return pairs if pairs.dtype == dtype else lax.bitcast_convert_type(pairs, dtype)
    half = np.dtype(f"f{dtype.itemsize // 2}")
    if x.dtype.itemsize == dtype.itemsize:
        x = lax.bitcast_convert_type(x, half)
    return lax.complex(x[..., 0].astype(half), x[..., 1].astype(half))


def _strided_bits(sizes: Any, strides: Any, offset: int, *, dtype: Any, shape: Any) -> Geometry:
    if math.prod(sizes) == math.prod(shape):
        return shape, tuple(strides), offset
    k = math.prod(shape) / math.prod(sizes) if math.prod(sizes) else 1
    scaled = (*(int(s * k) for s in strides[:-1]), 1)
    return shape, scaled, int(offset * k)


def _write_bits(base: Any, new: Any, *, dtype: Any, shape: Any) -> Any:
    return _as_bits(new, base.dtype, base.shape)


@op("_view_dtype", view=View(_strided_bits, _write_bits), namespaces=(), differentiable=False)
def _view_dtype(input: Array, *, dtype: Any, shape: Any) -> Any:
    """The same bits as another dtype, as a view."""
    return _as_bits(input, dtype.np, shape)


def _order(dims: Any, ndim: int) -> tuple[int, ...]:
    order = tuple(one(d, ndim) for d in dims)
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return order


def _strided_permute(sizes: Any, strides: Any, offset: int, *, dims: Any) -> Geometry:
    dims = _order(dims, len(sizes))
    return tuple(sizes[d] for d in dims), tuple(strides[d] for d in dims), offset


def _check_permute(input: Any, *, dims: Any) -> None:
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length "
            f"of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal "
            "to "
            f"len(dims) = {len(dims)}"
        )


def _write_permute(base: Any, new: Any, *, dims: Any) -> Any:
    return jnp.transpose(new, np.argsort(_order(dims, base.ndim)).tolist())


def _host_permute(array: Any, static: Any) -> Any:
    return array.transpose(static[0])


@op(linear=True, check=_check_permute, view=View(_strided_permute, _write_permute),
    namespaces=(), host=_host_permute)  # fmt: skip
def permute(input: Array, dims: Ints) -> Any:
    """Dimensions in another order, as a view."""
    return jnp.transpose(input, _order(dims, input.ndim))


def _swapped(ndim: int, a: int, b: int) -> list[int]:
    a, b = one(a, ndim), one(b, ndim)
    order = list(range(ndim))
    if ndim:
        order[a], order[b] = order[b], order[a]
    return order


def _strided_transpose(sizes: Any, strides: Any, offset: int, *, dim0: int, dim1: int) -> Geometry:
    return _strided_permute(sizes, strides, offset, dims=_swapped(len(sizes), dim0, dim1))


def _transpose(x: Any, *, dim0: int, dim1: int) -> Any:
    return jnp.transpose(x, _swapped(x.ndim, dim0, dim1))


def _host_transpose(array: Any, static: Any) -> Any:
    return array.transpose(_swapped(array.ndim, *static))


@op(linear=True, host=_host_transpose,
    view=View(_strided_transpose, lambda base, new, **dims: _transpose(new, **dims)))  # fmt: skip
def transpose(input: Array, dim0: int, dim1: int) -> Any:
    """Swap two dimensions, as a view."""
    return _transpose(input, dim0=dim0, dim1=dim1)


def _t(x: Any) -> Any:
    return x.T if x.ndim == 2 else x


def _check_t(input: Any) -> None:
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")


@op(linear=True, check=_check_t, view=View(
    lambda sizes, strides, offset: (sizes[::-1], strides[::-1], offset), lambda base, new: _t(new)
))  # fmt: skip
def t(input: Array) -> Any:
    """Transpose of a matrix, as a view."""
    return _t(input)


def _squeezed(sizes: Any, dim: Any) -> list[int]:
    """The dimensions that stay."""
    dims = range(len(sizes)) if dim is None else several(dim, len(sizes)) if dim != () else ()
    return [d for d, n in enumerate(sizes) if n != 1 or d not in dims]


def _strided_squeeze(sizes: Any, strides: Any, offset: int, *, dim: Any) -> Geometry:
    stay = _squeezed(sizes, dim)
    return tuple(sizes[d] for d in stay), tuple(strides[d] for d in stay), offset


def _host_squeeze(array: Any, static: Any) -> Any:
    return array.reshape([array.shape[d] for d in _squeezed(array.shape, static[0])])


@op(linear=True, view=View(_strided_squeeze, _like_base), host=_host_squeeze)
def squeeze(input: Array, dim: Dims | None = None) -> Any:
    """Without the dimensions of size one (or without those of `dim`), as a view."""
    return input.reshape([input.shape[d] for d in _squeezed(input.shape, dim)])


def _strided_unsqueeze(sizes: Any, strides: Any, offset: int, *, dim: int) -> Geometry:
    d = one(dim, len(sizes) + 1)
    step = sizes[d] * strides[d] if d < len(sizes) else 1
    return (*sizes[:d], 1, *sizes[d:]), (*strides[:d], step, *strides[d:]), offset


def _host_unsqueeze(array: Any, static: Any) -> Any:
    return np.expand_dims(array, static[0])


@op(linear=True, view=View(_strided_unsqueeze, _like_base), host=_host_unsqueeze)
def unsqueeze(input: Array, dim: int) -> Any:
    """With a new dimension of size one, as a view."""
    return jnp.expand_dims(input, one(dim, input.ndim + 1))


def expanded(shape: tuple[int, ...], size: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The size an expand asks for, with its -1 filled in, or torch's error."""
    lead = len(size) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand({name}{{{list(shape)}}}, size={list(size)}): the number of sizes provided "
            f"({len(size)}) must be greater or equal to the number of dimensions in the tensor "
            f"({len(shape)})"
        )
    out = list(size)
    for i in reversed(range(len(size))):
        want = size[i]
        have = shape[i - lead] if i >= lead else 1
        if want == -1:
            if i < lead:
                raise RuntimeError(
                    f"The expanded size of the tensor ({want}) isn't allowed in a leading, "
                    f"non-existing dimension {i}"
                )
            want = have
        if want != have and (have != 1 or want < 0):
            raise RuntimeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({have}) "
                "at "
                f"non-singleton dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: "
                f"{list(shape)}"
            )
        out[i] = want
    return tuple(out)


def _strided_expand(sizes: Any, strides: Any, offset: int, *, size: Any) -> Geometry:
    out = expanded(tuple(sizes), size, "")
    lead = len(out) - len(sizes)
    steps = [0] * len(out)
    for i in reversed(range(len(out))):
        if i >= lead:
            have, step = sizes[i - lead], strides[i - lead]
        else:
            have, step = 1, out[i + 1] * steps[i + 1] if i + 1 < len(out) else 1
        steps[i] = step if have == out[i] else 0
    return out, tuple(steps), offset


def _write_expand(base: Any, new: Any, *, size: Any) -> Any:
    if math.prod(new.shape) != math.prod(base.shape):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    return new.reshape(base.shape)


def _check_expand(input: Any, *, size: Any) -> None:
    expanded(input.shape, size, f"torch.{input.dtype.scalar_name}Tensor")


@op(linear=True, check=_check_expand, view=View(_strided_expand, _write_expand), namespaces=())
def expand(input: Array, size: Any) -> Any:
    """Repeat dimensions of size one without a copy, as a view."""
    return jnp.broadcast_to(input, expanded(input.shape, size, ""))
