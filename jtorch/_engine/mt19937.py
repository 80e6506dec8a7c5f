"""PyTorch's CPU random engine: MT19937 draws, seeding, and the bytes of `torch.get_rng_state()`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

DEFAULT_SEED = 67280421310721  # what torch.Generator() starts from
WORDS = 624
STATE_BYTES = 5056

# CPUGeneratorImplState: a legacy struct with 64-bit state words, then the float cache. The unused
# fields and the padding are zero in every state that torch writes.
_LAYOUT = np.dtype(
    {
        "names": [
            "seed",
            "left",
            "seeded",
            "next",
            "state",
            "normal",
            "has_normal",
            "float_normal",
            "has_float",
        ],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", WORDS), "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": STATE_BYTES,
    }
)


class Generator:
    """A `torch.Generator` for the CPU: same seeds, same draws, same state bytes.

    NumPy's MT19937 is the engine: it seeds and twists as torch's does; its `pos` is torch's `next`.
    """

    __slots__ = ("_engine", "_fetch", "_float_normal", "_idle_next", "_next_normal", "_seed")

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._engine = np.random.MT19937(0)
        self.manual_seed(seed)

    device = "cpu"

    # --- seeding ----------------------------------------------------------------------------------

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream; negative seeds count from 2**64. Returns the generator."""
        self._seed = _unpack_seed(seed)
        self._engine._legacy_seeding(self._seed & 0xFFFFFFFF)
        self._idle_next: int | None = 0
        self._next_normal: float | None = None
        self._float_normal: float | None = None
        self._fetch: Callable[[], npt.NDArray[np.uint32]] | None = None
        return self

    def seed(self) -> int:
        """Restart the stream from the operating system's entropy; returns the 64-bit seed."""
        self.manual_seed(secrets.randbits(64))
        return self._seed

    def initial_seed(self) -> int:
        """The seed of the last `manual_seed`, `seed` or `set_state`."""
        return self._seed

    # --- draws ------------------------------------------------------------------------------------

    def random(self) -> int:
        """One 32-bit draw."""
        return int(self._ready().random_raw())

    def random64(self) -> int:
        """One 64-bit draw: two 32-bit draws, the high half first."""
        return self.random() << 32 | self.random()

    def draw32(self, count: int) -> npt.NDArray[np.uint32]:
        """`count` 32-bit draws."""
        return self._raw(count).astype(np.uint32)

    def draw64(self, count: int) -> npt.NDArray[np.uint64]:
        """`count` 64-bit draws."""
        halves = self._raw(2 * count)
        high = halves[0::2] << np.uint64(32)
        high |= halves[1::2]
        return high

    def uniform24(self, count: int) -> npt.NDArray[np.float32]:
        """`count` float32 in [0, 1): the low 24 bits of a 32-bit draw each."""
        draws = self._raw(count)
        draws &= np.uint64(0xFFFFFF)
        values = draws.astype(np.float32)
        values *= np.float32(2.0**-24)
        return values

    def uniform53(self, count: int) -> npt.NDArray[np.float64]:
        """`count` doubles in [0, 1): the low 53 bits of a 64-bit draw each."""
        draws = self.draw64(count)
        draws &= np.uint64(2**53 - 1)
        values = draws.astype(np.float64)
        values *= 2.0**-53
        return values

    def take_normal(self) -> float | None:
        """The cached half of a Box-Muller pair, removed from the cache."""
        value, self._next_normal = self._next_normal, None
        return value

    def keep_normal(self, value: float) -> None:
        """Cache the second half of a Box-Muller pair for the next call."""
        self._next_normal = value

    def _raw(self, count: int) -> npt.NDArray[np.uint64]:
        if count == 0:
            return np.empty(0, np.uint64)
        return self._ready().random_raw(count)

    def _ready(self) -> np.random.MT19937:
        """The engine, holding the current words and about to draw."""
        if self._fetch is not None:
            self.set_words(self._fetch())
        self._idle_next = None
        return self._engine

    # --- state ------------------------------------------------------------------------------------

    def get_state(self) -> npt.NDArray[np.uint8]:
        """The state as torch's 5056 bytes, a new array."""
        words = self.words()
        record = np.zeros((), _LAYOUT)
        position = int(words[WORDS])
        fresh = self._idle_next is not None
        record["seed"], record["seeded"], record["state"] = self._seed, 1, words[:WORDS]
        record["next"] = self._idle_next if fresh else position
        record["left"] = 1 if fresh else WORDS + 1 - position
        if self._next_normal is not None:
            record["normal"], record["has_normal"] = self._next_normal, 1
        if self._float_normal is not None:
            record["float_normal"], record["has_float"] = self._float_normal, 1
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def set_state(self, state: npt.NDArray[np.uint8]) -> Generator:
        """Continue from bytes that `get_state` here or in torch returned."""
        record = _unpack_state(state)
        left, position = int(record["left"]), int(record["next"])
        # torch twists once `left` runs out, whatever `next` says; before that, a `next` that
        # disagrees with `left` makes it read past the end of its array.
        idle = left == 1
        if not record["seeded"] or not 0 < left <= WORDS or position > WORDS:
            raise RuntimeError("Invalid mt19937 state")
        if not idle and left + position != WORDS + 1:
            raise RuntimeError("Invalid mt19937 state")
        words = np.append(record["state"].astype(np.uint32), np.uint32(WORDS if idle else position))
        self.set_words(words)
        self._seed = int(record["seed"])
        self._idle_next = position if idle else None
        self._next_normal = float(record["normal"]) if record["has_normal"] else None
        self._float_normal = float(record["float_normal"]) if record["has_float"] else None
        return self

    def clone_state(self) -> Generator:
        """A new generator that continues this one's stream on its own."""
        return Generator().set_state(self.get_state())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.get_state(),)

    def words(self) -> npt.NDArray[np.uint32]:
        """The bare engine: 624 state words, then how many of them are used up."""
        if self._fetch is not None:
            self.set_words(self._fetch())
        state: Any = self._engine.state["state"]
        return np.append(state["key"], np.uint32(state["pos"])).astype(np.uint32)

    def set_words(self, words: npt.NDArray[np.uint32]) -> None:
        """Continue from what `words` (or a compiled program that advanced them) returned."""
        key, position = np.asarray(words[:WORDS], np.uint32), int(words[WORDS])
        self._engine.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
        self._idle_next = None
        self._fetch = None

    def lend(self, fetch: Callable[[], npt.NDArray[np.uint32]]) -> None:
        """The words live in a program that draws; `fetch` brings them home when needed here."""
        self._fetch = fetch
        self._idle_next = None


def _restore(state: npt.NDArray[np.uint8]) -> Generator:
    return Generator().set_state(state)


def _unpack_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
    number = int(seed)
    if not -(2**63) <= number < 2**64:
        raise ValueError("Overflow when unpacking long long")
    return number & (2**64 - 1)


def _unpack_state(state: Any) -> Any:
    if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
        raise TypeError("RNG state must be a torch.ByteTensor")
    if state.size != STATE_BYTES:
        raise RuntimeError(
            f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG state "
            f"size to be {state.size}"
        )
    return np.frombuffer(np.ascontiguousarray(state).tobytes(), _LAYOUT)[0]
