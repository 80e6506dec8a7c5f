"""A program that may never come again runs in NumPy: compiling it would take far longer.

Where a length changes at every step (an episode, a sequence that grows by a token), every step is a
program of its own. Once most new programs of a process have turned out to be of that kind, and for
long programs always, a new one is run op by op in NumPy; it is compiled when that has cost as much
as a compile does. Costs are counted in work, not in seconds, so a script goes the same way every
time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from . import host, stats
from .config import config
from .program import _PACKS, Program
from .signature import NUMBERS
from .value import Aval

RECENT = 8  # new programs that are looked back on
LONELY = 6  # of these, how many must have run FEW times at most to expect the same of the next
FEW = 8
LONG = 300  # instructions that take seconds to compile: these are tried in any case
# Microseconds, roughly, on one core.
PER_COMPILE, PER_INSTRUCTION = 100_000, 6_000  # XLA
PER_EQUATION, PER_ELEMENT = 3, 0.002  # NumPy
_recent: deque[Any] = deque(maxlen=RECENT)

Step = tuple[Callable[..., Any], list[Any], list[int]]


class Listing:
    """A program as calls of NumPy functions, and what one run costs."""

    __slots__ = ("cost", "spent", "steps", "until")

    def __init__(self, program: Program, keep: list[int]) -> None:
        last: dict[int, int] = dict.fromkeys(keep, -1)
        listing = list(program.instructions())
        for n, (_, operands) in enumerate(listing):
            for i in operands:
                if last.get(i) != -1:
                    last[i] = n
        self.steps: list[Step] = []
        self.cost, self.spent = 0.0, 0.0
        self.until = PER_COMPILE + PER_INSTRUCTION * len(listing)
        for n, (sig, operands) in enumerate(listing):
            function, equations, elements = host.translated(sig)
            self.cost += PER_EQUATION * (equations + 1) + PER_ELEMENT * elements
            if self.cost > self.until:
                raise host.Unsupported("it is too much work")
            ids = iter(operands)
            args = [next(ids) if isinstance(kind, Aval) else kind for kind in sig.flat]
            dead = [i for i in set(operands) if i >= 0 and last[i] == n]
            self.steps.append((function, args, dead))

    def run(self, program: Program, keep: list[int], arrays: list[Any]) -> list[Any]:
        """The results, as NumPy arrays of their own."""
        leaves = [np.asarray(a) for a in arrays]
        numbers = {t: iter(program.numbers[t]) for t in _PACKS}
        env: list[Any] = []
        with np.errstate(all="ignore"):
            for function, args, dead in self.steps:
                env += function(*[
                    (env[a] if a >= 0 else leaves[~a]) if type(a) is int
                    else np.asarray(next(numbers[a]), NUMBERS[a])
                    for a in args
                ])  # fmt: skip
                for i in dead:
                    env[i] = None
        self.spent += self.cost
        return [env[i] for i in keep]


def run(
    entry: Any, program: Program, keep: list[int], avals: list[Aval], arrays: list[Any]
) -> list[Any] | None:
    """The program's results without a compile; None where it is to be compiled."""
    if entry.listing is None:
        entry.listing = _expected_once(program) and _listing(program, keep)
        _recent.append(entry)
    listing = entry.listing
    if not listing or listing.spent > listing.until:
        entry.listing = False
        return None
    try:
        results = listing.run(program, keep, arrays)
    except host.Unsupported:
        entry.listing = False
        return None
    stats.counts["interpreted"] += 1
    return [_own(r, a.np) for r, a in zip(results, avals, strict=True)]


def _expected_once(program: Program) -> bool:
    place = program.place
    if config.once == "0" or place.sharding is not None or place.device.type != "cpu":
        return False
    return len(program.starts) >= LONG or sum(e.runs <= FEW for e in _recent) >= LONELY


def _listing(program: Program, keep: list[int]) -> Listing | bool:
    try:
        return Listing(program, keep)
    except host.Unsupported:
        return False


def _own(result: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array that shares no memory: a view would keep, or be, somebody else's."""
    array = np.asarray(result, dtype)
    return array if array.base is None and array.flags.c_contiguous else np.array(array, order="C")


def forget() -> None:
    """Begin to watch anew."""
    _recent.clear()
