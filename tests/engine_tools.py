"""Counting what the engine does: shared by the tests of compile counts, bytes and programs."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from types import SimpleNamespace

import jax

from jtorch._engine import executor, recorder, stats


@contextlib.contextmanager
def fresh_engine() -> Iterator[None]:
    """Run what is pending and forget every compiled program, so that counts start from nothing."""
    recorder.flush("test")
    executor._entries.clear()
    recorder._local.cutter.__init__()
    yield
    recorder.flush("test")


@contextlib.contextmanager
def counted() -> Iterator[SimpleNamespace]:
    """Counters of the block: compiles, runs, flushes (filled in at its end)."""
    before = dict(stats.counts)
    seen = SimpleNamespace(compiles=0, runs=0, flush=0, cut=0)
    try:
        yield seen
    finally:
        for name in vars(seen):
            setattr(seen, name, stats.counts[name] - before.get(name, 0))


def live_bytes() -> int:
    """Bytes of all arrays that JAX holds alive, each buffer once."""
    gc.collect()
    seen = {}
    for array in jax.live_arrays():
        for shard in array.addressable_shards:
            seen[shard.data.unsafe_buffer_pointer()] = shard.data.nbytes
    return sum(seen.values())


def pending_length() -> int:
    """Instructions in the pending program of this thread."""
    return sum(len(p.starts) for p in recorder._local.pending.values())
