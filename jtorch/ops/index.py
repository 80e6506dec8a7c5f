"""Whole slices by an index vector, flat element access, and masks."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from .._engine.errors import broadcast_shapes
from ._define import Array, Arrays, Operand, Scalar, op
from ._dims import at_least_1d, one
from ._rules import refuse
from .gather import reduced


def _check_vector(name: str, index: Any) -> None:
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector")
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError(f"{name}(): Expected dtype int32 or int64 for index")


def _check_index_select(input: Any, index: Any, *, dim: int) -> None:
    one(dim, input.ndim)
    _check_vector("index_select", index)


@op(out=True, check=_check_index_select)
def index_select(input: Array, dim: int, index: Array) -> Any:
    """The slices of a dimension at the given places, as a copy."""
    d = one(dim, input.ndim)
    found = jnp.take(at_least_1d(input), at_least_1d(index), axis=d, mode="fill")
    return found if input.ndim else found.reshape(())


def _check_index_add(input: Any, index: Any, source: Any, alpha: Any = 1, *, dim: int) -> None:
    d = one(dim, input.ndim)
    _check_vector("index_add", index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "index_add_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.scalar_name} and (source) {source.dtype.scalar_name}"
        )
    n = source.shape[d] if source.ndim else 1
    if index.numel != n:
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.numel}) should be equal to source.size(dim): "
            f"({n}), for dim: {dim}"
        )
    _check_slices("index_add_", input, source, d)


def _check_slices(name: str, input: Any, source: Any, d: int) -> None:
    a = [n for k, n in enumerate(input.shape) if k != d]
    b = [n for k, n in enumerate(source.shape) if k != d]
    if a != b:
        raise RuntimeError(
            f"{name}: Source/destination tensor must have same slice shapes. Destination slice "
            "shape: "
            f"{a} at dimension {d} and source slice shape: {b} at dimension {d}."
        )


def _at(x: Any, d: int, index: Any) -> Any:
    """The slices of dimension d at an index vector, to write to."""
    return x.at[(slice(None),) * d + (at_least_1d(index),)]


@op(out=True, inplace=True, check=_check_index_add, linear=False)
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: Scalar = 1) -> Any:
    """input with alpha * source added to the slices of a dimension; equal places add up."""
    d = one(dim, input.ndim)
    x, more = at_least_1d(input), at_least_1d(source)
    if not (isinstance(alpha, int) and alpha == 1):
        more = more * jnp.asarray(alpha).astype(more.dtype)
    if x.dtype == bool:
        return _at(x, d, index).max(more, mode="drop").reshape(input.shape)
    return _at(x, d, index).add(more, mode="drop").reshape(input.shape)


def _check_index_copy(input: Any, index: Any, source: Any, *, dim: int) -> None:
    d = one(dim, input.ndim)
    _check_vector("index_copy_", index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.scalar_name} and (source) {source.dtype.scalar_name}"
        )
    if source.ndim and input.ndim and source.ndim != input.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must "
            f"match. Source dimensionality ({source.ndim}), destination dimensionality "
            f"({input.ndim})"
        )
    n = source.shape[d] if source.ndim else 1
    if index.numel != n:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.numel}) should be equal to source.size(dim) "
            f"({n})"
        )
    if source.ndim:
        _check_slices("index_copy_()", input, source, d)


@op(out=True, inplace=True, check=_check_index_copy)
def index_copy(input: Array, dim: int, index: Array, source: Array) -> Any:
    """input with slices of a dimension replaced by those of source."""
    d = one(dim, input.ndim)
    x = at_least_1d(input)
    return _at(x, d, index).set(at_least_1d(source), mode="drop").reshape(input.shape)


def _check_index_fill(input: Any, index: Any, value: Any, *, dim: int) -> None:
    one(dim, input.ndim)
    if index.dtype.name not in ("int64", "int32"):
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise IndexError("Index has to be a vector/scalar")
    if hasattr(value, "ndim") and value.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )


@op(inplace=True, check=_check_index_fill)
def index_fill(input: Array, dim: int, index: Array, value: Operand) -> Any:
    """input with slices of a dimension set to one value."""
    d = one(dim, input.ndim)
    x = at_least_1d(input)
    value = jnp.asarray(value).astype(x.dtype)
    return _at(x, d, index).set(value, mode="drop").reshape(input.shape)


def _check_index_reduce(
    input: Any, index: Any, source: Any, *, dim: int, reduce: str, include_self: bool
) -> None:
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    if reduce != "mean":
        refuse("index_reduce_func", "complex")(input)
    d = one(dim, input.ndim)
    _check_vector("index_reduce", index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "index_reduce(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.scalar_name} and (source) {source.dtype.scalar_name}"
        )
    _check_slices("index_reduce_()", input, source, d)


@op(inplace=True, out=True, check=_check_index_reduce)
def index_reduce(
    input: Array, dim: int, index: Array, source: Array, reduce: str, *, include_self: bool = True
) -> Any:
    """input with slices of a dimension reduced with those of source."""
    d = one(dim, input.ndim)
    x, more = at_least_1d(input), at_least_1d(source)
    shape = [-1 if k == d else 1 for k in range(x.ndim)]
    places = jnp.broadcast_to(at_least_1d(index).reshape(shape), more.shape)
    return reduced(x, places, more, d, reduce, include_self).reshape(input.shape)


def _check_take(input: Any, index: Any) -> None:
    if index.dtype.name != "int64":
        raise RuntimeError(
            f"take(): Expected a long tensor for index, but got {index.dtype.scalar_name}"
        )
    if index.numel and not input.numel:
        raise IndexError("take(): tried to take from an empty tensor")


@op(out=True, check=_check_take)
def take(input: Array, index: Array) -> Any:
    """Elements of the flattened tensor."""
    return jnp.take(input.ravel(), index, mode="fill")


@op(out=True)
def take_along_dim(input: Array, indices: Array, dim: Any = None) -> Any:
    """gather whose index broadcasts; without dim, elements of the flattened tensor."""
    if indices.dtype != jnp.int64:
        raise RuntimeError("torch.take_along_dim(): dtype of indices should be Long but got "
                           f"{indices.dtype.name.capitalize()}")  # fmt: skip
    if dim is None:
        return jnp.take(input.ravel(), indices.ravel(), mode="fill")
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            "but "
            f"got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    d = one(dim, input.ndim)
    common = broadcast_shapes(*(
        tuple(1 if k == d else n for k, n in enumerate(a.shape)) for a in (input, indices)
    ))  # fmt: skip
    wide = [
        jnp.broadcast_to(a, (*common[:d], a.shape[d], *common[d + 1 :])) for a in (input, indices)
    ]
    return jnp.take_along_axis(wide[0], wide[1], d, mode="fill")


def _check_put(input: Any, index: Any, source: Any, *, accumulate: bool) -> None:
    if index.dtype.name != "int64":
        raise RuntimeError(
            f"put_(): Expected a long tensor for index, but got {index.dtype.scalar_name}"
        )
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.scalar_name} and source.dtype = {source.dtype.scalar_name}"
        )
    if source.numel != index.numel:
        raise RuntimeError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.numel}, index.numel() = {index.numel}"
        )


@op(inplace=True, check=_check_put)
def put(input: Array, index: Array, source: Array, accumulate: bool = False) -> Any:
    """input with elements of its flattened self replaced (or added to)."""
    at, values = input.ravel().at[index.ravel()], source.ravel()
    join = (at.max if input.dtype == bool else at.add) if accumulate else at.set
    return join(values, mode="drop").reshape(input.shape)


@op("_index_accumulate", namespaces=(), grad_name="IndexPut")
def _index_accumulate(input: Array, tensors: Arrays, new: Array, *, layout: Any) -> Any:
    """x[index tensors] += new, equal places adding up."""
    given, index = iter(tensors), []
    for taken in layout:
        index.append(next(given).astype(jnp.int64) if taken else slice(None))
    at = input.at[tuple(index)]
    return (at.max if input.dtype == bool else at.add)(new.astype(input.dtype), mode="drop")


def _check_masked_fill(input: Any, mask: Any, value: Any) -> None:
    if mask.dtype.name != "bool":
        raise RuntimeError("masked_fill_ only supports boolean masks, but got mask with dtype "
                           f"{_LOWER.get(mask.dtype.name, mask.dtype.name)}")  # fmt: skip
    if hasattr(value, "ndim") and value.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    _check_fill_number(input, value)
    broadcast_shapes(mask.shape, input.shape)


_LOWER = {"uint8": "unsigned char", "int64": "long int", "int32": "int", "float32": "float"}


def _check_fill_number(input: Any, value: Any) -> None:
    kind = value if isinstance(value, type) else value.dtype
    is_complex = kind is complex or getattr(kind, "is_complex", False)
    is_float = kind is float or getattr(kind, "is_floating_point", False)
    if (is_complex and not input.dtype.is_complex) or (is_float and input.dtype.is_integral):
        if isinstance(value, type) and not is_complex:
            return  # torch truncates a Python float
        raise RuntimeError(f"value cannot be converted to type {input.dtype.name} without overflow")


@op(inplace=True, check=_check_masked_fill)
def masked_fill(input: Array, mask: Array, value: Operand) -> Any:
    """input with one value where the mask is true."""
    return jnp.where(mask, jnp.asarray(value).astype(input.dtype), input)


def _check_masked_scatter(input: Any, mask: Any, source: Any) -> None:
    if input.dtype is not source.dtype:
        raise RuntimeError(
            "masked_scatter_: expected self and source to have same dtypes but got "
            f"{input.dtype.scalar_name} and {source.dtype.scalar_name}"
        )
    if mask.dtype.name != "bool":
        raise RuntimeError(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{mask.dtype.scalar_name}"
        )
    broadcast_shapes(input.shape, mask.shape)


@op(inplace=True, check=_check_masked_scatter)
def masked_scatter(input: Array, mask: Array, source: Array) -> Any:
    """input with the elements of source, in order, where the mask is true."""
    shape = broadcast_shapes(input.shape, mask.shape)
    x, where = jnp.broadcast_to(input, shape), jnp.broadcast_to(mask, shape)
    if not source.size:
        return x
    place = jnp.cumsum(where.ravel(), dtype=jnp.int64) - 1
    return jnp.where(where, jnp.take(source.ravel(), place, mode="clip").reshape(shape), x)


@op("_nonzero_static", namespaces=(), differentiable=False)
def _nonzero_static(input: Array, *, size: int, fill_value: int) -> Any:
    """Rows of indices of what is not zero, a fixed number of them."""
    if not input.ndim:
        return jnp.zeros((size, 0), jnp.int64)
    if not input.size:
        return jnp.full((size, input.ndim), fill_value, jnp.int64)
    found = jnp.nonzero(input, size=size, fill_value=fill_value)
    return jnp.stack(found, 1).astype(jnp.int64)
