"""PyTorch's text form of a tensor, made from a numpy array, and the options that shape it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ._engine.dtype import bool_, complex64, complex128, float64, get_default_dtype, int64
from ._engine.dtype import dtype as DType

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_str"]


@dataclasses.dataclass
class _PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = _PrintOptions()

_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors print; None keeps a setting, except that it makes sci_mode automatic.

    precision: digits after the point (4). threshold: more elements than this are summarised (1000).
    edgeitems: elements kept at each end of a summarised dimension (3). linewidth: columns (80).
    profile: 'default', 'short' or 'full', taken before the other arguments; PyTorch lets any other
    name pass without effect, and so does this.
    """
    settings = dict(_PROFILES.get(profile, {})) if profile is not None else {}
    asked = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    settings |= {name: value for name, value in asked.items() if value is not None}
    for name, value in settings.items():
        setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The current options, as keyword arguments for set_printoptions."""
    return dataclasses.asdict(PRINT_OPTS)


@contextlib.contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Options for the length of a `with` block; arguments are those of set_printoptions."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_str(
    array: np.ndarray[Any, Any] | None,
    dtype: DType,
    *,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str = "cpu",
    indent: int = 0,
    prefix: str = "tensor(",
    contents: str | None = None,
    size: Sequence[int] | None = None,
    parameter: bool = False,
    tangent: str | None = None,
) -> str:
    """The repr of a tensor with these values.

    `array` is None, with `size` given, for a tensor without values: a meta tensor, or a value
    inside a region. `contents` replaces the printed numbers. `indent` is how many columns already
    stand to the left of the text, and `prefix` holds the class's name and the parenthesis.
    """
    column = indent + len(prefix)
    if contents is None:
        contents = "..." if array is None else _contents(array, column)
    shape = array.shape if array is not None else tuple(size or ())
    suffixes = [f"device='{device}'"] if device.partition(":")[0] != "cpu" else []
    suffixes += _shape_and_dtype(shape, dtype, has_values=array is not None)
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")
    text = _join_suffixes(prefix + contents, suffixes, column)
    return _as_parameter(text, prefix) if parameter else text


def _as_parameter(text: str, prefix: str) -> str:
    """PyTorch names the class of a Parameter twice when it is a subclass."""
    return "Parameter containing:\n" + (text if prefix == "tensor(" else f"Parameter({text})")


def _shape_and_dtype(shape: tuple[int, ...], dtype: DType, *, has_values: bool) -> list[str]:
    """What the printed numbers do not tell: no numbers, no shape; 1.5 may be any float dtype."""
    default = get_default_dtype()
    empty = math.prod(shape) == 0
    if not has_values:
        show_size, plain = True, {default}
    elif empty:
        show_size, plain = len(shape) != 1, {default}
    else:
        show_size = not PRINT_OPTS.edgeitems
        plain = {default, complex128 if default is float64 else complex64, int64, bool_}
    suffixes = [f"size={tuple(shape)}"] if show_size else []
    return suffixes if dtype in plain else [*suffixes, f"dtype={dtype}"]


def _join_suffixes(text: str, suffixes: list[str], column: int) -> str:
    """Append `, suffix` while the line has room, else start a new line under the first number."""
    # One more than the characters on the last line, and two more for the comma and blank to come:
    # PyTorch counts so, and breaks lines that would just have fitted.
    used = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if used + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * column + suffix
            used = column + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text + ")"


# --- the numbers --------------------------------------------------------------------------------


def _contents(array: np.ndarray[Any, Any], column: int) -> str:
    if array.size == 0:
        return "[]"
    summarise = array.size > PRINT_OPTS.threshold
    shown = _native(_edges(array) if summarise else array)
    number: _Number | _ComplexNumber
    if array.dtype.kind == "c":
        number = _ComplexNumber(_Number(shown.real), _Number(shown.imag))
    else:
        number = _Number(shown)
    return _nested(array, column, summarise, number)


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """bfloat16 and float8 as float32, which holds each exactly; numpy knows little about them."""
    registered = array.dtype.isbuiltin == 2  # not by kind: float8_e5m2's is 'f', the others' 'V'
    return array.astype(np.float32) if registered else array


def _edges(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements that a summary shows; only they decide the number format."""
    edge = PRINT_OPTS.edgeitems
    for axis, length in enumerate(array.shape):
        if length > 2 * edge:
            kept = [*range(edge), *range(length - edge, length)]
            array = array.take(kept, axis=axis)
    return array


def _nested(
    array: np.ndarray[Any, Any],
    column: int,
    summarise: bool,
    number: _Number | _ComplexNumber,
) -> str:
    if array.ndim == 0:
        return number.format(_native(array).item())
    edge = PRINT_OPTS.edgeitems
    cut = summarise and len(array) > 2 * edge
    pieces = [array] if not cut else [array[:edge], array[len(array) - edge :]]
    if array.ndim == 1:
        texts = [[number.format(value) for value in _native(piece).tolist()] for piece in pieces]
        return _vector(_with_dots(texts, " ..." if edge else "..."), column, number.width)
    texts = [[_nested(row, column + 1, summarise, number) for row in piece] for piece in pieces]
    separator = "," + "\n" * (array.ndim - 1) + " " * (column + 1)
    return "[" + separator.join(_with_dots(texts, "...")) + "]"


def _with_dots(texts: list[list[str]], dots: str) -> list[str]:
    return texts[0] if len(texts) == 1 else [*texts[0], dots, *texts[1]]


def _vector(texts: list[str], column: int, width: int) -> str:
    per_line = max(1, math.floor((PRINT_OPTS.linewidth - column) / (width + 2)))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (column + 1)).join(lines) + "]"


class _Number:
    """The one format that all numbers of an array share: a style and a width to align to."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.spec = ""
        self.point = False
        self.width = 1
        if values.dtype.kind == "f":
            values = values[np.isfinite(values) & (values != 0)]  # the rest decides nothing
            self.spec, self.point = _float_style(values.astype(np.float64))
        self.width = max((len(self._text(v)) for v in values.ravel().tolist()), default=1)

    def _text(self, value: Any) -> str:
        text = format(value, self.spec) if self.spec else str(value)
        return text + "." if self.point and math.isfinite(value) else text

    def format(self, value: Any) -> str:
        return self._text(value).rjust(self.width)


def _float_style(values: np.ndarray[Any, Any]) -> tuple[str, bool]:
    """(format spec, whether a point follows) that suits finite non-zero values."""
    if values.size == 0:
        return ".0f", True
    if _scientific(np.abs(values)):
        return f".{PRINT_OPTS.precision}e", False
    if np.array_equal(values, np.ceil(values)):
        return ".0f", True
    return f".{PRINT_OPTS.precision}f", False


def _scientific(magnitudes: np.ndarray[Any, Any]) -> bool:
    if PRINT_OPTS.sci_mode is not None:
        return PRINT_OPTS.sci_mode
    low, high = magnitudes.min(), magnitudes.max()
    with np.errstate(over="ignore"):
        return bool(high / low > 1000 or high > 1e8 or low < 1e-4)


class _ComplexNumber:
    """Real and imaginary parts, each aligned among its own kind."""

    def __init__(self, real: _Number, imag: _Number) -> None:
        self.real = real
        self.imag = imag
        self.width = real.width + imag.width + 1  # the j

    def format(self, value: complex) -> str:
        imag = self.imag.format(value.imag).lstrip() + "j"
        sign = "" if imag[0] in "+-" else "+"
        return self.real.format(value.real) + sign + imag
