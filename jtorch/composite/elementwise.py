"""Elementwise functions that need Python around their rows: rounding modes, checks, `where`."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._functions import NAMESPACES, composite, derived
from .._gate import TensorBase, apply, gate, inplace
from ..ops import TABLE
from ..tensor import Tensor

# --- division -------------------------------------------------------------------------------------

_DIVISIONS = {None: "true_divide", "floor": "_div_floor", "trunc": "_div_trunc"}


def _division(mode: Any) -> Any:
    try:
        return TABLE[_DIVISIONS[mode]]
    except KeyError:
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'"
        ) from None


def _check_divisor(op: str, a: Any, b: Any) -> None:
    """torch refuses to divide integers by zero; a divisor not known yet is not looked at."""
    if type(b) is int and b == 0 and isinstance(a, TensorBase) and a._value.aval.dtype.is_integral:
        raise RuntimeError("ZeroDivisionError")


@composite("torch", "torch:divide", "Tensor", "Tensor:divide")
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """input / other; rounding_mode 'trunc' rounds to zero, 'floor' down."""
    if rounding_mode is not None:
        _check_divisor("div", input, other)
    row = _division(rounding_mode)
    result = apply(row, (input, other), ())
    return result if out is None else gate.out(row, out, result)


@composite("Tensor", "Tensor:divide_")
def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """self / other in place."""
    if rounding_mode is not None:
        _check_divisor("div", self, other)
    return inplace(_division(rounding_mode), (self, other), ())


def _rdiv(self: Any, other: Any) -> Any:
    """other / self under Python 2's name, which PyTorch has kept."""
    if not isinstance(self, Tensor):
        raise AttributeError(f"'{type(self).__name__}' object has no attribute 'reciprocal'")
    return self.__rtruediv__(other)


Tensor.__rdiv__ = _rdiv  # type: ignore[attr-defined]


def _invert(self: Any) -> Any:
    """~x: not for bools, every bit turned for integers."""
    if not self._value.aval.dtype.is_integral:
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return derived["bitwise_not"](self)


Tensor.__invert__ = _invert  # type: ignore[attr-defined, method-assign]
Tensor.__idiv__ = Tensor.__itruediv__  # type: ignore[attr-defined]


def _guarded(name: str, check: Any, dunder: str = "") -> None:
    """A check of the numbers before a row's function, method, in-place twin and operator."""
    row = TABLE[name]
    plain, plain_ = derived[name], getattr(Tensor, f"{name}_")
    first, second = (p.name for p in row.params)

    def function(*args: Any, out: Any = None, **named: Any) -> Any:
        a, b = _two(name, args, named, first, second)
        check(name, a, b)
        result = apply(row, (a, b), ())
        return result if out is None else gate.out(row, out, result)

    def method_(self: Any, other: Any) -> Any:
        check(name, self, other)
        return plain_(self, other)

    def operator(self: Any, other: Any) -> Any:
        if type(other) is int:
            check(name, self, other)
        return binary(self, other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = plain.__doc__
    composite("torch", "Tensor", replace=True)(function)
    composite("Tensor", replace=True)(_renamed(method_, f"{name}_"))
    if dunder:
        binary = getattr(Tensor, dunder)
        setattr(Tensor, dunder, _renamed(operator, dunder))


def _two(name: str, args: Any, named: Any, first: str, second: str) -> tuple[Any, Any]:
    if len(args) == 2 and not named:
        return args  # type: ignore[no-any-return]
    given = dict(zip((first, second), args, strict=False)) | named
    missing = [n for n in (first, second) if n not in given]
    if missing:
        raise TypeError(f'{name}() missing 1 required positional arguments: "{missing[0]}"')
    if len(args) > 2 or len(given) > 2:
        raise TypeError(f"{name}() received an invalid combination of arguments")
    return given[first], given[second]


def _renamed(f: Any, name: str) -> Any:
    f.__name__ = f.__qualname__ = name
    return f


def _check_exponent(op: str, a: Any, b: Any) -> None:
    if type(b) is int and b < 0 and isinstance(a, TensorBase) and a._value.aval.dtype.is_integral:
        raise RuntimeError("Integers to negative integer powers are not allowed.")


_guarded("floor_divide", _check_divisor, "__floordiv__")
_guarded("remainder", _check_divisor, "__mod__")
_guarded("fmod", _check_divisor)
_guarded("pow", _check_exponent, "__pow__")


# --- powers in double precision -------------------------------------------------------------------


def _wide(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return _dtype.complex128 if x._value.aval.dtype.is_complex else _dtype.float64
    return _dtype.complex128 if isinstance(x, complex) else _dtype.float64


@composite("torch", "Tensor")
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """input ** exponent in float64 or complex128."""
    wide = _dtype.promote_types(_wide(input), _wide(exponent))
    a, b = (x.to(wide) if isinstance(x, TensorBase) else x for x in (input, exponent))
    result = apply(TABLE["pow"], (a, b), ())
    if out is not None and out.dtype is not wide:
        raise RuntimeError(
            f"the output given to float_power has dtype {out.dtype.scalar_name} but the "
            f"operation's result requires dtype {wide.scalar_name}"
        )
    return result if out is None else gate.out(TABLE["pow"], out, result)


@composite("Tensor")
def float_power_(self: Any, exponent: Any) -> Any:
    """self ** exponent in place; self has to be float64 or complex128."""
    wide = _dtype.promote_types(_wide(self), _wide(exponent))
    if self.dtype is not wide:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.scalar_name} but the "
            f"operation's result requires dtype {wide.scalar_name}"
        )
    return self.pow_(exponent)


