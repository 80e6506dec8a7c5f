"""Small functions with torch's gradients at their kinks, for the rows of torch.nn.functional."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_jvp
def absolute(x: Any) -> Any:
    """|x|; gradient 0 at 0."""
    return jnp.abs(x)


@absolute.defjvp
def _absolute_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    if not jnp.iscomplexobj(x):
        return absolute(x), t * jnp.sign(x)
    return absolute(x), jnp.real(jnp.conj(jnp.sign(x)) * t)


def at_least_zero(x: Any) -> Any:
    """clamp_min(x, 0): the gradient passes at 0."""
    return jnp.where(x >= 0, x, jnp.zeros_like(x))


def safe_sqrt(x: Any) -> Any:
    """sqrt(x) of x >= 0; gradient 0 at 0."""
    zero = x == 0
    return jnp.where(zero, jnp.zeros_like(x), jnp.sqrt(jnp.where(zero, jnp.ones_like(x), x)))


def norm_of(x: Any, p: float, axis: Any, keepdims: bool = False) -> Any:
    """The p-norm over `axis`; its gradient at 0 is 0, as torch's."""
    size = absolute(x)
    if p == 2:
        return safe_sqrt(jnp.sum(size * size, axis=axis, keepdims=keepdims))
    if p == 1:
        return jnp.sum(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return jnp.sum((size != 0).astype(size.dtype), axis=axis, keepdims=keepdims)
    if p in (float("inf"), float("-inf")):
        pick = jnp.max if p > 0 else jnp.min
        return pick(size, axis=axis, keepdims=keepdims)
    return _general_norm(size, p, axis, keepdims)


def _general_norm(size: Any, p: float, axis: Any, keepdims: bool) -> Any:
    zero = size == 0
    powers = jnp.where(zero, 0.0 if p > 0 else jnp.inf, jnp.where(zero, 1.0, size) ** p)
    total = jnp.sum(powers.astype(size.dtype), axis=axis, keepdims=keepdims)
    none = total == 0
    return jnp.where(none, jnp.zeros_like(total), jnp.where(none, 1.0, total) ** (1 / p))


def sigmoid_of(x: Any) -> Any:
    """1 / (1 + exp(-x)), of complex numbers too."""
    return 1 / (1 + jnp.exp(-x)) if jnp.iscomplexobj(x) else lax.logistic(x)


@jax.custom_jvp
def log_sigmoid_of(x: Any) -> Any:
    """log(sigmoid(x)), without overflow."""
    return jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x)))


@log_sigmoid_of.defjvp
def _log_sigmoid_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return log_sigmoid_of(x), t * lax.logistic(-x)


def log1p_exp(x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    return jnp.logaddexp(x, jnp.zeros_like(x))


def _softmax_plain(x: Any, dim: int) -> Any:
    """exp(x), scaled to sum to one along `dim`; its gradient keeps only the result."""
    if not x.shape[dim]:
        return x
    e = jnp.exp(x - jnp.max(x, axis=dim, keepdims=True))
    return e / jnp.sum(e, axis=dim, keepdims=True)


softmax_of = jax.custom_jvp(_softmax_plain, nondiff_argnums=(1,))


@softmax_of.defjvp
def _softmax_jvp(dim: int, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    y = softmax_of(x, dim)
    return y, y * (t - jnp.sum(y * t, axis=dim, keepdims=True))


def log_softmax_of(x: Any, dim: int) -> Any:
    """log(softmax(x)), exact for large x."""
    if not x.shape[dim]:
        return x
    shifted = x - lax.stop_gradient(jnp.max(x, axis=dim, keepdims=True))
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=dim, keepdims=True))


def _pick_plain(axis: int, x: Any, index: Any) -> Any:
    """x[..., index, ...] along `axis`, one element per place of `index`; NaN outside.

    Forward it is a gather.  Backward it is a comparison with an iota, which fuses with what
    follows, instead of a scatter, which does not.
    """
    return jnp.take_along_axis(x, jnp.expand_dims(index, axis), axis=axis, mode="fill").squeeze(
        axis
    )


pick = jax.custom_jvp(_pick_plain, nondiff_argnums=(0,))


@pick.defjvp
def _pick_jvp(axis: int, primals: Any, tangents: Any) -> Any:
    x, index = primals
    places = lax.broadcasted_iota(index.dtype, x.shape, axis)
    hit = places == jnp.expand_dims(index, axis)
    t = jnp.where(hit, tangents[0], jnp.zeros_like(tangents[0]))
    return pick(axis, x, index), jnp.sum(t, axis=axis)


def reduced(x: Any, reduction: str) -> Any:
    """torch's `reduction` of the elementwise losses."""
    if reduction == "mean":
        return jnp.mean(x)
    return jnp.sum(x) if reduction == "sum" else x
