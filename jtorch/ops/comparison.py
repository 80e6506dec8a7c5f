"""Comparisons, logic, choices (maximum, clamp), and questions about single elements."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, Operand, Promote, Scalar, binary, op, unary
from ._rules import dtypes, is_complex, limits, refuse, with_grad

_D: Any = Promote.DEFAULT
_B: Any = Promote.ALWAYS_BOOL
_TEST: Any = {"inplace": False, "out": False}


# --- comparisons ----------------------------------------------------------------------------------


def _ordered(name: str, fn: Any, alias: str) -> None:
    check = refuse_any(f"{name}_cpu", "complex")
    binary(name, fn, _B, dunder=(f"__{name}__",), aliases=(alias,), check=check)


def refuse_any(kernel: str, *kinds: str) -> Any:
    """As `refuse`, whichever operand has the dtype."""

    def check(*spec: Any, **static: Any) -> None:
        for d in dtypes(spec):
            refuse(kernel, *kinds)(_Spec(d))

    return check


class _Spec:
    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype


binary("eq", jnp.equal, _B, dunder=("__eq__",))
binary("ne", jnp.not_equal, _B, dunder=("__ne__",), aliases=("not_equal",))
for _name, _fn, _alias in (
    ("lt", jnp.less, "less"),
    ("le", jnp.less_equal, "less_equal"),
    ("gt", jnp.greater, "greater"),
    ("ge", jnp.greater_equal, "greater_equal"),
):
    _ordered(_name, _fn, _alias)

binary("logical_and", lambda a, b: (a != 0) & (b != 0), _B, "")
binary("logical_or", lambda a, b: (a != 0) | (b != 0), _B, "")
binary("logical_xor", lambda a, b: (a != 0) ^ (b != 0), _B, "")
unary("logical_not", lambda x: x == 0, _B)


# --- questions about single elements --------------------------------------------------------------


def _inexact(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.inexact))


def _is_infinite(x: Any, sign: int) -> Any:
    return x == sign * jnp.inf if _inexact(x) else jnp.zeros(x.shape, bool)


def _no_complex(name: str) -> Any:
    def check(input: Any) -> None:
        if input.dtype.is_complex:
            raise RuntimeError(f"{name} does not support complex inputs.")

    return check


unary("isnan", lambda x: x != x, _B, **_TEST)
unary("isinf", lambda x: jnp.isinf(x) if _inexact(x) else jnp.zeros(x.shape, bool), _B, **_TEST)
unary(
    "isfinite", lambda x: jnp.isfinite(x) if _inexact(x) else jnp.ones(x.shape, bool), _B, **_TEST
)
unary("isreal", lambda x: x.imag == 0 if is_complex(x) else jnp.ones(x.shape, bool), _B, **_TEST)
unary("isposinf", lambda x: _is_infinite(x, 1), _B, inplace=False, check=_no_complex("isposinf"))
unary("isneginf", lambda x: _is_infinite(x, -1), _B, inplace=False, check=_no_complex("isneginf"))
unary("signbit", lambda x: jnp.signbit(x) if _inexact(x) else x < jnp.zeros((), x.dtype), _B,
      inplace=False, check=_no_complex("signbit"))  # fmt: skip


def _check_close(input: Any, other: Any, rtol: Any, atol: Any, *, equal_nan: bool = False) -> None:
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype.scalar_name} did not match {other.dtype.scalar_name}")


@op(broadcast=True, check=_check_close)
def isclose(
    input: Array, other: Array, rtol: Scalar = 1e-5, atol: Scalar = 1e-8, equal_nan: bool = False
) -> Any:
    """|input - other| <= atol + rtol * |other|, or equal."""
    close = input == other
    if not _inexact(input):
        wide = jnp.float64
        gap = jnp.abs(input.astype(wide) - other.astype(wide))
        return close | (gap <= atol + jnp.abs(rtol * other.astype(wide)))
    if equal_nan:
        close = close | ((input != input) & (other != other))
    wide = jnp.abs(input).dtype
    gap = jnp.abs(input - other)
    allowed = jnp.asarray(atol, wide) + jnp.abs(jnp.asarray(rtol, wide) * other)
    return close | (jnp.isfinite(gap) & (gap <= allowed))


@op("_allclose", namespaces=(), broadcast=True, check=_check_close)
def _allclose(
    input: Array, other: Array, rtol: Scalar = 1e-5, atol: Scalar = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are close, as a 0-d bool."""
    return jnp.all(isclose(input, other, rtol, atol, equal_nan))


@op("_equal", namespaces=())
def _equal(input: Array, other: Array) -> Any:
    """Whether all elements are equal, as a 0-d bool."""
    wide = jnp.promote_types(input.dtype, other.dtype)
    return jnp.all(input.astype(wide) == other.astype(wide))


# --- choices --------------------------------------------------------------------------------------


@op("where", promote=_D, promotes=("input", "other"), broadcast=True, namespaces=())
def _where(condition: Array, input: Operand, other: Operand) -> Any:
    """input where the condition holds, other elsewhere."""
    return jnp.where(condition != 0, input, other)


def _check_extremum(name: str) -> Any:
    def check(input: Any, other: Any) -> None:
        if any(d.is_complex for d in dtypes((input, other))):
            raise RuntimeError(f"{name} not implemented for complex tensors.")

    return check


def _half_at_ties(wins: Any) -> tuple[Any, Any]:
    """Gradients of maximum and minimum: shared at ties, to both at NaN."""

    def own(out: Any, a: Any, b: Any) -> Any:
        return jnp.where(a == b, 0.5, jnp.where(wins(b, a), 0.0, 1.0)).astype(out.dtype)

    def others(out: Any, a: Any, b: Any) -> Any:
        return own(out, b, a)

    return own, others