# --- choices --------------------------------------------------------------------------------------


@composite("torch")
def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """input where the condition holds, other elsewhere; with the condition alone, its indices."""
    if input is None and other is None:
        return NAMESPACES["torch"]["nonzero"](condition, as_tuple=True)
    if input is None or other is None:
        raise TypeError(
            "where() received an invalid combination of arguments: give the condition alone, or "
            "the condition and both alternatives"
        )
    result = _where(condition, input, other)
    return result if out is None else gate.out(TABLE["where"], out, result)


def _where(condition: Any, input: Any, other: Any) -> Any:
    if not isinstance(condition, TensorBase):
        kind = type(condition).__name__
        raise TypeError(f"where(): argument 'condition' (position 1) must be Tensor, not {kind}")
    if condition.dtype not in (_dtype.bool_, _dtype.uint8):  # type: ignore[attr-defined]
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition._value.aval.dtype.scalar_name}"
        )
    return apply(TABLE["where"], (condition, input, other), ())


composite("Tensor:where")(lambda self, condition, other: _where(condition, self, other))


@composite("torch", "Tensor", replace=True)
def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Elementwise |input - other| <= atol + rtol * |other|."""
    _check_tolerances(rtol, atol)
    return apply(TABLE["isclose"], (input, other, rtol, atol), (equal_nan,))


def _check_tolerances(rtol: float, atol: float) -> None:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value:g}")


@composite("torch", "Tensor")
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close; needs the values now."""
    _check_tolerances(rtol, atol)
    return bool(apply(TABLE["_allclose"], (input, other, rtol, atol), (equal_nan,)).item())


@composite("torch", "Tensor")
def equal(input: Any, other: Any) -> bool:
    """Whether shapes and all elements are equal; needs the values now."""
    for x, name in ((input, "input"), (other, "other")):
        if not isinstance(x, TensorBase):
            position = 1 if name == "input" else 2
            raise TypeError(
                f"equal(): argument '{name}' (position {position}) must be Tensor, "
                f"not {type(x).__name__}"
            )
    if input.shape != other.shape:
        return False
    return bool(apply(TABLE["_equal"], (input, other), ()).item())


# --- complex numbers ------------------------------------------------------------------------------


@composite("torch")
def real(input: Any) -> Any:
    """The real part, a view; a real tensor itself."""
    return apply(TABLE["_real"], (input,), ()) if input.is_complex() else input


@composite("torch")
def imag(input: Any) -> Any:
    """The imaginary part, a view."""
    if not input.is_complex():
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return apply(TABLE["_imag"], (input,), ())


@composite("torch", "Tensor")
def conj(input: Any) -> Any:
    """The conjugate, a view; a real tensor itself."""
    return apply(TABLE["_conj"], (input,), ()) if input.is_complex() else input


@composite("torch", "Tensor")
def resolve_conj(input: Any) -> Any:
    """self: jtorch conjugates at once."""
    return input


@composite("torch", "Tensor")
def resolve_neg(input: Any) -> Any:
    """self: jtorch negates at once."""
    return input


@composite("torch", "Tensor")
def is_conj(input: Any) -> bool:
    """False: jtorch conjugates at once."""
    return False


@composite("torch", "Tensor")
def is_neg(input: Any) -> bool:
    """False: jtorch negates at once."""
    return False


def _write_part(name: str) -> Any:
    def setter(self: Any, new: Any) -> None:
        part = NAMESPACES["torch"][name](self)
        part.copy_(new) if isinstance(new, TensorBase) else part.fill_(new)

    return setter


Tensor.real = property(real, _write_part("real"))  # type: ignore[attr-defined]
Tensor.imag = property(imag, _write_part("imag"))  # type: ignore[attr-defined]


# --- arguments in another order -------------------------------------------------------------------


def _check_order(n: int) -> int:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return int(n)


@composite("torch", "special")
def polygamma(n: int, input: Any, *, out: Any = None) -> Any:
    """The n-th derivative of digamma."""
    result = apply(TABLE["_polygamma"], (input,), (_check_order(n),))
    return result if out is None else gate.out(TABLE["_polygamma"], out, result)


composite("Tensor:polygamma")(lambda self, n: polygamma(n, self))


@composite("Tensor")
def polygamma_(self: Any, n: int) -> Any:
    """The n-th derivative of digamma, in place."""
    return inplace(TABLE["_polygamma"], (self,), (_check_order(n),))


@composite("Tensor")
def zero_(self: Any) -> Any:
    """Fill with zeros."""
    return self.fill_(0)
