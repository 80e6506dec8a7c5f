"""JAX's primitives in NumPy: gathers and scatters, convolutions, sliding windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .host_rules import Array, _start, rule


def _positions(
    shape: tuple[int, ...], indices: Array, sizes: Any, numbers: Any, window_dims: Any, kept: Any,
    batching: Any, index_batching: Any, rank: int,
) -> tuple[list[Array], Array]:  # fmt: skip
    """For each dimension of the operand, which element each result element means; and who is
    inside.

    window_dims: dimensions of the result that walk through a window; kept: the operand's dimensions
    they walk along.
    """
    batch_dims = [d for d in range(rank) if d not in window_dims]

    def spread(x: Array) -> Array:
        middle = [1] * rank
        for d, n in zip(batch_dims, x.shape, strict=True):
            middle[d] = n
        return x.reshape(middle)

    lead = indices.shape[:-1]
    starts: dict[int, Array] = {}
    for k, d in enumerate(numbers):
        starts[d] = indices[..., k].astype(np.int64)
    for d, b in zip(batching, index_batching, strict=True):
        line = np.arange(lead[b]).reshape([-1 if i == b else 1 for i in range(len(lead))])
        starts[d] = np.broadcast_to(line, lead)
    inside = np.ones([1] * rank, bool)
    where = []
    walks = dict(zip(kept, window_dims, strict=True))
    for d, n in enumerate(shape):
        at = spread(starts[d]) if d in starts else np.zeros([1] * rank, np.int64)
        if d in starts:
            inside = inside & (at >= 0) & (at + sizes[d] <= n)
        if d in walks:
            step = np.arange(sizes[d]).reshape([-1 if i == walks[d] else 1 for i in range(rank)])
            at = at + step
        where.append(at)
    return where, inside


@rule("gather")
def _gather(
    x: Array, indices: Array, *, dimension_numbers: Any, slice_sizes: Any, mode: Any,
    fill_value: Any = None, **params: Any,
) -> Array:  # fmt: skip
    d = dimension_numbers
    kept = [
        i for i in range(x.ndim)
        if i not in d.collapsed_slice_dims and i not in d.operand_batching_dims
    ]  # fmt: skip
    rank = indices.ndim - 1 + len(kept)
    indices = indices.astype(np.int64)
    clips = "CLIP" in str(mode) or "PROMISE" in str(mode)
    if clips:
        last = [x.shape[i] - slice_sizes[i] for i in d.start_index_map]
        indices = np.clip(indices, 0, last)
    where, inside = _positions(
        x.shape, indices, slice_sizes, d.start_index_map, d.offset_dims, kept,
        d.operand_batching_dims, d.start_indices_batching_dims, rank,
    )  # fmt: skip
    if clips:
        return x[tuple(where)] if where else x
    if fill_value is None:
        fill_value = np.nan if x.dtype.kind in "fcV" else _start(x.dtype, x.dtype.kind == "i")
    safe = tuple(np.clip(w, 0, max(n - 1, 0)) for w, n in zip(where, x.shape, strict=True))
    if 0 in x.shape:
        shape = np.broadcast_shapes(*(w.shape for w in where))
        return np.full(shape, fill_value, x.dtype)
    return np.where(inside, x[safe], np.array(fill_value, x.dtype))


_WRITES = {
    "scatter": None, "scatter-add": np.add, "scatter_add": np.add, "scatter-mul": np.multiply,
    "scatter_mul": np.multiply, "scatter-min": np.minimum, "scatter_min": np.minimum,
    "scatter-max": np.maximum, "scatter_max": np.maximum, "scatter-sub": np.subtract,
}  # fmt: skip


def _scatter_rule(name: str, combine: Any) -> None:
    @rule(name)
    def scatter(
        x: Array,
        indices: Array,
        updates: Array,
        *,
        dimension_numbers: Any,
        mode: Any,
        **params: Any,
    ) -> Array:
        d = dimension_numbers
        kept = [
            i for i in range(x.ndim)
            if i not in d.inserted_window_dims and i not in d.operand_batching_dims
        ]  # fmt: skip
        sizes = [1] * x.ndim
        for i, w in zip(kept, d.update_window_dims, strict=True):
            sizes[i] = updates.shape[w]
        indices = indices.astype(np.int64)
        if "CLIP" in str(mode):
            last = [x.shape[i] - sizes[i] for i in d.scatter_dims_to_operand_dims]
            indices = np.clip(indices, 0, last)
        where, inside = _positions(
            x.shape, indices, sizes, d.scatter_dims_to_operand_dims, d.update_window_dims, kept,
            d.operand_batching_dims, d.scatter_indices_batching_dims, updates.ndim,
        )  # fmt: skip
        out = x.copy()
        inside = np.broadcast_to(inside, updates.shape)
        at = tuple(np.broadcast_to(w, updates.shape)[inside] for w in where)
        if combine is None:
            out[at] = updates[inside]
        else:
            combine.at(out, at, updates[inside])
        return out


for _name, _combine in _WRITES.items():
    _scatter_rule(_name, _combine)


# --- windows --------------------------------------------------------------------------------------


def _dilated(x: Array, steps: Any, fill: Any) -> Array:
    """`x` with fill between its elements."""
    if all(s == 1 for s in steps):
        return x
    out = np.full(
        [max((n - 1) * s + 1, 0) for n, s in zip(x.shape, steps, strict=True)], fill, x.dtype
    )
    out[tuple(slice(None, None, s) for s in steps)] = x
    return out


def _padded(x: Array, padding: Any, fill: Any) -> Array:
    out = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in padding], constant_values=fill)
    return out[
        tuple(
            slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(padding, out.shape, strict=True)
        )
    ]


def _windows(x: Array, sizes: Any, strides: Any, dilation: Any) -> Array:
    """(positions..., window...) of a padded array."""
    reach = [(w - 1) * d + 1 for w, d in zip(sizes, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(x, reach)
    n = x.ndim
    steps = tuple(slice(None, None, s) for s in strides)
    return view[steps + tuple(slice(None, None, d) for d in dilation)] if n else view


def _reduce_window(name: str, f: Any, start: Any) -> None:
    @rule(name)
    def reduce(
        x: Array, *, window_dimensions: Any, window_strides: Any, padding: Any,
        base_dilation: Any, window_dilation: Any, **params: Any,
    ) -> Array:  # fmt: skip
        fill = start(x.dtype)
        x = _padded(_dilated(x, base_dilation, fill), padding, fill)
        view = _windows(x, window_dimensions, window_strides, window_dilation)
        axes = tuple(range(x.ndim, 2 * x.ndim))
        return np.asarray(f(view, axis=axes), x.dtype)


_reduce_window("reduce_window_sum", np.sum, lambda t: np.zeros((), t)[()])
_reduce_window("reduce_window_max", np.max, lambda t: _start(t, True))
_reduce_window("reduce_window_min", np.min, lambda t: _start(t, False))


@rule("conv_general_dilated")
def _conv(
    x: Array, kernel: Array, *, window_strides: Any, padding: Any, lhs_dilation: Any,
    rhs_dilation: Any, dimension_numbers: Any, feature_group_count: int, batch_group_count: int,
    preferred_element_type: Any = None, **params: Any,
) -> Array:  # fmt: skip
    if batch_group_count != 1:
        raise NotImplementedError("convolutions with batch groups")
    d = dimension_numbers
    dtype = x.dtype if preferred_element_type is None else np.dtype(preferred_element_type)
    wide = np.float32 if x.dtype.itemsize < 4 else x.dtype
    x = x.transpose(d.lhs_spec).astype(wide)  # batch, features, space
    kernel = kernel.transpose(d.rhs_spec).astype(wide)  # out, in, space
    ones, n = (1, 1), kernel.ndim - 2
    x = _padded(_dilated(x, (*ones, *lhs_dilation), 0), ((0, 0), (0, 0), *padding), 0)
    view = _windows(x, (*ones, *kernel.shape[2:]), (*ones, *window_strides), (*ones, *rhs_dilation))
    space = view.shape[2 : 2 + n]
    groups, size = feature_group_count, math.prod(kernel.shape[1:])
    view = view.reshape(*view.shape[: 2 + n], *kernel.shape[2:])
    order = (0, *range(2, 2 + n), 1, *range(2 + n, 2 + 2 * n))
    columns = view.transpose(order).reshape(x.shape[0] * math.prod(space), groups, size)
    rows = kernel.reshape(groups, -1, size)
    out = np.einsum("pgk,gok->pgo", columns, rows, optimize=True)
    out = out.reshape(x.shape[0], *space, kernel.shape[0])
    out = np.moveaxis(out, -1, 1)
    back = np.argsort(d.out_spec)
    return out.transpose(back).astype(dtype)  # type: ignore[no-any-return]
