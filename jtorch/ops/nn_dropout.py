"""Dropout: masks as values of their own, drawn from program inputs, and what is done with them."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from .._engine import rng_xla
from .._engine.replica import replica_index
from ._define import Array, Scalar, op

_HIDDEN: Any = {"namespaces": ()}
_MASK: Any = {"differentiable": False, "dynamic": True, **_HIDDEN}


@op("_keep_by_stream", **_MASK)
def _keep_by_stream(words: Array, threshold: Scalar, shape: Any) -> Any:
    """PyTorch's own draws: True where a 53-bit draw is below `threshold`; also the words after
    it.
    """
    words, keep = rng_xla.bernoulli(words, prod(shape), jnp.asarray(threshold).astype(jnp.uint64))
    return keep.reshape(shape), words


@op("_keep_by_key", **_MASK)
def _keep_by_key(input: Array, seed: Scalar, p: Scalar, shape: Any) -> Any:
    """True with probability p, where the input lives; every replica of a region has draws of its
    own.
    """
    key = jax.random.key(jnp.asarray(seed).astype(jnp.uint32))
    replica = replica_index()
    if replica is not None:
        key = jax.random.fold_in(key, replica)
    return jax.random.uniform(key, shape, jnp.float32) < p


@op("_dropout", grad_name="Mul", dynamic=True, **_HIDDEN)
def _dropout(input: Array, keep: Array, p: Scalar) -> Any:
    """Zero what is not kept, scale the rest by 1 / (1 - p)."""
    return input * _factor(keep, p, input.dtype)


def _factor(keep: Any, p: Any, dtype: Any) -> Any:
    wide = jnp.float32 if jnp.dtype(dtype).itemsize == 2 else dtype
    return (keep.astype(wide) / jnp.asarray(1 - p).astype(wide)).astype(dtype)


_ALPHA = 1.7580993408473766


@op("_alpha_dropout", grad_name="Add", dynamic=True, **_HIDDEN)
def _alpha_dropout(input: Array, keep: Array, p: Scalar) -> Any:
    """SELU's negative saturation where not kept, then mean and variance restored."""
    keep = keep.astype(input.dtype)
    p = jnp.asarray(p).astype(input.dtype)
    a = 1 / jnp.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    return input * (keep * a) + ((keep - 1) * (_ALPHA * a) + _ALPHA * a * p)
