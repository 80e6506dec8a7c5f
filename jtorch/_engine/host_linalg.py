"""Matrix factorisations and Fourier transforms in NumPy, as JAX's primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .host_rules import Array, rule


def _each(f: Callable[[Array], Any], x: Array, *failed: Array) -> Any:
    """f of a batch of matrices; where NumPy gives up, one by one with NaN for the bad ones."""
    try:
        return f(x)
    except np.linalg.LinAlgError:
        pass
    lead, results = (
        x.shape[:-2],
        [np.full((*x.shape[:-2], *n.shape), np.nan, n.dtype) for n in failed],
    )
    for i in np.ndindex(lead):
        try:
            found = f(x[i])
        except np.linalg.LinAlgError:
            continue
        for r, one in zip(results, found if isinstance(found, tuple) else (found,), strict=True):
            r[i] = one
    return results[0] if len(results) == 1 else tuple(results)


def _mirrored(x: Array, lower: bool) -> Array:
    """The Hermitian matrices that one triangle says."""
    kept = np.tril(x) if lower else np.triu(x)
    other = np.tril(x, -1) if lower else np.triu(x, 1)
    return kept + np.conj(np.swapaxes(other, -1, -2))


@rule("cholesky")
def _cholesky(x: Array, *, symmetrize_input: bool = True, **params: Any) -> Array:
    if symmetrize_input:
        x = (x + np.conj(np.swapaxes(x, -1, -2))) / 2
    return _each(np.linalg.cholesky, _mirrored(x, True), x[(0,) * (x.ndim - 2)])  # type: ignore


@rule("eigh")
def _eigh(x: Array, *, lower: bool, **params: Any) -> tuple[Array, Array]:
    one = x[(0,) * (x.ndim - 2)]

    def f(x: Array) -> tuple[Array, Array]:
        if not np.isfinite(x).all():
            raise np.linalg.LinAlgError
        values, vectors = np.linalg.eigh(x)
        return vectors, values

    return _each(f, _mirrored(x, lower), one, one[..., 0].real)  # type: ignore[no-any-return]


@rule("eig")
def _eig(
    x: Array, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool, **params: Any
) -> list[Array]:
    if compute_left_eigenvectors:
        raise NotImplementedError("left eigenvectors")
    if not compute_right_eigenvectors:
        return [np.linalg.eigvals(x)]
    return [*np.linalg.eig(x)]


@rule("svd")
def _svd(x: Array, *, full_matrices: bool, compute_uv: bool, **params: Any) -> list[Array]:
    m, n = x.shape[-2:]
    k = min(m, n)
    values = np.empty((k,), x.real.dtype)
    if not compute_uv:
        return [_each(lambda x: np.linalg.svd(x, compute_uv=False), x, values)]
    left = np.empty((m, m if full_matrices else k), x.dtype)
    right = np.empty((n if full_matrices else k, n), x.dtype)

    def f(x: Array) -> tuple[Array, Array, Array]:
        u, s, vh = np.linalg.svd(x, full_matrices=full_matrices)
        return s, u, vh

    return [*_each(f, x, values, left, right)]


@rule("qr")
def _qr(x: Array, *, pivoting: bool, full_matrices: bool, **params: Any) -> list[Array]:
    if pivoting:
        raise NotImplementedError("QR with pivots")
    return [*np.linalg.qr(x, "complete" if full_matrices else "reduced")]


@rule("geqrf")
def _geqrf(x: Array, **params: Any) -> list[Array]:
    packed, tau = np.linalg.qr(x, "raw")
    return [np.swapaxes(packed, -1, -2), tau]


@rule("householder_product")
def _householder_product(a: Array, taus: Array, **params: Any) -> Array:
    m, n = a.shape[-2:]
    out = np.broadcast_to(np.eye(m, n, dtype=a.dtype), a.shape).copy()
    for k in reversed(range(taus.shape[-1])):
        v = np.where(np.arange(m) > k, a[..., :, k], 0)
        v[..., k] = 1
        along = np.conj(v)[..., None, :] @ out
        out -= (taus[..., k, None] * v)[..., :, None] * along
    return out


# --- LU and triangular systems --------------------------------------------------------------------


def _lu_one(a: Array) -> tuple[Array, Array]:
    """In place: packed factors with partial pivoting, and the row that each step took."""
    k = min(a.shape)
    pivots = np.arange(k, dtype=np.int32)
    for i in range(k):
        p = i + int(np.argmax(np.abs(a[i:, i].real) + np.abs(a[i:, i].imag)))
        pivots[i] = p
        if p != i:
            a[[i, p]] = a[[p, i]]
        if a[i, i] != 0:
            a[i + 1 :, i] /= a[i, i]
            a[i + 1 :, i + 1 :] -= np.outer(a[i + 1 :, i], a[i, i + 1 :])
    return a, pivots


@rule("lu")
def _lu(x: Array, **params: Any) -> list[Array]:
    m, n = x.shape[-2:]
    lu = x.copy()
    pivots = np.empty((*x.shape[:-2], min(m, n)), np.int32)
    for i in np.ndindex(x.shape[:-2]):
        lu[i], pivots[i] = _lu_one(lu[i])
    return [lu, pivots, _permutation(pivots, permutation_size=m)]


@rule("lu_pivots_to_permutation")
def _permutation(pivots: Array, *, permutation_size: int, **params: Any) -> Array:
    shape = (*pivots.shape[:-1], permutation_size)
    order = np.broadcast_to(np.arange(permutation_size, dtype=np.int32), shape).copy()
    for i in np.ndindex(pivots.shape[:-1]):
        row = order[i]
        for k, p in enumerate(pivots[i]):
            row[[k, p]] = row[[p, k]]
    return order


@rule("triangular_solve")
def _triangular_solve(
    a: Array, b: Array, *, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool,
    unit_diagonal: bool, **params: Any,
) -> Array:  # fmt: skip
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        eye = np.eye(a.shape[-1], dtype=a.dtype)
        a = np.where(eye == 1, eye, a)
    a = np.conj(a) if conjugate_a else a
    upward = lower == transpose_a  # the equations are solved from the last one
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    if not left_side:  # X A = B is A' X' = B'
        a, b, upward = np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2), not upward
    x = b.copy()
    n = a.shape[-1]
    for i in reversed(range(n)) if upward else range(n):
        x[..., i, :] /= a[..., i, i, None]
        rest = slice(0, i) if upward else slice(i + 1, n)
        x[..., rest, :] -= a[..., rest, i, None] * x[..., i, None, :]
    return x if left_side else np.swapaxes(x, -1, -2)


# --- Fourier transforms ---------------------------------------------------------------------------


@rule("fft")
def _fft(x: Array, *, fft_type: Any, fft_lengths: Any, **params: Any) -> Array:
    kind = getattr(fft_type, "name", str(fft_type)).upper()
    axes = tuple(range(x.ndim - len(fft_lengths), x.ndim))
    transform = {"FFT": np.fft.fftn, "IFFT": np.fft.ifftn, "RFFT": np.fft.rfftn,
                 "IRFFT": np.fft.irfftn}[kind]  # fmt: skip
    return transform(x, fft_lengths, axes)  # type: ignore[no-any-return, operator]
