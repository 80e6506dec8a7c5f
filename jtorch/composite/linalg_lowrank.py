"""Approximate factorisations: randomised SVD and PCA, and a few eigenpairs of large matrices."""

from __future__ import annotations

from typing import Any

from .._functions import composite, derived
from ..random_ops import randn
from .linalg_decompositions import cholesky, eigh, qr, svd

_solve_triangular = derived["linalg_solve_triangular"]


def _range_basis(A: Any, q: int, niter: int, M: Any) -> Any:
    """An orthonormal basis of nearly the range of A - M (Halko et al. 2009, algorithm 4.4)."""

    def times(a: Any, x: Any, shift: Any) -> Any:
        return a.matmul(x) if shift is None else a.matmul(x) - shift.matmul(x)

    adjoint, shift = A.mH, None if M is None else M.mH
    start = randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    basis = qr(times(A, start, M))[0]
    for _ in range(niter):
        basis = qr(times(adjoint, basis, shift))[0]
        basis = qr(times(A, basis, M))[0]
    return basis


@composite("torch")
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> Any:
    """U, S, V of about the best approximation of rank q to A - M."""
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    m, n = A.shape[-2:]
    M = None if M is None else M.broadcast_to(A.shape)
    wide = m < n
    a = A.mH if wide else A
    shift = M if M is None or not wide else M.mH
    basis = _range_basis(a, q, niter, shift)
    small = basis.mH.matmul(a) if shift is None else basis.mH.matmul(a - shift)
    u, s, vh = svd(small, False)
    u, v = basis.matmul(u), vh.mH
    return (v, s, u) if wide else (u, s, v)


@composite("torch")
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """U, S, V of about the principal components of the rows of A."""
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if not center:
        return svd_lowrank(A, q, niter=niter, M=None)
    return svd_lowrank(A - A.mean(dim=-2, keepdim=True), q, niter=niter, M=None)


@composite("torch")
def lobpcg(
    A: Any, k: int | None = None, B: Any = None, X: Any = None, n: int | None = None,
    iK: Any = None, niter: int | None = None, tol: float | None = None,
    largest: bool | None = None, method: str | None = None, tracker: Any = None,
    ortho_iparams: Any = None, ortho_fparams: Any = None, ortho_bparams: Any = None,
) -> Any:  # fmt: skip
    """The k largest (or smallest) eigenpairs of A x = w B x for symmetric A and positive B.

    Differs from torch: the pairs come from the whole dense decomposition, which is exact, so
    nothing iterates: X, n, iK, niter, tol, method and ortho_* cannot change the result.
    """
    if tracker is not None:
        raise NotImplementedError("lobpcg: nothing iterates here, so a tracker has nothing to see")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    if m < 3 * k:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than "
            f"3 x the number of requested eigenpairs (={k})"
        )
    values, vectors = _generalized(A, B)
    if largest is None or largest:
        return values[..., -k:].flip(-1), vectors[..., -k:].flip(-1)
    return values[..., :k], vectors[..., :k]


def _generalized(A: Any, B: Any) -> Any:
    if B is None:
        return eigh(A)
    factor = cholesky(B)
    half = _solve_triangular(factor, A, upper=False)
    inside = _solve_triangular(factor.mH, half, upper=True, left=False)
    values, vectors = eigh(inside)
    return values, _solve_triangular(factor.mH, vectors, upper=True)
