"""Distances and similarities between vectors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Promote, Scalar, op
from ._dims import one
from .nn_common import floats_only, not_implemented
from .nn_math import norm_of, safe_sqrt

_F: Any = Promote.INT_TO_FLOAT


def _similar_check(x1: Any, x2: Any, eps: Any, *, dim: int) -> None:
    common = x1.dtype.is_integral and x2.dtype.is_integral
    if common:
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{x1.dtype.scalar_name}"
        )


@op(promote=_F, broadcast=True, check=_similar_check, namespaces=("torch", "nn.functional"))
def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: Scalar = 1e-8) -> Any:
    """Cosine of the angle between vectors along `dim`; norms are at least eps."""
    x1, x2 = jnp.broadcast_arrays(x1, x2)
    if not x1.ndim:
        return cosine_similarity(x1.reshape(1), x2.reshape(1), one(dim, 0), eps)
    n1 = safe_sqrt(jnp.sum(x1 * x1, axis=dim, keepdims=True))
    n2 = safe_sqrt(jnp.sum(x2 * x2, axis=dim, keepdims=True))
    return jnp.sum((x1 / _floored(n1, eps)) * (x2 / _floored(n2, eps)), axis=dim)


def _floored(x: Any, eps: Any) -> Any:
    """max(x, eps), straight through where x < eps as torch's no-grad clamp."""
    return x + lax.stop_gradient(jnp.maximum(x, eps) - x)


@op(promote=_F, broadcast=True, namespaces=("torch", "nn.functional"))
def pairwise_distance(
    x1: Array, x2: Array, p: float = 2.0, eps: Scalar = 1e-6, keepdim: bool = False
) -> Any:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return norm_of(x1 - x2 + eps, float(p), -1, keepdim)


def _pdist_check(input: Any, *, p: float) -> None:
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if not input.dtype.is_floating_point:
        raise not_implemented("pdist", input.dtype)
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")


@op(promote=_F, check=_pdist_check, namespaces=("torch", "nn.functional"))
def pdist(input: Array, p: float = 2.0) -> Any:
    """Distances between all pairs of rows, i < j."""
    i, j = np.triu_indices(input.shape[0], 1)
    return norm_of(input[i] - input[j], float(p), -1)


@op(
    "_normalize",
    promote=_F,
    check=floats_only("linalg_vector_norm", complex_too=True),
    namespaces=(),
    grad_name="Div",
)
def _normalize(input: Array, eps: Scalar, p: float, dim: Any) -> Any:
    """input divided by its p-norm along `dim`, at least eps."""
    if not input.ndim:
        return _normalize(input.reshape(1), eps, p, one(dim, 0)).reshape(())
    n = norm_of(input, float(p), dim, True)
    return input / jnp.where(n >= eps, n, jnp.full_like(n, eps))