def _ignoring_nan(first: Any) -> Any:
    """fmax and fmin: the other operand where one is NaN; ties go to the first."""

    def choose(a: Any, b: Any) -> Any:
        return first(a, b) | (b != b)

    def value(a: Any, b: Any) -> Any:
        return jnp.where(choose(a, b), a, b)

    return with_grad(
        value,
        lambda out, a, b: choose(a, b).astype(out.dtype),
        lambda out, a, b: (~choose(a, b)).astype(out.dtype),
    )


_EXTREMUM: Any = {"inplace": False}
binary("maximum", with_grad(jnp.maximum, *_half_at_ties(jnp.greater)), _D, "",
       check=_check_extremum("maximum"), **_EXTREMUM)  # fmt: skip
binary("minimum", with_grad(jnp.minimum, *_half_at_ties(jnp.less)), _D, "",
       check=_check_extremum("minimum"), **_EXTREMUM)  # fmt: skip
binary("fmax", _ignoring_nan(jnp.greater_equal), _D, "", check=_check_extremum("fmax"), **_EXTREMUM)
binary("fmin", _ignoring_nan(jnp.less_equal), _D, "", check=_check_extremum("fmin"), **_EXTREMUM)


# --- clamp ----------------------------------------------------------------------------------------


def _raised(x: Any, low: Any) -> Any:
    """max(x, low) that keeps x at ties (signed zeros) and either NaN."""
    return jnp.where((x < low) | (low != low), low, x)


def _lowered(x: Any, high: Any) -> Any:
    return jnp.where((x > high) | (high != high), high, x)


def _cast(mask: Any, out: Any) -> Any:
    return jnp.broadcast_to(mask, out.shape).astype(out.dtype)


_clamp_low = with_grad(
    _raised, lambda out, x, low: _cast(x >= low, out), lambda out, x, low: _cast(x < low, out)
)
_clamp_high = with_grad(
    _lowered, lambda out, x, high: _cast(x <= high, out), lambda out, x, high: _cast(x > high, out)
)
_clamp_both = with_grad(
    lambda x, low, high: _lowered(_raised(x, low), high),
    lambda out, x, low, high: _cast((x >= low) & (x <= high), out),
    lambda out, x, low, high: _cast((low < high) & (x < low), out),
    lambda out, x, low, high: _cast((x > high) | (high < low), out),
)


def _check_clamp(input: Any, min: Any = None, max: Any = None) -> None:
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if any(d.is_complex for d in dtypes((input, min, max))) or complex in (min, max):
        raise NotImplementedError("clamp is not supported for complex types")


@op(promote=_D, broadcast=True, inplace=True, out=True, aliases=("clip",),
    check=_check_clamp)  # fmt: skip
def clamp(input: Array, min: Operand | None = None, max: Operand | None = None) -> Any:
    """input moved into [min, max]; either bound may be missing."""
    low, high = (None if b is None else jnp.asarray(b) for b in (min, max))
    if high is None:
        return _clamp_low(input, low)
    return _clamp_high(input, high) if low is None else _clamp_both(input, low, high)


binary_bound: Any = {"promote": _D, "broadcast": True, "inplace": True, "out": True}


@op(check=_check_clamp, **binary_bound)
def clamp_min(input: Array, min: Operand) -> Any:
    """input, but at least `min`."""
    return _clamp_low(input, jnp.asarray(min))


@op(check=lambda input, max: _check_clamp(input, None, max), **binary_bound)
def clamp_max(input: Array, max: Operand) -> Any:
    """input, but at most `max`."""
    return _clamp_high(input, jnp.asarray(max))


@op(inplace=True, out=True)
def nan_to_num(
    input: Array, nan: Scalar | None = None, posinf: Scalar | None = None,
    neginf: Scalar | None = None,
) -> Any:  # fmt: skip
    """NaN and the infinities replaced: by 0, and by the largest and smallest finite numbers."""
    if is_complex(input):
        parts = [_finite(p, nan, posinf, neginf) for p in (input.real, input.imag)]
        return (parts[0] + 1j * parts[1]).astype(input.dtype)
    return _finite(input, nan, posinf, neginf) if _inexact(input) else input


def _finite(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    ends = limits(x)
    x = jnp.where(x != x, jnp.asarray(0 if nan is None else nan, x.dtype), x)
    high = ends.max if posinf is None else posinf
    low = ends.min if neginf is None else neginf
    x = jnp.where(x == jnp.inf, jnp.asarray(high, x.dtype), x)
    return jnp.where(x == -jnp.inf, jnp.asarray(low, x.dtype), x)


def _check_heaviside(input: Any, other: Any) -> None:
    if any(d.is_complex for d in (input.dtype, other.dtype)):
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if input.dtype is not other.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")


def _heaviside(input: Any, values: Any) -> Any:
    """0 below zero, 1 above, `values` at zero."""
    return jnp.where(input == 0, values, (input > 0).astype(values.dtype))


@op(
    promote=_D,
    broadcast=True,
    inplace=True,
    out=True,
    check=_check_heaviside,
)
def heaviside(input: Array, values: Array) -> Any:
    """0 below zero, 1 above, `values` at zero."""
    return with_grad(_heaviside, None, None)(input, values)


@op(promote=_B, out=True, namespaces=("torch",))
def isin(
    elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False
) -> Any:
    """Whether each element is one of the test elements."""
    return jnp.isin(jnp.asarray(elements), jnp.asarray(test_elements), invert=invert)
