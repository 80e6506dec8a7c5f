"""PyTorch's CPU samplers that reject: gamma, Dirichlet, Poisson and binomial, number for number.

They draw one element after the other, since how many numbers an element takes depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .mt19937 import Generator

Array = np.ndarray[Any, Any]


class _Stream:
    """Uniform and normal doubles from a generator, one at a time."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def uniform(self) -> float:
        return float(self.generator.uniform53(1)[0])

    def normal(self) -> float:
        """Box-Muller; its second number waits in the generator, as in torch."""
        kept = self.generator.take_normal()
        if kept is not None:
            return kept
        u1, u2 = self.uniform(), self.uniform()
        r = math.sqrt(-2.0 * math.log1p(-u2))
        theta = 2.0 * math.pi * u1
        self.generator.keep_normal(r * math.sin(theta))
        return r * math.cos(theta)


def _each(f: Callable[..., float], dtype: Any, *arrays: Array) -> Array:
    arrays = np.broadcast_arrays(*arrays)
    drawn = [f(*xs) for xs in zip(*(a.ravel() for a in arrays), strict=True)]
    with np.errstate(over="ignore"):
        return np.asarray(drawn, np.float64).astype(dtype).reshape(arrays[0].shape)


def standard_gamma(generator: Generator, alpha: Array) -> Array:
    """`torch._standard_gamma`: Marsaglia and Tsang (2000), alpha in its own dtype as in torch."""
    stream, kind = _Stream(generator), _wide(alpha.dtype)
    values = _each(lambda a: _gamma(stream, kind(a), kind), alpha.dtype, alpha)
    return np.maximum(values, np.finfo(alpha.dtype).tiny)  # type: ignore[no-any-return]


def _wide(dtype: Any) -> Any:
    return np.float64 if dtype == np.float64 else np.float32


def _gamma(stream: _Stream, alpha: Any, kind: Any) -> float:
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = (1 - stream.uniform()) ** float(kind(1) / alpha)
        alpha = kind(alpha + kind(1))
    d = float(kind(alpha - kind(np.float32(1) / np.float32(3))))
    c = 1 / math.sqrt(9 * d)
    squeeze = float(np.float32(0.0331))
    while True:
        x, y = _normal_above(stream, c)
        v, u, xx = y * y * y, 1 - stream.uniform(), x * x
        if u < 1 - squeeze * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
            return float(kind(scale * d * v))


def _normal_above(stream: _Stream, c: float) -> tuple[float, float]:
    while True:
        x = stream.normal()
        if 1 + c * x > 0:
            return x, 1 + c * x


def dirichlet(generator: Generator, alpha: Array) -> Array:
    """`torch._sample_dirichlet`: gammas in double, divided by their sum."""
    stream = _Stream(generator)
    gammas = _each(lambda a: _gamma(stream, np.float64(a), np.float64), np.float64, alpha)
    gammas = np.maximum(gammas, np.finfo(np.float64).tiny)
    values = gammas / gammas.sum(-1, keepdims=True)
    return np.maximum(values, np.finfo(alpha.dtype).tiny).astype(alpha.dtype)  # type: ignore[no-any-return]


def poisson(generator: Generator, rate: Array) -> Array:
    """`torch.poisson`."""
    stream = _Stream(generator)
    return _each(lambda r: _poisson(stream, float(r)), rate.dtype, rate)


def _poisson(stream: _Stream, rate: float) -> float:
    if rate == 0:
        return 0
    if rate >= 10:
        return _poisson_rejection(stream, rate)
    limit, count, product = math.exp(-rate), 0, 1.0
    while True:  # Knuth
        product *= stream.uniform()
        if product <= limit:
            return count
        count += 1


def _poisson_rejection(stream: _Stream, rate: float) -> float:
    """Transformed rejection, Hoermann (1993)."""
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = stream.uniform() - 0.5, stream.uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1):
            return k


def binomial(generator: Generator, count: Array, prob: Array) -> Array:
    """`torch.binomial`."""
    stream = _Stream(generator)
    return _each(lambda n, p: _binomial(stream, float(n), float(p)), count.dtype, count, prob)


def _binomial(stream: _Stream, count: float, prob: float) -> float:
    if count <= 0 or prob <= 0:
        return 0.0
    if prob >= 1:
        return count
    if math.isnan(prob):
        return math.nan
    if prob > 0.5:
        return count - _binomial_below_half(stream, count, 1 - prob)
    return _binomial_below_half(stream, count, prob)


def _binomial_below_half(stream: _Stream, count: float, prob: float) -> float:
    if count * prob >= 10:
        return _binomial_rejection(stream, count, prob)
    log_q, total, found = math.log1p(-prob), 0.0, 0.0
    while True:  # how many geometric gaps fit
        total += math.ceil(math.log(stream.uniform() or 5e-324) / log_q)
        if total > count:
            return found
        found += 1


_STIRLING = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: float) -> float:
    """log(k!) minus Stirling's formula."""
    if k <= 9:
        return _STIRLING[int(k)]
    square = (k + 1) ** 2
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _binomial_rejection(stream: _Stream, count: float, prob: float) -> float:
    """Transformed rejection, Hoermann (1993), BTRS."""
    deviation = math.sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    v_r, odds = 0.92 - 4.2 / b, prob / (1 - prob)
    alpha = (2.83 + 5.1 / b) * deviation
    m = math.floor((count + 1) * prob)
    while True:
        u, v = stream.uniform() - 0.5, stream.uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or k > count:
            continue
        bound = (m + 0.5) * math.log((m + 1) / (odds * (count - m + 1)))
        bound += (count + 1) * math.log((count - m + 1) / (count - k + 1))
        bound += (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
        bound += _stirling_tail(m) + _stirling_tail(count - m)
        bound -= _stirling_tail(k) + _stirling_tail(count - k)
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return k
