"""Rows that the layers above call by name and users never see."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, Scalar, op

_HIDDEN: Any = {"namespaces": ()}


@op("_to_dtype", linear=True, grad_name="ToCopy", **_HIDDEN)
def _to_dtype(input: Array, *, dtype: Any) -> Any:
    """Cast; complex to real keeps the real part, floats to unsigned wrap as in C."""
    if jnp.iscomplexobj(input) and not dtype.is_complex and dtype.name != "bool":
        input = input.real
    if jnp.issubdtype(input.dtype, jnp.floating) and dtype.np.kind == "u":
        return input.astype(jnp.int64).astype(dtype.np)
    return input.astype(dtype.np)


@op("_broadcast", linear=True, grad_name="Expand", **_HIDDEN)
def _broadcast(input: Array, *, shape: Any) -> Any:
    """Broadcast without being a view."""
    return jnp.broadcast_to(input, shape)


@op("_ones_like", differentiable=False, **_HIDDEN)
def _ones_like(input: Array) -> Any:
    """The seed of a backward."""
    return jnp.ones(input.shape, input.dtype)


@op("_zeros_like", differentiable=False, **_HIDDEN)
def _zeros_like(input: Array) -> Any:
    """A gradient of nothing."""
    return jnp.zeros(input.shape, input.dtype)


@op("_scalar", differentiable=False, **_HIDDEN)
def _scalar(value: Scalar, *, dtype: Any, device: Any) -> Any:
    """A 0-d array of a dtype and place."""
    return jnp.asarray(value).astype(dtype.np)


@op("_identity", linear=True, grad_name="Clone", **_HIDDEN)
def _identity(input: Array) -> Any:
    """The same value."""
    return input


def optimization_barrier(x: Any) -> Any:
    """Keeps XLA from merging what is before with what is after."""
    return lax.optimization_barrier(x)


def is_tracer(x: Any) -> bool:
    """Whether a Scalar arrived as a program input rather than as a Python number."""
    return isinstance(x, jax.core.Tracer) or hasattr(x, "aval")
