"""How a convolution is computed, by shape and platform (docs/conv.md has the measurements)."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import nn_conv_products as products

Ints = tuple[int, ...]
Sides = tuple[tuple[int, int], ...]
_LAYOUT = {1: "NCH", 2: "NCHW", 3: "NCDHW"}


def _numbers(n: int) -> Any:
    names = _LAYOUT[n]
    return names, "OI" + names[2:], names


def _xla(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int = 1) -> Any:
    return lax.conv_general_dilated(
        x, w, stride, sides, rhs_dilation=dilation, dimension_numbers=_numbers(w.ndim - 2),
        feature_group_count=groups,
    )  # fmt: skip


def convolve(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    """Convolution of (N, C, *spatial) with (out, C / groups, *kernel)."""
    kernel = w.shape[2:]
    if x.dtype.kind in "iu":
        return products.of_integers(x, w, stride, sides, dilation, groups)
    if 0 in x.shape or 0 in w.shape:
        return _xla(x, w, stride, sides, dilation, groups)
    if products.is_pointwise(kernel, sides):
        return products.pointwise(x, w, stride, groups)
    if groups == 1 and products.is_tiling(kernel, stride, sides, dilation):
        return products.tiled(x, w)
    if groups == 1:
        return _dense(x, w, stride, sides, dilation)
    return _grouped(x, w, stride, sides, dilation, groups)


# --- dense: XLA's own, but for the gradient of the weight on CPUs ------------------------------


def _dense_plain(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints) -> Any:
    return _xla(x, w, stride, sides, dilation)


_dense = jax.custom_vjp(_dense_plain, nondiff_argnums=(2, 3, 4))


def _dense_forward(x: Any, w: Any, *settings: Any) -> Any:
    return _xla(x, w, *settings), (x, w)


def _dense_backward(stride: Ints, sides: Sides, dilation: Ints, kept: Any, ct: Any) -> Any:
    x, w = kept
    return (
        _input_gradient(x, w, ct, stride, sides, dilation),
        _weight_gradient(x, ct, w.shape, stride, sides, dilation, 1),
    )


_dense.defvjp(_dense_forward, _dense_backward)


def _input_gradient(x: Any, w: Any, ct: Any, *settings: Any) -> Any:
    return jax.vjp(lambda x: _xla(x, w, *settings), x)[1](ct)[0]


def _weight_gradient(
    x: Any, ct: Any, shape: Ints, stride: Ints, sides: Sides, dilation: Ints, groups: int
) -> Any:
    settings = (stride, sides, dilation, groups)

    def xla(x: Any, ct: Any) -> Any:
        return jax.vjp(lambda w: _xla(x, w, *settings), jnp.zeros(shape, x.dtype))[1](ct)[0]

    def cpu(x: Any, ct: Any) -> Any:
        return products.weight_gradient(x, ct, shape, *settings)

    return lax.platform_dependent(x, ct, cpu=cpu, default=xla)


# --- groups: XLA's own on accelerators, products on CPUs ---------------------------------------


def _grouped_plain(x: Any, w: Any, *settings: Any) -> Any:
    return lax.platform_dependent(
        x,
        w,
        cpu=lambda x, w: _grouped_cpu(x, w, *settings),
        default=lambda x, w: _xla(x, w, *settings),
    )


def _grouped_cpu(x: Any, w: Any, stride: Ints, sides: Sides, dilation: Ints, groups: int) -> Any:
    return products.grouped(x, w, stride, sides, dilation, groups, _dense)


_grouped = jax.custom_vjp(_grouped_plain, nondiff_argnums=(2, 3, 4, 5))


def _grouped_forward(x: Any, w: Any, *settings: Any) -> Any:
    return _grouped_plain(x, w, *settings), (x, w)


def _grouped_backward(
    stride: Ints, sides: Sides, dilation: Ints, groups: int, kept: Any, ct: Any
) -> Any:
    x, w = kept
    settings = (stride, sides, dilation, groups)

    def pull(f: Any, x: Any, w: Any, ct: Any) -> Any:
        return jax.vjp(lambda x: f(x, w, *settings), x)[1](ct)[0]

    back = lax.platform_dependent(
        x, w, ct, cpu=functools.partial(pull, _grouped_cpu), default=functools.partial(pull, _xla)
    )
    return back, _weight_gradient(x, ct, w.shape, *settings)


_grouped.defvjp(_grouped_forward, _grouped_backward)


# --- transposed --------------------------------------------------------------------------------


def convolve_transposed(
    x: Any, w: Any, stride: Ints, padding: Ints, extra: Ints, dilation: Ints, groups: int
) -> Any:
    """The transpose of `convolve`: x is (N, C, *spatial), w is (C, out / groups, *kernel)."""
    sides = tuple((p, p) for p in padding)
    plain = not any(extra) and groups == 1 and 0 not in x.shape and x.dtype.kind not in "iu"
    if plain and products.is_tiling(w.shape[2:], stride, sides, dilation):
        return products.tiled_transposed(x, w)
    if x.dtype.kind in "iu":
        return _spread(x, w, stride, padding, extra, dilation, groups)
    return _transposed(x, w, stride, padding, extra, dilation, groups)


def _flipped(w: Any, groups: int) -> Any:
    """(C, out / groups, *kernel) as the kernel of a convolution over the spread input."""
    split = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    kernel = jnp.swapaxes(split, 1, 2).reshape(
        groups * w.shape[1], w.shape[0] // groups, *w.shape[2:]
    )
    return jnp.flip(kernel, tuple(range(2, w.ndim)))


def _reach(w: Any, padding: Ints, extra: Ints, dilation: Ints) -> Sides:
    full = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    return tuple((r - p, r - p + e) for r, p, e in zip(full, padding, extra, strict=True))


def _spread(
    x: Any, w: Any, stride: Ints, padding: Ints, extra: Ints, dilation: Ints, groups: int
) -> Any:
    sides = _reach(w, padding, extra, dilation)
    config = [(0, 0, 0)] * 2 + [(a, b, t - 1) for (a, b), t in zip(sides, stride, strict=True)]
    ones, none = (1,) * len(stride), ((0, 0),) * len(stride)
    grown = lax.pad(x, jnp.zeros((), x.dtype), config)
    return products.of_integers(grown, _flipped(w, groups), ones, none, dilation, groups)


def _transposed_xla(
    x: Any, w: Any, stride: Ints, padding: Ints, extra: Ints, dilation: Ints, groups: int
) -> Any:
    return lax.conv_general_dilated(
        x, _flipped(w, groups), (1,) * len(stride), _reach(w, padding, extra, dilation),
        lhs_dilation=stride, rhs_dilation=dilation, dimension_numbers=_numbers(len(stride)),
        feature_group_count=groups,
    )  # fmt: skip


_transposed = jax.custom_vjp(_transposed_xla, nondiff_argnums=(2, 3, 4, 5, 6))


def _transposed_forward(x: Any, w: Any, *settings: Any) -> Any:
    return _transposed_xla(x, w, *settings), (x, w)


def _without_excess(ct: Any, stride: Ints, padding: Ints, extra: Ints) -> tuple[Any, Sides]:
    """Sides that give as many windows as x has elements, where output_padding reaches a stride."""
    sides = []
    for d, (s, p, e) in enumerate(zip(stride, padding, extra, strict=True), 2):
        right = p - e // s * s
        ct = lax.slice_in_dim(ct, 0, ct.shape[d] + min(right, 0), axis=d)
        sides.append((p, max(right, 0)))
    return ct, tuple(sides)


def _transposed_backward(
    stride: Ints, padding: Ints, extra: Ints, dilation: Ints, groups: int, kept: Any, ct: Any
) -> Any:
    """A convolution of the cotangent, and the weight gradient with the two sides exchanged."""
    x, w = kept
    ct, sides = _without_excess(ct, stride, padding, extra)
    back = convolve(ct, w, stride, sides, dilation, groups)
    return back, _weight_gradient(ct, x, w.shape, stride, sides, dilation, groups)


_transposed.defvjp(_transposed_forward, _transposed_backward)
