"""Functions whose result's size depends on values: they run what is pending, then count."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.errors import wrap_dim
from .._functions import composite
from .._gate import TensorBase, apply, named_tuple
from ..ops import TABLE
from ._arguments import apart, from_host, host, into


@composite("torch", "Tensor")
def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """Indices of the elements that are not zero: rows of a matrix, or a tuple of vectors."""
    array = host(input, "nonzero()")
    if as_tuple and not array.ndim:
        array = array.reshape(1)
    found = np.nonzero(array.reshape(-1) if not array.ndim else array)
    if as_tuple:
        return tuple(from_host(i.astype(np.int64), input) for i in found)
    if not array.ndim:
        return into("_argsort", out, from_host(np.zeros((len(found[0]), 0), np.int64), input))
    return into("_argsort", out, from_host(np.stack(found, 1).astype(np.int64), input))


@composite("torch", "Tensor")
def argwhere(input: Any) -> Any:
    """Indices of the elements that are not zero, as rows."""
    return nonzero(input)


@composite("torch", "Tensor")
def masked_select(input: Any, mask: Any, *, out: Any = None) -> Any:
    """The elements where the mask is true, as a vector."""
    if mask.dtype.name != "bool":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    apart(out, input, mask)
    from .shape import broadcast_tensors

    wide, where = broadcast_tensors(input, mask)
    places = np.flatnonzero(host(where, "masked_select()")).astype(np.int64)
    found = apply(TABLE["take"], (wide, from_host(places, input)), ())
    return into("take", out, found)


def _unique_result(array: Any, like: Any, inverse: Any, counts: Any) -> Any:
    parts = [from_host(array, like)]
    parts += [from_host(i.astype(np.int64), like) for i in (inverse, counts) if i is not None]
    return parts[0] if len(parts) == 1 else tuple(parts)


@composite("torch", "Tensor")
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: Any = None,
) -> Any:  # fmt: skip
    """The distinct elements (or slices of dim), sorted, with places and counts if asked for."""
    _refuse_complex("unique" if dim is None else "unique_dim", input)
    array = host(input, "unique()")
    if dim is not None:
        dim = wrap_dim(dim, array.ndim)
        _check_unique_dim("unique", array, dim)
        if not array.ndim:
            array, dim = array.reshape(1), 0
    found, inverse, counts = np.unique(
        array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False
    )
    inverse = inverse.reshape(array.shape if dim is None else -1).reshape(
        input.shape if dim is None else (-1,)
    )
    return _unique_result(
        found, input, inverse if return_inverse else None, counts if return_counts else None
    )


def _refuse_complex(kernel: str, input: Any) -> None:
    if input.dtype.is_complex:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_name}'")


def _check_unique_dim(name: str, array: Any, dim: int) -> None:
    if array.size or not array.ndim:
        return
    zeros = [d for d, n in enumerate(array.shape) if n == 0]
    if array.shape[dim] != 0 or len(zeros) > 1:
        raise RuntimeError(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )


@composite("torch", "Tensor")
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """Runs of equal elements (or slices) as one each, with places and lengths if asked for."""
    _refuse_complex("unique" if dim is None else "unique_dim", input)
    array = host(input, "unique_consecutive()")
    if dim is None:
        flat = array.reshape(-1)
        new = flat[1:] != flat[:-1]
    else:
        dim = wrap_dim(dim, array.ndim)
        _check_unique_dim("unique_consecutive", array, dim)
        flat = np.moveaxis(np.atleast_1d(array), dim, 0)
        new = (flat[1:] != flat[:-1]).any(tuple(range(1, flat.ndim)))
    first = np.concatenate([np.ones(min(len(flat), 1), bool), new])
    starts = np.flatnonzero(first)
    found = flat[starts] if dim is None else np.moveaxis(flat[starts], 0, dim)
    inverse = np.cumsum(first) - 1
    if dim is None:
        inverse = inverse.reshape(array.shape)
    counts = np.diff(np.append(starts, len(flat)))
    return _unique_result(
        found, input, inverse if return_inverse else None, counts if return_counts else None
    )


@composite("torch", "Tensor")
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number from 0 on occurs, or the sum of its weights."""
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if not input.dtype.is_integral:
        raise NotImplementedError(
            f"\"bincount_cpu\" not implemented for '{input.dtype.scalar_name}'"
        )
    array = host(input, "bincount()")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and (weights.ndim != 1 or weights.numel() != input.numel()):
        raise RuntimeError("weights should be 1-d and have the same length as input")
    length = max(int(array.max()) + 1 if array.size else 0, minlength)
    return apply(TABLE["_bincount"], (input, weights), (length,))


