"""The strong Wolfe line search of L-BFGS: bracket an acceptable step, then zoom in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

ARMIJO, CURVATURE = 1e-4, 0.9  # c1 and c2 of the Wolfe conditions


@dataclasses.dataclass
class Point:
    """A trial step: its length, and loss, gradient (a vector) and slope along the line there."""

    t: Any
    f: Any
    grad: Any
    slope: Any


Evaluate = Callable[[float], Point]


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """The minimum of the cubic through two points and their slopes, kept inside the bounds."""
    low, high = bounds if bounds is not None else ((a.t, b.t) if a.t <= b.t else (b.t, a.t))
    with np.errstate(all="ignore"):
        x1, f1, g1, x2, f2, g2 = map(np.float64, (a.t, a.f, a.slope, b.t, b.f, b.slope))
        d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
        square = d1**2 - g1 * g2
        if not square >= 0:
            return (low + high) / 2.0
        d2 = np.sqrt(square)
        if x1 <= x2:
            best = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
        else:
            best = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return float(min(max(best, low), high))


def strong_wolfe(
    evaluate: Evaluate, t: float, start: Point, largest: float, tolerance_change: float, max_ls: int
) -> tuple[Point, int]:
    """The accepted point and the number of evaluations.

    start: t = 0.  largest: the largest component of the direction, for the smallest useful bracket.
    """
    bracket, evaluations, done = _bracket(evaluate, t, start, max_ls)
    low, high = (0, 1) if bracket[0].f <= bracket[-1].f else (1, 0)
    stuck = False
    while not done and evaluations - 1 < max_ls:
        if abs(bracket[1].t - bracket[0].t) * largest < tolerance_change:
            break
        t = cubic_minimum(bracket[0], bracket[1])
        t, stuck = _inside(t, bracket, stuck)
        new = evaluate(t)
        evaluations += 1
        if new.f > start.f + ARMIJO * t * start.slope or new.f >= bracket[low].f:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
            continue
        if abs(new.slope) <= -CURVATURE * start.slope:
            done = True
        elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    return bracket[low], evaluations


def _bracket(
    evaluate: Evaluate, t: float, start: Point, max_ls: int
) -> tuple[list[Point], int, bool]:
    """Two points around an acceptable step, or one point that already is acceptable."""
    before, new = start, evaluate(t)
    iterations = 0
    while iterations < max_ls:
        worse = new.f > start.f + ARMIJO * new.t * start.slope
        if worse or (iterations > 1 and new.f >= before.f):
            return [before, new], iterations + 1, False
        if abs(new.slope) <= -CURVATURE * start.slope:
            return [new], iterations + 1, True
        if new.slope >= 0:
            return [before, new], iterations + 1, False
        bounds = new.t + 0.01 * (new.t - before.t), new.t * 10
        t = cubic_minimum(before, new, bounds)
        before, new = new, evaluate(t)
        iterations += 1
    return [start, new], iterations + 1, False


def _inside(t: float, bracket: list[Point], stuck: bool) -> tuple[float, bool]:
    """Keep away from the ends of the bracket when the last steps made too little progress."""
    ends = [p.t for p in bracket]
    least, most = min(ends), max(ends)
    margin = 0.1 * (most - least)
    if min(most - t, t - least) >= margin:
        return t, False
    if stuck or t >= most or t <= least:
        return (most - margin if abs(t - most) < abs(t - least) else least + margin), False
    return t, True
