"""torch.linalg's norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from . import linalg_checks as checks
from ._define import Array, Promote, op
from ._dims import several
from .linalg_svd import singular_values
from .norm import magnitude, vector_norm


def _dtype_fits(input: Any, dtype: Any, function: str) -> None:
    """torch's demands of the `dtype=` of a norm."""
    if dtype is None:
        return
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(
            f"{function}: dtype should be floating point or complex, but got {dtype.scalar_name}"
        )
    if input.dtype.is_complex != dtype.is_complex:
        kind = "complex" if input.dtype.is_complex else "real"
        raise RuntimeError(
            f"{function}: dtype should be {kind} for {kind} inputs, but got {dtype.scalar_name}"
        )
    if dtype.itemsize < input.dtype.itemsize:
        raise RuntimeError(
            f"{function}: the dtype of the input ({input.dtype.scalar_name}) should be convertible "
            f"without narrowing to the specified dtype ({dtype.scalar_name})"
        )


def _check_vector(x: Any, *, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> None:
    name = "linalg.vector_norm"
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str")
    checks.floating(x, name)
    dims = several(dim, x.ndim)
    if (ord < 0 or ord == math.inf) and not x.numel:
        words = str(int(ord)) if ord == ord // 1 and not math.isinf(ord) else str(ord)
        if dim is None or dim == ():
            raise RuntimeError(
                f"{name} cannot compute the {words} norm on an empty tensor because the operation "
                "does not have an identity"
            )
        given = (dim,) if isinstance(dim, int) else dim
        for d, asked in zip(dims, given, strict=True):
            if x.shape[d] == 0:
                raise RuntimeError(
                    f"{name} cannot compute the {words} norm on the dimension {asked}because this "
                    "dimension is empty and the operation does not have an identity"
                )
    _dtype_fits(x, dtype, name)


def _real(result: Any, *, dtype: Any, **_: Any) -> Any:
    return result.to_real() if result.is_complex else result


@op("linalg_vector_norm", namespaces=("linalg:vector_norm",), promote=Promote.INT_TO_FLOAT,
    out=True, check=_check_vector, result_dtype=_real)  # fmt: skip
def linalg_vector_norm(
    x: Array, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norm of all elements, or over some dimensions."""
    wide = x.astype(jnp.float32) if x.dtype.name in ("float16", "bfloat16") else x
    return vector_norm(wide, float(ord), several(dim, x.ndim), keepdim)


# --- matrices -------------------------------------------------------------------------------------

_SUMS = {1: (0, 1), -1: (0, -1), math.inf: (1, 1), -math.inf: (1, -1)}


def _known(ord: Any) -> bool:
    return ord in ("fro", "nuc") if isinstance(ord, str) else abs(ord) in (1, 2, math.inf)


def _check_matrix(A: Any, *, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> None:
    name = "linalg.matrix_norm"
    if not isinstance(dim, tuple | list):
        raise TypeError(
            "linalg_matrix_norm(): argument 'dim' (position 3) must be tuple of ints, not "
            f"{type(dim).__name__}"
        )
    if not _known(ord):
        raise RuntimeError(f"{name}: Order {_number(ord)} not supported.")
    checks.matrices(A, name)
    checks.floating(A, name, low=ord not in ("nuc", 2, -2))
    dims = tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {', '.join(str(d) for d in dims)}")
    _dtype_fits(A, dtype, name)
    wrapped = [several(d, A.ndim)[0] for d in dims]
    if wrapped[0] == wrapped[1]:
        raise RuntimeError(f"{name}: dims must be different. Got ({wrapped[0]}, {wrapped[1]})")
    _has_minimum(A, ord, wrapped)


def _has_minimum(A: Any, ord: Any, dims: list[int]) -> None:
    """Refuse the smallest of no sums and of no singular values."""
    over = {-1: dims[1], -math.inf: dims[0]}.get(ord, -1) if ord not in ("fro", "nuc") else -1
    if ord == -2 and not (A.shape[dims[0]] and A.shape[dims[1]]):
        raise IndexError("amin(): Expected reduction dim -1 to have non-zero size.")
    if over >= 0 and not A.shape[over]:
        raise IndexError(f"amin(): Expected reduction dim {over} to have non-zero size.")


def _number(ord: Any) -> str:
    return f"{ord:g}" if isinstance(ord, int | float) else str(ord)


def matrix_norm(a: Any, ord: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
    """A norm of the matrices that lie in two dimensions."""
    if ord == "fro":
        return vector_norm(a, 2.0, dims, keepdim)
    moved = jnp.moveaxis(a, dims, (-2, -1))
    if ord in ("nuc", 2, -2):
        result = _spectral(singular_values(moved), ord)
    else:
        over, sign = _SUMS[ord]
        sums = jnp.sum(magnitude(moved), -2 + over)
        result = _largest(sums) if sign > 0 else jnp.min(sums, -1)
    return jnp.expand_dims(result, dims) if keepdim else result


def _spectral(s: Any, ord: Any) -> Any:
    if ord == "nuc":
        return jnp.sum(s, -1)
    return _largest(s) if ord == 2 else jnp.min(s, -1)


def _largest(x: Any) -> Any:
    """The maximum along the last dimension, 0 of nothing."""
    return jnp.max(x, -1) if x.shape[-1] else jnp.zeros(x.shape[:-1], x.dtype)


@op("linalg_matrix_norm", namespaces=("linalg:matrix_norm",), promote=Promote.INT_TO_FLOAT,
    out=True, check=_check_matrix, result_dtype=_real, residuals=True)  # fmt: skip
def linalg_matrix_norm(
    A: Array, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norm of matrices: Frobenius, nuclear, spectral, or a largest sum."""
    wide = A.astype(jnp.float32) if A.dtype.name in ("float16", "bfloat16") else A
    return matrix_norm(wide, ord, tuple(several(d, A.ndim)[0] for d in dim), keepdim)
