"""Interpolation, grid sampling and affine grids."""

from __future__ import annotations

import itertools
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import nn_resample as resample
from ._define import Array, Promote, op
from .nn_common import not_implemented

_HIDDEN: Any = {"namespaces": ()}
_AXES = {1: "W", 2: "HW", 3: "DHW"}


def _upsample_check(
    input: Any, *, size: Any, scales: Any, mode: str, align_corners: bool, antialias: bool
) -> None:
    before = input.shape[2:]
    if min(before) < 1 or min(size) < 1:
        names = _AXES[len(size)]
        old = ", ".join(f"{a}: {s}" for a, s in zip(names, before, strict=True))
        new = ", ".join(f"{a}: {s}" for a, s in zip(names, size, strict=True))
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({old}) output ({new})"
        )
    if 0 in input.shape[1:]:
        raise RuntimeError(
            f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes "
            f"{list(input.shape)}"
        )
    if not input.dtype.is_floating_point and input.dtype.name != "uint8":
        kernel = "compute_indices_weights_nearest" if "nearest" in mode else "upsample"
        raise not_implemented(kernel, input.dtype)


@op("_upsample", check=_upsample_check, linear=True, grad_name="Upsample", **_HIDDEN)
def _upsample(
    input: Array, size: Any, scales: Any, mode: str, align_corners: bool, antialias: bool
) -> Any:
    """Resize the spatial dimensions one after the other."""
    real: Any = np.float64 if input.dtype == jnp.float64 else np.float32
    whole = input.dtype == jnp.uint8
    x = input.astype(jnp.float32) if whole or input.dtype.itemsize == 2 else input
    for i, (out, scale) in enumerate(zip(size, scales, strict=True)):
        axis = 2 + i
        before = x.shape[axis]
        if mode == "nearest" and scale is None and out % before == 0:
            x = jnp.repeat(x, out // before, axis=axis)
            continue
        table = _table(mode, before, out, scale, align_corners, antialias, real)
        x = resample.gather_map(x, axis, table, before)
    if whole and "nearest" not in mode:
        x = jnp.clip(jnp.round(x), 0, 255)
    return x.astype(input.dtype)


def _table(
    mode: str, before: int, out: int, scale: Any, align: bool, antialias: bool, real: Any
) -> Any:
    if antialias:
        return resample.antialiased(mode, before, out, scale, align, real)
    if mode in ("nearest", "nearest-exact"):
        return resample.nearest(before, out, scale, mode != "nearest", real)
    make = resample.cubic if mode == "bicubic" else resample.linear
    return make(before, out, scale, align, real)


def _grid_check(
    input: Any, grid: Any, *, mode: str, padding_mode: str, align_corners: bool
) -> None:
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but "
            f"got grid with sizes {list(grid.shape)}"
        )
    for d in range(2, input.ndim):
        if input.shape[d] == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but "
                "input has "
                f"sizes {list(input.shape)} with dimension {d} being empty"
            )
    if input.ndim not in (4, 5) or input.ndim != grid.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.ndim == 5 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dtype is not grid.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {grid.dtype.scalar_name}"
        )


@op("_grid_sample", check=_grid_check, grad_name="GridSampler2D", **_HIDDEN)
def _grid_sample(
    input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool
) -> Any:
    """The input at places given in [-1, 1], x first."""
    sizes = input.shape[2:]
    n = len(sizes)
    at = [_unnormal(grid[..., n - 1 - i], sizes[i], align_corners) for i in range(n)]
    if mode == "bicubic":
        return _sample_cubic(input, at, padding_mode, align_corners)
    at = [_padded(x, s, padding_mode, align_corners) for x, s in zip(at, sizes, strict=True)]
    if mode == "nearest":
        places = [jnp.round(jax.lax.stop_gradient(x)) for x in at]
        return _value_at(input, places)
    low = [jnp.floor(jax.lax.stop_gradient(x)) for x in at]
    total = 0
    for corner in itertools.product((0, 1), repeat=n):
        places = [b + c for b, c in zip(low, corner, strict=True)]
        weight = prod((x - b if c else b + 1 - x) for x, b, c in zip(at, low, corner, strict=True))
        total = total + _value_at(input, places) * weight[:, None]
    return total


