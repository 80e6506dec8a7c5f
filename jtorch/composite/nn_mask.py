"""Where dropout masks come from: PyTorch's stream on the CPU, keys on accelerators and in regions.

The stream lives in the pending program: its words are an operand of each draw and a result of it,
so nothing waits. The generator is told how to get them back (`lend`): when the host needs numbers
it takes the newest words that exist and skips what was drawn since.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .._engine import recorder, rng
from .._engine.device import place_of
from .._engine.value import Value, from_array
from .._functions import derived
from .._gate import wrap


class _Lent:
    """The generator's words while programs hold them."""

    def __init__(self, words: Value) -> None:
        self.base = self.newest = words
        self.since = 0  # 32-bit draws between the two
        self.fetch: Callable[[], Any] = self._words

    def advance(self, words: Value, draws: int) -> None:
        """The words after some more draws."""
        if self.newest.array is not None:
            self.base, self.since = self.newest, 0
        self.newest = words
        self.since += draws

    def _words(self) -> Any:
        ready = self.newest if self.newest.array is not None else self.base
        words = np.asarray(ready.array)
        return words if ready is self.newest else _skipped(words, self.since)


def _skipped(words: Any, draws: int) -> Any:
    apart = rng.Generator()
    apart.set_words(words)
    apart._engine.random_raw(draws, output=False)
    return apart.words()


_lent: _Lent | None = None


def keep_mask(input: Any, p: float, shape: tuple[int, ...]) -> Any:
    """True with probability 1 - p, as a tensor where `input` lives; draws from the default
    generator.
    """
    place = input._value.aval.place
    if place is not place_of("cpu") or recorder._local.region:
        seed = int(rng.default_generator.draw32(1)[0])
        return derived["_keep_by_key"](input.detach(), seed, 1.0 - p, shape)
    threshold = rng.bernoulli_threshold(1.0 - p)
    keep, words = derived["_keep_by_stream"](wrap(_words()), threshold, shape)
    assert _lent is not None
    _lent.advance(words._value, 2 * prod(shape))
    return keep


def _words() -> Value:
    """The default generator's words, lent to the programs."""
    global _lent
    generator = rng.default_generator
    if _lent is None or generator._fetch is not _lent.fetch:
        _lent = _Lent(from_array(generator.words()))
        generator.lend(_lent.fetch)
    return _lent.newest
