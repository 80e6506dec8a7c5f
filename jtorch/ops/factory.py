"""Rows that make arrays out of numbers: full, arange, linspace, eye and index triangles."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Scalar, op

_HIDDEN: Any = {"namespaces": (), "differentiable": False}


@op("_full", **_HIDDEN)
def _full(fill_value: Scalar, *, size: Any, dtype: Any, device: Any) -> Any:
    """Filled with a number that may vary."""
    return jnp.broadcast_to(_as(fill_value, dtype), size)


@op("_constant", **_HIDDEN)
def _constant(*, size: Any, value: int, dtype: Any, device: Any) -> Any:
    """zeros and ones: the number is part of the program."""
    return jnp.full(size, value, dtype.np)


def _as(number: Any, dtype: Any) -> Any:
    """A number or 0-d array in a dtype, as torch converts."""
    x = jnp.asarray(number)
    if jnp.iscomplexobj(x) and not dtype.is_complex:
        x = x.real
    return x.astype(dtype.np)


@op("_arange", **_HIDDEN)
def _arange(start: Scalar, step: Scalar, *, count: int, dtype: Any, device: Any) -> Any:
    """start + i * step, computed in int64 or float64."""
    wide = jnp.int64 if dtype.is_integral else jnp.float64
    steps = jnp.arange(count, dtype=wide)
    return (jnp.asarray(start, wide) + steps * jnp.asarray(step, wide)).astype(dtype.np)


@op("_linspace", **_HIDDEN)
def _linspace(start: Scalar, end: Scalar, *, steps: int, dtype: Any, device: Any) -> Any:
    """Evenly spaced, counted from the nearer end."""
    return _spaced(start, end, steps, dtype, lambda x: x)


@op("_logspace", **_HIDDEN)
def _logspace(
    start: Scalar, end: Scalar, base: Scalar, *, steps: int, dtype: Any, device: Any
) -> Any:
    """base to evenly spaced powers."""
    wide = _wide(dtype)
    return _spaced(start, end, steps, dtype, lambda x: jnp.power(jnp.asarray(base, wide), x))


def _wide(dtype: Any) -> Any:
    return jnp.complex128 if dtype.is_complex else jnp.float64


def _spaced(start: Any, end: Any, steps: int, dtype: Any, f: Any) -> Any:
    wide = _wide(dtype)
    start, end = jnp.asarray(start).astype(wide), jnp.asarray(end).astype(wide)
    if dtype.is_integral:  # torch rounds the ends first and the values last
        start, end = jnp.trunc(start), jnp.trunc(end)
    i = jnp.arange(steps, dtype=jnp.float64)
    step = (end - start) / max(steps - 1, 1)
    values = jnp.where(i < steps // 2, start + step * i, end - step * (steps - 1 - i))
    if steps == 1:
        values = jnp.broadcast_to(start, (1,))
    values = f(values)
    return values.astype(dtype.np)


@op("_eye", **_HIDDEN)
def _eye(*, n: int, m: int, dtype: Any, device: Any) -> Any:
    """Ones on the diagonal."""
    return jnp.eye(n, m, dtype=dtype.np)
