"""QR and eigenvalue decompositions with torch's gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, op
from .linalg_checks import diagonal, eye_like, inverse_or_zero, mh, mm
from .linalg_cholesky import as_hermitian, triangular_solve

# --- QR -------------------------------------------------------------------------------------------


def _householder_qr(a: Any, complete: bool) -> tuple[Any, Any]:
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    if not a.size:
        q = jnp.broadcast_to(jnp.eye(m, k, dtype=a.dtype), (*a.shape[:-2], m, k))
        return q, jnp.zeros((*a.shape[:-2], k, n), a.dtype)
    q, r = lax.linalg.qr(a, full_matrices=complete)
    return q, r


@jax.custom_jvp
def _tall_qr(a: Any) -> tuple[Any, Any]:
    return _householder_qr(a, False)


@_tall_qr.defjvp
def _tall_qr_jvp(primals: Any, tangents: Any) -> Any:
    q, r = _tall_qr(*primals)
    over = triangular_solve(r, tangents[0], upper=True, left=False)  # dA R^-1
    inside = mm(mh(q), over)
    below = jnp.tril(inside, -1)
    turn = below - mh(below)
    if jnp.iscomplexobj(q):  # the diagonal of R stays real
        turn = turn + 1j * diagonal(inside).imag[..., None] * jnp.eye(r.shape[-1], dtype=r.dtype)
    return (q, r), (mm(q, turn - inside) + over, mm(inside - turn, r))


def _qr(a: Any) -> tuple[Any, Any]:
    """The reduced QR of matrices of any shape; of a wide one, Q comes from its square part."""
    m, n = a.shape[-2:]
    if m >= n:
        return _tall_qr(a)
    q, r = _tall_qr(a[..., :, :m])
    return q, jnp.concatenate([r, mm(mh(q), a[..., :, m:])], -1)


def _check_qr(A: Any, *, mode: str) -> None:
    checks.matrices(A, "linalg.qr")
    checks.floating(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    checks.kernel(A, "geqrf_cpu")


_QR: Any = {
    "check": _check_qr, "fields": ("Q", "R"), "fields_name": "linalg_qr", "namespaces": (),
    "grad_name": "LinalgQr",
}  # fmt: skip


@op("_qr", residuals=True, **_QR)
def _qr_row(A: Array, *, mode: str) -> Any:
    """Q and R with A = Q R: Q has orthonormal columns, R is upper triangular."""
    return _qr(A)


def _refuse_gradient(primals: Any, tangents: Any) -> Any:
    raise RuntimeError("linalg.qr has no derivative in this mode")


_rigid = jax.custom_jvp(lambda a: a)
_rigid.defjvp(_refuse_gradient)


@op("_qr_rigid", **_QR)
def _qr_rigid(A: Array, *, mode: str) -> Any:
    """The modes without a derivative: R alone, or more columns of Q than A has."""
    if mode == "r":
        return jnp.zeros((0,), A.dtype), _householder_qr(_rigid(A), False)[1]
    return _householder_qr(_rigid(A), True)


# --- Hermitian matrices ---------------------------------------------------------------------------


def _order(a: Any, upper: bool) -> Any:
    return mh(a) if upper else a


@jax.custom_jvp
def hermitian_eig(a: Any) -> tuple[Any, Any]:
    """(eigenvalues, eigenvectors) of what the lower triangle says."""
    if not a.size:
        return jnp.zeros(a.shape[:-1], a.real.dtype), a
    vectors, values = lax.linalg.eigh(a, lower=True, symmetrize_input=False)
    return values, vectors


@hermitian_eig.defjvp
def _hermitian_eig_jvp(primals: Any, tangents: Any) -> Any:
    values, vectors = hermitian_eig(*primals)
    inside = mm(mh(vectors), mm(tangents[0], vectors))
    gaps = values[..., None, :] - values[..., :, None]
    turn = inside * inverse_or_zero(gaps).astype(inside.dtype)
    return (values, vectors), (diagonal(inside).real, mm(vectors, turn))


@jax.custom_jvp
def hermitian_eigenvalues(a: Any) -> Any:
    """The eigenvalues alone: no vectors unless a gradient needs them."""
    if not a.size:
        return jnp.zeros(a.shape[:-1], a.real.dtype)
    return jnp.linalg.eigvalsh(a, symmetrize_input=False)


@hermitian_eigenvalues.defjvp
def _hermitian_eigenvalues_jvp(primals: Any, tangents: Any) -> Any:
    return tuple(x[0] for x in jax.jvp(hermitian_eig, primals, tangents))


def _check_eigh(A: Any, *, UPLO: str) -> None:
    checks.square(A, "linalg.eigh")
    if len(UPLO) != 1 or UPLO.upper() not in "LU":
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    checks.kernel(A, "linalg_eigh_cpu")


@op("_eigh", namespaces=(), check=_check_eigh, residuals=True,
    fields=("eigenvalues", "eigenvectors"), fields_name="linalg_eigh",
    grad_name="LinalgEigh")  # fmt: skip
def _eigh(A: Array, *, UPLO: str) -> Any:
    """Eigenvalues in ascending order and eigenvectors of Hermitian matrices."""
    return hermitian_eig(as_hermitian(_order(A, UPLO.upper() == "U")))


@op("_eigvalsh", namespaces=(), check=_check_eigh, residuals=True, grad_name="LinalgEigh")
def _eigvalsh(A: Array, *, UPLO: str) -> Any:
    """Eigenvalues of Hermitian matrices in ascending order."""
    return hermitian_eigenvalues(as_hermitian(_order(A, UPLO.upper() == "U")))


# --- any square matrix ----------------------------------------------------------------------------


def _complex(x: Any) -> Any:
    return x if jnp.iscomplexobj(x) else lax.complex(x, jnp.zeros_like(x))


@jax.custom_jvp
def _general_eig(a: Any) -> tuple[Any, Any]:
    if not a.size:
        return jnp.zeros(a.shape[:-1], a.dtype), a
    values, vectors = lax.linalg.eig(a, compute_left_eigenvectors=False)
    return values, vectors


@_general_eig.defjvp
def _general_eig_jvp(primals: Any, tangents: Any) -> Any:
    values, vectors = _general_eig(*primals)
    inside = jnp.linalg.solve(vectors, mm(tangents[0], vectors))
    gaps = values[..., None, :] - values[..., :, None]
    turn = mm(vectors, inside * inverse_or_zero(gaps))
    along = jnp.sum(jnp.conj(vectors) * turn, -2, keepdims=True).real  # their length stays one
    return (values, vectors), (diagonal(inside), turn - vectors * along)


@jax.custom_jvp
def _general_eigenvalues(a: Any) -> Any:
    if not a.size:
        return jnp.zeros(a.shape[:-1], a.dtype)
    return lax.linalg.eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


@_general_eigenvalues.defjvp
def _general_eigenvalues_jvp(primals: Any, tangents: Any) -> Any:
    return tuple(x[0] for x in jax.jvp(_general_eig, primals, tangents))


def _check_eig(A: Any, *, name: str) -> None:
    checks.square(A, name)
    d = A.dtype
    if not (d.is_floating_point or d.is_complex):
        raise RuntimeError(f"Unknown Complex ScalarType for {d.scalar_name}")
    checks.kernel(A, "linalg_eig_cpu")


@op("_eig", namespaces=(), check=_check_eig, residuals=True,
    fields=("eigenvalues", "eigenvectors"), fields_name="linalg_eig",
    grad_name="LinalgEig")  # fmt: skip
def _eig(A: Array, *, name: str) -> Any:
    """Complex eigenvalues and eigenvectors of square matrices."""
    return _general_eig(_complex(A))


@op("_eigvals", namespaces=(), check=_check_eig, residuals=True, grad_name="LinalgEig")
def _eigvals(A: Array, *, name: str) -> Any:
    """Complex eigenvalues of square matrices."""
    return _general_eigenvalues(_complex(A))


__all__ = ["eye_like", "hermitian_eig", "hermitian_eigenvalues"]