def _unnormal(x: Any, size: int, align: bool) -> Any:
    return (x + 1) / 2 * (size - 1) if align else ((x + 1) * size - 1) / 2


def _padded(x: Any, size: int, mode: str, align: bool) -> Any:
    if mode == "reflection":
        x = _reflected(x, 0, 2 * (size - 1)) if align else _reflected(x, -1, 2 * size - 1)
    if mode != "zeros":
        # torch's clip has no gradient at the borders themselves
        x = jnp.where(
            x <= 0, jnp.zeros_like(x), jnp.where(x >= size - 1, jnp.full_like(x, size - 1), x)
        )
    return x


def _reflected(x: Any, twice_low: int, twice_high: int) -> Any:
    if twice_low == twice_high:
        return jnp.zeros_like(x)
    low, span = twice_low / 2, (twice_high - twice_low) / 2
    away = jnp.where(x < low, low - x, x - low)
    flips = jnp.floor(jax.lax.stop_gradient(away) / span)
    rest = away - flips * span
    return jnp.where(flips % 2 == 0, rest + low, span - rest + low)


def _value_at(input: Any, places: Any) -> Any:
    """input[n, :, *places], zero outside; places are whole numbers in floating point."""
    n, c, *sizes = input.shape
    inside: Any = True
    flat: Any = 0
    for x, s in zip(places, sizes, strict=True):
        inside = inside & (x >= 0) & (x < s)
        flat = flat * s + jnp.clip(jnp.where(jnp.isnan(x), -1, x), 0, s - 1).astype(jnp.int32)
    values = jax.vmap(lambda one, at: jnp.take(one, at, axis=1))(
        input.reshape(n, c, prod(sizes)), flat
    )
    return jnp.where(inside[:, None], values, jnp.zeros((), input.dtype))


def _sample_cubic(input: Any, at: Any, padding_mode: str, align: bool) -> Any:
    sizes = input.shape[2:]
    low = [jnp.floor(jax.lax.stop_gradient(x)) for x in at]
    rows, columns = (resample.cubic_weights(x - b) for x, b in zip(at, low, strict=True))
    total = 0
    for i, j in itertools.product(range(4), repeat=2):
        places = [low[0] + (i - 1), low[1] + (j - 1)]
        places = [_padded(x, s, padding_mode, align) for x, s in zip(places, sizes, strict=True)]
        places = [jnp.round(x) for x in places] if padding_mode != "zeros" else places
        total = total + _value_at(input, places) * (rows[i] * columns[j])[:, None]
    return total


@op("_affine_grid", promote=Promote.DEFAULT, grad_name="AffineGridGenerator", **_HIDDEN)
def _affine_grid(theta: Array, size: Any, align_corners: bool) -> Any:
    """Places in [-1, 1] of an output of `size`, mapped by each affine matrix."""
    spatial = size[2:]
    axes = [_steps(s, align_corners, theta.dtype) for s in reversed(spatial)]
    n = len(spatial)
    columns = [
        jnp.broadcast_to(a.reshape([-1 if n - 1 - i == j else 1 for j in range(n)]), spatial)
        for i, a in enumerate(axes)
    ]
    base = jnp.stack([*columns, jnp.ones(spatial, theta.dtype)], axis=-1).reshape(-1, n + 1)
    return jnp.einsum("pk,nik->npi", base, theta).reshape(size[0], *spatial, n)


def _steps(size: int, align: bool, dtype: Any) -> Any:
    if size <= 1:
        return jnp.zeros(size, dtype)
    steps = np.linspace(-1, 1, size)
    return jnp.asarray(steps if align else steps * ((size - 1) / size), dtype)
