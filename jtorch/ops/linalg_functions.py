"""Functions of matrices: exponential, powers, products of reflectors, and products of vectors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, Promote, op
from ._dims import at_least_1d, one
from .linalg_checks import eye_like, mh, mm
from .matmul_checks import dot
from .nn_common import not_implemented

# --- exponential ----------------------------------------------------------------------------------

_TERMS = 18  # of the Taylor series, as in torch
_REACH = {"float32": 3.01, "float64": 1.09}  # 1-norms where 18 terms suffice (Bader et al. 2019)
_MOST = 40  # squarings that a gradient goes through: norms up to 1e12


def _series(a: Any) -> tuple[Any, Any]:
    """exp of the matrix scaled down to a small norm, and how often that was halved."""
    size = jnp.max(jnp.sum(jnp.abs(lax.stop_gradient(a)), -2), -1)
    halvings = jnp.ceil(jnp.log2(jnp.maximum(size / _REACH[size.dtype.name], 1)))
    halvings = jnp.where(jnp.isfinite(halvings), halvings, 0).astype(jnp.int32)
    small = a * jnp.exp2(-halvings.astype(size.dtype))[..., None, None].astype(a.dtype)
    total = eye_like(a)
    for k in range(_TERMS, 0, -1):  # Horner
        total = eye_like(a) + mm(small, total) / k
    return total, halvings


def _squared(k: Any, x: Any, halvings: Any) -> Any:
    return jnp.where((k < halvings)[..., None, None], mm(x, x), x)


@jax.custom_jvp
def exponential(a: Any) -> Any:
    """exp(A): a Taylor series of a scaled-down matrix, squared back as often as it was halved."""
    if not a.size:
        return a
    total, halvings = _series(a)
    most = jnp.max(halvings)
    return lax.while_loop(
        lambda state: state[0] < most,
        lambda state: (state[0] + 1, _squared(*state, halvings)),
        (jnp.int32(0), total),
    )[1]


def _differentiable(a: Any) -> Any:
    """The same with a bounded loop, which derivatives of any order and direction can go through."""
    if not a.size:
        return a
    total, halvings = _series(a)
    most = jnp.max(halvings)

    def step(x: Any, k: Any) -> Any:
        return lax.cond(k < most, lambda x: _squared(k, x, halvings), lambda x: x, x), None

    return lax.scan(step, total, jnp.arange(_MOST, dtype=jnp.int32))[0]


@exponential.defjvp
def _exponential_jvp(primals: Any, tangents: Any) -> Any:
    return jax.jvp(_differentiable, primals, tangents)


def _check_exp(input: Any) -> None:
    checks.square(input, "linalg.matrix_exp")
    checks.floating(input, "linalg.matrix_exp")


@op("linalg_matrix_exp", namespaces=("linalg:matrix_exp", "torch:matrix_exp", "Tensor:matrix_exp"),
    check=_check_exp, residuals=True)  # fmt: skip
def linalg_matrix_exp(input: Array) -> Any:
    """The matrix exponential."""
    if input.dtype.name in ("float16", "bfloat16"):
        return exponential(input.astype(jnp.float32)).astype(input.dtype)
    return exponential(input)


def _check_power(input: Any, *, n: int) -> None:
    checks.square(input, "linalg.matrix_power")
    if input.dtype.name == "bool":
        raise not_implemented("addmm_impl_cpu_" if input.ndim == 2 else "bmm", input.dtype)


@op("_matrix_power", namespaces=(), check=_check_power, grad_name="LinalgMatrixPower")
def _matrix_power(input: Array, *, n: int) -> Any:
    """The n-th power for n >= 0, by squaring."""
    result = None
    while n:
        if n % 2:
            result = input if result is None else mm(result, input)
        n //= 2
        input = mm(input, input) if n else input
    return eye_like(input) if result is None else result


# --- products of Householder reflectors -----------------------------------------------------------


def _reflected(a: Any, tau: Any, x: Any, transpose: bool) -> Any:
    """(H_1 ... H_k) x or its adjoint times x, one reflector after the other."""
    k = tau.shape[-1]
    v = jnp.tril(a[..., :, :k], -1) + jnp.eye(a.shape[-2], k, dtype=a.dtype)
    steps = (jnp.moveaxis(v, -1, 0), jnp.moveaxis(jnp.conj(tau) if transpose else tau, -1, 0))

    def step(x: Any, one_reflector: Any) -> Any:
        w, t = one_reflector
        along = mm(jnp.conj(w)[..., None, :], x)
        return x - (t[..., None] * w)[..., :, None] * along, None

    return lax.scan(step, x, steps, reverse=not transpose)[0]


@jax.custom_jvp
def _product(a: Any, tau: Any) -> Any:
    return lax.linalg.householder_product(a, tau)


def _product_by_steps(a: Any, tau: Any) -> Any:
    m, n = a.shape[-2:]
    start = jnp.broadcast_to(jnp.eye(m, n, dtype=a.dtype), a.shape)
    return _reflected(a, tau, start, False)


@_product.defjvp
def _product_jvp(primals: Any, tangents: Any) -> Any:
    return jax.jvp(_product_by_steps, primals, tangents)


def _tau_fits(input: Any, tau: Any, name: str) -> None:
    if input.ndim - tau.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal "
            f"to {tau.ndim} and input.ndim is equal to {input.ndim}"
        )
    if tau.shape[:-1] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(tau.shape[:-1])}"
        )


def _check_householder(input: Any, tau: Any) -> None:
    name = "torch.linalg.householder_product"
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if input.shape[-2] < input.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if input.shape[-1] < tau.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    _tau_fits(input, tau, name)
    if tau.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau.dtype.scalar_name} does not match input dtype "
            f"{input.dtype.scalar_name}"
        )
    checks.kernel(input, "orgqr_cpu")


@op("linalg_householder_product", out=True, residuals=True, check=_check_householder,
    namespaces=("linalg:householder_product", "torch:orgqr", "Tensor:orgqr"))  # fmt: skip
def linalg_householder_product(input: Array, tau: Array) -> Any:
    """The first columns of the product of Householder reflectors."""
    if not input.size or not tau.shape[-1]:
        m, n = input.shape[-2:]
        return jnp.broadcast_to(jnp.eye(m, n, dtype=input.dtype), input.shape)
    return _product(input, tau)


def _check_ormqr(input: Any, tau: Any, other: Any, *, left: bool, transpose: bool) -> None:
    name = "torch.ormqr"
    for x, what in ((input, "input"), (other, "other")):
        if x.ndim < 2:
            raise RuntimeError(f"{name}: {what} must have at least 2 dimensions.")
    side = -2 if left else -1
    if tau.shape[-1] != min(other.shape[side], input.shape[-1]):
        raise RuntimeError(
            f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])"
        )
    if other.shape[side] != input.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    _tau_fits(input, tau, name)
    if other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{list(other.shape[:-2])}"
        )
    for x, what in ((tau, "tau"), (other, "other")):
        if x.dtype is not input.dtype:
            raise RuntimeError(
                f"{name}: Expected input and {what} to have the same dtype, but input has dtype"
                f"{input.dtype.scalar_name} and {what} has dtype {x.dtype.scalar_name}"
            )
    checks.kernel(input, "ormqr_cpu")


@op("ormqr", out=True, check=_check_ormqr)
def ormqr(
    input: Array, tau: Array, other: Array, left: bool = True, transpose: bool = False
) -> Any:
    """The product of Q, given by its reflectors, with a matrix on its right or left."""
    if not other.size or not tau.shape[-1]:
        return other
    if left:
        return _reflected(input, tau, other, transpose)
    return mh(_reflected(input, tau, mh(other), not transpose))


def _check_geqrf(input: Any) -> None:
    if input.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    checks.kernel(input, "geqrf_cpu")


@op("geqrf", out=True, differentiable=False, check=_check_geqrf, fields=("a", "tau"))
def geqrf(input: Array) -> Any:
    """R with the reflectors of Q below its diagonal, and their scales."""
    if not input.size:
        return input, jnp.zeros((*input.shape[:-2], min(input.shape[-2:])), input.dtype)
    packed, tau = jnp.linalg.qr(input, mode="raw")
    return jnp.swapaxes(packed, -1, -2), tau


# --- vectors --------------------------------------------------------------------------------------


def _check_vecdot(x: Any, y: Any, *, dim: int) -> None:
    name = "linalg.vecdot"
    checks.floating(x, name)
    checks.same_dtype(x, y, name, ("x", "y"))
    one(dim, max(x.ndim, y.ndim))
    if x.ndim == y.ndim == 1:
        dot(x, y)


@op("linalg_vecdot", namespaces=("linalg:vecdot",), out=True, broadcast=True, check=_check_vecdot)
def linalg_vecdot(x: Array, y: Array, *, dim: int = -1) -> Any:
    """Sums of conj(x) * y over `dim`."""
    product = jnp.conj(x) * y
    return jnp.sum(product, one(dim, product.ndim)) if product.ndim else product


def _check_cross(input: Any, other: Any, *, dim: int) -> None:
    name = "linalg.cross"
    if input.ndim != other.ndim:
        raise RuntimeError(f"{name}: inputs must have the same number of dimensions.")
    d = one(dim, input.ndim)
    if not input.ndim or input.shape[d] != 3 or other.shape[d] != 3:
        found = (input.shape[d], other.shape[d]) if input.ndim else (1, 1)
        raise RuntimeError(
            f"{name}: inputs dimension {dim} must have length 3. Got {found[0]} and {found[1]}"
        )
    if input.dtype is not other.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {other.dtype.scalar_name}"
        )
    if input.dtype.name == "bool":
        raise not_implemented("cross", input.dtype)


@op("linalg_cross", namespaces=("linalg:cross",), out=True, broadcast=True, check=_check_cross)
def linalg_cross(input: Array, other: Array, *, dim: int = -1) -> Any:
    """Cross products of 3-vectors along `dim`."""
    return jnp.cross(input, other, axis=one(dim, input.ndim))


def _check_vander(x: Any, *, N: Any) -> None:
    n = x.shape[-1] if x.ndim and N is None else (1 if N is None else N)
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")


@op("linalg_vander", namespaces=("linalg:vander",), promote=Promote.BOOL_TO_LONG,
    check=_check_vander, grad_name="Cumprod")  # fmt: skip
def linalg_vander(x: Array, *, N: int | None = None) -> Any:
    """Powers 0 ... N - 1 of the elements, along a new last dimension."""
    x = at_least_1d(x)
    n = x.shape[-1] if N is None else N
    first = jnp.ones((*x.shape, 1), x.dtype)
    columns = jnp.broadcast_to(x[..., None], (*x.shape, n - 1))
    return lax.cumprod(jnp.concatenate([first, columns], -1), axis=x.ndim)
