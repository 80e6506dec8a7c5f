"""Norms of vectors, with torch's subgradients where a norm has a kink."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from ._define import Array, Promote, op
from ._dims import one, several
from .linalg_svd import singular_values


def magnitude(x: Any) -> Any:
    """|x| whose gradient at zero is zero."""
    if not jnp.iscomplexobj(x):
        return jnp.where(x == 0, 0, jnp.abs(x)) if x.dtype != bool else x
    zero = x == 0
    return jnp.where(zero, 0, jnp.abs(jnp.where(zero, 1, x)))


def power(a: Any, p: float) -> Any:
    """a ** p for a >= 0 whose gradient at zero is zero."""
    zero = a == 0
    return jnp.where(zero, 0, jnp.where(zero, 1, a) ** a.dtype.type(p))


def root(s: Any) -> Any:
    """sqrt(s) whose gradient at zero is zero."""
    zero = s == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, s)))


def vector_norm(x: Any, p: float, dims: tuple[int, ...], keepdim: bool) -> Any:
    """The p-norm over `dims` of a float or complex array."""
    if p == 2:
        squares = (x.real * x.real + x.imag * x.imag) if jnp.iscomplexobj(x) else x * x
        return root(jnp.sum(squares, dims, keepdims=keepdim))
    a = magnitude(x)
    if p == 0:
        return jnp.sum((a != 0).astype(a.dtype), dims, keepdims=keepdim)
    if p == 1:
        return jnp.sum(a, dims, keepdims=keepdim)
    if math.isinf(p):
        return (jnp.max if p > 0 else jnp.min)(a, dims, keepdims=keepdim)
    if p < 0:
        total = jnp.sum(a ** a.dtype.type(p), dims, keepdims=keepdim)
        return total ** total.dtype.type(1 / p)
    return power(jnp.sum(power(a, p), dims, keepdims=keepdim), 1 / p)


def _check_norm(input: Any, *, p: Any, dim: Any, keepdim: bool, dtype: Any) -> None:
    kind = dtype or input.dtype
    which = "matrix" if p == "nuc" else "vector"
    if p == "nuc" and kind.is_floating_point and kind.itemsize < 4:
        raise RuntimeError(
            f"linalg.matrix_norm: Low precision dtypes not supported. Got {kind.scalar_name}"
        )
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(
            f"linalg.{which}_norm: Expected a floating point or complex tensor as input. Got "
            f"{kind.scalar_name}"
        )
    dims = several(dim, input.ndim)
    no_identity = isinstance(p, int | float) and (math.isinf(p) or p < 0)
    empty = not input.numel and (dim is None or any(input.shape[d] == 0 for d in dims))
    if no_identity and empty:
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {'infinity' if math.isinf(p) else p} norm on "
            "an empty tensor because the operation does not have an identity"
        )


def _real(result: Any, *, p: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return result.to_real() if result.is_complex else result


@op("norm", promote=Promote.DEFAULT, out=True, check=_check_norm, result_dtype=_real,
    grad_name="LinalgVectorNorm")  # fmt: skip
def norm(
    input: Array, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """p-norm over `dim` (all dimensions by default); 'nuc' and 'fro' are norms of matrices."""
    wide = input.astype(jnp.float32) if input.dtype.name in ("float16", "bfloat16") else input
    dims = several(dim, input.ndim)
    if p == "nuc":
        return _nuclear(wide, dims, keepdim)
    order = 2.0 if p in ("fro", None) else float(p)
    return vector_norm(wide, order, dims, keepdim).astype(input.real.dtype)


def _nuclear(x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
    if len(dims) != 2:
        raise RuntimeError(f"linalg.matrix_norm: The input tensor must have at least 2 dimensions, "
                           f"got {len(dims)}")  # fmt: skip
    moved = jnp.moveaxis(x, dims, (-2, -1))
    total = jnp.sum(singular_values(moved), -1)
    return jnp.expand_dims(total, dims) if keepdim else total


def _check_renorm(input: Any, *, p: float, dim: int, maxnorm: float) -> None:
    _check_norm(input, p=p, dim=None, keepdim=True, dtype=None)
    one(dim, input.ndim)


@op("_renorm", namespaces=(), check=_check_renorm)
def _renorm(input: Array, *, p: float, dim: int, maxnorm: float) -> Any:
    """Slices of `dim` scaled down to at most `maxnorm`."""
    d = one(dim, input.ndim)
    rest = tuple(k for k in range(input.ndim) if k != d)
    size = vector_norm(input, p, rest, True)
    # torch scales by maxnorm / (norm + 1e-7)
    scale = jnp.where(size > maxnorm, maxnorm / (size + size.dtype.type(1e-7)), 1)
    return input * scale.astype(size.dtype)
