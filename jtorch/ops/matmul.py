"""Matrix products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, op


@op(out=True, dunder=("__matmul__",), rdunder="__rmatmul__")
def matmul(input: Array, other: Array) -> Any:
    """Matrix product with torch's broadcasting rules."""
    return jnp.matmul(input, other)
