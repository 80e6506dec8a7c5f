"""Order: sort, argsort, topk, kthvalue, median, mode, quantile, searchsorted.

XLA sorts single integers five to ten times faster than (value, index) pairs, so an element and its
place go into one int64: above the index the value's bits, as an integer that compares alike.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Operand, op
from ._dims import at_least_1d, checks, one
from ._rules import refuse
from .reduce import needs_elements, pick, selected

_PAIR: Any = {"fields": ("values", "indices")}


def sort_key(x: Any) -> Any:
    """Signed integers that compare as torch orders x: NaN last, -0.0 equal to 0.0."""
    x = lax.stop_gradient(x)
    if x.dtype == bool:
        return x.astype(jnp.int32)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        if x.dtype == jnp.uint64:
            return lax.bitcast_convert_type(x, jnp.int64) ^ jnp.int64(-(2**63))
        return x.astype(jnp.int32 if x.dtype.itemsize < 4 or x.dtype == jnp.int32 else jnp.int64)
    if x.dtype.itemsize < 4:
        x = x.astype(jnp.float32)
    x = jnp.where(x == 0, 0, jnp.where(jnp.isnan(x), jnp.nan, x)).astype(x.dtype)
    width = jnp.int32 if x.dtype.itemsize == 4 else jnp.int64
    bits = lax.bitcast_convert_type(x, width)
    return jnp.where(bits < 0, bits ^ np.iinfo(width).max, bits)


_LOW = 0xFFFFFFFF


def _packed(key: Any, dim: int) -> Any:
    """Stable order of 32-bit keys."""
    place = lax.broadcasted_iota(jnp.int64, key.shape, dim)
    both = (key.astype(jnp.int64) << 32) | place
    return lax.sort(both, dimension=dim, is_stable=False) & _LOW


def order(x: Any, dim: int, descending: bool = False) -> Any:
    """Indices that sort x stably along `dim`."""
    key = sort_key(x)
    if descending:
        key = ~key
    if key.dtype == jnp.int32:
        return _packed(key, dim)
    first = _packed(((key & _LOW) - 2**31).astype(jnp.int32), dim)
    high = jnp.take_along_axis((key >> 32).astype(jnp.int32), first, dim, mode="clip")
    second = _packed(high, dim)
    return jnp.take_along_axis(first, second, dim, mode="clip")


def _sorted(input: Any, dim: int, descending: bool) -> tuple[Any, Any]:
    x = at_least_1d(input)
    d = one(dim, x.ndim)
    index = order(x, d, descending)
    return pick(x, index, d).reshape(input.shape), index.reshape(input.shape)


def _check_sort(input: Any, *, dim: int, **_: Any) -> None:
    one(dim, input.ndim)
    if input.dtype.is_complex:
        raise RuntimeError(" Sort does not support complex dtypes on CPU")


@op("_sort", fields_name="sort", check=_check_sort, namespaces=(), grad_name="Sort", **_PAIR)
def _sort(input: Array, dim: int, descending: bool) -> Any:
    """Sorted elements and where they came from; always stable."""
    return _sorted(input, dim, descending)


@op("_argsort", check=_check_sort, namespaces=(), differentiable=False)
def _argsort(input: Array, dim: int, descending: bool) -> Any:
    """The indices that sort; always stable."""
    x = at_least_1d(input)
    return order(x, one(dim, x.ndim), descending).reshape(input.shape)


@op(out=True, check=lambda input: _check_sort(input, dim=0))
def msort(input: Array) -> Any:
    """Sorted along the first dimension."""
    return _sorted(input, 0, False)[0]


def _top(x: Any, d: int, k: int, largest: bool) -> Any:
    """Places of the k largest; XLA has a fast top_k for float32 alone."""
    if not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype.itemsize > 4:
        return lax.slice_in_dim(order(x, d, descending=largest), 0, k, axis=d)
    x = lax.stop_gradient(x).astype(jnp.float32)
    x = jnp.where(jnp.isnan(x), jnp.nan, x)
    moved = jnp.moveaxis(x if largest else -x, d, -1)
    return jnp.moveaxis(lax.top_k(moved, k)[1].astype(jnp.int64), -1, d)


def _check_topk(input: Any, *, k: int, dim: int, largest: bool, sorted: bool) -> None:
    d = one(dim, input.ndim)
    if k < 0 or k > (input.shape[d] if input.ndim else 1):
        raise RuntimeError("selected index k out of range")
    if input.dtype.is_complex:
        raise RuntimeError(" topk does not support complex dtypes on CPU")
    if input.dtype.name == "bool":
        raise RuntimeError("topk does not support bool dtypes on CPU")


@op(out=True, check=_check_topk, **_PAIR)
def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) elements of a dimension, sorted, and their places."""
    x = at_least_1d(input)
    d = one(dim, x.ndim)
    index = _top(x, d, k, largest)
    values = pick(x, index, d)
    if not input.ndim and k == 1:
        return values.reshape(()), index.reshape(())
    return values, index


