"""PyTorch's CPU samplers of discrete distributions: random_, randperm, bernoulli_, multinomial."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from .mt19937 import Generator
from .rng_checks import (
    ALL_TYPES,
    BFLOAT16,
    BLOCK,
    BOOL,
    DOUBLE,
    FLOAT,
    FLOATING,
    HALF,
    LONG,
    Array,
    DType,
    Shape,
    largest_of,
    require,
    scalar_name,
    size,
    type_name,
)  # fmt: skip
from .rng_continuous import exponential

_LOWEST, _LARGEST = -(2**63), 2**63 - 1
_DIGITS = {HALF: 11, BFLOAT16: 8, FLOAT: 24, DOUBLE: 53}


# --- random_ --------------------------------------------------------------------------------------


def random(
    generator: Generator,
    shape: Shape,
    dtype: DType,
    low: int | None = None,
    high: int | None = None,
) -> Array:
    """`random_()`, `random_(low, None)` or `random_(low, high)`; `randint` is the last one."""
    dtype, count = np.dtype(dtype), size(shape)
    if low is None:
        draws = _random_default(generator, count, dtype)
    elif high is None and low == _LOWEST:
        draws = _random_full(generator, count, dtype)
    else:
        low, high = _bounds(dtype, low, high)
        if count == 0:
            return np.empty(shape, dtype)
        draws = _random_range(generator, count, dtype, low, high)
    return draws.reshape(shape)


def randint(generator: Generator, shape: Shape, dtype: DType, low: int, high: int) -> Array:
    """`torch.randint(low, high, shape)`."""
    return random(generator, shape, dtype, low, high)


def _random_range(
    generator: Generator, count: int, dtype: np.dtype[Any], low: int, high: int
) -> Array:
    """low + draw % (high - low); from a span of 2**28 on torch draws 64 bits, against the skew."""
    span = (high - low) % 2**64
    if span < 2**28:
        draws = _remainder(generator.draw32(count), np.uint32(span)).astype(np.uint64)
    else:
        draws = _remainder(generator.draw64(count), np.uint64(span))
    draws += np.uint64(low % 2**64)
    return _from_integers(draws.view(np.int64), dtype)


def _remainder(draws: Array, span: Any) -> Array:
    """draws % span, by the division that NumPy vectorises."""
    quotient = draws // span
    quotient *= span
    draws -= quotient
    return draws


def _random_full(generator: Generator, count: int, dtype: np.dtype[Any]) -> Array:
    if count == 0:
        return np.empty(0, dtype)
    kernel = "random_full_64_bits_range_kernel_cpu"
    require(dtype, [t for t in ALL_TYPES if t != HALF], kernel)
    if dtype not in (LONG, DOUBLE, FLOAT, BFLOAT16):
        raise RuntimeError(f"{kernel} handles only int64, double, float and bfloat16")
    return _from_integers(generator.draw64(count).view(np.int64), dtype)


def _random_default(generator: Generator, count: int, dtype: np.dtype[Any]) -> Array:
    """All of an integer type's values from 0 on, or a floating type's consecutive whole numbers."""
    if count == 0:
        return np.empty(0, dtype)
    require(dtype, (*ALL_TYPES, BOOL), "random_kernel_cpu")
    if dtype == BOOL:
        span = 2
    elif dtype in _DIGITS:
        span = 2 ** _DIGITS[dtype] + 1
    else:
        span = np.iinfo(dtype).max + 1
    wide = dtype in (DOUBLE, LONG)
    draws = generator.draw64(count) if wide else generator.draw32(count).astype(np.uint64)
    return _from_integers(_remainder(draws, np.uint64(span)).view(np.int64), dtype)


def _from_integers(values: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> Array:
    """C++'s conversions from int64: bool is "not zero", the half types go by way of float32."""
    if dtype in (HALF, BFLOAT16):
        return values.astype(np.float32).astype(dtype)
    return values.astype(dtype, copy=False)


def _bounds(dtype: np.dtype[Any], low: int, high: int | None) -> tuple[int, int]:
    """The interval [low, high) that torch samples from, after its checks."""
    low, last = _span_to(dtype, low, high) if high is not None else _span_up(dtype, low)
    _check_range(dtype, low, "from")
    _check_range(dtype, last, "to - 1")
    return low, last + 1


def _span_to(dtype: np.dtype[Any], low: int, high: int) -> tuple[int, int]:
    """First and last number of [low, high), as a floating type can hold them."""
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    _require_real(dtype, "check_random_bounds")
    if dtype in FLOATING:
        low, high = _inner_low(dtype, low), _inner_high(dtype, high)
        if low >= high:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    return low, high - 1


