"""PyTorch's CPU samplers of continuous distributions (and the geometric one), number for number.

Every function takes (generator, shape, dtype, parameters), draws in the order in which torch 2.13
fills a contiguous tensor, and raises what torch raises. The float32 normals are those of torch's
x86 builds (AVX2, AVX-512). Doubles go through the C library, as in torch: their last bit is the
machine's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import rng_kernels as kernels
from .errors import broadcast_shapes
from .mt19937 import Generator
from .rng_checks import (
    ALL_TYPES,
    BFLOAT16,
    BLOCK,
    DOUBLE,
    FLOATING,
    HALF,
    Array,
    DType,
    Shape,
    as_complex,
    largest_of,
    part,
    require,
    scalar_name,
    size,
    type_name,
)  # fmt: skip

# --- uniform --------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def uniform(
    generator: Generator, shape: Shape, dtype: DType, low: float = 0.0, high: float = 1.0
) -> Array:
    """`uniform_(low, high)`; the complex types sample both parts."""
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        if size(shape) == 0:
            return np.empty(shape, dtype)
        return as_complex(uniform(generator, (*shape, 2), part(dtype), low, high), dtype)
    low, high = _uniform_bounds(dtype, low, high)
    unit = (low, high) == (0.0, 1.0)
    if dtype == DOUBLE:
        values: Array = generator.uniform53(size(shape))
        if not unit:
            values = kernels.fma64(values, high - low, low)
    else:
        values = generator.uniform24(size(shape))
        if not unit:
            start, stop = np.float32(low), np.float32(high)
            values = kernels.fma32(values, stop - start, start)
        values = values.astype(dtype, copy=False)
    if not unit or dtype.itemsize == 2:
        first, last = (_rounded(x, dtype) for x in (low, high))
        values[values == last] = first  # a rounding to the excluded end becomes the included one
    return values.reshape(shape)


def _rounded(x: float, dtype: np.dtype[Any]) -> Any:
    """A number in a floating type, rounded to float32 on the way to a smaller one."""
    return x if dtype == DOUBLE else np.float32(x).astype(dtype)


def _uniform_bounds(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float]:
    require(dtype, FLOATING, "check_uniform_bounds")
    largest = largest_of(dtype)
    for name, value in (("from", low), ("to", high)):
        if not -largest <= value <= largest:
            raise RuntimeError(f"{name} is out of bounds for {type_name(dtype)}")
    if not low <= high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{scalar_name(dtype)}>::max(), but "
            f"found to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )
    return float(low), float(high)


# --- normal ---------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def normal(
    generator: Generator,
    shape: Shape,
    dtype: DType,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    contiguous: bool = True,
) -> Array:
    """`normal_(mean, std)`; torch fills a tensor that is not contiguous by another algorithm."""
    dtype = np.dtype(dtype)
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    count = size(shape)
    if count == 0:
        return np.empty(shape, dtype)
    if dtype.kind == "c":
        parts = normal(
            generator, (*shape, 2), part(dtype), mean, std / math.sqrt(2), contiguous=contiguous
        )
        return as_complex(parts, dtype)
    require(dtype, FLOATING, "normal_kernel_cpu")
    fill = _fill_normal if count >= 16 and contiguous else _serial_normal
    values = fill(generator, count, dtype, float(mean), float(std))
    return values.astype(dtype, copy=False).reshape(shape)


@np.errstate(all="ignore")
def normal_tensors(generator: Generator, mean: Array | float, std: Array | float) -> Array:
    """`torch.normal` with a tensor for either parameter, in the dtype of the first tensor."""
    if not isinstance(std, np.ndarray):
        assert isinstance(mean, np.ndarray)
        return _in_dtype(np.add, normal(generator, mean.shape, mean.dtype, 0.0, std), mean)
    if std.dtype.kind == "c":
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if std.size and not (std.min() >= 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    if not isinstance(mean, np.ndarray):
        mean = np.asarray(mean, std.dtype)
        shape, dtype = std.shape, std.dtype
    else:
        shape, dtype = broadcast_shapes(mean.shape, std.shape), mean.dtype
    sample = _in_dtype(np.multiply, normal(generator, shape, dtype), std)
    return _in_dtype(np.add, sample, mean)


def _in_dtype(function: np.ufunc, target: Array, other: Array) -> Array:
    """torch's in-place arithmetic: compute in the promoted type, store in the target's."""
    result: Array = function(target, other)
    return result.astype(target.dtype, copy=False)


def _fill_normal(
    generator: Generator, count: int, dtype: np.dtype[Any], mean: float, std: float
) -> Array:
    """Box-Muller over blocks of 16; for a partial block torch draws the last 16 elements again."""
    draw: Callable[[int], Array] = generator.uniform24
    transform: Callable[[Any], Array] = kernels.normals_f32
    if dtype == DOUBLE:
        draw, transform = generator.uniform53, kernels.normals_f64
    rest, full = count % 16, count - count % 16
    out = np.empty(count, np.float64 if dtype == DOUBLE else np.float32)
    for start in range(0, full, BLOCK):
        stop = min(start + BLOCK, full)
        uniforms = draw(stop - start)
        if rest and stop == full:
            if dtype.itemsize > 2:
                draw(rest)  # torch draws uniforms for every element first; the half types do not
            uniforms = np.concatenate([uniforms, draw(16)])
        values = _scale(transform(uniforms.reshape(-1, 16)).ravel(), mean, std)
        out[start:stop] = values[: stop - start]
    if rest:
        out[-16:] = values[-16:]
    return out


def _scale(values: Array, mean: float, std: float) -> Array:
    """values * std + mean with one rounding; adding a zero mean still turns -0 into 0."""
    if values.dtype == DOUBLE:
        return values + mean if std == 1 else kernels.fma64(values, std, mean)
    if std == 1:
        return values + np.float32(mean)
    return kernels.fma32(values, np.float32(std), np.float32(mean))


def _serial_normal(
    generator: Generator, count: int, dtype: np.dtype[Any], mean: float, std: float
) -> Array:
    normals = _SerialNormals(generator, count)

    def exact(index: Any) -> Array:
        return _scale_serial(normals.exact(index), mean, std)

    def approximate() -> tuple[Array, Array]:
        values = normals.approximate()
        return values * std + mean, kernels.MARGIN * (np.abs(values) * std + abs(mean))

    return kernels.sampled(count, exact, None if dtype == DOUBLE else approximate)


def _scale_serial(values: Array, mean: float, std: float) -> Array:
    return values if (mean, std) == (0.0, 1.0) else kernels.fma64(values, std, mean)


class _SerialNormals:
    """One standard normal after another in double, as torch makes few of them or a log-normal.

    A pair of uniforms gives a cosine and a sine; the generator keeps an unused sine for later.
    """

    def __init__(self, generator: Generator, count: int) -> None:
        kept = generator.take_normal()
        self._kept, self._count = kept, count
        # The kept sine counts as the second normal of a pair before the first one.
        self._skip = 0 if kept is None else 1
        pairs = (count - self._skip + 1) // 2
        uniforms = generator.uniform53(2 * pairs).reshape(-1, 2)
        if kept is not None:
            uniforms = np.vstack([np.zeros((1, 2)), uniforms])
        self._theta, self._minus_u = kernels.TWO_PI * uniforms[:, 0], -uniforms[:, 1]
        if (count + self._skip) % 2:
            generator.keep_normal(float(self._at(np.array([count + self._skip]))[0]))

    def exact(self, index: Any) -> Array:
        """The doubles at an index into the sequence."""
        return self._at(np.arange(self._skip, self._count + self._skip)[index])

    def _at(self, place: npt.NDArray[np.intp]) -> Array:
        row = place >> 1
        radius = np.sqrt(-2 * kernels.libm("log1p", self._minus_u[row]))
        theta = self._theta[row]
        values = radius * np.where(
            place & 1, kernels.libm("sin", theta), kernels.libm("cos", theta)
        )
        if self._kept is not None:
            values[place == 1] = self._kept
        return values

    def approximate(self) -> Array:
        """The whole sequence with NumPy's own functions."""
        radius = np.sqrt(-2 * np.log1p(self._minus_u))
        pairs = np.stack([radius * np.cos(self._theta), radius * np.sin(self._theta)], axis=1)
        values = pairs.ravel()[self._skip : self._skip + self._count]
        if self._kept is not None:
            values[0] = self._kept
        return values


