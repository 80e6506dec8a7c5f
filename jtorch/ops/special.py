"""Special functions: error functions, gamma, zeta, normal distribution, modified Bessel."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.scipy import special as jsp

from ._define import Array, Promote, binary, op, unary
from ._rules import limits, only_tensors, with_grad

_F: Any = Promote.INT_TO_FLOAT
_TOP = ("torch", "Tensor")


def _function(name: str, fn: Any, *spaces: str) -> None:
    """A function of torch and Tensor, with in-place twin; also in `special` under these names."""
    unary(
        name,
        fn,
        _F,
        namespaces=(*_TOP, *(f"special:{s}" for s in spaces)),
        check=only_tensors(name),
    )


def _only_special(name: str, fn: Any, **meta: Any) -> None:
    unary(f"special_{name}", fn, _F, inplace=False, namespaces=(f"special:{name}",),
          check=only_tensors(f"special_{name}"), **meta)  # fmt: skip


# --- error functions ------------------------------------------------------------------------------

_function("erf", lax.erf, "erf")
_function("erfc", lax.erfc, "erfc")
_function("erfinv", lax.erf_inv, "erfinv")


def _erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x), in float64; beyond 25 by its asymptotic series."""
    wide = x.astype(jnp.float64)
    near = jnp.minimum(wide, 25.0)
    direct = jnp.exp(near * near) * lax.erfc(near)
    far = jnp.maximum(wide, 25.0)
    u = 0.5 / (far * far)
    series = (1 - u * (1 - 3 * u * (1 - 5 * u))) / (far * math.sqrt(math.pi))
    return jnp.where(wide > 25, series, direct).astype(x.dtype)


_only_special("erfcx", with_grad(_erfcx, lambda out, x: 2 * x * out - 2 / math.sqrt(math.pi)))


# --- zeta ----------------------------------------------------------------------------------------


def _zeta(x: Any, q: Any) -> Any:
    """Hurwitz zeta; XLA's is for positive q, so negative ones are first moved up term by term."""
    narrow = q.dtype
    x, q = (v.astype(jnp.float64) for v in jnp.broadcast_arrays(x, q))  # as torch: terms cancel
    pole = (q <= 0) & (q == jnp.floor(q))

    def waiting(state: Any) -> Any:
        a, total, last = state
        return (a < 0) & ~pole & (jnp.abs(last) > limits(q).eps * jnp.abs(total))

    def add_term(state: Any) -> Any:
        a, total, last = state
        go = waiting(state)
        term = jnp.power(a, -x)
        return (
            jnp.where(go, a + 1, a),
            jnp.where(go, total + term, total),
            jnp.where(go, term, last),
        )

    start = (q, jnp.zeros_like(q), jnp.ones_like(q))
    a, total, _ = lax.while_loop(lambda s: jnp.any(waiting(s)), add_term, start)
    value = total + lax.zeta(x, jnp.where(a < 0, 1, a))
    return jnp.where(pole, jnp.where(x >= 1, jnp.inf, jnp.nan), value).astype(narrow)


# --- gamma ----------------------------------------------------------------------------------------


def _trigamma(x: Any) -> Any:
    """The derivative of digamma, by reflection, recurrence and an asymptotic series."""
    reflect = x < 0.5
    sine = jnp.sin(jnp.pi * x)
    z = jnp.where(reflect, 1 - x, x)
    total = jnp.where(reflect, -((jnp.pi / sine) ** 2), 0)
    for _ in range(6):
        total = total + 1 / (z * z)
        z = z + 1
    w = 1 / (z * z)
    total = total + (1 + 1 / (2 * z) + w * (1 / 6 - w * (1 / 30 - w / 42))) / z
    return jnp.where(reflect, -total, total)


def polygamma_of(n: int) -> Any:
    """The n-th derivative of digamma, with its derivatives of any order."""
    if n == 0:
        fn: Any = _digamma_value
    elif n == 1:
        fn = _trigamma
    else:
        sign, size = (-1.0) ** (n + 1), math.gamma(n + 1)

        def fn(x: Any) -> Any:
            return sign * size * _zeta(jnp.asarray(n + 1, x.dtype), x)

    return with_grad(fn, lambda out, x: polygamma_of(n + 1)(x))


def _in_double(fn: Any) -> Any:
    """XLA's float32 gamma functions lose digits near their roots and poles; torch's do not."""
    return lambda x: fn(x.astype(jnp.float64)).astype(x.dtype)


