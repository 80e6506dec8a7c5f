"""Convolutions as matrix products and shifted multiplies, for where XLA's own are slow
(docs/conv.md).
"""

from __future__ import annotations

import functools
import itertools
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from .nn_windows import SHIFTS, shifted

Ints = tuple[int, ...]
Sides = tuple[tuple[int, int], ...]
_COLUMNS = 1 << 20  # elements of one sample's columns that still fit the cache
_FEW_GROUPS = 8


def _outputs(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints) -> Ints:
    return tuple(
        (s + a + b - d * (k - 1) - 1) // t + 1
        for s, k, t, (a, b), d in zip(
            x.shape[2:], w.shape[2:], stride, sides, dilation, strict=True
        )
    )


def _surrounded(x: Any, sides: Sides) -> Any:
    """Zeros around the spatial dimensions, which are the last ones."""
    config = [(0, 0, 0)] * (x.ndim - len(sides)) + [(a, b, 0) for a, b in sides]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def is_pointwise(kernel: Ints, sides: Sides) -> bool:
    """Windows of one element."""
    return prod(kernel) == 1 and not any(map(any, sides))


def is_tiling(kernel: Ints, stride: Ints, sides: Sides, dilation: Ints) -> bool:
    """Windows side by side: the patches of a vision transformer."""
    return kernel == stride and prod(dilation) == 1 and not any(map(any, sides))


