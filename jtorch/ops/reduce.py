"""Sums and means."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, Promote, op


def axes(dim: Any) -> Any:
    """torch's `dim` (None, int, tuple, empty tuple = all) as JAX's `axis`."""
    if dim is None or dim == ():
        return None
    return dim


@op(promote=Promote.BOOL_TO_LONG, out=True, linear=True)
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum over `dim` (all dimensions by default)."""
    return jnp.sum(input, axis=axes(dim), keepdims=keepdim)


@op(promote=Promote.DEFAULT, out=True, linear=True)
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean over `dim` (all dimensions by default)."""
    return jnp.mean(input, axis=axes(dim), keepdims=keepdim)
