"""Sliding windows: output sizes, shifted slices, and maxima with torch's tie rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

Ints = tuple[int, ...]
SHIFTS = 64  # up to so many window elements, shifted slices beat every other way (docs/conv.md)


def output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """The number of windows; in ceil mode the last one must start inside the left-padded input."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1
    return out


def padded_for(
    x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, fill: Any
) -> Any:
    """x with `fill` around it, so that every window lies inside."""
    n = len(out)
    sides = []
    for i in range(n):
        size = x.shape[x.ndim - n + i]
        need = (out[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1
        sides.append((padding[i], need - size - padding[i], 0))
    config = ((0, 0, 0),) * (x.ndim - n) + tuple(sides)
    return lax.pad(x, jnp.asarray(fill, x.dtype), config)


def shifted(
    padded: Any, out: Ints, kernel: Ints, stride: Ints, dilation: Ints
) -> Iterator[tuple[Ints, Any]]:
    """Every window element in row-major order: its place in the window, and its values over
    `out`.
    """
    lead = padded.ndim - len(out)
    for at in itertools.product(*map(range, kernel)):
        start = [0] * lead + [i * d for i, d in zip(at, dilation, strict=True)]
        stop = list(padded.shape[:lead]) + [
            i * d + (o - 1) * s + 1 for i, d, o, s in zip(at, dilation, out, stride, strict=True)
        ]
        yield at, lax.slice(padded, start, stop, [1] * lead + list(stride))


def lowest(dtype: Any) -> Any:
    """What a maximum starts from."""
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).min


def max_windows(
    x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool,
    indices: bool,
) -> Any:  # fmt: skip
    """The first maximum of every window (a NaN counts as larger), and its flat place in the
    input.
    """
    n = len(kernel)
    spatial = x.shape[x.ndim - n :]
    out = tuple(
        output_size(*each, ceil_mode)
        for each in zip(spatial, kernel, stride, padding, dilation, strict=True)
    )
    if prod(kernel) > SHIFTS:
        return table_max(
            x, window_table(spatial, out, kernel, stride, padding, dilation), out, indices
        )
    padded = padded_for(x, out, kernel, stride, padding, dilation, lowest(x.dtype))
    best: Any = None
    place: Any = None
    for at, values in shifted(padded, out, kernel, stride, dilation):
        here: Any = _flat_place(at, spatial, out, stride, padding, dilation) if indices else None
        if best is None:
            best, place = values, here if here is None else jnp.broadcast_to(here, values.shape)
            first_inside = _inside(at, spatial, out, stride, padding, dilation)
            continue
        better = jnp.logical_or(values > best, jnp.isnan(values) if _floating(x) else False)
        if indices:
            # An all -inf window points at its first element inside the input, as torch's does.
            inside = _inside(at, spatial, out, stride, padding, dilation)
            place = jnp.where(better | (inside & ~first_inside), here, place)
            first_inside = first_inside | inside
        best = jnp.where(better, values, best)
    return (best, place) if indices else best


def _floating(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def _positions(at: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints) -> list[Any]:
    return [
        np.arange(o, dtype=np.int64) * s - p + a * d
        for a, o, s, p, d in zip(at, out, stride, padding, dilation, strict=True)
    ]


def _flat_place(at: Ints, spatial: Ints, *window: Ints) -> Any:
    """Flat input index of one window element, over all windows (broadcast over the axes)."""
    n, flat = len(spatial), None
    for i, position in enumerate(_positions(at, *window)):
        shaped = lax.broadcasted_iota(jnp.int64, _axis_shape(n, i, len(position)), i)
        step = int(position[1] - position[0]) if len(position) > 1 else 1
        shaped = (shaped * step + int(position[0] if len(position) else 0)) * prod(spatial[i + 1 :])
        flat = shaped if flat is None else flat + shaped
    return flat


def _axis_shape(n: int, axis: int, size: int) -> Ints:
    return tuple(size if j == axis else 1 for j in range(n))


def _inside(at: Ints, spatial: Ints, *window: Ints) -> Any:
    """Which windows have this element inside the input."""
    n = len(spatial)
    mask = np.ones((1,) * n, bool)
    for i, position in enumerate(_positions(at, *window)):
        mask = mask & ((position >= 0) & (position < spatial[i])).reshape(
            _axis_shape(n, i, len(position))
        )
    return mask


def window_table(
    spatial: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Any:
    """Flat input indices (windows, elements), -1 where an element lies in the padding."""
    axes = [
        np.arange(o)[:, None] * s - p + np.arange(k)[None] * d
        for o, k, s, p, d in zip(out, kernel, stride, padding, dilation, strict=True)
    ]
    return _joined_table(axes, spatial)


def adaptive_table(spatial: Ints, out: Ints) -> Any:
    """As `window_table`, for windows from floor(i * size / out) to ceil((i + 1) * size / out)."""
    axes = []
    for size, o in zip(spatial, out, strict=True):
        start = np.arange(o) * size // max(o, 1)
        stop = -(-(np.arange(o) + 1) * size // max(o, 1))
        longest = int((stop - start).max(initial=0))
        each = start[:, None] + np.arange(longest)
        axes.append(np.where(each < stop[:, None], each, -1))
    return _joined_table(axes, spatial)


def _joined_table(axes: list[Any], spatial: Ints) -> Any:
    n = len(spatial)
    flat, valid = np.zeros((1,) * (2 * n), np.int64), np.ones((1,) * (2 * n), bool)
    for i, (axis, size) in enumerate(zip(axes, spatial, strict=True)):
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = axis.shape
        axis = axis.reshape(shape)
        flat = flat * size + axis
        valid = valid & (axis >= 0) & (axis < size)
    table = np.where(valid, flat, -1)
    return table.reshape(prod(table.shape[:n]), prod(table.shape[n:]))


def table_max(x: Any, table: Any, out: Ints, indices: bool) -> Any:
    """The first maximum over each row of a table of flat indices."""
    n = len(out)
    lead = x.shape[: x.ndim - n]
    flat = x.reshape(*lead, prod(x.shape[x.ndim - n :]))
    values = jnp.take(lax.stop_gradient(flat), np.maximum(table, 0), axis=-1)
    values = jnp.where(table >= 0, values, jnp.asarray(lowest(x.dtype), x.dtype))
    chosen = jnp.argmax(values, axis=-1)[..., None]  # NaN counts as the largest
    rows = jnp.broadcast_to(jnp.asarray(table), values.shape)
    place = jnp.take_along_axis(rows, chosen, axis=-1)[..., 0]
    best = jnp.take_along_axis(flat, place, axis=-1).reshape(*lead, *out)
    return (best, place.reshape(*lead, *out)) if indices else best


def sum_windows(x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Ints) -> Any:
    """The sum of every window, zeros outside the input."""
    n, ones = len(kernel), (1,) * len(kernel)
    padded = padded_for(x, out, kernel, stride, padding, ones, 0)
    if prod(kernel) > SHIFTS:
        lead = (1,) * (x.ndim - n)
        return lax.reduce_window(
            padded, np.zeros((), x.dtype), lax.add, lead + kernel, lead + stride, "VALID"
        )
    total = None
    for _, values in shifted(padded, out, kernel, stride, ones):
        total = values if total is None else total + values
    return total
