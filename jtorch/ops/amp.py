"""Gradient scaling: unscale with a check for overflow, and the schedule of the scale."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, Arrays, Scalar, op

_HIDDEN: Any = {"namespaces": (), "differentiable": False}


@op("_amp_unscale", **_HIDDEN)
def _amp_unscale(grads: Arrays, found_inf: Array, inv_scale: Array) -> Any:
    """Gradients times `inv_scale`; `found_inf` becomes 1 if any of them was not finite."""
    finite = jnp.asarray(True)
    scaled = []
    for g in grads:
        finite &= jnp.isfinite(g).all()
        wide = g.astype(jnp.float32) if g.dtype.itemsize == 2 else g
        scaled.append((wide * inv_scale.astype(wide.real.dtype)).astype(g.dtype))
    return *scaled, jnp.where(finite, found_inf, jnp.ones_like(found_inf))


@op("_amp_update_scale", dynamic=True, **_HIDDEN)
def _amp_update_scale(
    scale: Array, growth_tracker: Array, found_inf: Array,
    growth_factor: Scalar, backoff_factor: Scalar, growth_interval: Scalar,
) -> Any:  # fmt: skip
    """The next (scale, growth_tracker): backed off after an overflow, grown after enough steps."""
    overflow = found_inf != 0
    steps = growth_tracker + 1
    due = steps == jnp.asarray(growth_interval).astype(steps.dtype)
    grown = scale * jnp.asarray(growth_factor).astype(scale.dtype)
    calm = jnp.where(due & jnp.isfinite(grown), grown, scale)
    backed_off = scale * jnp.asarray(backoff_factor).astype(scale.dtype)
    tracker = jnp.where(overflow | due, jnp.zeros_like(steps), steps)
    return jnp.where(overflow, backed_off, calm), tracker


@op("_amp_count", dynamic=True, **_HIDDEN)
def _amp_count(found_inf: Array, old: Scalar, new: Scalar, *, dtype: Any) -> Any:
    """An optimizer's step count: `old` if its step was skipped."""
    a, b = (jnp.asarray(x).astype(dtype.np) for x in (old, new))
    return jnp.where(found_inf != 0, a, b)