@composite("torch")
def repeat_interleave(
    input: Any, repeats: Any = None, dim: Any = None, *, output_size: Any = None
) -> Any:
    """Every element (or slice of dim) repeated a number of times, or as often as a tensor says."""
    if repeats is None:
        return _repeated_places(input)
    if isinstance(repeats, TensorBase) and repeats._value.aval.numel == 1 and repeats.ndim < 2:
        repeats = int(repeats.item())  # type: ignore[attr-defined]
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        return apply(TABLE["_repeat_each"], (input,), (repeats, dim))
    source = input.flatten() if dim is None else input
    dim = 0 if dim is None else wrap_dim(dim, input.ndim)
    if not isinstance(repeats, TensorBase):
        repeats = from_host(np.asarray(repeats, np.int64))
    size = source.shape[dim] if source.ndim else 1
    if repeats.ndim > 1:  # type: ignore[attr-defined]
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats._value.aval.numel != size:
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats._value.aval.numel} and input.size({dim}) = {size}"
        )
    return source.index_select(dim, _repeated_places(repeats, source))


@composite("Tensor:repeat_interleave")
def _repeat_interleave_method(
    self: Any, repeats: Any, dim: Any = None, *, output_size: Any = None
) -> Any:
    """Every element (or slice of dim) repeated a number of times, or as often as a tensor says."""
    return repeat_interleave(self, repeats, dim, output_size=output_size)


def _repeated_places(repeats: Any, like: Any = None) -> Any:
    if repeats.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype.name not in ("int64", "int32"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    counts = host(repeats, "repeat_interleave()")
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    places = np.repeat(np.arange(len(counts), dtype=repeats.dtype.np), counts)
    return from_host(places, repeats if like is None else like)


@composite("torch", "Tensor")
def nonzero_static(input: Any, *, size: int, fill_value: int = -1, out: Any = None) -> Any:
    """The first `size` rows of `nonzero`, filled up with a value; needs no sync."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    return into(
        "_nonzero_static", out, apply(TABLE["_nonzero_static"], (input,), (size, fill_value))
    )


_Histogram = named_tuple("histogram", ("hist", "bin_edges"))
_HistogramDD = named_tuple("histogramdd", ("hist", "bin_edges"))


def _edges(values: Any, bins: int, range: Any, like: Any) -> Any:
    """Equal bins over a range, or over the data."""
    kind = like.dtype.np
    if range is not None:
        low, high = range
    else:
        low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    if low > high:
        raise RuntimeError("torch.histogramdd: min should not exceed max for dimension 0")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return from_host(np.linspace(low, high, bins + 1, dtype=np.float64).astype(kind), like)


@composite("torch", "Tensor")
def histogram(
    input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False,
    out: Any = None,
) -> Any:  # fmt: skip
    """Counts between bin edges (given, or equal bins over a range or the data)."""
    if isinstance(bins, TensorBase):
        edges = bins
    else:
        values = host(input, "histogram()") if range is None else None
        edges = _edges(values, bins, range, input)
    found = apply(TABLE["_histogram"], (input, edges, weight), (density,))
    return into("_histogram", out, _Histogram(found, edges))


@composite("torch")
def histogramdd(
    input: Any, bins: Any, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """Counts of N-dimensional samples between bin edges."""
    n = input.shape[-1]
    if isinstance(bins, int):
        bins = [bins] * n
    if len(bins) != n:
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input."
        )
    if isinstance(bins[0], TensorBase):
        edges = list(bins)
    else:
        values = host(input, "histogramdd()").reshape(-1, n)
        spans = [None] * n if range is None else list(zip(range[::2], range[1::2], strict=True))
        edges = [
            _edges(values[:, i], b, s, input)
            for i, (b, s) in enumerate(zip(bins, spans, strict=True))
        ]
    found = apply(TABLE["_histogramdd"], (input, edges, weight), (density,))
    return _HistogramDD(found, tuple(edges))
