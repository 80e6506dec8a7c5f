"""The arithmetic of PyTorch's CPU samplers in NumPy, rounding for rounding."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

TWO_PI = 2 * math.pi
_BLOCK = 1 << 15  # elements per pass, so that doubles of them stay in the cache
_SMALL = 64  # below this the exact functions are as fast as NumPy's
MARGIN = (
    16 * 2.0**-53
)  # relative; NumPy's vector functions stay within 4 ulp, the C library's within 1


# --- the C library's functions --------------------------------------------------------------------


def libm(name: str, x: F64) -> F64:
    """The C library's function, which torch calls, of every element.

    NumPy's loop does it where NumPy has no vector version of its own; those differ in the last bit.
    """
    if x.size > _SMALL and _is_libm(name):
        result: F64 = getattr(np, name)(x)
        return result
    return np.fromiter(map(_FUNCTIONS[name], x.tolist()), np.float64, x.size)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "log": math.log, "log1p": math.log1p, "exp": _exp, "sin": math.sin, "cos": math.cos,
    "tan": math.tan,
}  # fmt: skip
_DOMAIN = {"log": (1e-9, 1.0), "log1p": (-1 + 1e-9, 0.0), "exp": (-9.0, 9.0), "sin": (0.0, TWO_PI),
           "cos": (0.0, TWO_PI), "tan": (-1.57, 1.57)}  # fmt: skip


@functools.cache
def _is_libm(name: str) -> bool:
    """Whether NumPy's loop gives the bits of `math`'s function at 20,000 points."""
    x = np.linspace(*_DOMAIN[name], 20_000)
    exact = np.fromiter(map(_FUNCTIONS[name], x.tolist()), np.float64, x.size)
    return bool(np.array_equal(getattr(np, name)(x), exact))


def sampled(
    count: int, exact: Callable[[Any], F64], approximate: Callable[[], tuple[F64, F64]] | None
) -> F32 | F64:
    """`count` samples that torch computes in double: all of them, or their float32 roundings.

    `exact(indices)` are the doubles; they are returned if `approximate` is None. Else
    `approximate()` gives approximations with bounds on their errors, and only the elements whose
    bound straddles a rounding boundary of float32 (one in 2**24 or so) are computed exactly.
    """
    if approximate is None:
        return exact(slice(None))
    if count <= _SMALL:
        return exact(slice(None)).astype(np.float32)
    with np.errstate(all="ignore"):
        value, error = approximate()
        low, high = (value - error).astype(np.float32), (value + error).astype(np.float32)
    unsure = np.flatnonzero(low.view(np.int32) != high.view(np.int32))
    if unsure.size:
        low[unsure] = exact(unsure)
    return low


# --- fused multiply-add ---------------------------------------------------------------------------


def fma32(a: F32, b: np.float32, c: np.float32) -> F32:
    """a * b + c rounded once to float32."""
    out = np.empty_like(a)
    for start in range(0, a.size, _BLOCK):
        out[start : start + _BLOCK] = _fma32(a[start : start + _BLOCK], b, c)
    return out


def _fma32(a: F32, b: np.float32, c: np.float32) -> F32:
    product = a.astype(np.float64) * np.float64(b)  # exact: 48 bits
    total = product + np.float64(c)
    # Rounding to double and then to float32 goes wrong only where the double lands on the midpoint
    # of two float32 without being the exact sum: push it off, to the side of the error.
    tied = np.flatnonzero((total.view(np.int64) & 0x1FFFFFFF) == 0x10000000)
    if tied.size:
        part, whole = product[tied], total[tied]
        error = _sum_error(part, np.full_like(part, c), whole)
        toward = np.copysign(np.inf, error)
        total[tied] = np.where(error == 0, whole, np.nextafter(whole, toward))
    return total.astype(np.float32)


def fma64(a: F64, b: float, c: float) -> F64:
    """a * b + c rounded once to double, unless a term comes near the smallest numbers."""
    if max(abs(b), abs(c)) > 2.0**500:  # too large to be split below
        return fma64(a, b * 2.0**-600, c * 2.0**-600) * 2.0**600
    high = a * b
    low = _product_error(a, np.full_like(a, b), high)
    addend = np.full_like(a, c)
    total = high + addend
    error = _sum_error(high, addend, total)
    # total + error + low, summed with one rounding: round error + low to odd (Boldo and Melquiond).
    rest = error + low
    lost = _sum_error(error, low, rest)
    odd = rest.view(np.int64)
    even_inexact = ((odd & 1) == 0) & (lost != 0)
    rest = np.where(even_inexact, np.nextafter(rest, np.copysign(np.inf, lost)), rest)
    return total + rest


def _sum_error(a: F64, b: F64, total: F64) -> F64:
    """a + b - total, exactly (Knuth)."""
    from_b = total - a
    return (a - (total - from_b)) + (b - from_b)


def _split(a: F64) -> tuple[F64, F64]:
    scaled = a * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def _product_error(a: F64, b: F64, product: F64) -> F64:
    """a * b - product, exactly (Dekker)."""
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


# --- the Box-Muller transform of float32 blocks ---------------------------------------------------


def _single(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(x)) for x in values)


class CEPHES:
    """The constants of Cephes' logf, sinf and cosf, as the doubles that their float32 are."""

    (sqrt_half,) = _single(0.707106781186547524)
    log = _single(
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )  # fmt: skip
    ln2_low, ln2_high = _single(-2.12194440e-4, 0.693359375)
    (four_over_pi,) = _single(1.27323954473516)
    quarter_pi = _single(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
    sin = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
    cos = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


class BoxMuller:
    """Pairs of standard normals from pairs of float32 uniforms, as torch's AVX2 kernel rounds them.

    That kernel uses Cephes' logf and sincosf (avx_mathfun.h), which its compiler turned into fused
    multiply-adds. Here the values live in doubles and are rounded to float32 wherever torch rounds:
    the product of two float32 is exact in a double, so "multiply, add, round" is a fused
    multiply-add that rounds twice. Both functions take only 2**24 different arguments, and for
    every one of them that gave the same result as a processor's own fused multiply-add.

    The temporaries are allocated once: the allocator would hand pages back after every operation.
    """

    PAIRS = 1 << 14  # few enough for the temporaries to stay near the processor

    def __init__(self, pairs: int) -> None:
        self._doubles = np.empty((5, min(pairs, self.PAIRS)))
        self._singles = np.empty((5, min(pairs, self.PAIRS)), np.float32)

    def __call__(self, u1: F32, u2: F32) -> tuple[F32, F32]:
        """Normals of at most `PAIRS` pairs of uniforms in [0, 1); the next call overwrites them."""
        self._double, self._single = self._doubles[:, : u1.size], self._singles[:, : u1.size]
        radius, theta = self._single[:2]
        np.subtract(np.float32(1), u1, out=radius)
        log = self._log(radius)
        log *= -2.0
        np.copyto(radius, log, casting="same_kind")
        np.sqrt(radius, out=radius)
        np.multiply(np.float32(TWO_PI), u2, out=theta)
        sin, cos = self._sincos(theta)
        sin *= radius
        cos *= radius
        return cos, sin

    def _round(self, x: F64) -> F64:
        half = self._single[4]
        np.copyto(half, x, casting="same_kind")
        np.copyto(x, half)
        return x

    def _product(self, a: F64, b: F64 | float, out: F64) -> F64:
        return self._round(np.multiply(a, b, out=out))

    def _fma(self, a: F64, b: F64 | float, c: F64 | float, out: F64) -> F64:
        np.multiply(a, b, out=out)
        out += c
        return self._round(out)

    def _log(self, x: F32) -> F64:
        """Logarithms of normal positive numbers, which are overwritten."""
        exponent, m, square, y, low = self._double
        bits, power = x.view(np.int32), self._single[1].view(np.int32)
        np.right_shift(bits, 23, out=power)
        bits &= 0x7FFFFF
        bits |= 0x3F000000  # x is now its fraction, in [0.5, 1)
        small = x < np.float32(CEPHES.sqrt_half)
        power -= 126
        power -= small
        np.copyto(exponent, power)
        x += np.multiply(x, small, out=self._single[2])
        x -= np.float32(1)
        np.copyto(m, x)
        self._product(m, m, square)
        self._fma(m, CEPHES.log[0], CEPHES.log[1], y)
        for coefficient in CEPHES.log[2:]:
            self._fma(y, m, coefficient, y)
        self._product(y, m, y)
        self._fma(y, square, self._product(exponent, CEPHES.ln2_low, low), y)
        self._fma(square, -0.5, y, square)
        square += m
        return self._fma(exponent, CEPHES.ln2_high, self._round(square), exponent)

    def _sincos(self, x: F32) -> tuple[F32, F32]:
        """Sines and cosines of angles from 0 to 2 pi, which are overwritten."""
        rest, spare, square, sine, cosine = self._double
        octant = self._single[2].view(np.int32)
        np.copyto(
            octant,
            np.multiply(x, np.float32(CEPHES.four_over_pi), out=self._single[3]),
            casting="unsafe",
        )
        octant += 1
        octant &= -2
        np.copyto(square, octant)
        np.copyto(rest, x)
        for part in CEPHES.quarter_pi:
            rest, spare = self._fma(square, part, rest, spare), rest
        self._product(rest, rest, square)
        self._fma(square, CEPHES.cos[0], CEPHES.cos[1], cosine)
        self._product(self._fma(cosine, square, CEPHES.cos[2], cosine), square, cosine)
        self._fma(cosine, square, np.multiply(square, -0.5, out=spare), cosine)
        cosine += 1.0
        self._fma(square, CEPHES.sin[0], CEPHES.sin[1], sine)
        self._product(self._fma(sine, square, CEPHES.sin[2], sine), square, sine)
        sine *= rest
        sine += rest
        return self._by_octant(octant, sine, cosine)

    def _by_octant(self, octant: npt.NDArray[np.int32], sine: F64, cosine: F64) -> tuple[F32, F32]:
        """Swap and negate the polynomials, on the bits: masked NumPy calls are ten times slower."""
        sin, cos = self._single[1], self._single[3]
        np.copyto(sin, sine, casting="same_kind")
        np.copyto(cos, cosine, casting="same_kind")
        a, b, swap = sin.view(np.int32), cos.view(np.int32), self._single[4].view(np.int32)
        np.left_shift(octant, 30, out=swap)
        swap >>= 31  # all ones where bit 1 of the octant is set
        swap &= a ^ b
        a ^= swap
        b ^= swap
        a ^= np.left_shift(np.bitwise_and(octant, 4, out=swap), 29, out=swap)
        octant += 2
        octant &= 4
        octant <<= 29
        b ^= octant
        return sin, cos


def normals_f32(uniforms: F32) -> F32:
    """Standard normals of rows of 16 uniforms: element j pairs with element j + 8."""
    out = np.empty_like(uniforms)
    rows = BoxMuller.PAIRS // 8
    transform = BoxMuller(uniforms.size // 2)
    for start in range(0, len(out), rows):
        block, target = uniforms[start : start + rows], out[start : start + rows]
        cos, sin = transform(block[:, :8].ravel(), block[:, 8:].ravel())
        target[:, :8], target[:, 8:] = cos.reshape(-1, 8), sin.reshape(-1, 8)
    return out


def normals_f64(uniforms: F64) -> F64:
    """The same in double, where torch uses the C library."""
    u1, u2 = uniforms[:, :8].ravel(), uniforms[:, 8:].ravel()
    radius = np.sqrt(-2 * libm("log", 1 - u1))
    theta = TWO_PI * u2
    halves = [(radius * libm(name, theta)).reshape(-1, 8) for name in ("cos", "sin")]
    return np.concatenate(halves, axis=1)
