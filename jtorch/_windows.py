"""Window functions as NumPy arrays in double precision: cosines, Kaiser, Gaussian and others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _span(count: int, symmetric: bool) -> int:
    """Sample distances in one period."""
    return count - 1 if symmetric else count


def cosines(count: int, symmetric: bool, coefficients: Sequence[float]) -> Array:
    """a0 - a1 cos(k) + a2 cos(2k) - ..."""
    if count <= 1:
        return np.ones(count)
    angle = np.arange(count) * (2 * math.pi / _span(count, symmetric))
    parts = [(-1) ** i * a * np.cos(i * angle) for i, a in enumerate(coefficients)]
    return np.sum(parts, axis=0)  # type: ignore[no-any-return]


def kaiser(count: int, symmetric: bool, beta: float) -> Array:
    """i0(beta sqrt(1 - t^2)) / i0(beta) for t from -1 to 1."""
    if count <= 1:
        return np.ones(count)
    t = np.minimum(-1 + np.arange(count) * (2 / _span(count, symmetric)), 1)
    return np.i0(beta * np.sqrt(1 - t * t)) / np.i0(beta)  # type: ignore[no-any-return]


def triangle(count: int, symmetric: bool) -> Array:
    """1 - |t| for t from -1 to 1."""
    if count <= 1:
        return np.ones(count)
    t = -1 + np.arange(count) * (2 / _span(count, symmetric))
    return 1 - np.abs(t)  # type: ignore[no-any-return]


def gaussian(count: int, symmetric: bool, std: float) -> Array:
    """exp(-(n - centre)^2 / (2 std^2))."""
    start = -(count if not symmetric and count > 1 else count - 1) / 2
    t = (start + np.arange(count)) / (std * math.sqrt(2))
    return np.exp(-(t**2))  # type: ignore[no-any-return]


def exponential(count: int, symmetric: bool, center: float | None, tau: float) -> Array:
    """exp(-|n - center| / tau)."""
    if center is None:
        center = (count if not symmetric and count > 1 else count - 1) / 2
    return np.exp(-np.abs(np.arange(count) - center) / tau)  # type: ignore[no-any-return]


def cosine(count: int, symmetric: bool) -> Array:
    """sin(pi (n + 1/2) / count), half a wave."""
    whole = count + 1 if not symmetric and count > 1 else max(count, 1)
    return np.sin((np.arange(count) + 0.5) * (math.pi / whole))  # type: ignore[no-any-return]
