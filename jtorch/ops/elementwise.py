"""Arithmetic: sums, products, quotients, remainders, powers, and what is built from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._engine import dtype as _dtype
from ._define import Array, Operand, Promote, Scalar, binary, op, unary
from ._rules import dtypes, flat, is_complex, is_int, is_number, refuse, with_grad

_D: Any = Promote.DEFAULT
_F: Any = Promote.INT_TO_FLOAT
_INPLACE_ARITHMETIC: Any = {
    "promote": _D, "broadcast": True, "inplace": True, "out": True, "numbers": True,
}  # fmt: skip
_INVERT = "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."


# --- sums -----------------------------------------------------------------------------------------


def _check_alpha(input: Any, other: Any, alpha: Any = int) -> None:
    if alpha is int or not isinstance(alpha, type):
        return
    found = dtypes((input, other))
    numbers = [s for s in (input, other) if isinstance(s, type)]
    if alpha is bool and not (all(d.name == "bool" for d in found) and set(numbers) <= {bool}):
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if alpha is complex and not any(d.is_complex for d in found) and complex not in numbers:
        raise RuntimeError(
            "For non-complex input tensors, argument alpha must not be a complex number."
        )
    if alpha is float and all(d.is_integral for d in found) and not set(numbers) & {float, complex}:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )


def _check_sub(input: Any, other: Any, alpha: Any = int) -> None:
    bools = [s is bool or (hasattr(s, "dtype") and s.dtype.name == "bool") for s in (input, other)]
    tensors = [hasattr(s, "dtype") for s in (input, other)]
    if all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if any(b and t for b, t in zip(bools, tensors, strict=True)):
        raise RuntimeError(
            f"Subtraction, the `-` operator, with a bool tensor is not supported. {_INVERT}"
        )
    _check_alpha(input, other, alpha)


@op(linear=True, check=_check_alpha, dunder=("__add__", "__radd__"), idunder="__iadd__",
    **_INPLACE_ARITHMETIC)  # fmt: skip
def add(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Any:
    """input + alpha * other."""
    if input.dtype == bool:
        return jnp.logical_or(input, other if _is_one(alpha) else jnp.logical_and(other, alpha))
    return input + _times(other, alpha)


@op(linear=True, check=_check_sub, dunder=("__sub__",), rdunder="__rsub__", idunder="__isub__",
    aliases=("subtract",), **_INPLACE_ARITHMETIC)  # fmt: skip
def sub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Any:
    """input - alpha * other."""
    return input - _times(other, alpha)


@op(linear=True, check=_check_sub, promote=_D, broadcast=True, namespaces=("torch",))
def rsub(input: Array, other: Operand, *, alpha: Scalar = 1) -> Any:
    """other - alpha * input."""
    return other - _times(input, alpha)


def _times(x: Any, alpha: Any) -> Any:
    return x if _is_one(alpha) else x * alpha


def _is_one(x: Any) -> bool:
    return is_number(x) and bool(x == 1)


def _check_neg(input: Any) -> None:
    if hasattr(input, "dtype") and input.dtype.name == "bool":
        raise RuntimeError(
            f"Negation, the `-` operator, on a bool tensor is not supported. {_INVERT}"
        )


unary(
    "neg",
    jnp.negative,
    _D,
    dunder=("__neg__",),
    aliases=("negative",),
    linear=True,
    check=_check_neg,
)


def _check_positive(input: Any) -> None:
    if input.dtype.name == "bool":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")


# --- products and quotients -----------------------------------------------------------------------


def _mul(a: Any, b: Any) -> Any:
    return jnp.logical_and(a, b) if a.dtype == bool else jnp.multiply(a, b)


binary("mul", _mul, _D, "all", dunder=("__mul__", "__rmul__"), idunder="__imul__",
       aliases=("multiply",))  # fmt: skip
binary("true_divide", jnp.true_divide, _F, "all", grad_name="Div",
       dunder=("__truediv__", "__div__"), rdunder="__rtruediv__",
       idunder="__itruediv__")  # fmt: skip


def _floor_divide(a: Any, b: Any) -> Any:
    """Rounded down, by torch's `div_floor_floating` for floats."""
    if is_int(a):
        return jnp.floor_divide(a, b)
    rest = _rem(a, b)
    quotient = (a - rest) / b
    quotient = jnp.where((rest != 0) & ((b < 0) != (rest < 0)), quotient - 1, quotient)
    whole = jnp.floor(quotient)
    whole = jnp.where(quotient - whole > 0.5, whole + 1, whole)
    whole = jnp.where(quotient == 0, jnp.copysign(jnp.zeros_like(quotient), a / b), whole)
    return jnp.where(b == 0, a / b, whole)


