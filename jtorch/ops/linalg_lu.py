"""LU factors with their pivots, and what follows from them: solve, inv, det, slogdet."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, op
from .linalg_checks import batched, diagonal, eye_like, mh, mm, mt
from .linalg_cholesky import first_zero, triangular_solve


def lu_pivots(a: Any) -> Any:
    """(LU, pivots counted from 1, row permutation)."""
    if not a.size:
        k = min(a.shape[-2:])
        rows = jnp.arange(a.shape[-2], dtype=jnp.int32)
        return (
            a,
            jnp.broadcast_to(jnp.arange(1, k + 1, dtype=jnp.int32), (*a.shape[:-2], k)),
            jnp.broadcast_to(rows, (*a.shape[:-2], a.shape[-2])),
        )
    lu, pivots, permutation = lax.linalg.lu(a)
    return lu, pivots + 1, permutation


def permutation_of(pivots: Any, rows: int) -> Any:
    """The row order that LAPACK's swaps lead to."""
    if not pivots.size:
        return jnp.broadcast_to(jnp.arange(rows, dtype=jnp.int32), (*pivots.shape[:-1], rows))
    return lax.linalg.lu_pivots_to_permutation(pivots - 1, rows)


def take_rows(x: Any, order: Any) -> Any:
    """x[..., order[i], :]."""
    return jnp.take_along_axis(x, order[..., :, None], -2)


def factored_solve(lu: Any, order: Any, b: Any, turned: str = "") -> Any:
    """X of A X = B from the factors of A; `turned`: of A^T ("T") or A^H ("H") in place of A."""
    if not turned:
        lower = triangular_solve(lu, take_rows(b, order), upper=False, unit=True)
        return triangular_solve(lu, lower, upper=True)
    if turned == "T" and jnp.iscomplexobj(lu):
        return jnp.conj(factored_solve(lu, order, jnp.conj(b), "H"))
    upper = triangular_solve(lu, b, upper=True, adjoint=True)
    lower = triangular_solve(lu, upper, upper=False, unit=True, adjoint=True)
    return take_rows(lower, jnp.argsort(order, -1))


def _info(lu: Any) -> Any:
    return first_zero(diagonal(lu))


def _sized(A: Any, function: str) -> None:
    if A.ndim < 2:
        raise RuntimeError(
            f"{function}: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} "
            "instead"
        )


def _check_factor(A: Any, *, pivot: bool, name: str) -> None:
    _sized(A, name)
    checks.kernel(A, "lu_cpu")
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


@op("_lu_factor", namespaces=(), check=_check_factor, residuals=True,
    fields=("LU", "pivots", "info"), fields_name="linalg_lu_factor_ex",
    grad_name="LinalgLuFactorEx")  # fmt: skip
def _lu_factor(A: Array, *, pivot: bool, name: str) -> Any:
    """Packed factors, LAPACK's pivots, and the first zero on the diagonal of U."""
    lu, pivots, _ = lu_pivots(A)
    return lu, pivots, _info(lu)


def _unpacked(lu: Any) -> tuple[Any, Any]:
    m, n = lu.shape[-2:]
    k = min(m, n)
    lower = jnp.tril(lu[..., :, :k], -1) + jnp.eye(m, k, dtype=lu.dtype)
    return lower, jnp.triu(lu[..., :k, :])


def _permutation_matrix(order: Any, dtype: Any) -> Any:
    return mt(jax.nn.one_hot(order, order.shape[-1], dtype=dtype))


@op("_lu", namespaces=(), check=_check_factor, residuals=True, fields=("P", "L", "U"),
    fields_name="linalg_lu", grad_name="LinalgLu")  # fmt: skip
def _lu(A: Array, *, pivot: bool, name: str) -> Any:
    """P, L, U with A = P L U."""
    lu, _, order = lu_pivots(A)
    return _permutation_matrix(order, A.dtype), *_unpacked(lu)


def _check_unpack(LU_data: Any, LU_pivots: Any, **_: Any) -> None:
    if LU_pivots.dtype.name != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype."
        )
    _sized(LU_data, "torch.lu_unpack")


@op("_lu_unpack", namespaces=(), check=_check_unpack, fields=("P", "L", "U"),
    fields_name="lu_unpack", grad_name="LuUnpack")  # fmt: skip