# --- distributions by inversion -------------------------------------------------------------------


@np.errstate(all="ignore")
def log_normal(
    generator: Generator, shape: Shape, dtype: DType, mean: float = 1.0, std: float = 2.0
) -> Array:
    """`log_normal_(mean, std)`."""
    dtype, count = np.dtype(dtype), size(shape)
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if count == 0:
        return np.empty(shape, dtype)
    require(dtype, FLOATING, "log_normal_cpu")
    normals = _SerialNormals(generator, count)

    def exact(index: Any) -> Array:
        return kernels.libm("exp", _scale_serial(normals.exact(index), mean, std))

    def approximate() -> tuple[Array, Array]:
        values = normals.approximate()
        spread = np.abs(values) * std + abs(mean)
        result = np.exp(values * std + mean)
        return result, result * (kernels.MARGIN * (1 + spread))

    return _finish(
        kernels.sampled(count, exact, None if dtype == DOUBLE else approximate), shape, dtype
    )


@np.errstate(all="ignore")
def exponential(generator: Generator, shape: Shape, dtype: DType, lambd: float = 1.0) -> Array:
    """`exponential_(lambd)`."""
    dtype, count = np.dtype(dtype), size(shape)
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    if count == 0:
        return np.empty(shape, dtype)
    if dtype not in FLOATING:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {scalar_name(dtype)}"
        )
    minus_u = -generator.uniform53(count)
    scale = -1.0 / lambd

    def exact(index: Any) -> Array:
        return scale * kernels.libm("log1p", minus_u[index])

    def approximate() -> tuple[Array, Array]:
        result = scale * np.log1p(minus_u)
        return result, result * kernels.MARGIN

    return _finish(
        kernels.sampled(count, exact, None if dtype == DOUBLE else approximate), shape, dtype
    )


