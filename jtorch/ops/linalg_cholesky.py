"""Cholesky factors, and what is solved with them and with other triangular matrices."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, op
from .linalg_checks import batched, diagonal, eye_like, mh, mm


@jax.custom_jvp
def as_hermitian(x: Any) -> Any:
    """x, of which one triangle is read; its gradient is Hermitian, as torch's is."""
    return x


@as_hermitian.defjvp
def _as_hermitian_jvp(primals: Any, tangents: Any) -> Any:
    (t,) = tangents
    return primals[0], (t + mh(t)) / 2


def _first_failure(a: Any) -> Any:
    """The order of the first leading minor that is not positive, by elimination without pivots."""

    def step(k: Any, state: Any) -> Any:
        rest, info = state
        pivot = rest[..., k, k].real
        failed = ~(pivot > 0) & (info == 0)
        info = jnp.where(failed, (k + 1).astype(jnp.int32), info)
        column = rest[..., :, k]
        scaled = column / jnp.where(pivot > 0, pivot, 1)[..., None].astype(a.dtype)
        return rest - scaled[..., :, None] * jnp.conj(column)[..., None, :], info

    lower = jnp.tril(a)
    whole = lower + mh(jnp.tril(a, -1))
    info = jnp.zeros(a.shape[:-2], jnp.int32)
    return lax.fori_loop(0, a.shape[-1], step, (whole, info))[1]


def _check_cholesky(input: Any, *, upper: bool, name: str) -> None:
    checks.square(input, name)
    if name != "cholesky":
        checks.floating(input, name)
    checks.kernel(input, "cholesky_cpu")


@op("_cholesky_ex", namespaces=(), check=_check_cholesky, residuals=True, fields=("L", "info"),
    fields_name="linalg_cholesky_ex", grad_name="LinalgCholeskyEx")  # fmt: skip
def _cholesky_ex(input: Array, *, upper: bool, name: str) -> Any:
    """The Cholesky factor, and the order of the first minor that is not positive (0: none)."""
    a = as_hermitian(mh(input) if upper else input)
    if not a.size:
        return jnp.zeros(a.shape, a.dtype), jnp.zeros(a.shape[:-2], jnp.int32)
    factor = lax.linalg.cholesky(a, symmetrize_input=False)
    failed = ~jnp.isfinite(jnp.sum(diagonal(factor).real, -1))
    fixed = lax.stop_gradient(a)
    info = lax.cond(
        jnp.any(failed),
        lambda: jnp.where(failed, _first_failure(fixed), 0),
        lambda: jnp.zeros(failed.shape, jnp.int32),
    )
    return mh(factor) if upper else factor, info


# --- triangular systems ---------------------------------------------------------------------------


def triangular_solve(
    a: Any, b: Any, *, upper: bool, left: bool = True, unit: bool = False, adjoint: bool = False
) -> Any:
    """X of A X = B (or X A = B) for triangular A; batch dimensions broadcast."""
    a, b = batched(a, b)
    if not b.size:
        return b
    return lax.linalg.triangular_solve(
        a, b, left_side=left, lower=not upper, unit_diagonal=unit, transpose_a=adjoint,
        conjugate_a=adjoint and jnp.iscomplexobj(a),
    )  # fmt: skip


def _check_solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool, unitriangular: bool
) -> None:
    name = "linalg.solve_triangular"
    checks.square(A, name)
    checks.matrices(B, name, "B")
    checks.fits(A.shape, B.shape, left, name)
    checks.kernel(A, "triangular_solve_cpu")
    checks.kernel(B, "triangular_solve_cpu")


@op("linalg_solve_triangular", namespaces=("linalg:solve_triangular",), out=True, residuals=True,
    check=_check_solve_triangular)  # fmt: skip