def _lu_unpack(LU_data: Array, LU_pivots: Array, *, unpack_data: bool, unpack_pivots: bool) -> Any:
    """P, L, U of packed factors; empty where not asked for."""
    nothing = jnp.zeros((0,), LU_data.dtype)
    lower, upper = _unpacked(LU_data) if unpack_data else (nothing, nothing)
    if not unpack_pivots:
        return nothing, lower, upper
    order = permutation_of(LU_pivots, LU_data.shape[-2])
    return _permutation_matrix(order, LU_data.dtype), lower, upper


# --- solving --------------------------------------------------------------------------------------


def _check_lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool, adjoint: bool) -> None:
    name = "linalg.lu_solve"
    if pivots.dtype.name != "int32":
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    checks.matrices(LU, f"torch.{name}")
    checks.square(LU, f"torch.{name}")
    checks.matrices(B, name, "B")
    checks.same_dtype(LU, B, name, ("LU", "B"))
    checks.fits(LU.shape, B.shape, left, name)
    if pivots.shape[-1] != LU.shape[-1]:
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix"
        )
    if pivots.shape[:-1] != LU.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(pivots.shape)} instead"
        )
    checks.kernel(LU, "lu_solve_cpu")


@op("linalg_lu_solve", namespaces=("linalg:lu_solve",), out=True, residuals=True,
    check=_check_lu_solve)  # fmt: skip
def linalg_lu_solve(
    LU: Array, pivots: Array, B: Array, *, left: bool = True, adjoint: bool = False
) -> Any:
    """X of A X = B (or X A = B, or with A^H) from the factors of A."""
    order = permutation_of(pivots, LU.shape[-2])
    if not left:  # X A = B is A^H X^H = B^H
        return mh(_broadcast_factored(LU, order, mh(B), "" if adjoint else "H"))
    return _broadcast_factored(LU, order, B, "H" if adjoint else "")


def _broadcast_factored(lu: Any, order: Any, b: Any, turned: str) -> Any:
    lu, b = batched(lu, b)
    order = jnp.broadcast_to(order, lu.shape[:-1])
    return factored_solve(lu, order, b, turned)


def _solve(a: Any, b: Any) -> tuple[Any, Any]:
    """(X of A X = B, the factors of A), differentiable without going through the factors."""
    lu, _, order = lu_pivots(lax.stop_gradient(a))
    x = lax.custom_linear_solve(
        lambda x: mm(a, x), b,
        solve=lambda _, b: factored_solve(lu, order, b),
        transpose_solve=lambda _, b: factored_solve(lu, order, b, "T"),
    )  # fmt: skip
    return x, lu


def _no_tangent(x: Any) -> Any:
    return jnp.zeros(x.shape, jax.dtypes.float0)


def _check_solve(A: Any, B: Any, *, left: bool) -> None:
    name = "linalg.solve"
    checks.square(A, name)
    checks.floating(A, name)
    checks.same_dtype(A, B, name)
    vector = checks.is_vector_rhs(A.shape, B.shape)
    if vector and not left:
        raise RuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False. "
            "In this case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    shape = (*B.shape, 1) if vector else B.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    checks.fits(A.shape, shape, left, name)
    checks.kernel(A, "lu_cpu")


@op("_solve_ex", namespaces=(), residuals=True, check=_check_solve, fields=("result", "info"),
    fields_name="linalg_solve_ex", grad_name="LinalgSolveEx")  # fmt: skip
def _solve_ex(A: Array, B: Array, *, left: bool) -> Any:
    """(X of A X = B or X A = B, the first zero pivot)."""
    vector = checks.is_vector_rhs(A.shape, B.shape)
    a, b = batched(A if left else mt(A), B[..., None] if vector else B if left else mt(B))
    x, lu = _solve(a, b)
    info = _info(lu)
    if A.ndim == 2 and info.ndim:  # one matrix, many right-hand sides: one info
        info = info.reshape(-1)[0] if info.size else jnp.zeros((), jnp.int32)
    return x[..., 0] if vector else x if left else mt(x), info


@jax.custom_jvp
def _inverse(a: Any) -> tuple[Any, Any]:
    lu, _, order = lu_pivots(a)
    return factored_solve(lu, order, eye_like(a)), _info(lu)


