"""JAX's primitives in NumPy: element by element, by shape, by reduction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
RULES: dict[str, Callable[..., Any]] = {}


def rule(*names: str) -> Callable[[Any], Any]:
    """The decorated function evaluates these primitives: `f(*operands, **params)`."""

    def register(f: Any) -> Any:
        for name in names:
            if name in RULES:
                raise ValueError(f"primitive {name} has two rules")
            RULES[name] = f
        return f

    return register


EXACT: set[str] = set()  # rules that need no parameters and return the right dtype


def _elementwise(**rules: Callable[..., Any]) -> None:
    for name, f in rules.items():
        rule(name)(f)
        EXACT.add(name)


def _by_element(f: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of `math` on every element."""
    vectorised = np.vectorize(f, otypes=[np.float64])
    return lambda x: vectorised(x.astype(np.float64)).astype(x.dtype) if x.size else x


def _divide(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return x / y
    quotient = np.abs(x) // np.abs(y)  # C rounds towards zero
    return np.where((x < 0) != (y < 0), -quotient, quotient).astype(x.dtype)


def _sign(x: Array) -> Array:
    return np.where(x == 0, x, np.sign(x)).astype(x.dtype) if x.dtype.kind == "f" else np.sign(x)


def _shift(x: Array, n: Array, by: Any) -> Array:
    bits = x.dtype.itemsize * 8
    small = (n >= 0) & (n < bits)
    return np.where(small, by(x, np.where(small, n, 0)), 0).astype(x.dtype)


def _shift_arithmetic(x: Array, n: Array) -> Array:
    bits = x.dtype.itemsize * 8
    return np.right_shift(x, np.where((n >= 0) & (n < bits), n, bits - 1).astype(x.dtype))  # type: ignore[no-any-return]


def _shift_logical(x: Array, n: Array) -> Array:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    return _shift(x.view(unsigned), n.astype(unsigned), np.right_shift).view(x.dtype)


def _gamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def _logistic(x: Array) -> Array:
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


_elementwise(
    add=np.add, sub=np.subtract, mul=np.multiply, div=_divide, rem=np.fmod, neg=np.negative,
    abs=np.abs, sign=_sign, max=np.maximum, min=np.minimum, pow=np.power, square=np.square,
    exp=np.exp, exp2=np.exp2, expm1=np.expm1, log=np.log, log1p=np.log1p, sqrt=np.sqrt,
    rsqrt=lambda x: 1 / np.sqrt(x), cbrt=np.cbrt, logistic=_logistic,
    sin=np.sin, cos=np.cos, tan=np.tan, asin=np.arcsin, acos=np.arccos, atan=np.arctan,
    atan2=np.arctan2, sinh=np.sinh, cosh=np.cosh, tanh=np.tanh, asinh=np.arcsinh,
    acosh=np.arccosh, atanh=np.arctanh, floor=np.floor, ceil=np.ceil, is_finite=np.isfinite,
    erf=_by_element(math.erf), erfc=_by_element(math.erfc), lgamma=_by_element(_gamma),
    nextafter=np.nextafter, real=np.real, imag=np.imag, conj=np.conj,
    complex=lambda re, im: (re + 1j * im).astype(np.dtype(f"c{2 * re.dtype.itemsize}")),
    eq=np.equal, ne=np.not_equal, lt=np.less, le=np.less_equal, gt=np.greater, ge=np.greater_equal,
    and_=np.bitwise_and, or_=np.bitwise_or, xor=np.bitwise_xor, not_=np.invert,
    shift_left=lambda x, n: _shift(x, n, np.left_shift), population_count=np.bitwise_count,
    shift_right_arithmetic=_shift_arithmetic, shift_right_logical=_shift_logical,
    stop_gradient=lambda x: x, optimization_barrier=lambda *x: x, copy=lambda x: x,
    copy_p=lambda x: x, name=lambda x: x, reduce_precision=lambda x: x, add_any=np.add,
    clamp=lambda low, x, high: np.minimum(np.maximum(x, low), high),
)  # fmt: skip
for _name in ("and", "or", "not"):
    RULES[_name] = RULES.pop(f"{_name}_")
    EXACT.add(_name)


@rule("integer_pow")
def _integer_pow(x: Array, *, y: int) -> Array:
    result = x ** np.array(abs(y), x.dtype) if x.dtype.kind in "iu" else np.power(x, abs(y))
    return (1 / result if y < 0 else result).astype(x.dtype)


@rule("round")
def _round(x: Array, *, rounding_method: Any) -> Array:
    if int(rounding_method) == 1:
        return np.rint(x)
    return np.copysign(np.floor(np.abs(x) + np.array(0.5, x.dtype)), x)  # type: ignore[no-any-return]


@rule("select_n")
def _select_n(which: Array, *cases: Array) -> Array:
    if len(cases) == 2:
        return np.where(which.astype(bool), cases[1], cases[0])
    return np.choose(which, cases)


@rule("convert_element_type")
def _convert(x: Array, *, new_dtype: Any, **_: Any) -> Array:
    to = np.dtype(new_dtype)
    if to.kind == "b":
        return x != 0  # type: ignore[no-any-return]
    if x.dtype.kind == "c" and to.kind != "c":
        x = x.real
    return x.astype(to)


@rule("bitcast_convert_type")
def _bitcast(x: Array, *, new_dtype: Any) -> Array:
    to, x = np.dtype(new_dtype), np.require(x, requirements="C")
    if to.itemsize > x.dtype.itemsize:
        return x.view(to)[..., 0]  # type: ignore[no-any-return]
    if to.itemsize < x.dtype.itemsize:
        return x[..., None].view(to)
    return x.view(to)


# --- shapes ---------------------------------------------------------------------------------------


@rule("broadcast_in_dim")
def _broadcast_in_dim(
    x: Array, *_: Any, shape: Any, broadcast_dimensions: Any, **params: Any
) -> Array:
    middle = [1] * len(shape)
    for size, d in zip(x.shape, broadcast_dimensions, strict=True):
        middle[d] = size
    return np.broadcast_to(x.reshape(middle), shape)


@rule("reshape")
def _reshape(x: Array, *_: Any, new_sizes: Any, dimensions: Any = None, **params: Any) -> Array:
    if dimensions is not None:
        x = x.transpose(dimensions)
    return x.reshape(new_sizes)


@rule("squeeze")
def _squeeze(x: Array, *, dimensions: Any) -> Array:
    return np.squeeze(x, tuple(dimensions))


@rule("expand_dims")
def _expand_dims(x: Array, *, dimensions: Any) -> Array:
    return np.expand_dims(x, tuple(dimensions))


@rule("transpose")
def _transpose(x: Array, *, permutation: Any) -> Array:
    return x.transpose(permutation)


@rule("rev")
def _rev(x: Array, *, dimensions: Any) -> Array:
    return np.flip(x, tuple(dimensions))


@rule("concatenate")
def _concatenate(*xs: Array, dimension: int) -> Array:
    return np.concatenate(xs, dimension)


@rule("stack")
def _stack(*xs: Array, axis: int) -> Array:
    return np.stack(xs, axis)


@rule("unstack")
def _unstack(x: Array, *, axis: int) -> Any:
    return tuple(np.moveaxis(x, axis, 0))


@rule("split")
def _split(x: Array, *, sizes: Any, axis: int) -> Any:
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


@rule("tile")
def _tile(x: Array, *, reps: Any) -> Array:
    return np.tile(x, reps)


@rule("platform_index")
def _platform_index(*, platforms: Any) -> Any:
    """Which branch the CPU takes: its own, or the one for all others."""
    found = [i for i, names in enumerate(platforms) if names is None or "cpu" in names]
    return np.int32(found[0])


@rule("empty2")
def _empty(*, dtype: Any, memory_space: Any) -> Array:
    return np.zeros((), dtype)


@rule("iota")
def _iota(*, dtype: Any, shape: Any, dimension: int, **params: Any) -> Array:
    line = np.arange(shape[dimension], dtype=dtype)
    return np.broadcast_to(
        line.reshape([-1 if d == dimension else 1 for d in range(len(shape))]), shape
    )


@rule("slice")
def _slice(x: Array, *, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    steps = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def _window(x: Array, starts: Any, sizes: Any) -> tuple[slice, ...]:
    clamped = [
        int(min(max(int(s), 0), n - w)) for s, n, w in zip(starts, x.shape, sizes, strict=True)
    ]
    return tuple(slice(s, s + w) for s, w in zip(clamped, sizes, strict=True))


@rule("dynamic_slice")
def _dynamic_slice(x: Array, *starts: Any, slice_sizes: Any) -> Array:
    return x[_window(x, starts[: x.ndim], slice_sizes)]


@rule("dynamic_update_slice")
def _dynamic_update_slice(x: Array, update: Array, *starts: Any) -> Array:
    out = x.copy()
    out[_window(x, starts, update.shape)] = update
    return out


@rule("pad")
def _pad(x: Array, value: Array, *, padding_config: Any) -> Array:
    sizes = [
        low + high + n + max(n - 1, 0) * inner
        for n, (low, high, inner) in zip(x.shape, padding_config, strict=True)
    ]
    out = np.full([max(s, 0) for s in sizes], value, x.dtype)
    to, source = [], []
    for n, size, (low, _, inner) in zip(x.shape, sizes, padding_config, strict=True):
        step = inner + 1
        first = max(0, -(low // step)) if low < 0 else 0
        last = min(n, max(0, -(-(size - low) // step)))
        source.append(slice(first, last))
        start = low + first * step
        to.append(slice(start, start + max(last - first, 0) * step, step))
    out[tuple(to)] = x[tuple(source)]
    return out


# --- reductions -----------------------------------------------------------------------------------


def _reduction(name: str, f: Callable[..., Any]) -> None:
    @rule(name)
    def reduce(x: Array, *, axes: Any, **params: Any) -> Array:
        return np.asarray(f(x, axis=tuple(axes)), x.dtype)


def _sum(x: Array, axis: Any) -> Any:
    # as XLA does, halves are summed in float32
    small = x.dtype in (np.float16, ml_dtypes.bfloat16)
    return x.sum(axis=axis, dtype=np.float32 if small else x.dtype)


def _extreme(f: Any, lowest: bool) -> Callable[..., Any]:
    def reduce(x: Array, axis: Any) -> Any:
        return f(x, axis=axis, initial=_start(x.dtype, lowest))

    return reduce


def _start(dtype: np.dtype[Any], lowest: bool) -> Any:
    if dtype.kind == "b":
        return not lowest
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max
    return np.array(-math.inf if lowest else math.inf, dtype)


_reduction("reduce_sum", _sum)
_reduction("reduce_prod", lambda x, axis: x.prod(axis=axis, dtype=x.dtype))
_reduction("reduce_max", _extreme(np.max, True))
_reduction("reduce_min", _extreme(np.min, False))
_reduction("reduce_and", np.logical_and.reduce)
_reduction("reduce_or", np.logical_or.reduce)
_reduction("reduce_xor", np.logical_xor.reduce)


def _arg(name: str, f: Callable[..., Any]) -> None:
    @rule(name)
    def find(x: Array, *, axes: Any, index_dtype: Any) -> Array:
        return np.asarray(f(x, axis=axes[0])).astype(index_dtype)


_arg("argmax", np.argmax)
_arg("argmin", np.argmin)


def _scan(name: str, f: Any) -> None:
    @rule(name)
    def accumulate(x: Array, *, axis: int, reverse: bool) -> Array:
        x = np.flip(x, axis) if reverse else x
        out = f.accumulate(x, axis=axis, dtype=x.dtype)
        return np.flip(out, axis) if reverse else out


_scan("cumsum", np.add)
_scan("cumprod", np.multiply)
_scan("cummax", np.maximum)
_scan("cummin", np.minimum)
_scan("cumlogsumexp", np.logaddexp)


@rule("dot_general")
def _dot_general(
    x: Array, y: Array, *, dimension_numbers: Any, preferred_element_type: Any = None, **params: Any
) -> Array:
    (xc, yc), (xb, yb) = dimension_numbers
    xf = [d for d in range(x.ndim) if d not in (*xc, *xb)]
    yf = [d for d in range(y.ndim) if d not in (*yc, *yb)]
    batch = [x.shape[d] for d in xb]
    rows, size, columns = (
        math.prod(a.shape[d] for d in dims) for a, dims in ((x, xf), (x, xc), (y, yf))
    )
    left = x.transpose((*xb, *xf, *xc)).reshape(*batch, rows, size)
    right = y.transpose((*yb, *yc, *yf)).reshape(*batch, size, columns)
    shape = (*batch, *(x.shape[d] for d in xf), *(y.shape[d] for d in yf))
    to = x.dtype if preferred_element_type is None else np.dtype(preferred_element_type)
    if not size:
        return np.broadcast_to(np.zeros((), to), shape).copy()
    return np.matmul(_wide(left), _wide(right)).reshape(shape).astype(to)  # type: ignore[no-any-return]


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype in (np.float16, ml_dtypes.bfloat16) else x


@rule("sort")
def _sort(*xs: Array, dimension: int, is_stable: bool, num_keys: int) -> Any:
    keys = [_sortable(x) for x in reversed(xs[:num_keys])]
    if num_keys == 1:
        order = np.argsort(keys[0], dimension, kind="stable")
    else:
        order = np.lexsort(keys, dimension)
    return tuple(np.take_along_axis(x, order, dimension) for x in xs)


def _sortable(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype.kind == "V" else x  # bfloat16 and kin


def _total_order(f: Any) -> Any:
    """Comparisons that place NaN after everything else and -0.0 before 0.0."""

    def compare(x: Array, y: Array) -> Array:
        def key(a: Array) -> tuple[Array, Array, Array]:
            zero = np.where(a == 0, np.copysign(1, a), 0) if a.dtype.kind == "f" else 0 * a
            return np.isnan(a), np.where(np.isnan(a), 0, a), zero

        (n, v, z), (m, w, u) = key(x), key(y)
        less = (n < m) | ((n == m) & ((v < w) | ((v == w) & (z < u))))
        return less if f == "lt" else less | ((n == m) & (v == w) & (z == u))  # type: ignore[no-any-return]

    return compare


_elementwise(lt_to=_total_order("lt"), le_to=_total_order("le"))


@rule("top_k")
def _top_k(x: Array, *, k: int, axis: int = -1, **params: Any) -> Any:
    keys = np.flip(_sortable(x), axis)
    order = x.shape[axis] - 1 - np.flip(np.argsort(keys, axis, kind="stable"), axis)
    order = np.take(order, range(k), axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int32)