def linalg_solve_triangular(
    A: Array, B: Array, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """X of A X = B, or of X A = B, for triangular A."""
    wide = jnp.promote_types(A.dtype, B.dtype)
    return triangular_solve(
        A.astype(wide), B.astype(wide), upper=upper, left=left, unit=unitriangular
    )


def legacy_pair(b: Any, A: Any, function: str) -> None:
    """What torch's older solvers demand of (b, A)."""
    if A.shape[-1] != A.shape[-2]:
        checks.square(A, "")
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {function}: each A matrix is {A.shape[-1]} by "
            f"{A.shape[-1]} but each b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    if A.dtype is not b.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {b.dtype.scalar_name} "
            f"and A of type {A.dtype.scalar_name} instead."
        )


def _check_triangular_solve(
    b: Any, A: Any, *, upper: bool, transpose: bool, unitriangular: bool
) -> None:
    for x, name in ((b, "b"), (A, "A")):
        if x.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it "
                f"has {x.ndim} dimensions instead"
            )
    legacy_pair(b, A, "triangular_solve")
    checks.kernel(A, "triangular_solve_cpu")


@op("triangular_solve", out=True, residuals=True, check=_check_triangular_solve,
    fields=("solution", "cloned_coefficient"))  # fmt: skip
def triangular_solve_(
    b: Array, A: Array, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """(X of A X = b or A^T X = b, a copy of A)."""
    a, b = batched(A, b)
    if transpose:
        a, upper = jnp.swapaxes(a, -1, -2), not upper
    x = triangular_solve(a, b, upper=upper, unit=unitriangular)
    return x, batched(A, b)[0]


# --- with Cholesky factors ------------------------------------------------------------------------


def _gram_solve(b: Any, factor: Any, upper: bool) -> Any:
    """X of (L L^H) X = B: one triangle is read, but the gradient is that of whole factors."""
    fixed = lax.stop_gradient(factor)

    def solve(_: Any, b: Any) -> Any:
        first = triangular_solve(fixed, b, upper=upper, adjoint=upper)
        return triangular_solve(fixed, first, upper=upper, adjoint=not upper)

    def product(x: Any) -> Any:
        if upper:
            return mm(mh(factor), mm(factor, x))
        return mm(factor, mm(mh(factor), x))

    return lax.custom_linear_solve(
        product, b, solve=solve, transpose_solve=lambda _, b: jnp.conj(solve(_, jnp.conj(b)))
    )


def _check_cholesky_solve(input: Any, L: Any, *, upper: bool) -> None:
    for x, name in ((input, "b"), (L, "u")):
        if x.ndim < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {x.ndim} dimensions instead"
            )
    legacy_pair(input, L, "cholesky_solve")
    checks.kernel(L, "cholesky_solve_cpu")


@op("cholesky_solve", out=True, residuals=True, check=_check_cholesky_solve)
def cholesky_solve(input: Array, L: Array, upper: bool = False) -> Any:
    """X of A X = B, where L is the Cholesky factor of A."""
    factor, b = batched(L, input)
    return _gram_solve(b, factor, upper)


def _check_cholesky_inverse(input: Any, *, upper: bool) -> None:
    checks.square(input, "cholesky_inverse")
    checks.kernel(input, "cholesky_inverse_out_cpu")


@op("_cholesky_inverse", namespaces=(), residuals=True, check=_check_cholesky_inverse,
    grad_name="CholeskyInverse")  # fmt: skip
def _cholesky_inverse(input: Array, *, upper: bool) -> Any:
    """(inverse of the matrix with this Cholesky factor, the first zero on its diagonal)."""
    return _gram_solve(eye_like(input), input, upper), first_zero(diagonal(input))


def first_zero(d: Any) -> Any:
    """LAPACK's `info`: the position, counted from 1, of the first zero; 0 when there is none."""
    if not d.shape[-1]:
        return jnp.zeros(d.shape[:-1], jnp.int32)
    zero = d == 0
    place = jnp.argmax(zero, -1).astype(jnp.int32) + 1
    return jnp.where(jnp.any(zero, -1), place, 0)
