"""Rows that give samples their gradients: how a draw moves with the parameter it was drawn for."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.scipy.special import betainc, betaln

from ._define import Array, op

_HIDDEN: Any = {"namespaces": ()}


def _moving(sample: Any, slope: Any, alpha: Any) -> Any:
    """`sample`, whose derivative by `alpha` is `slope`."""
    slope = jnp.where(jnp.isfinite(slope), slope, 0).astype(sample.dtype)
    return lax.stop_gradient(slope) * (alpha - lax.stop_gradient(alpha))


@op("_gamma_of_sample", grad_name="StandardGamma", **_HIDDEN)
def _gamma_of_sample(alpha: Array, sample: Array) -> Any:
    """A standard gamma draw; its gradient is the implicit one, -dF/dalpha / density."""
    wide = jnp.promote_types(alpha.dtype, jnp.float32)
    slope = lax.random_gamma_grad(
        lax.stop_gradient(alpha).astype(wide), lax.stop_gradient(sample).astype(wide)
    )
    return sample + _moving(sample, slope, alpha)


@op("_dirichlet_of_sample", grad_name="SampleDirichlet", **_HIDDEN)
def _dirichlet_of_sample(alpha: Array, sample: Array) -> Any:
    """A Dirichlet draw; each component moves as the Beta it follows, the others make room."""
    a = lax.stop_gradient(alpha).astype(jnp.float64)
    x = lax.stop_gradient(sample).astype(jnp.float64)
    slope = _beta_slope(x, a, a.sum(-1, keepdims=True) - a) / (1 - x)
    moved = _moving(sample, slope, alpha)
    return sample + moved - lax.stop_gradient(sample) * moved.sum(-1, keepdims=True)


def _beta_slope(x: Any, a: Any, b: Any) -> Any:
    """dx/da of a Beta(a, b) draw: -(dI/da) / density.

    dI/da by a five-point difference in double precision, from the smaller tail, where I has all its
    digits.
    """
    low = x * (a + b) < a
    h = 1e-3 * a

    def cdf(shifted: Any) -> Any:
        upper = betainc(jnp.where(low, shifted, b), jnp.where(low, b, shifted), _tail(x, low))
        return jnp.where(low, upper, -upper)

    change = 8 * (cdf(a + h) - cdf(a - h)) - (cdf(a + 2 * h) - cdf(a - 2 * h))
    density = jnp.exp((a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) - betaln(a, b))
    return -change / (12 * h) / density


def _tail(x: Any, low: Any) -> Any:
    return jnp.where(low, x, 1 - x)