def _check_kthvalue(input: Any, *, k: int, dim: int, keepdim: bool) -> None:
    d = one(dim, input.ndim)
    size = input.shape[d] if input.ndim else 1
    if not size:
        raise IndexError(f"kthvalue(): Expected reduction dim {d} to have non-zero size.")
    if not 1 <= k <= size:
        raise RuntimeError("kthvalue(): selected number k out of range for dimension " + str(d))


@op(out=True, check=checks(refuse("kthvalue_cpu", "bool", "complex"), _check_kthvalue), **_PAIR)
def kthvalue(input: Array, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element of a dimension and its place."""
    return selected(
        input, dim, keepdim, lambda x, d: lax.index_in_dim(order(x, d), k - 1, d, False)
    )


def _middle(x: Any, d: int, skip_nan: bool) -> Any:
    """Where the lower median is; a NaN is the median unless NaNs are skipped."""
    index, n = order(x, d), x.shape[d]
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return lax.index_in_dim(index, (n - 1) // 2, d, False)
    numbers = jnp.sum(~jnp.isnan(x), d, keepdims=True, dtype=jnp.int64)
    if skip_nan:
        at = jnp.maximum(numbers - 1, 0) // 2
    else:  # NaNs sort last: the first of them is at `numbers`
        at = jnp.where(numbers == n, (n - 1) // 2, jnp.minimum(numbers, n - 1))
    return jnp.take_along_axis(index, at, d, mode="clip").squeeze(d)


@op("_median_dim", check=needs_elements("median"), fields_name="median", namespaces=(),
    grad_name="Median", **_PAIR)  # fmt: skip
def _median_dim(input: Array, dim: int, keepdim: bool = False) -> Any:
    """Lower median of a dimension and its place."""
    return selected(input, dim, keepdim, lambda x, d: _middle(x, d, False))


@op("_nanmedian_dim", check=needs_elements("nanmedian"), fields_name="nanmedian", namespaces=(),
    grad_name="Nanmedian", **_PAIR)  # fmt: skip
def _nanmedian_dim(input: Array, dim: int, keepdim: bool = False) -> Any:
    """Lower median of what is not NaN, and its place."""
    return selected(input, dim, keepdim, lambda x, d: _middle(x, d, True))


_refuse_median = refuse("median_cpu", "bool", "complex")


def _median_of_all(input: Any, skip_nan: bool) -> Any:
    """The median of everything; equal elements share the gradient."""
    x = input.ravel()
    if not x.size:
        return jnp.asarray(jnp.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
    found = lax.stop_gradient(x)[_middle(x, 0, skip_nan)]
    if x.dtype.kind != "f":
        return found
    same = (x == found) | (jnp.isnan(x) & jnp.isnan(found))
    share = jnp.where(same, x, 0) / jnp.sum(same).astype(x.dtype)
    # The value is the element itself; its gradient is that of the mean of the equal ones.
    return found + (jnp.sum(share) - lax.stop_gradient(jnp.sum(share)))


@op("_median", namespaces=(), grad_name="Median", check=_refuse_median)
def _median(input: Array) -> Any:
    """Lower median of all elements."""
    return _median_of_all(input, False)


@op("_nanmedian", namespaces=(), grad_name="Nanmedian", check=_refuse_median)
def _nanmedian(input: Array) -> Any:
    """Lower median of all elements that are not NaN."""
    return _median_of_all(input, True)


def _commonest(x: Any, d: int) -> Any:
    """Place of the smallest among the most frequent elements: its last occurrence."""
    x = jnp.moveaxis(x, d, -1)
    index = order(x, x.ndim - 1)
    key = jnp.take_along_axis(sort_key(x), index, -1, mode="clip")
    place = lax.broadcasted_iota(jnp.int64, key.shape, x.ndim - 1)
    new = jnp.concatenate([jnp.ones_like(key[..., :1], bool), key[..., 1:] != key[..., :-1]], -1)
    start = lax.cummax(jnp.where(new, place, 0), axis=x.ndim - 1)
    best = lax.argmax(place - start, x.ndim - 1, jnp.int64)  # end of the first longest run
    return jnp.take_along_axis(index, best[..., None], -1, mode="clip")[..., 0]


@op("mode", out=True, check=needs_elements("mode"), **_PAIR)
def mode(input: Array, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element of a dimension (the smallest of them) and its place."""
    return selected(input, dim, keepdim, _commonest)


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(
    input: Any, q: Any, *, dim: Any, keepdim: bool, interpolation: str, ignore_nan: bool
) -> None:
    name = "quantile"
    if not input.numel:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.dtype is not input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            "but "
            f"got {interpolation}"
        )
    if dim is not None:
        one(dim, input.ndim)