def _rem(a: Any, b: Any) -> Any:
    """C's fmod, broadcasting."""
    shape = jnp.broadcast_shapes(jnp.shape(a), jnp.shape(b))
    return lax.rem(jnp.broadcast_to(a, shape), jnp.broadcast_to(jnp.asarray(b, a.dtype), shape))


def _trunc_divide(a: Any, b: Any) -> Any:
    if is_int(a):
        return lax.div(*jnp.broadcast_arrays(a, jnp.asarray(b, a.dtype)))
    return jnp.trunc(a / b)


def _operands(f: Any) -> Any:
    """Both operands as arrays: either may have come as a number."""
    return lambda a, b: f(jnp.asarray(a), jnp.asarray(b))


_floor_rule = _operands(flat(_floor_divide, 2))
_trunc_rule = _operands(flat(_trunc_divide, 2))
_ROUNDED: Any = {"namespaces": (), "out": False, "grad_name": "Div"}

binary(
    "_div_floor",
    _floor_rule,
    _D,
    "all",
    check=refuse("div_floor_cpu", "bool", "complex"),
    **_ROUNDED,
)
binary(
    "_div_trunc",
    _trunc_rule,
    _D,
    "all",
    check=refuse("div_trunc_cpu", "bool", "complex"),
    **_ROUNDED,
)
binary("floor_divide", _floor_rule, _D, "all",
       check=refuse("div_floor_cpu", "bool", "complex"),
       dunder=("__floordiv__",), rdunder="__rfloordiv__", idunder="__ifloordiv__")  # fmt: skip


def _remainder(a: Any, b: Any) -> Any:
    rest = _rem(a, b)
    return jnp.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest).astype(a.dtype)


_one = lambda out, a, b: jnp.ones_like(out)  # noqa: E731
_remainder_rule = with_grad(_remainder, _one, lambda out, a, b: -_floor_divide(a, b))
_fmod_rule = with_grad(_rem, _one, lambda out, a, b: -_trunc_divide(a, b))

binary("remainder", _operands(_remainder_rule), _D, "either",
       check=refuse("remainder_cpu", "bool", "complex"),
       dunder=("__mod__",), rdunder="__rmod__", idunder="__imod__")  # fmt: skip
binary("fmod", _operands(_fmod_rule), check=refuse("fmod_cpu", "bool", "complex"))
unary("reciprocal", lambda x: 1 / x, _F)


@op(linear=False, inplace=True, out=True, promote=_D, broadcast=True)
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Any:
    """input + value * tensor1 * tensor2."""
    return input + _times(tensor1 * tensor2, value)


def _check_addcdiv(input: Any, tensor1: Any, tensor2: Any, value: Any = int) -> None:
    if all(d.is_integral for d in dtypes((tensor1, tensor2))):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes."
        )


@op(inplace=True, out=True, promote=_D, broadcast=True, check=_check_addcdiv)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Any:
    """input + value * tensor1 / tensor2."""
    return input + _times(tensor1, value) / tensor2


def _check_lerp(input: Any, end: Any, weight: Any) -> None:
    names = [("end", end), ("weight", weight)]
    for name, spec in names:
        if hasattr(spec, "dtype") and hasattr(input, "dtype") and spec.dtype is not input.dtype:
            raise RuntimeError(
                f"expected dtype {_c_name(input.dtype)} for `{name}` but got dtype "
                f"{_c_name(spec.dtype)}"
            )
    refuse("lerp_kernel_scalar", "integer")(input)