def pointwise(x: Any, w: Any, stride: Ints, groups: int) -> Any:
    """A matrix product over the channels."""
    window = tuple(slice(None, None, t) for t in stride)
    x = x[(slice(None), slice(None), *window)]
    n, c, *out = x.shape
    split = x.reshape(n, groups, c // groups, prod(out))
    kernel = w.reshape(groups, w.shape[0] // groups, c // groups)
    return jnp.matmul(kernel, split).reshape(n, w.shape[0], *out)


def tiled(x: Any, w: Any) -> Any:
    """Patches as rows of one matrix."""
    n, c, *spatial = x.shape
    kernel = w.shape[2:]
    out = [s // k for s, k in zip(spatial, kernel, strict=True)]
    window = tuple(slice(0, o * k) for o, k in zip(out, kernel, strict=True))
    split = x[(slice(None), slice(None), *window)].reshape(
        n, c, *itertools.chain(*zip(out, kernel, strict=True))
    )
    m = len(out)
    order = (0, *range(2, 2 * m + 2, 2), 1, *range(3, 2 * m + 3, 2))
    rows = jnp.transpose(split, order).reshape(n * prod(out), c * prod(kernel))
    product = lax.dot_general(rows, w.reshape(w.shape[0], rows.shape[1]), (((1,), (1,)), ((), ())))
    return jnp.moveaxis(product.reshape(n, *out, w.shape[0]), -1, 1)


def tiled_transposed(x: Any, w: Any) -> Any:
    """Each element spread to a patch of its own; w is (C, out, *kernel)."""
    n, c, *spatial = x.shape
    kernel, m = w.shape[2:], x.ndim - 2
    product = jnp.einsum("nc...,ck->nk...", x, w.reshape(c, prod(w.shape[1:])))
    split = product.reshape(n, w.shape[1], *kernel, *spatial)
    order = (0, 1, *itertools.chain(*zip(range(2 + m, 2 + 2 * m), range(2, 2 + m), strict=True)))
    sizes = (s * k for s, k in zip(spatial, kernel, strict=True))
    return jnp.transpose(split, order).reshape(n, w.shape[1], *sizes)


def grouped(
    x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int, dense: Any
) -> Any:
    """Depthwise by shifted multiplies, few groups one by one (`dense`), many by batched
    products.
    """
    if w.shape[1] == 1 and prod(w.shape[2:]) <= 128:
        return _depthwise(x, w, stride, sides, dilation)
    if groups <= _FEW_GROUPS:
        parts = zip(jnp.split(x, groups, 1), jnp.split(w, groups, 0), strict=True)
        return jnp.concatenate([dense(a, b, stride, sides, dilation) for a, b in parts], 1)
    return by_sample(x, w, stride, sides, dilation, groups)


def _depthwise(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints) -> Any:
    n, c = x.shape[:2]
    out = _outputs(x, w, stride, sides, dilation)
    times = w.shape[0] // c
    ones = (1,) * len(out)
    total = None
    padded = _surrounded(x, sides)
    for at, part in shifted(padded, out, w.shape[2:], stride, dilation):
        factor = w[(slice(None), 0, *at)].reshape(c, times, *ones)
        product = part[:, :, None] * factor
        total = product if total is None else total + product
    assert total is not None
    return total.reshape(n, w.shape[0], *out)


def by_sample(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    """One product of the kernel with one sample's columns at a time, so that columns stay in the
    cache.
    """
    out = _outputs(x, w, stride, sides, dilation)
    kernel = w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))

    def step(_: None, sample: Any) -> tuple[None, Any]:
        columns = _columns(sample, w.shape[2:], out, stride, sides, dilation)
        return None, jnp.matmul(kernel, columns.reshape(groups, kernel.shape[2], prod(out)))

    return lax.scan(step, None, x)[1].reshape(x.shape[0], w.shape[0], *out)


def _columns(
    sample: Any, kernel: Ints, out: Ints, stride: Ints, sides: Sides, dilation: Ints
) -> Any:
    """(C, *spatial) as (C, window elements, *out)."""
    padded = _surrounded(sample, sides)
    if prod(kernel) > SHIFTS:
        return _columns_by_axis(padded, kernel, out, stride, dilation)
    return jnp.stack([part for _, part in shifted(padded, out, kernel, stride, dilation)], 1)


def _columns_by_axis(x: Any, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> Any:
    """Windows along one axis after the other: the sum of the kernel's sizes in slices, not their
    product, of which XLA would take seconds to compile hundreds.
    """
    for i, (k, o, t, d) in enumerate(zip(kernel, out, stride, dilation, strict=True)):
        axis = 1 + 2 * i  # behind the window's axes and the outputs' so far
        parts = [lax.slice_in_dim(x, j * d, j * d + (o - 1) * t + 1, t, axis) for j in range(k)]
        x = jnp.stack(parts, 1 + i)
    return x.reshape(x.shape[0], prod(kernel), *out)


def weight_gradient(
    x: Any, ct: Any, shape: Ints, stride: Ints, sides: Sides, dilation: Ints, groups: int
) -> Any:
    """The gradient of a weight of `shape`, summed one sample at a time: that stays in the cache."""
    kernel, out = shape[2:], ct.shape[2:]
    settings = (kernel, out, stride, sides, dilation)
    if shape[1] == 1 and groups == x.shape[1]:
        of_sample, start = functools.partial(_depthwise_sample, settings, shape), shape
    elif groups == 1 and not _columns_pay(x.shape[1], kernel, out):
        of_sample = functools.partial(_taps_sample, settings, shape)
        start = (prod(kernel), *shape[:2])
    else:
        of_sample = functools.partial(_columns_sample, settings, shape, groups)
        start = (groups, shape[0] // groups, prod(shape[1:]))
    wide = jnp.float32 if x.dtype.itemsize == 2 else x.dtype

    def step(total: Any, item: Any) -> tuple[Any, None]:
        return total + of_sample(*item).astype(wide), None

    total = lax.scan(step, jnp.zeros(start, wide), (x, ct))[0]
    if of_sample.func is _taps_sample:
        total = jnp.moveaxis(total, 0, -1)
    return total.reshape(shape).astype(x.dtype)


def _columns_pay(channels: int, kernel: Ints, out: Ints) -> bool:
    """Whether one product with columns beats one product per window element."""
    fits = channels * prod(kernel) * prod(out) <= _COLUMNS
    return fits and (prod(out) < 256 or channels < 16)


_LAST = (((1,), (1,)), ((), ()))  # contract the last dimensions of two matrices


def _taps_sample(settings: Any, shape: Ints, x: Any, ct: Any) -> Any:
    kernel, out, stride, sides, dilation = settings
    above = ct.reshape(shape[0], prod(out))
    parts = shifted(_surrounded(x, sides), out, kernel, stride, dilation)
    flat = (p.reshape(shape[1], prod(out)) for _, p in parts)
    return jnp.stack([lax.dot_general(above, p, _LAST) for p in flat])


def _columns_sample(settings: Any, shape: Ints, groups: int, x: Any, ct: Any) -> Any:
    kernel, out, stride, sides, dilation = settings
    columns = _columns(x, kernel, out, stride, sides, dilation)
    if groups == 1:
        above = ct.reshape(shape[0], prod(out))
        return lax.dot_general(above, columns.reshape(prod(shape[1:]), prod(out)), _LAST)[None]
    above = ct.reshape(groups, shape[0] // groups, prod(out))
    columns = columns.reshape(groups, prod(shape[1:]), prod(out))
    return jnp.matmul(above, jnp.swapaxes(columns, 1, 2))


def _depthwise_sample(settings: Any, shape: Ints, x: Any, ct: Any) -> Any:
    kernel, out, stride, sides, dilation = settings
    above = ct.reshape(x.shape[0], shape[0] // x.shape[0], *out)
    axes = tuple(range(2, 2 + len(out)))
    parts = shifted(_surrounded(x, sides), out, kernel, stride, dilation)
    return jnp.stack([jnp.sum(p[:, None] * above, axis=axes) for _, p in parts], -1).reshape(shape)


def of_integers(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    """One product over the channels per window element: no backend has integer convolutions."""
    out = _outputs(x, w, stride, sides, dilation)
    n = x.shape[0]
    kernel = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    total = jnp.zeros((n, w.shape[0], *out), x.dtype)
    for at, part in shifted(_surrounded(x, sides), out, w.shape[2:], stride, dilation):
        split = part.reshape(n, groups, x.shape[1] // groups, *out)
        product = jnp.einsum("ngc...,goc->ngo...", split, kernel[(..., *at)])
        total = total + product.reshape(total.shape)
    return total
