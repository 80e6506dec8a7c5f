"""Exponentials, logarithms, trigonometry and hyperbolics, and two-argument relatives of them."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, Scalar, binary, op, unary
from ._rules import is_complex, refuse, with_grad

_D: Any = Promote.DEFAULT
_F: Any = Promote.INT_TO_FLOAT


def _plain(name: str, fn: Any, *aliases: str, **meta: Any) -> None:
    unary(name, fn, _F, aliases=aliases, **meta)


_SPECIAL = ("torch", "Tensor")

_plain("exp", jnp.exp)
_plain("exp2", lambda x: _exp2(x), namespaces=(*_SPECIAL, "special:exp2"))
_plain("expm1", jnp.expm1, namespaces=(*_SPECIAL, "special:expm1"))
_plain("log", jnp.log)
_plain("log2", jnp.log2)
_plain("log10", jnp.log10)
_plain("log1p", jnp.log1p, namespaces=(*_SPECIAL, "special:log1p"))
_plain("sin", jnp.sin)
_plain("cos", jnp.cos)
_plain("tan", with_grad(jnp.tan, lambda out, x: 1 + out * out))
_plain("asin", jnp.arcsin, "arcsin")
_plain("acos", jnp.arccos, "arccos")
_plain("atan", jnp.arctan, "arctan")
_plain("sinh", jnp.sinh)
_plain("cosh", jnp.cosh)
_plain("tanh", jnp.tanh)
_plain("asinh", jnp.arcsinh, "arcsinh")
_plain("acosh", jnp.arccosh, "arccosh")
_plain("atanh", jnp.arctanh, "arctanh")
_plain("sigmoid", lax.logistic, namespaces=(*_SPECIAL, "special:expit"))
_plain("deg2rad", lambda x: x * (math.pi / 180))
_plain("rad2deg", lambda x: x * (180 / math.pi))
_plain("sinc", jnp.sinc, namespaces=(*_SPECIAL, "special:sinc"))

binary("atan2", jnp.arctan2, _F, "", aliases=("arctan2",))


def _copysign_factor(out: Any, a: Any, b: Any) -> Any:
    return jnp.where(a == 0, 0, out / jnp.where(a == 0, 1, a))


def _copysign(a: Any, b: Any) -> Any:
    return jnp.copysign(a, jnp.asarray(b))


binary("copysign", with_grad(_copysign, _copysign_factor, None), _F)
binary("hypot", with_grad(jnp.hypot, lambda out, a, b: a / out, lambda out, a, b: b / out), _D,
       "", check=refuse("hypot_cpu", "integer", "complex"))  # fmt: skip
_nextafter = with_grad(jnp.nextafter, lambda out, a, b: (a != b).astype(out.dtype), None)
binary("nextafter", _nextafter, _D, "",
       check=refuse("nextafter_cpu", "integer", "complex"))  # fmt: skip
binary("logaddexp", jnp.logaddexp, _D, "", inplace=False,
       check=refuse("logaddexp_cpu", "integer"))  # fmt: skip
binary("logaddexp2", jnp.logaddexp2, _D, "", inplace=False,
       check=refuse("logaddexp2_cpu", "integer", "complex"))  # fmt: skip


def _two_to(y: Any) -> Any:
    """2 ** y, exact for whole y (XLA's exp2 is not)."""
    if is_complex(y):
        return jnp.exp2(y)
    whole = jnp.clip(jnp.round(y), -1100, 1100)
    near = jnp.exp2(jnp.where(jnp.isfinite(y), y - whole, y))
    return jnp.ldexp(near, whole.astype(jnp.int32)).astype(y.dtype)


_exp2: Any = with_grad(_two_to, lambda out, x: out * math.log(2))
_ldexp_rule = with_grad(
    lambda x, n: x * _two_to(n),
    lambda out, x, n: _two_to(n),
    lambda out, x, n: out * math.log(2),
)
binary("ldexp", lambda x, n: _ldexp_rule(x, jnp.asarray(n)), _F, "")


def _times_log(log: Any, pole: float) -> Any:
    """x * log(y) that is 0 for x = 0, with torch's gradients; `pole` is where the log ends."""

    def value(x: Any, y: Any) -> Any:
        x, y = jnp.broadcast_arrays(x, y)
        product = jnp.where(x == 0, 0, x * log(jnp.where(x == 0, pole + 1, y)))
        return jnp.where(y != y, y, product)

    def by_x(out: Any, x: Any, y: Any) -> Any:
        return jnp.where((x == 0) & (y <= pole), 0, log(y))

    rule = with_grad(value, by_x, lambda out, x, y: x / (y - pole))
    return lambda x, y: rule(jnp.asarray(x), jnp.asarray(y))


binary("xlogy", _times_log(jnp.log, 0.0), _F, "either", namespaces=(*_SPECIAL, "special:xlogy"))
binary("special_xlog1py", _times_log(jnp.log1p, -1.0), _F, "either",
       namespaces=("special:xlog1py",), inplace=False)  # fmt: skip


# --- logit ----------------------------------------------------------------------------------------


def _inner(x: Any, eps: Any) -> Any:
    return x if eps is None else jnp.clip(x, eps, 1 - eps)


def _logit_factor(out: Any, x: Any, eps: Any) -> Any:
    slope = 1 / (x * (1 - x))
    if eps is None:
        return jnp.where((x < 0) | (x > 1), jnp.nan, slope)
    outside = (x < eps) | (x > 1 - eps)
    return jnp.where(outside, 0, 1 / jnp.where(outside, 1, x * (1 - x)))


def _odds(x: Any, eps: Any) -> Any:
    z = _inner(x, eps)
    return jnp.log(z / (1 - z))


@op(
    promote=_F, promotes=("input",), inplace=True, out=True, namespaces=(*_SPECIAL, "special:logit")
)
def logit(input: Array, eps: Scalar | None = None) -> Any:
    """log(x / (1 - x)), with x first moved into [eps, 1 - eps] if eps is given."""
    if eps is None:
        return with_grad(lambda x: _odds(x, None), lambda out, x: _logit_factor(out, x, None))(
            input
        )
    return with_grad(_odds, _logit_factor, None)(input, jnp.asarray(eps, input.dtype))


# --- frexp ----------------------------------------------------------------------------------------


def _check_frexp(input: Any) -> None:
    if not input.dtype.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")


_mantissa = with_grad(
    lambda x: jnp.frexp(x)[0],
    lambda out, x: jnp.ldexp(jnp.ones_like(x), -jnp.frexp(x)[1]),
)


@op(out=True, fields=("mantissa", "exponent"), check=_check_frexp)
def frexp(input: Array) -> Any:
    """Mantissa in [0.5, 1) and exponent of two."""
    wide = input.astype(jnp.float32) if input.dtype.itemsize < 4 else input
    finite = jnp.isfinite(wide)
    exponent = jnp.frexp(lax.stop_gradient(wide))[1]
    return (
        jnp.where(finite, _mantissa(wide), wide).astype(input.dtype),
        jnp.where(finite, exponent, 0).astype(jnp.int32),
    )