def _c_name(d: Any) -> str:
    """C++'s name of a dtype, as `lerp` and `dot` print it."""
    names = {"Float": "float", "Double": "double", "Long": "int64_t", "Int": "int"}
    return names.get(d.scalar_name, str(d.scalar_name))


@op(inplace=True, out=True, promote=_D, broadcast=True, check=_check_lerp)
def lerp(input: Array, end: Array, weight: Operand) -> Any:
    """input + weight * (end - input), computed from the nearer end."""
    gap = end - input
    return jnp.where(abs(weight) < 0.5, input + weight * gap, end - gap * (1 - weight))


# --- powers ---------------------------------------------------------------------------------------


def _check_pow(input: Any, exponent: Any) -> None:
    if all(
        s is bool or (hasattr(s, "dtype") and s.dtype.name == "bool") for s in (input, exponent)
    ):
        raise NotImplementedError("\"pow\" not implemented for 'Bool'")


@op(inplace=True, out=True, promote=_D, broadcast=True, check=_check_pow, dunder=("__pow__",),
    rdunder="__rpow__", idunder="__ipow__")  # fmt: skip
def pow_(input: Operand, exponent: Operand) -> Any:
    """input ** exponent."""
    if is_number(exponent):
        return _power_of(jnp.asarray(input), exponent.item())
    if is_int(exponent):
        return _integer_power(jnp.asarray(input), exponent)
    return _power(jnp.asarray(input), exponent)


_FEW = frozenset(range(9))
_SHORTCUTS: dict[Any, Callable[[Any], Any]] = {
    0.5: jnp.sqrt, -0.5: lax.rsqrt, -1.0: lambda v: 1 / v, -2.0: lambda v: 1 / (v * v),
}  # fmt: skip


def _power_of(x: Any, e: Any) -> Any:
    """x ** e for a known e: products where torch has them too."""
    if e in _FEW:
        return lax.integer_pow(x, int(e.real))
    if is_int(x):
        return _integer_power(x, jnp.asarray(e, x.dtype))
    if e in _SHORTCUTS:
        return _SHORTCUTS[e](x)
    return with_grad(
        lambda v: jnp.power(v, jnp.asarray(e, v.dtype)), lambda out, v: e * _power_of(v, e - 1)
    )(x)


def _repeated_squaring(x: Any, e: Any) -> Any:
    """x ** e of integers with e >= 0, wrapping (jnp.power looks at six bits of e only)."""
    x, e = jnp.broadcast_arrays(x, e)

    def double(state: Any) -> Any:
        product, base, rest = state
        return jnp.where(rest % 2 == 1, product * base, product), base * base, rest // 2

    start = (jnp.ones_like(x), x, e)
    return lax.while_loop(lambda s: jnp.any(s[2] > 0), double, start)[0]


def _integer_power(x: Any, e: Any) -> Any:
    """Wrapping products; torch's 0, 1 or -1 for negative exponents."""
    positive = _repeated_squaring(x, jnp.maximum(e, 0))
    sign = jnp.where(e % 2 == 0, 1, -1)
    negative = jnp.where(x == 1, 1, jnp.where(x == -1, sign, 0))
    return jnp.where(e < 0, negative, positive).astype(positive.dtype)


def _by_base(out: Any, x: Any, e: Any) -> Any:
    return jnp.where(e == 0, jnp.zeros_like(out), e * _power(x, e - 1))


def _by_exponent(out: Any, x: Any, e: Any) -> Any:
    settled = (x == 0) & (e.real >= 0)
    return jnp.where(settled, jnp.zeros_like(out), out * jnp.log(jnp.where(settled, 1, x)))


_power = with_grad(jnp.power, _by_base, _by_exponent)