@_inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> Any:
    x, info = _inverse(*primals)
    return (x, info), (-mm(mm(x, tangents[0]), x), _no_tangent(info))


def _check_inv(A: Any) -> None:
    checks.square(A, "linalg.inv")
    checks.floating(A, "linalg.inv", low=False)


@op("_inv_ex", namespaces=(), residuals=True, check=_check_inv, fields=("inverse", "info"),
    fields_name="linalg_inv_ex", grad_name="LinalgInvEx")  # fmt: skip
def _inv_ex(A: Array) -> Any:
    """(the inverse, the first zero pivot)."""
    return _inverse(A)


# --- determinants ---------------------------------------------------------------------------------


def _parity(pivots: Any) -> Any:
    """+1 or -1: the sign of the permutation."""
    k = pivots.shape[-1]
    moved = jnp.sum(pivots != jnp.arange(1, k + 1, dtype=pivots.dtype), -1)
    return 1 - 2 * (moved % 2)


def _det_of(lu: Any, pivots: Any) -> Any:
    return jnp.prod(diagonal(lu), -1) * _parity(pivots).astype(lu.dtype)


@jax.custom_jvp
def _det(a: Any) -> Any:
    lu, pivots, _ = lu_pivots(a)
    return _det_of(lu, pivots)


@_det.defjvp
def _det_jvp(primals: Any, tangents: Any) -> Any:
    # d det = tr(adj(A) dA); a zero pivot is replaced by the smallest number that counts
    lu, pivots, order = lu_pivots(primals[0])
    pivot = diagonal(lu)
    tiny = jnp.where(pivot == 0, jnp.finfo(lu.dtype).eps, 0).astype(lu.dtype)  # type: ignore
    near = lu + tiny[..., None] * jnp.eye(lu.shape[-1], dtype=lu.dtype)
    change = factored_solve(near, order, tangents[0])
    return _det_of(lu, pivots), _det_of(near, pivots) * jnp.trace(change, axis1=-2, axis2=-1)


@jax.custom_jvp
def _slogdet(a: Any) -> tuple[Any, Any]:
    lu, pivots, _ = lu_pivots(a)
    pivot = diagonal(lu)
    sign = jnp.prod(jnp.sign(pivot), -1) * _parity(pivots).astype(lu.dtype)
    return sign, jnp.sum(jnp.log(jnp.abs(pivot)), -1)


@_slogdet.defjvp
def _slogdet_jvp(primals: Any, tangents: Any) -> Any:
    a, da = primals[0], tangents[0]
    sign, size = _slogdet(a)
    change = jnp.trace(_solve(a, da)[0], axis1=-2, axis2=-1)
    if not jnp.iscomplexobj(a):
        return (sign, size), (jnp.zeros_like(sign), change)
    return (sign, size), (sign * (change - change.real.astype(a.dtype)), change.real)


def _check_det(name: str) -> Any:
    def check(A: Any) -> None:
        checks.square(A, name)
        if name.startswith("linalg"):
            checks.floating(A, name)
        checks.kernel(A, "lu_cpu")

    return check


@op("linalg_det", namespaces=("linalg:det", "torch:det", "Tensor:det"), out=True, residuals=True,
    check=_check_det("linalg.det"))  # fmt: skip
def linalg_det(A: Array) -> Any:
    """The determinant."""
    return _det(A)


@op("linalg_slogdet", namespaces=("linalg:slogdet", "torch:slogdet", "Tensor:slogdet"), out=True,
    residuals=True, check=_check_det("linalg.slogdet"), fields=("sign", "logabsdet"))  # fmt: skip
def linalg_slogdet(A: Array) -> Any:
    """The sign of the determinant and the logarithm of its absolute value."""
    return _slogdet(A)


@op("logdet", residuals=True, check=_check_det("logdet"))
def logdet(input: Array) -> Any:
    """The logarithm of the determinant; NaN for a negative one."""
    sign, size = _slogdet(input)
    if jnp.iscomplexobj(input):
        return size + jnp.log(sign)
    return jnp.where(sign < 0, jnp.nan, size)


__all__ = ["factored_solve", "lu_pivots", "mh", "permutation_of"]