@np.errstate(all="ignore")
def cauchy(
    generator: Generator, shape: Shape, dtype: DType, median: float = 0.0, sigma: float = 1.0
) -> Array:
    """`cauchy_(median, sigma)`."""
    dtype, count = np.dtype(dtype), size(shape)
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if dtype not in FLOATING:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {type_name(dtype)}"
        )
    angle = math.pi * (generator.uniform53(count) - 0.5)

    def exact(index: Any) -> Array:
        return kernels.fma64(kernels.libm("tan", angle[index]), sigma, median)

    def approximate() -> tuple[Array, Array]:
        offset = sigma * np.tan(angle)
        return median + offset, kernels.MARGIN * (np.abs(offset) + abs(median))

    return _finish(
        kernels.sampled(count, exact, None if dtype == DOUBLE else approximate), shape, dtype
    )


@np.errstate(all="ignore")
def geometric(generator: Generator, shape: Shape, dtype: DType, p: float) -> Array:
    """`geometric_(p)`: whole numbers, in any real dtype but bool."""
    dtype, count = np.dtype(dtype), size(shape)
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if count == 0:
        return np.empty(shape, dtype)
    require(dtype, ALL_TYPES, "geometric_cpu")
    u, scale = generator.uniform53(count), math.log1p(-p)
    trials = np.log(u) / scale
    low, high = np.ceil(trials * (1 - kernels.MARGIN)), np.ceil(trials * (1 + kernels.MARGIN))
    unsure = np.flatnonzero((low != high) & (u > 0))
    low[unsure] = np.ceil(kernels.libm("log", u[unsure]) / scale)
    return _finish(low, shape, dtype)


def _finish(values: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Doubles in another dtype: half types by way of float32, integers as x86 converts them."""
    if dtype in (HALF, BFLOAT16):
        values = values.astype(np.float32, copy=False)
    if dtype.kind in "iu":
        values = _truncated(values, 63 if dtype.itemsize == 8 else 31)
    return values.astype(dtype, copy=False).reshape(shape)


def _truncated(values: Array, bits: int) -> npt.NDArray[np.int64]:
    fits = np.abs(values) < 2.0**bits
    return np.where(fits, np.where(fits, values, 0).astype(np.int64), -(2**bits))
