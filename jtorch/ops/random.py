"""Rows that finish random numbers drawn on the host: what depends on tensors is recorded."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Operand, op

_HIDDEN: Any = {"namespaces": ()}


@op("_bernoulli", grad_name="Bernoulli", **_HIDDEN)
def _bernoulli(p: Array, uniforms: Array, *, dtype: Any) -> Any:
    """1 where the uniform is below p; its gradient is zero, as in torch."""
    return (uniforms < lax.stop_gradient(p).astype(uniforms.dtype)).astype(dtype.np)


@op("_normal_around", grad_name="Normal", **_HIDDEN)
def _normal_around(mean: Operand, std: Operand, normals: Array, *, dtype: Any) -> Any:
    """normals * std + mean, step by step in torch's dtypes; its gradient is zero, as in torch."""
    mean, std = (lax.stop_gradient(x) if hasattr(x, "dtype") else x for x in (mean, std))
    scaled = _weak(normals, std, jnp.multiply).astype(dtype.np)
    return _weak(scaled, mean, jnp.add).astype(dtype.np)


def _weak(x: Any, other: Any, f: Any) -> Any:
    """f in the common dtype; a number takes x's."""
    if not hasattr(other, "dtype") or other.ndim == 0:
        other = jnp.asarray(other, x.dtype)
    wide = jnp.promote_types(x.dtype, other.dtype)
    return f(x.astype(wide), other.astype(wide))


@op("_multinomial_race", differentiable=False, **_HIDDEN)
def _multinomial_race(weights: Array, exponentials: Array, *, count: int) -> Any:
    """Draws without replacement: the `count` largest weight / exponential, smaller index first."""
    quotient = weights / exponentials
    if count == 1:
        return jnp.argmax(quotient, axis=-1, keepdims=True).astype(jnp.int64)
    return jnp.argsort(-quotient, axis=-1, stable=True)[..., :count].astype(jnp.int64)


@op("_multinomial_search", differentiable=False, **_HIDDEN)
def _multinomial_search(weights: Array, uniforms: Array) -> Any:
    """Draws with replacement: uniforms looked up in the running sums."""
    wide = jnp.float64 if weights.dtype == jnp.float64 else jnp.float32
    sums = jnp.cumsum(weights.astype(wide), axis=-1)
    sums = sums / sums[..., -1:]
    sums = sums.at[..., -1].set(1).astype(jnp.float64)
    return jnp.sum(sums[..., None, :] < uniforms[..., :, None], axis=-1, dtype=jnp.int64)
