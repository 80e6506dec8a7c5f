"""Scaled dot product attention."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from ._define import Array, Scalar, op
from .nn_math import softmax_of


def _check(
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    keep: Any,
    p: Any,
    scale: Any,
    *,
    is_causal: bool,
    enable_gqa: bool,
) -> None:
    if not q.dtype is k.dtype is v.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{_cpp(q.dtype)} key.dtype: "
            f"{_cpp(k.dtype)} and value.dtype: {_cpp(v.dtype)} instead."
        )
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{q.ndim}, key.dim: {k.ndim} and value.dim: {v.ndim} instead."
        )
    if mask is not None:
        if mask.dtype.name != "bool" and mask.dtype is not q.dtype and mask.dtype.name != "float32":
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                f"attn_mask.dtype: {_cpp(mask.dtype)} and  query.dtype: {_cpp(q.dtype)} instead."
            )
        if is_causal:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
                "is_causal=True"
            )


def _cpp(dtype: Any) -> Any:
    return {
        "float32": "float",
        "float64": "double",
        "float16": "c10::Half",
        "bool": "bool",
        "bfloat16": "c10::BFloat16",
        "int64": "long int",
    }.get(dtype.name, dtype.name)


@op("_attention", check=_check, namespaces=(), grad_name="ScaledDotProductAttention")
def _attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None,
    keep: Array | None,
    dropout_p: Scalar,
    scale: Scalar | None,
    is_causal: bool,
    enable_gqa: bool,
) -> Any:
    """softmax(query @ key.T * scale + mask) @ value; `keep` are the weights that dropout leaves."""
    if enable_gqa:
        key = jnp.repeat(key, query.shape[-3] // key.shape[-3], axis=-3)
        value = jnp.repeat(value, query.shape[-3] // value.shape[-3], axis=-3)
    weights = attention_weights(query, key, attn_mask, scale, is_causal)
    if keep is not None:
        weights = (
            weights * keep.astype(weights.dtype) / jnp.asarray(1 - dropout_p).astype(weights.dtype)
        )
    return jnp.matmul(weights.astype(value.dtype), value)


def attention_weights(q: Any, k: Any, mask: Any, scale: Any, is_causal: bool) -> Any:
    """Softmax of the scores; a row that sees nothing is zero, as in torch."""
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else jnp.asarray(scale).astype(q.dtype)
    scores = jnp.matmul(q * jnp.asarray(factor, q.dtype), jnp.swapaxes(k, -1, -2))
    if scores.dtype.itemsize == 2:
        scores = scores.astype(jnp.float32)
    low = jnp.asarray(-np.inf, scores.dtype)
    if is_causal:
        rows = jnp.arange(q.shape[-2], dtype=jnp.int32)[:, None]
        scores = jnp.where(rows >= jnp.arange(k.shape[-2], dtype=jnp.int32), scores, low)
        return softmax_of(scores, -1)
    if mask is None:
        return softmax_of(scores, -1)
    if mask.dtype == bool:
        scores = jnp.where(mask, scores, low)
    else:
        scores = scores + mask.astype(scores.dtype)
    blind = jnp.all(scores == low, axis=-1, keepdims=True)
    zero = jnp.zeros_like(scores)
    return jnp.where(blind, zero, softmax_of(jnp.where(blind, zero, scores), -1))
