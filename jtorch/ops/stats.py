"""Statistics of samples: variance, covariance, quantiles, histograms."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Operand, Promote, op
from ._dims import at_least_1d, one, several
from .norm import root


def _check_spread(input: Any, *, dim: Any, correction: Any, keepdim: bool) -> None:
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        raise RuntimeError("std and var only support floating point and complex dtypes")
    several(dim, input.ndim)


def _moments(x: Any, dim: Any, correction: Any, keepdim: bool) -> tuple[Any, Any]:
    """(variance, mean); halves are computed in float32."""
    wide = x.astype(jnp.float32) if x.dtype.itemsize == 2 else x
    dims = several(dim, x.ndim)
    n = math.prod(x.shape[d] for d in dims)
    mean = jnp.sum(wide, dims, keepdims=True) / wide.real.dtype.type(n)
    off = wide - mean
    squares = off.real * off.real + off.imag * off.imag if jnp.iscomplexobj(x) else off * off
    total = jnp.sum(squares, dims, keepdims=keepdim)
    free = total.dtype.type(max(0.0, n - correction))
    variance = total / free
    return variance, (mean if keepdim else mean.squeeze(dims))


_SPREAD: Any = {"check": _check_spread, "namespaces": ()}


@op("_var", grad_name="Var", **_SPREAD)
def _var(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variance."""
    return _moments(input, dim, correction, keepdim)[0].astype(input.real.dtype)


@op("_std", grad_name="Std", **_SPREAD)
def _std(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Standard deviation; no gradient where it is zero."""
    return root(_moments(input, dim, correction, keepdim)[0]).astype(input.real.dtype)


@op("_var_mean", grad_name="VarMean", **_SPREAD)
def _var_mean(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variance and mean."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return variance.astype(input.real.dtype), mean.astype(input.dtype)


@op("_std_mean", grad_name="StdMean", **_SPREAD)
def _std_mean(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Standard deviation and mean."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return root(variance).astype(input.real.dtype), mean.astype(input.dtype)