def _span_up(dtype: np.dtype[Any], low: int) -> tuple[int, int]:
    """`low` and the last number of the type: the last of the consecutive ones if it is floating."""
    _require_real(dtype, "random_from_to_impl")
    if dtype not in FLOATING:
        last = 1 if dtype == BOOL else int(np.iinfo(dtype).max)
        return low, -1 if last > _LARGEST else last  # torch keeps uint64's maximum in an int64
    low, last = _inner_low(dtype, low), 1 << _DIGITS[dtype]
    if low >= last:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to "
            f"dtype, but got from={low} > to_inc={last}"
        )
    return low, last


def _require_real(dtype: np.dtype[Any], where: str) -> None:
    if dtype not in FLOATING and dtype.kind not in "biu":
        raise RuntimeError(f"{where} handles only integral, floating-point and boolean types")


def _check_range(dtype: np.dtype[Any], value: int, name: str) -> None:
    if dtype in FLOATING:
        largest = int(largest_of(dtype))
        smallest = -largest
    elif dtype == BOOL:
        smallest, largest = 0, 1
    else:
        info = np.iinfo(dtype)
        smallest, largest = int(info.min), min(int(info.max), _LARGEST)
    if not smallest <= value <= largest:
        raise RuntimeError(f"{name} is out of bounds for {type_name(dtype)}")
    if dtype in FLOATING and abs(value) > 2 ** (digits := _DIGITS[dtype]):
        warnings.warn(
            f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
            f"{type_name(dtype)} can support discrete uniform distribution only within this range. "
            "This warning will become an error in version 1.7 release, please fix the code in "
            "advance",
            stacklevel=2,
        )


def _inner_low(dtype: np.dtype[Any], low: int) -> int:
    """The lower bound moved up to a number of the floating type, if rounding would go below it."""
    rounded = _round_trip(dtype, low + 1)
    if rounded >= low:
        return low
    return rounded + (1 << (abs(low + 1).bit_length() - _DIGITS[dtype]))


def _inner_high(dtype: np.dtype[Any], high: int) -> int:
    rounded = _round_trip(dtype, high - 1)
    if rounded < high:
        return high
    return rounded - (1 << (abs(high - 1).bit_length() - _DIGITS[dtype]))


def _round_trip(dtype: np.dtype[Any], value: int) -> int:
    """int64 to the floating type and back; what does not fit becomes the lowest, as on x86."""
    with np.errstate(over="ignore"):
        number = float(_from_integers(np.array([value], np.int64), dtype)[0])
    return int(number) if abs(number) < 2.0**63 else _LOWEST


# --- randperm -------------------------------------------------------------------------------------

_WIDE_PERMUTATION = (2**32 - 1) // 20


def randperm(generator: Generator, n: int, dtype: DType = np.int64) -> Array:
    """`torch.randperm(n)`: a Fisher-Yates shuffle, computed without a loop over the elements."""
    dtype = np.dtype(dtype)
    _check_permutation(n, dtype)
    if n >= _WIDE_PERMUTATION:
        raise NotImplementedError(
            f"randperm of {_WIDE_PERMUTATION} or more elements; shuffle in pieces, or sample "
            "indices with randint"
        )
    left = np.arange(n, 1, -1, dtype=np.uint32)  # how many elements step k may choose from
    choice = generator.draw32(len(left)) % left
    return _from_integers(_shuffle(choice.astype(np.int64)), dtype)[:n]