def _digamma_value(x: Any) -> Any:
    return jnp.where(x == 0, jnp.copysign(jnp.inf, -x), _in_double(jsp.digamma)(x))


_digamma = polygamma_of(0)
_lgamma = with_grad(_in_double(lax.lgamma), lambda out, x: _digamma(x))

_function("digamma", _digamma, "digamma", "psi")
_function("lgamma", _lgamma, "gammaln")


@op("_polygamma", promote=_F, namespaces=(), grad_name="Polygamma")
def _polygamma(input: Array, n: int) -> Any:
    """The n-th derivative of digamma."""
    return polygamma_of(n)(input)


def _check_mvlgamma(input: Any, p: int) -> None:
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")


@op(promote=_F, inplace=True, out=True, check=_check_mvlgamma,
    namespaces=(*_TOP, "special:multigammaln"))  # fmt: skip
def mvlgamma(input: Array, p: int) -> Any:
    """log of the multivariate gamma function of dimension p."""
    constant = p * (p - 1) / 4 * math.log(math.pi)
    parts = [_lgamma(input - i / 2) for i in range(p)]
    return sum(parts[1:], parts[0]) + constant


def _not_derived(name: str) -> Any:
    def factor(out: Any, *operands: Any) -> Any:
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    return factor


def _incomplete(fn: Any, sign: float, name: str) -> Any:
    def slope(out: Any, a: Any, x: Any) -> Any:
        return sign * jnp.exp((a - 1) * jnp.log(x) - x - lax.lgamma(a))

    def value(a: Any, x: Any) -> Any:
        return fn(*jnp.broadcast_arrays(a, x))

    return with_grad(value, _not_derived(f"{name}: input"), slope)


binary("igamma", _incomplete(lax.igamma, 1.0, "igamma"), _F, check=only_tensors("igamma"),
       namespaces=(*_TOP, "special:gammainc"))  # fmt: skip
binary("igammac", _incomplete(lax.igammac, -1.0, "igammac"), _F, check=only_tensors("igammac"),
       namespaces=(*_TOP, "special:gammaincc"))  # fmt: skip


_zeta_rule: Any = with_grad(
    _zeta, _not_derived("zeta"), lambda out, x, q: -x * _zeta_rule(x + 1, q)
)
binary("special_zeta", lambda x, q: _zeta_rule(jnp.asarray(x), jnp.asarray(q)), _F, inplace=False,
       namespaces=("special:zeta",))  # fmt: skip


# --- the normal distribution ----------------------------------------------------------------------

_ROOT = math.sqrt(2 * math.pi)
_only_special("ndtr", jsp.ndtr)
_only_special("ndtri", with_grad(jsp.ndtri, lambda out, p: _ROOT * jnp.exp(out * out / 2)))
_only_special(
    "log_ndtr",
    with_grad(lambda x: jsp.log_ndtr(x), lambda out, x: jnp.exp(-(out + x * x / 2)) / _ROOT),
)
_only_special("entr", with_grad(jsp.entr, lambda out, x: -(1 + jnp.log(x))))


# --- modified Bessel functions of the first kind --------------------------------------------------

_i1e = with_grad(jsp.i1e, lambda out, x: _i1e_factor(out, x))
_i1 = with_grad(jsp.i1, lambda out, x: _i1_factor(out, x))
_i0 = with_grad(jsp.i0, lambda out, x: _i1(x))
_i0e = with_grad(jsp.i0e, lambda out, x: _i1e(x) - jnp.sign(x) * out)


def _over(out: Any, x: Any) -> Any:
    """out / x, with the limit 1/2 at zero."""
    small = jnp.abs(x) < limits(x).eps
    return jnp.where(small, 0.5, out / jnp.where(small, 1, x))


def _i1_factor(out: Any, x: Any) -> Any:
    return jnp.where(jnp.abs(x) < limits(x).eps, 0.5, _i0(x) - _over(out, x))


def _i1e_factor(out: Any, x: Any) -> Any:
    tiny = jnp.abs(x) < limits(x).eps
    return jnp.where(tiny, 0.5, _i0e(x) - out * (jnp.sign(x) + 1 / jnp.where(tiny, 1, x)))


_function("i0", _i0, "i0")
_only_special("i0e", _i0e)
_only_special("i1", _i1)
_only_special("i1e", _i1e)