unary("square", lambda x: x * x if x.dtype != bool else x, _D, grad_name="Pow",
      result_dtype=lambda d: _dtype.int64 if d is _dtype.bool_ else d)  # fmt: skip
unary("sqrt", jnp.sqrt)
unary("rsqrt", lax.rsqrt)


# --- parts of a number ----------------------------------------------------------------------------


@jax.custom_jvp
def _abs(x: Any) -> Any:
    """|x| with torch's gradient at 0, which is 0 (JAX's is 1)."""
    return jnp.abs(x)


@_abs.defjvp
def _abs_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    if is_complex(x):
        return _abs(x), (jnp.conj(_sign(x)) * t).real
    return _abs(x), _sign(x) * t


unary("abs", _abs, Promote.COMPLEX_TO_FLOAT, dunder=("__abs__",),
      aliases=("absolute",), check=refuse("abs_cpu", "bool"))  # fmt: skip


def _check_sign(input: Any) -> None:
    if input.dtype.is_complex:
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use "
            "torch.sgn instead."
        )


def _sign(x: Any) -> Any:
    if x.dtype == bool:
        return x
    if is_complex(x):
        zero = x == 0
        safe = jnp.where(zero, 1, x)
        return jnp.where(zero, 0, safe / jnp.abs(safe))
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)  # NaN gives 0, as in torch


unary("sign", flat(_sign), _D, check=_check_sign)
unary("sgn", lambda x: _sign(x) if is_complex(x) else flat(_sign)(x), _D)


def _rounding(name: str, fn: Any) -> None:
    def check(input: Any) -> None:
        if input.dtype.is_complex:
            raise NotImplementedError(f"{name} is not supported for complex inputs")
        refuse(f"{name}_vml_cpu", "bool")(input)

    rule = flat(fn)
    aliases = ("fix",) if name == "trunc" else ()
    unary(name, lambda x: x if is_int(x) else rule(x), _D, check=check,
          aliases=aliases)  # fmt: skip


for _name, _fn in (("floor", jnp.floor), ("ceil", jnp.ceil), ("trunc", jnp.trunc)):
    _rounding(_name, _fn)


def _check_round(input: Any, *, decimals: int = 0) -> None:
    if input.dtype.is_complex:
        raise NotImplementedError("round is not supported for complex inputs")
    refuse(*(("round_cpu", "integer") if decimals else ("round_vml_cpu", "bool")))(input)


@op(promote=_D, inplace=True, out=True, check=_check_round,
    namespaces=("torch", "Tensor", "special"))  # fmt: skip
def round_(input: Array, *, decimals: int = 0) -> Any:
    """To the nearest number with so many decimals; halves to even."""
    if is_int(input):
        return input
    ten = 10.0 ** abs(decimals)
    if decimals == 0:
        return flat(lambda x: jnp.round(x))(input)
    if decimals > 0:
        return flat(lambda x: jnp.round(x * ten) / ten)(input)
    return flat(lambda x: jnp.round(x / ten) * ten)(input)


unary("frac", with_grad(lambda x: x - jnp.trunc(x), lambda out, x: jnp.ones_like(x)), _D,
      check=refuse("frac_cpu", "integer"))  # fmt: skip


@op(linear=True)
def clone(input: Array, *, memory_format: Any = None) -> Any:
    """A copy that gradients flow through."""
    return input


unary("positive", lambda x: x, _D, linear=True, inplace=False, out=False, dunder=("__pos__",),
      check=_check_positive)  # fmt: skip


def _check_fill(input: Any, value: Any) -> None:
    if getattr(value, "ndim", 0):
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{value.ndim} dimensions."
        )


@op(inplace=True, namespaces=("torch",), linear=True, check=_check_fill)
def fill(input: Array, value: Operand) -> Any:
    """Of the shape of `input`, every element `value`."""
    new = jnp.asarray(value)
    if jnp.iscomplexobj(new) and not is_complex(input):
        new = new.real
    return jnp.broadcast_to(new.astype(input.dtype), input.shape)
