"""Cross entropy of a linear layer, some rows at a time: never are all logits there at once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, op


@op("_linear_cross_entropy", namespaces=(), grad_name="LinearCrossEntropy")
def _linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    linear_bias: Array | None,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    chunk: int,
) -> Any:
    """Each row's weighted loss, and its weight; `chunk` rows at a time, again for the gradient."""
    wide = jnp.promote_types(input.dtype, jnp.float32)
    n = input.shape[0]
    missing = -n % chunk
    rows = jnp.pad(input, ((0, missing), (0, 0))).reshape(-1, chunk, input.shape[1])
    labels = jnp.pad(target, (0, missing), constant_values=ignore_index).reshape(-1, chunk)

    @jax.checkpoint
    def losses(part: tuple[Any, Any]) -> tuple[Any, Any]:
        x, t = part
        logits = jnp.matmul(x, linear_weight.T, preferred_element_type=wide)
        if linear_bias is not None:
            logits += linear_bias.astype(wide)
        seen = t != ignore_index
        at = jnp.where(seen, t, 0)
        picked = jnp.take_along_axis(logits, at[:, None], axis=1)[:, 0]
        own = seen.astype(wide) if weight is None else jnp.where(seen, weight.astype(wide)[at], 0)
        return (jax.nn.logsumexp(logits, axis=1) - picked) * own, own

    found, own = lax.map(losses, (rows, labels))
    return found.reshape(-1)[:n], own.reshape(-1)[:n]