@op("_quantile", check=_check_quantile, namespaces=(), grad_name="Quantile")
def _quantile(
    input: Array, q: Array, dim: Any, keepdim: bool, interpolation: str, ignore_nan: bool
) -> Any:
    """Quantiles of a dimension; those of several q come first."""
    x = input.ravel() if dim is None else at_least_1d(input)
    d = 0 if dim is None else one(dim, x.ndim)
    x = jnp.moveaxis(x, d, -1)
    ordered = pick(x, order(x, x.ndim - 1), x.ndim - 1)
    n = x.shape[-1]
    many = jnp.isnan(x).sum(-1, keepdims=True)
    last = jnp.maximum(n - 1 - many, 0) if ignore_nan else jnp.full_like(many, n - 1)
    rank = q.reshape(-1) * last.astype(x.dtype)
    if not ignore_nan:
        rank = jnp.where(many > 0, n - 1, rank)  # NaNs are last: the rank that finds one
    found = _interpolated(ordered, rank, interpolation)
    found = jnp.moveaxis(found, -1, 0)
    if keepdim:
        found = (found.reshape(found.shape[:1] + (1,) * input.ndim) if dim is None
                 else jnp.expand_dims(found, d + 1))  # fmt: skip
    if not input.ndim:
        found = found.reshape(found.shape[:1])
    return found if q.ndim else found[0]


def _interpolated(ordered: Any, rank: Any, how: str) -> Any:
    if how == "lower":
        rank = jnp.floor(rank)
    elif how == "higher":
        rank = jnp.ceil(rank)
    elif how == "nearest":
        rank = jnp.round(rank)
    low = jnp.floor(rank)
    at = low.astype(jnp.int64)
    below = jnp.take_along_axis(ordered, at, -1, mode="clip")
    if how not in ("linear", "midpoint"):
        return below
    weight = jnp.full_like(rank, 0.5) if how == "midpoint" else rank - low
    above = jnp.take_along_axis(ordered, jnp.ceil(rank).astype(jnp.int64), -1, mode="clip")
    # torch's lerp: from the nearer end, so that both ends are exact
    gap = above - below
    return jnp.where(weight < 0.5, below + weight * gap, above - gap * (1 - weight))


def _check_searchsorted(sorted_sequence: Any, input: Any, sorter: Any = None, **o: Any) -> None:
    if o["side"] not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {o['side']}"
        )
    if o["side"] == "left" and o["right"]:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while "
            "right was True"
        )
    if not sorted_sequence.ndim:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
            "dimension "
            "is 1, but we got boundaries tensor dim(0) and input value's dim(0) numel(1)"
        )
    if isinstance(input, type):
        return
    one_dimensional = sorted_sequence.ndim == 1
    if not one_dimensional and sorted_sequence.shape[:-1] != input.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(sorted_sequence.shape)} and input value tensor "
            f"{list(input.shape)}"
        )
    if sorted_sequence.dtype is not input.dtype:
        raise RuntimeError(
            "torch.searchsorted(): boundary tensor and input value tensor should have same dtype, "
            f"but got boundary tensor dtype {sorted_sequence.dtype.name} and input value tensor "
            f"dtype {input.dtype.name}"
        )


def search(edges: Any, values: Any, right: bool) -> Any:
    """How many edges lie before each value (at or before it, if `right`); edges are sorted."""
    side = "right" if right else "left"
    if edges.ndim == 1:
        return jnp.searchsorted(edges, values, side=side, method="scan_unrolled")
    n, m = edges.shape[-1], values.shape[-1]
    rows = math.prod(edges.shape[:-1])
    find = jnp.vectorize(lambda e, v: jnp.searchsorted(e, v, side=side), signature="(n),(m)->(m)")
    return find(edges.reshape(rows, n), values.reshape(rows, m)).reshape(values.shape)


@op(
    "_searchsorted",
    check=checks(refuse("searchsorted_out_cpu", "bool", "complex"), _check_searchsorted),
    differentiable=False,
    namespaces=(),
)
def _searchsorted(
    sorted_sequence: Array, input: Operand, sorter: Array | None = None, *, out_int32: bool = False,
    right: bool = False, side: Any = None,
) -> Any:  # fmt: skip
    """Where to insert values so that the sequence stays sorted."""
    edges = sorted_sequence
    if sorter is not None:
        edges = jnp.take_along_axis(edges, sorter, -1)
    values = jnp.asarray(input, edges.dtype) if isinstance(input, int | float) else input
    found = search(edges, values.astype(edges.dtype), right or side == "right")
    return found.astype(jnp.int32 if out_int32 else jnp.int64)
