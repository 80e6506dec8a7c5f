"""Lookups: embedding, bags of embeddings, one-hot."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Scalar, op

_HIDDEN: Any = {"namespaces": ()}


def _check_indices(input: Any, weight: Any, **static: Any) -> None:
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if input.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{input.dtype.scalar_name}Tensor instead (while checking "
            "arguments for embedding)"
        )


@jax.custom_jvp
def _scaled_gradient(x: Any, by: Any) -> Any:
    """x, whose gradient is multiplied by `by`."""
    return x


@_scaled_gradient.defjvp
def _scaled_gradient_jvp(primals: Any, tangents: Any) -> Any:
    return primals[0], tangents[0] * primals[1]


@op("_embedding", check=_check_indices, grad_name="Embedding", **_HIDDEN)
def _embedding(input: Array, weight: Array, padding_idx: Any, scale_grad_by_freq: bool) -> Any:
    """Rows of `weight`; those of `padding_idx` get no gradient."""
    rows = jnp.take(weight, input, axis=0, mode="fill")
    if padding_idx is not None and padding_idx >= 0:
        rows = jnp.where((input == padding_idx)[..., None], lax.stop_gradient(rows), rows)
    if scale_grad_by_freq:
        counts = jnp.zeros(weight.shape[0], weight.dtype).at[input.reshape(-1)].add(1)
        rows = _scaled_gradient(rows, (1 / counts[input])[..., None])
    return rows


@op("_embedding_renorm", differentiable=False, **_HIDDEN)
def _embedding_renorm(weight: Array, input: Array, max_norm: Scalar, norm_type: Scalar) -> Any:
    """`weight` with the rows that `input` names cut down to a norm of `max_norm`."""
    norms = jnp.sum(jnp.abs(weight) ** norm_type, axis=1, keepdims=True) ** (1 / norm_type)
    scale = jnp.where(norms > max_norm, max_norm / (norms + 1e-7), jnp.ones_like(norms))
    named = jnp.zeros(weight.shape[0], bool).at[input.reshape(-1)].set(True)
    return jnp.where(named[:, None], weight * scale.astype(weight.dtype), weight)


@op("_embedding_bag", grad_name="EmbeddingBag", **_HIDDEN)
def _embedding_bag(
    input: Array, weight: Array, offsets: Array, per_sample_weights: Array | None, mode: str,
    padding_idx: Any, scale_grad_by_freq: bool, include_last_offset: bool,
) -> Any:  # fmt: skip
    """The sum, mean or maximum of each bag of rows; bag i starts at offsets[i]."""
    bags = offsets.shape[0] - int(include_last_offset)
    bag = (
        jnp.searchsorted(
            offsets[:bags], jnp.arange(input.shape[0], dtype=offsets.dtype), side="right"
        )
        - 1
    )
    counted = jnp.ones(input.shape[0], bool)
    if include_last_offset:
        counted = jnp.arange(input.shape[0], dtype=offsets.dtype) < offsets[-1]
    if padding_idx is not None:
        counted = counted & (input != padding_idx)
    rows = _embedding(input, weight, None, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[:, None].astype(rows.dtype)
    if mode == "max":
        return _bag_max(rows, bag, counted, bags)
    rows = jnp.where(counted[:, None], rows, jnp.zeros_like(rows))
    total = jnp.zeros((bags, weight.shape[1]), rows.dtype).at[bag].add(rows)
    if mode == "sum":
        return total
    count = jnp.zeros(bags, rows.dtype).at[bag].add(counted.astype(rows.dtype))
    return total / jnp.maximum(count, 1)[:, None]


def _bag_max(rows: Any, bag: Any, counted: Any, bags: int) -> Any:
    """The maximum of each bag; its gradient goes to the first row that has it."""
    low = jnp.asarray(-np.inf, rows.dtype)
    values = jnp.where(counted[:, None], lax.stop_gradient(rows), low)
    best = jnp.full((bags, rows.shape[1]), low).at[bag].max(values)
    hit = counted[:, None] & (values == best[bag])
    n = rows.shape[0]
    order = jnp.where(hit, jnp.arange(n, dtype=jnp.int64)[:, None], n)
    first = jnp.full((bags, rows.shape[1]), n, jnp.int64).at[bag].min(order)
    found = (
        jnp.take_along_axis(rows, jnp.minimum(first, n - 1), axis=0) if n else jnp.zeros_like(best)
    )
    return jnp.where(first < n, found, jnp.zeros_like(found))


@op("_one_hot", differentiable=False, **_HIDDEN)
def _one_hot(input: Array, num_classes: int) -> Any:
    """1 at the class, 0 elsewhere, along a new last dimension."""
    classes = jnp.arange(num_classes, dtype=input.dtype)
    return (input[..., None] == classes).astype(jnp.int64)


@op("_one_hot_max", differentiable=False, **_HIDDEN)
def _one_hot_max(input: Array, dim: int) -> Any:
    """1 at the (first) maximum along `dim`, in the input's dtype."""
    axis = dim % max(input.ndim, 1)
    places = lax.broadcasted_iota(jnp.int64, input.shape, axis)
    best = jnp.argmax(input, axis=axis, keepdims=True)
    return (places == best).astype(input.dtype)


@op("_padded_rows", differentiable=False, **_HIDDEN)
def _padded_rows(input: Array, lengths: Array, width: int) -> Any:
    """Rows that lie one after the other, as a matrix of `width` columns (what follows a row:
    noise).
    """
    start = jnp.cumsum(lengths) - lengths
    places = start[:, None] + jnp.arange(width, dtype=lengths.dtype)
    return jnp.take(input, jnp.minimum(places, max(input.shape[0] - 1, 0)))
