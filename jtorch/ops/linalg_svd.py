"""Singular values and vectors, pseudo-inverses and least squares, with torch's gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, op
from .decompositions import hermitian_eig
from .linalg_checks import diagonal, inverse_or_zero, mh, mm


def _plain_svd(a: Any, full: bool) -> tuple[Any, Any, Any]:
    m, n = a.shape[-2:]
    lead, k = a.shape[:-2], min(m, n)
    if not a.size:
        left = jnp.eye(m, m if full else k, dtype=a.dtype)
        right = jnp.eye(n if full else k, n, dtype=a.dtype)
        return (
            jnp.broadcast_to(left, (*lead, *left.shape)),
            jnp.zeros((*lead, k), a.real.dtype),
            jnp.broadcast_to(right, (*lead, *right.shape)),
        )
    u, s, vh = lax.linalg.svd(a, full_matrices=full)
    return u, s, vh


def _svd_change(u: Any, s: Any, vh: Any, da: Any) -> tuple[Any, Any, Any]:
    """The change of a reduced SVD; directions that the matrix leaves free do not move."""
    inside = mm(mm(mh(u), da), mh(vh))
    row, column = s[..., None, :].astype(u.dtype), s[..., :, None].astype(u.dtype)
    gaps = inverse_or_zero((row - column) * (row + column))
    ds = diagonal(inside).real
    left = gaps * (inside * row + column * mh(inside))
    right = gaps * (column * inside + mh(inside) * row)
    if jnp.iscomplexobj(u):  # the phase is split evenly between the two vectors
        phase = 0.5j * diagonal(inside).imag * inverse_or_zero(s)
        spread = phase[..., None] * jnp.eye(s.shape[-1], dtype=u.dtype)
        left, right = left + spread, right - spread
    du, dv = mm(u, left), mm(mh(vh), right)
    over = inverse_or_zero(row)
    if u.shape[-2] > u.shape[-1]:
        moved = mm(da, mh(vh)) * over
        du = du + moved - mm(u, mm(mh(u), moved))
    if vh.shape[-1] > vh.shape[-2]:
        moved = mm(mh(da), u) * over
        dv = dv + moved - mm(mh(vh), mm(vh, moved))
    return du, ds, mh(dv)


@jax.custom_jvp
def reduced_svd(a: Any) -> tuple[Any, Any, Any]:
    """U, S, Vh with as many columns and rows as there are singular values."""
    return _plain_svd(a, False)


@reduced_svd.defjvp
def _reduced_svd_jvp(primals: Any, tangents: Any) -> Any:
    found = reduced_svd(*primals)
    return found, _svd_change(*found, tangents[0])


@jax.custom_jvp
def _full_svd(a: Any) -> tuple[Any, Any, Any]:
    return _plain_svd(a, True)


@_full_svd.defjvp
def _full_svd_jvp(primals: Any, tangents: Any) -> Any:
    u, s, vh = _full_svd(*primals)
    k = s.shape[-1]
    du, ds, dvh = _svd_change(u[..., :, :k], s, vh[..., :k, :], tangents[0])
    none = [(0, 0)] * (u.ndim - 2)
    du = jnp.pad(du, [*none, (0, 0), (0, u.shape[-1] - k)])
    dvh = jnp.pad(dvh, [*none, (0, vh.shape[-2] - k), (0, 0)])
    return (u, s, vh), (du, ds, dvh)


@jax.custom_jvp
def singular_values(a: Any) -> Any:
    """The singular values alone: no vectors unless a gradient needs them."""
    if not a.size:
        return jnp.zeros((*a.shape[:-2], min(a.shape[-2:])), a.real.dtype)
    return lax.linalg.svd(a, compute_uv=False)


@singular_values.defjvp
def _singular_values_jvp(primals: Any, tangents: Any) -> Any:
    u, s, vh = reduced_svd(*primals)
    return s, diagonal(mm(mm(mh(u), tangents[0]), mh(vh))).real


def _driver(driver: Any) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend."
        )


def _check_svd(A: Any, *, driver: Any, full_matrices: bool = True) -> None:
    checks.matrices(A, "linalg.svd")
    checks.floating(A, "linalg.svd")
    _driver(driver)
    checks.kernel(A, "linalg_svd_cpu")


@op("_svd", namespaces=(), check=_check_svd, residuals=True, fields=("U", "S", "Vh"),
    fields_name="linalg_svd", grad_name="LinalgSvd")  # fmt: skip
def _svd(A: Array, *, full_matrices: bool, driver: Any) -> Any:
    """U, S, Vh with A = U diag(S) Vh."""
    return _full_svd(A) if full_matrices else reduced_svd(A)


@op("_svdvals", namespaces=(), check=_check_svd, residuals=True, grad_name="LinalgSvd")
def _svdvals(A: Array, *, driver: Any) -> Any:
    """Singular values in descending order."""
    return singular_values(A)


# --- pseudo-inverse -------------------------------------------------------------------------------


def _kept(s: Any, atol: Any, rtol: Any) -> Any:
    """1 / s where s counts, else 0; the tolerances are numbers or one per matrix."""
    largest = jnp.max(jnp.abs(s), -1, keepdims=True, initial=0)
    bound = jnp.maximum(_column(atol, s), _column(rtol, s) * largest)
    return jnp.where(jnp.abs(s) > bound, inverse_or_zero(s), 0)


def _column(tolerance: Any, s: Any) -> Any:
    t = jnp.asarray(tolerance).astype(s.dtype)
    return t[..., None] if t.ndim else t


@jax.custom_jvp
def _pinv(a: Any, atol: Any, rtol: Any) -> Any:
    u, s, vh = _plain_svd(a, False)
    inverse = _kept(s, atol, rtol)
    return mm(mh(vh), inverse[..., :, None].astype(u.dtype) * mh(u))


@_pinv.defjvp
def _pinv_jvp(primals: Any, tangents: Any) -> Any:
    # Golub and Pereyra, for a rank that does not change
    a, da = primals[0], tangents[0]
    p = _pinv(*primals)
    dah, ph = mh(da), mh(p)
    first = mm(p, mm(ph, dah))
    last = mm(mm(dah, ph), p)
    change = -mm(p, mm(da, p)) + first - mm(mm(first, a), p) + last - mm(p, mm(a, last))
    return p, change


def _check_pinv(input: Any, atol: Any, rtol: Any, *, hermitian: bool) -> None:
    d = input.dtype
    if input.ndim < 2 or not (d.is_floating_point or d.is_complex):
        sizes = ", ".join(map(str, input.shape))
        raise RuntimeError(
            f"linalg.pinv({d.scalar_name}{{[{sizes}]}}): expected a tensor with 2 or more "
            "dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        checks.square(input, "linalg.eigh")
    checks.kernel(input, "linalg_svd_cpu")


@op("_pinv", namespaces=(), check=_check_pinv, residuals=True, grad_name="LinalgPinv")
def _pinv_row(input: Array, atol: Array, rtol: Array, *, hermitian: bool) -> Any:
    """The pseudo-inverse; singular values below max(atol, rtol * largest) count as zero."""
    if not input.size:
        return jnp.zeros((*input.shape[:-2], *input.shape[:-3:-1]), input.dtype)
    if not hermitian:
        return _pinv(input, atol, rtol)
    values, vectors = hermitian_eig(input)
    inverse = _kept(values, atol, rtol)
    return mm(vectors * inverse[..., None, :].astype(vectors.dtype), mh(vectors))


def _check_rank(input: Any, atol: Any, rtol: Any, *, hermitian: bool) -> None:
    checks.matrices(input, "torch.linalg.matrix_rank", "input")
    for t, name in ((atol, "atol"), (rtol, "rtol")):
        if t.dtype.is_complex:
            raise RuntimeError(
                f"torch.linalg.matrix_rank: {name} tensor of complex type is not supported. Got "
                f"{t.dtype.scalar_name}"
            )
    if hermitian:
        checks.square(input, "linalg.eigh")
    checks.kernel(input, "linalg_svd_cpu")


@op("_matrix_rank", namespaces=(), check=_check_rank, differentiable=False)
def _matrix_rank(input: Array, atol: Array, rtol: Array, *, hermitian: bool) -> Any:
    """How many singular values exceed max(atol, rtol * largest)."""
    if not input.size:
        return jnp.zeros(input.shape[:-2], jnp.int64)
    s = jnp.abs(hermitian_eig(input)[0]) if hermitian else singular_values(input)
    bound = jnp.maximum(_column(atol, s), _column(rtol, s) * jnp.max(s, -1, keepdims=True))
    return jnp.sum(s > bound, -1, dtype=jnp.int64)


# --- least squares --------------------------------------------------------------------------------


def _least_squares(a: Any, b: Any, rcond: float) -> tuple[Any, Any]:
    u, s, vh = _plain_svd(a, False)
    inverse = _kept(s, 0.0, rcond)
    x = mm(mh(vh), inverse[..., :, None].astype(u.dtype) * mm(mh(u), b))
    return x, s


def _differentiable_least_squares(rcond: float) -> Any:
    @jax.custom_jvp
    def solve(a: Any, b: Any) -> tuple[Any, Any]:
        return _least_squares(a, b, rcond)

    @solve.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (a, b), (da, db) = primals, tangents
        x, s = solve(a, b)
        change = lambda m: _pinv(m, 0.0, rcond)  # noqa: E731
        p, dp = jax.jvp(change, (a,), (da,))
        return (x, s), (mm(dp, b) + mm(p, db), jnp.zeros_like(s))

    return solve


def _check_lstsq(input: Any, b: Any, *, rcond: Any) -> None:
    checks.kernel(input, "linalg_lstsq_cpu")


@op("_lstsq", namespaces=(), check=_check_lstsq, residuals=True, grad_name="LinalgLstsq",
    fields=("solution", "residuals", "rank", "singular_values"))  # fmt: skip
def _lstsq(input: Array, b: Array, *, rcond: float) -> Any:
    """The shortest least-squares solutions, squared residuals, ranks and singular values."""
    x, s = _differentiable_least_squares(rcond)(input, b)
    gap = mm(input, x) - b
    squares = jnp.sum((gap * jnp.conj(gap)).real, -2)
    if s.shape[-1]:
        rank = jnp.sum(s > rcond * jnp.max(s, -1, keepdims=True), -1, dtype=jnp.int64)
    else:
        rank = jnp.zeros(s.shape[:-1], jnp.int64)
    return x, squares, rank, s