def _shuffle(choice: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """arange after swapping elements k and k + choice[k], for k = 0, 1, ...

    Step k puts the element that was in place k, call it v[k], into the place it chose. So v[k] is v
    of the last earlier step that chose k, or k if none did: a forest, whose roots pointer doubling
    finds. What step k takes is what the previous step with the same choice put there, or else the
    place's own number.
    """
    steps = np.arange(len(choice) + 1)
    place = np.append(choice, 0) + steps  # the last element stays
    source = steps.copy()
    moves = np.flatnonzero(place != steps)
    source[place[moves]] = moves  # of several steps with one choice the last stays, as in a loop
    active = np.flatnonzero(source != steps)
    while active.size:
        parent = source[active]
        further = source[parent]
        source[active] = further
        active = active[further != parent]
    before, after = _repeats(place)
    place[after] = source[before]
    return place


def _repeats(values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of neighbouring positions with the same value (both below 2**32)."""
    keys = values.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(len(values), dtype=np.uint64)
    keys.sort()
    same = np.flatnonzero((keys[1:] ^ keys[:-1]) < np.uint64(2**32))
    keys &= np.uint64(0xFFFFFFFF)
    position = keys.view(np.int64)
    return position[same], position[same + 1]


_FITTING = {HALF: (2049, "2049"), FLOAT: (2**24 + 1, "2^24+1"), DOUBLE: (2**53 + 1, "2^53+1")}
_C_NAMES = {"int32": "int", "int64": "int64_t"}


def _check_permutation(n: int, dtype: np.dtype[Any]) -> None:
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if dtype.kind in "iu" and n - 1 > np.iinfo(dtype).max:
        name = _C_NAMES.get(dtype.name, f"{dtype.name}_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    limit, text = _FITTING.get(dtype, (n, ""))
    if n > limit:
        raise RuntimeError(f"n cannot be greater than {text} for {scalar_name(dtype)} type.")
    require(dtype, ALL_TYPES, "randperm")


# --- Bernoulli ------------------------------------------------------------------------------------


def bernoulli(generator: Generator, shape: Shape, dtype: DType, p: float = 0.5) -> Array:
    """`bernoulli_(p)` with a number: 53 bits decide each element, whatever the dtype."""
    dtype, count = np.dtype(dtype), size(shape)
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    if count == 0:
        return np.empty(shape, dtype)
    require(dtype, (*ALL_TYPES, BOOL), "bernoulli_scalar_cpu_")
    return _below(generator, count, p).astype(dtype, copy=False).reshape(shape)


def dropout_mask(generator: Generator, shape: Shape, p: float) -> npt.NDArray[np.bool_]:
    """What dropout with probability `p` keeps; torch multiplies by it and divides by 1 - p.

    Like torch's, callers do not draw at all for p = 0, p = 1 or an empty input.
    """
    return bernoulli(generator, shape, np.bool_, 1.0 - p)


def bernoulli_threshold(p: float) -> int:
    """A 53-bit draw means success if it is below this number."""
    return math.ceil(math.ldexp(p, 53))


def _below(generator: Generator, count: int, p: float) -> npt.NDArray[np.bool_]:
    threshold = bernoulli_threshold(p)
    out = np.empty(count, np.bool_)
    for start in range(0, count, BLOCK):
        block = out[start : start + BLOCK]
        draws = generator.draw64(block.size)
        if threshold == 2**53:
            block[:] = True
            continue
        draws <<= np.uint64(11)  # drop the 11 bits that are not part of the uniform
        np.less(draws, np.uint64(threshold << 11), out=block)
    return out


def bernoulli_tensor(
    generator: Generator, p: Array, dtype: DType | None = None, shape: Shape | None = None
) -> Array:
    """`torch.bernoulli(p)`, or `x.bernoulli_(p)` for an x of the given dtype and shape."""
    dtype = np.dtype(p.dtype if dtype is None else dtype)
    shape = p.shape if shape is None else tuple(shape)
    if size(shape) == 0:
        return np.empty(shape, dtype)
    require(dtype, (*ALL_TYPES, BOOL), "bernoulli_tensor_cpu_self_")
    require(p.dtype, FLOATING, "bernoulli_tensor_cpu_p_")
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message "
            "be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    draw = generator.uniform53 if p.dtype == DOUBLE else generator.uniform24
    chance = p if p.dtype == DOUBLE else p.astype(np.float32, copy=False)
    success = draw(size(shape)).reshape(shape) < np.broadcast_to(chance, shape)
    return success.astype(dtype, copy=False)


# --- multinomial ----------------------------------------------------------------------------------


def multinomial(
    generator: Generator, weights: Array, count: int, replacement: bool = False
) -> npt.NDArray[np.int64]:
    """`torch.multinomial(weights, count, replacement)` for one row of weights or several.

    Differs from torch where two of the quotients that rank a draw without replacement are equal:
    torch's order is then that of C++'s unstable sort, here the smaller index comes first.
    """
    _check_multinomial(weights, count, replacement)
    shape = (*weights.shape[:-1], count)
    if size(shape) == 0:
        return np.empty(shape, np.int64)
    if replacement and count > 1:
        rows = [_by_cumulative(generator, row, count) for row in np.atleast_2d(weights)]
        return np.stack(rows).reshape(shape)
    if not (weights.max() < np.inf and weights.min() >= 0):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.astype(np.float64).sum(axis=-1) == 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    with np.errstate(all="ignore"):
        quotient = weights / exponential(generator, weights.shape, weights.dtype)
    if count == 1:
        best: npt.NDArray[np.int64] = quotient.argmax(axis=-1, keepdims=True)
        return best
    return np.argsort(-quotient, axis=-1, kind="stable")[..., :count]


def _by_cumulative(generator: Generator, weights: Array, count: int) -> npt.NDArray[np.intp]:
    """Draws with replacement: a search in the running sums, in float32 or double as in torch."""
    if not (weights >= 0).all():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
    if not np.isfinite(weights).all():
        raise RuntimeError(
            "invalid multinomial distribution (encountering probability entry = infinity or NaN)"
        )
    sums = np.cumsum(weights.astype(DOUBLE if weights.dtype == DOUBLE else FLOAT))
    if not sums[-1] > 0:
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    sums /= sums[-1]
    sums[-1] = 1
    return np.searchsorted(sums.astype(np.float64), generator.uniform53(count), side="left")


def _check_multinomial(weights: Array, count: int, replacement: bool) -> None:
    if not 0 < weights.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if weights.dtype not in FLOATING:
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{scalar_name(weights.dtype)}"
        )
    if count <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = weights.shape[-1]
    if not replacement and count > categories:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if categories > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    if categories == 0 and weights.size == 0 and size(weights.shape[:-1]) > 0:
        if count > 1:
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
