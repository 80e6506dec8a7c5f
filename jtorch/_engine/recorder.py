"""Appends ops to the pending program and decides when it must run."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import jax

from . import cut, host, stats
from .config import config
from .device import META, TRACED
from .executor import execute, run_eagerly, run_traced
from .op import Op, Param, Role
from .program import Program
from .signature import TABLE, Signature, differentiable, lookup
from .value import Value

# One lock for all recording: threads have programs of their own, but may read each other's values.
_lock = threading.RLock()


class Region:
    """A region being recorded: its program, outside storages written, edges of captured values."""

    def __init__(self, place: Any) -> None:
        self.program = Program(place, sys.maxsize)
        self.writes: dict[int, tuple[Any, Value]] = {}
        self.edges: dict[int, Any] = {}
        self.stops: dict[int, tuple[Value, Value]] = {}

    def stopped(self, x: Value) -> Value:
        """A value of which JAX knows that no gradient flows through it."""
        if not differentiable(x.aval):
            return x
        found = self.stops.get(id(x))
        if found is None:
            sig = lookup(_STOP, (), (x.aval,))
            found = self.stops[id(x)] = (x, record(sig, [x])[0])
        return found[1]

    def undo(self) -> None:
        """Give outside storages back what they held."""
        for storage, before in self.writes.values():
            storage.value = before


class _Thread(threading.local):
    def __init__(self) -> None:
        self.pending: dict[str, Program] = {}  # by place key
        self.region: list[Region] = []  # regions being recorded, innermost last
        self.cutter = cut.Cutter()
        self.last: dict[str, Program] = {}  # the last program that ran, bare, by place key


_local = _Thread()
regions = 0  # regions being recorded, in all threads: most writes and ops ask no further


@contextlib.contextmanager
def region(place: Any) -> Iterator[Region]:
    """Record the ops of the `with` block as a region; on an error its writes are undone."""
    global regions
    new = Region(place)
    _local.region.append(new)
    regions += 1
    try:
        yield new
    except BaseException:
        new.undo()
        raise
    finally:
        regions -= 1
        _local.region.pop()


def in_region() -> bool:
    """Whether this thread records a region."""
    return bool(_local.region)


def note_write(storage: Any) -> None:
    """A storage is about to be written while some region is recorded: it keeps what it held."""
    if _local.region:
        _local.region[-1].writes.setdefault(id(storage), (storage, storage.value))


def region_operands(flat: Any, edges: Any) -> Any:
    """The operands of a tracked op, while some region is recorded: it keeps the edges of outside
    values.

    JAX differentiates a region as a whole: where the graph has no edge (`detach`, `no_grad`), a
    barrier tells JAX so.
    """
    if not _local.region:
        return flat
    here, found = _local.region[-1], list(flat)
    for i, (x, e) in enumerate(zip(flat, edges, strict=True)):
        if type(x) is not Value:
            continue
        if e is None:
            found[i] = here.stopped(x)
        elif not here.program.made(x):
            here.edges[id(x)] = e
    return found


_STOP = Op("stop_gradient", jax.lax.stop_gradient, (Param("x", Role.ARRAY),), namespaces=())


def _new(place: Any) -> Program:
    program = Program(place, _local.cutter.first_check())
    program.owner, program.foreign = _local.pending, _foreign
    program.last = _local.last.get(place.key)
    return program


def pending(place: Any) -> Program:
    """The program that ops on `place` are being appended to, in this thread."""
    if _local.region:
        return _local.region[-1].program
    found = _local.pending.get(place.key)
    if found is None:
        found = _local.pending[place.key] = _new(place)
    return found


def record(sig: Signature, flat: Any, grad: bool = False) -> list[Value]:
    """Append one instruction (or run it, in eager mode and on tracers); returns its results."""
    if sig.special or host.users or config.execution == "eager":
        done = _at_once(sig, flat)
        if done is not None:
            return done
    with _lock:
        local = _local
        if regions and local.region:
            program = local.region[-1].program
        else:
            found = local.pending.get(sig.place.key)
            program = pending(sig.place) if found is None else found
        results = program.emit(sig, flat, program.line or program.line_of(sig))
        if grad:
            program.grads = True
        if len(program.starts) >= program.next_check and not program.backward and not local.region:
            _consider_cut(program)
    return results


def _at_once(sig: Signature, flat: Any) -> list[Value] | None:
    """The results of an op that need not wait for others; None if it is to be recorded."""
    if sig.place is META:
        return [Value(a) for a in sig.outs]
    if sig.place is TRACED:
        return run_traced(sig, [_now(x) for x in flat])
    if _local.region:
        return None
    if host.users:
        ready = host.run(sig, flat)
        if ready is not None:
            return ready
    if sig.counts:
        known = host.counted(sig, flat)
        if known is not None:
            return known
    if config.execution != "eager":
        return None
    for x in flat:
        if type(x) is Value and x.array is None:
            concrete(x, "eager")
    stats.counts["ops"] += 1
    return run_eagerly(sig, flat)


def _now(x: Any) -> Any:
    if type(x) is Value and x.array is None:
        concrete(x, "jax tracing")
    return x


def _foreign(v: Value) -> None:
    """A pending value of another program is about to be read: it must be computed first."""
    _run_owner(v, "another thread or device reads it")


def _run_owner(v: Value, reason: str) -> None:
    program = v.program
    if program is None:
        return
    with _lock:
        if v.array is not None:
            return
        _local.cutter.restart()
        owner = program.owner
        if owner is not None and owner.get(program.place.key) is program:
            _flush(owner, program.place.key, reason)
            return
    raise RuntimeError(
        "This tensor was computed by a program that failed or inside a function being compiled "
        "(a region such as vmap, checkpoint or DataParallel): its value does not exist here."
    )


def _flush(pending_programs: dict[str, Program], key: str, reason: str) -> None:
    program = pending_programs.pop(key)
    start = time.perf_counter()
    trace = program.bare()
    try:
        execute(program)
    except KeyboardInterrupt:
        pending_programs[key] = program  # nothing ran: the work is still to be done
        raise
    if pending_programs is _local.pending:
        _local.last[key] = trace
    # an optimizer's step that ends by running what it recorded: the line is known
    last = TABLE[trace.code[trace.starts[-1]]] if trace.starts else None
    line = trace.lines[-1] if last is not None and last.op.dynamic else None
    stats.note_sync(reason, time.perf_counter() - start, line)


def _consider_cut(program: Program) -> None:
    _run_parts(program, *_local.cutter.consider(program))


def _run_parts(program: Program, rest: Program | None, ready: list[Program]) -> None:
    if not ready:
        return
    _local.pending[program.place.key] = rest if rest is not None else _new(program.place)
    for p in ready:
        stats.counts["cut"] += 1
        execute(p)


def backward_begins(seed: Value) -> Program:
    """No cut while a backward is being recorded; pass the result to `backward_ends`.

    seed: the cotangent it starts from; the one that `backward()` made itself has its line.
    """
    program = pending(seed.aval.place)
    own = program.starts and TABLE[program.code[program.starts[-1]]].op.name == "_ones_like"
    program.backward, program.line = True, program.lines[-1] if own else stats.user_line()
    return program


def backward_ends(program: Program) -> None:
    """The end of a backward is a natural place to cut a loop of gradient accumulation."""
    program.backward, program.line = False, None
    with _lock:
        if not _local.region and _local.pending.get(program.place.key) is program:
            _run_parts(program, *_local.cutter.backward_ended(program))


def after_fork() -> None:
    """Begin anew in a forked child: no other thread is left there to release the lock."""
    global _lock
    _lock = threading.RLock()


def flush(reason: str) -> None:
    """Run everything this thread has pending."""
    with _lock:
        for key in list(_local.pending):
            _flush(_local.pending, key, reason)
        _local.cutter.restart()


def concrete(v: Value, reason: str) -> Any:
    """The array of `v`, running its program if it has to; counts as a sync."""
    if v.array is None:
        if v.aval.place is META:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        if _local.region:
            raise RuntimeError(
                f"{reason}: the value of a tensor is asked for inside a function that is being "
                "compiled (a region such as vmap, checkpoint or DataParallel), where tensors "
                "have no "
                "values yet. Use torch.where or masks in place of Python control flow on values."
            )
        _run_owner(v, reason)
    return v.array
