"""Dropout masks from a seed that is an input of the program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._engine.replica import replica_index
from ._define import Array, Scalar, op

_HIDDEN: Any = {"namespaces": (), "dynamic": True}


def bernoulli(seed: Any, p: Any, shape: tuple[int, ...]) -> Any:
    """True with probability p; the same seed gives the same mask."""
    key = jax.random.key(jnp.asarray(seed).astype(jnp.uint32))
    replica = replica_index()
    if replica is not None:
        key = jax.random.fold_in(key, replica)
    return jax.random.uniform(key, shape, jnp.float32) < p


def _noise_shape(x: Any, by_channel: bool) -> tuple[int, ...]:
    return (*x.shape[:2], *(1,) * (x.ndim - 2)) if by_channel else x.shape


@op("_dropout", grad_name="Mul", **_HIDDEN)
def _dropout(input: Array, seed: Scalar, p: Scalar, by_channel: bool) -> Any:
    """Zero with probability p, scale the rest by 1 / (1 - p)."""
    keep = bernoulli(seed, 1 - p, _noise_shape(input, by_channel))
    factor = keep.astype(input.dtype) / jnp.asarray(1 - p).astype(input.dtype)
    return input * factor


@op("_dropout_factor", differentiable=False, **_HIDDEN)
def _dropout_factor(input: Array, seed: Scalar, p: Scalar, shape: Any) -> Any:
    """What `_dropout` multiplies by, in the input's dtype and any shape."""
    keep = bernoulli(seed, 1 - p, shape)
    return keep.astype(input.dtype) / jnp.asarray(1 - p).astype(input.dtype)


_ALPHA = 1.7580993408473766


@op("_alpha_dropout", grad_name="Add", **_HIDDEN)
def _alpha_dropout(input: Array, seed: Scalar, p: Scalar, by_channel: bool) -> Any:
    """Set to SELU's negative saturation with probability p, then restore mean and variance."""
    keep = bernoulli(seed, 1 - p, _noise_shape(input, by_channel)).astype(input.dtype)
    p = jnp.asarray(p).astype(input.dtype)
    a = 1 / jnp.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    return input * (keep * a) + ((keep - 1) * (_ALPHA * a) + _ALPHA * a * p)
