"""How a convolution is computed: XLA's own, or matrix products and shifted sums where those are faster."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
from jax import lax

Ints = tuple[int, ...]
Sides = tuple[tuple[int, int], ...]
_LAYOUT = {1: "NCH", 2: "NCHW", 3: "NCDHW"}


def _numbers(n: int) -> Any:
    names = _LAYOUT[n]
    kernel = "OI" + names[2:]
    return names, kernel, names


def convolve(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    """Convolution of (N, C, *spatial) with (out, C / groups, *kernel)."""
    if x.dtype.kind in "iu":  # XLA has no integer convolution on every backend
        return _by_products(x, w, stride, sides, dilation, groups)
    return lax.conv_general_dilated(
        x, w, stride, sides, rhs_dilation=dilation, dimension_numbers=_numbers(w.ndim - 2),
        feature_group_count=groups,
    )  # fmt: skip


def convolve_transposed(
    x: Any, w: Any, stride: Ints, padding: Ints, extra: Ints, dilation: Ints, groups: int
) -> Any:
    """The transpose of `convolve`: x is (N, C, *spatial), w is (C, out / groups, *kernel)."""
    n = w.ndim - 2
    grouped = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    kernel = jnp.swapaxes(grouped, 1, 2).reshape(
        groups * w.shape[1], w.shape[0] // groups, *w.shape[2:]
    )
    kernel = jnp.flip(kernel, tuple(range(2, n + 2)))
    reach = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    sides = tuple((r - p, r - p + e) for r, p, e in zip(reach, padding, extra, strict=True))
    if x.dtype.kind in "iu":
        spread = lax.pad(x, jnp.zeros((), x.dtype),
                         ((0, 0, 0), (0, 0, 0), *((a, b, s - 1) for (a, b), s in zip(sides, stride, strict=True))))  # fmt: skip  # noqa: E501
        return _by_products(spread, kernel, (1,) * n, ((0, 0),) * n, dilation, groups)
    return lax.conv_general_dilated(
        x, kernel, (1,) * n, sides, lhs_dilation=stride, rhs_dilation=dilation,
        dimension_numbers=_numbers(n), feature_group_count=groups,
    )  # fmt: skip


def _by_products(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    """One product over the channels per kernel element, summed."""
    padded = jnp.pad(x, ((0, 0), (0, 0), *sides))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, w.shape[2:], strict=True)]
    out = [(s - r) // t + 1 for s, r, t in zip(padded.shape[2:], reach, stride, strict=True)]
    grouped = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    total = jnp.zeros((x.shape[0], w.shape[0], *out), x.dtype)
    for at in itertools.product(*map(range, w.shape[2:])):
        window = tuple(
            slice(i * d, i * d + (o - 1) * t + 1, t)
            for i, d, o, t in zip(at, dilation, out, stride, strict=True)
        )
        part = padded[(slice(None), slice(None), *window)]
        part = part.reshape(x.shape[0], groups, x.shape[1] // groups, *out)
        product = jnp.einsum("ngc...,goc->ngo...", part, grouped[(..., *at)])
        total = total + product.reshape(total.shape)
    return total

