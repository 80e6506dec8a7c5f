"""The only caller of `jax.jit`: program key to executable, donation, filling values; eager mode."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import jax
import numpy as np

from . import host, once, stats
from .config import config
from .errors import execution_error
from .program import Program, pack
from .signature import NUMBERS, TABLE, Signature
from .value import Value

NOTICE_SECONDS = 2.0


class Entry:
    """All executables of one program structure.

    A number is a constant of the executable until it is seen to vary; from then on it is an input.
    So a varying number costs one more compile, once.
    """

    __slots__ = (
        "_split", "baseline", "compiled", "key", "line", "listing", "runs", "shapes", "used",
        "varies",
    )  # fmt: skip

    def __init__(self, key: Any, program: Program) -> None:
        self.key, self.runs, self.line = key, 0, stats.user_line()
        self.used = next(_clock)  # when it ran last
        self.baseline = pack(program.numbers)
        self.varies = _born_varying(program, self.baseline)
        self.compiled: Any = None
        self.shapes: Any = None  # of the leaves of its newest executable
        self.listing: Any = None  # its NumPy form (`once`), False when it has none
        self._split = self._fixed_and_varying()

    def _fixed_and_varying(self) -> list[tuple[type, Any, bytes, Any]]:
        """Per type of number: which are fixed, their bytes, and which vary (None: none)."""
        rows = []
        for t, mask in self.varies.items():
            fixed, varying = np.flatnonzero(~mask), np.flatnonzero(mask)
            was = self.baseline[t][fixed].tobytes()
            every: Any = varying if len(fixed) else ...
            rows.append((t, fixed, was, every if len(varying) else None))
        return rows

    def vectors(self, numbers: dict[type, list[Any]]) -> list[Any]:
        """The numbers that are inputs, a vector per type; one that was fixed and differs joins
        them.
        """
        while True:
            found = []
            for t, fixed, was, varying in self._split:
                now = np.array(numbers[t], NUMBERS[t])
                # bytewise: NaN equals itself, 0.0 differs from -0.0
                if was and now[fixed].tobytes() != was:
                    self._admit(t, now)
                    break
                if varying is not None:
                    found.append(now[varying])
            else:
                return found

    def _admit(self, t: type, now: Any) -> None:
        """Make inputs of the numbers that differ from those compiled in."""
        width = now.dtype.itemsize
        rows = (now.view(np.uint8), self.baseline[t].view(np.uint8))
        self.varies[t] |= (rows[0] != rows[1]).reshape(-1, width).any(1)
        self.compiled = None
        self._split = self._fixed_and_varying()


def _born_varying(program: Program, packs: dict[type, Any]) -> dict[type, Any]:
    masks = {t: np.zeros(len(p), bool) for t, p in packs.items()}
    used = dict.fromkeys(NUMBERS, 0)
    for sig, _ in program.instructions():
        for kind in sig.flat:
            if kind in used:
                if sig.op.dynamic:
                    masks[kind][used[kind]] = True
                used[kind] += 1
    return masks


class Plan:
    """How programs with one structure and one pattern of references run: found once, then looked
    up.
    """

    __slots__ = ("donated", "entry", "hosts", "order", "take")

    def __init__(
        self, entry: Entry, donated: tuple[int, ...], order: list[int], hosts: list[int]
    ) -> None:
        self.entry, self.donated, self.order, self.hosts = entry, donated, order, hosts
        # the outputs' values, in the order in which the executable returns them
        self.take = itemgetter(*order) if len(order) > 1 else lambda values: (values[order[0]],)


_entries: dict[Any, Entry] = {}
_plans: dict[Any, Plan] = {}
_clock = itertools.count()
# What is kept of a script whose every step is another program.
MOST_ENTRIES, MOST_PLANS, MOST_CODE = 1 << 11, 1 << 13, 1 << 21  # the last in words of code


def execute(program: Program) -> None:
    """Run a program and fill the values that Python still holds."""
    host.check_allowed("Running a program")
    values, arrays = program.results(), program.arrays()
    pattern = program.pattern(values, arrays)
    plan = _plans.get(pattern)
    if plan is None:
        # Nothing may hold what is to be overwritten; the results stay, or a garbage collection in
        # between could take one that only a cycle holds.
        del arrays
        live = program.live()
        if not live:
            stats.counts["dropped"] += 1
            return
        lean = program.without_dead(live)
        if lean is not program:
            del live, values
            execute(lean)
            return
        plan = _new_plan(program, live, pattern)
        del live
        arrays = program.arrays()
    if config.verify == "1":
        program.verify()
    entry = plan.entry
    vectors = entry.vectors(program.numbers)
    for i in plan.hosts:
        v = program.leaves[i]
        if i in plan.donated:
            materialise(v)
        arrays[i] = _ready(v)
    try:
        with jax.enable_x64(True):
            if entry.compiled is None:
                with _outside_traces():
                    avals = [v.aval for v in plan.take(values)]
                    results = once.run(entry, program, plan.order, avals, arrays)
                    if results is None:
                        results = _compile_and_run(entry, program, plan.order, vectors, arrays)
            else:
                results = entry.compiled(vectors, *arrays)
                if isinstance(results[0], jax.core.Tracer):  # asking first would cost as much
                    with _outside_traces():
                        results = entry.compiled(vectors, *arrays)
    except Exception as e:
        raise execution_error(e, program.lines, "") from e
    entry.runs += 1
    entry.used = next(_clock)
    stats.counts["runs"] += 1
    for v, array in zip(plan.take(values), results, strict=True):
        v.array = array
    program.done()


def _new_plan(program: Program, live: list[tuple[int, Value]], pattern: Any) -> Plan:
    donated = program.donatable(live)
    if donated:
        live = program.settled(live, donated)
    key = program.key(live, donated)
    entry = _entries.get(key)
    if entry is None:
        entry = _entries[key] = Entry(key, program)
        if len(_entries) > MOST_ENTRIES or sum([len(k[0]) for k in _entries]) > MOST_CODE:
            _evict()
    if len(_plans) >= MOST_PLANS:
        _plans.clear()
    hosts = [i for i, v in enumerate(program.leaves) if type(v.array) is np.ndarray]
    plan = _plans[pattern] = Plan(entry, donated, [i for i, _ in live], hosts)
    return plan


def _evict() -> None:
    """Drop the half of the programs that have not run for longest, and their executables."""
    oldest = sorted(_entries.values(), key=lambda e: e.used)[: len(_entries) // 2]
    for entry in oldest:
        del _entries[entry.key]
    gone = set(map(id, oldest))
    for pattern in [k for k, plan in _plans.items() if id(plan.entry) in gone]:
        del _plans[pattern]


def _ready(v: Value) -> Any:
    """The array of a leaf; host data that is read a second time moves to its device for good."""
    array = v.array
    if type(array) is np.ndarray:
        if v.moved is not None:
            return v.moved
        v.uses += 1
        if v.uses > 1 or v.aval.place.sharding is not None:
            array = v.moved = to_device(array, v.aval.place.sharding)
    return array


def materialise(v: Value) -> None:
    """Give host data a device array of its own, so that a program may overwrite it."""
    if type(v.array) is np.ndarray:
        host.check_allowed("Moving a tensor to a device")
        with jax.enable_x64(True):
            v.array = jax.device_put(v.array, v.aval.place.sharding, may_alias=False)
        v.moved = None


def to_device(array: Any, sharding: Any) -> Any:
    """A NumPy or JAX array on a device (None: JAX's default), 64-bit dtypes kept."""
    host.check_allowed("Moving a tensor to a device")
    with jax.enable_x64(True):
        return jax.device_put(array, sharding)


def _outside_traces() -> Any:
    """A program holds no tracer: when the user is tracing, run it now and not inside the trace."""
    return jax.core.eval_context()


def build(entry: Entry, program: Program, keep: list[int]) -> Any:
    """The program as a jitted function of (vectors of varying numbers, *leaves)."""
    places: dict[tuple[type, int], tuple[int, int]] = {}
    vector = 0
    for t, mask in entry.varies.items():
        if mask.any():
            for j, i in enumerate(np.flatnonzero(mask)):
                places[t, int(i)] = vector, j
            vector += 1
    constants = {t: p.tolist() for t, p in entry.baseline.items()}

    def run(vectors: Any, *leaves: Any) -> Any:
        def number(t: type, i: int) -> Any:
            at = places.get((t, i))
            return constants[t][i] if at is None else vectors[at[0]][at[1]]

        return program_fn(leaves, number)

    def program_fn(leaves: Any, number: Any) -> Any:
        return program.as_function(keep, number)(leaves)

    donated = tuple(i + 1 for i in entry.key[3])
    shardings = _input_shardings(entry.key[2])
    if shardings is None:
        return jax.jit(run, donate_argnums=donated)
    return jax.jit(run, donate_argnums=donated, in_shardings=(None, *shardings))


SMALL_INPUT = 1 << 16  # bytes


def _input_shardings(leaves: Any) -> Any:
    """With a mesh among the inputs: small inputs from one device go whole to every device.

    Left to itself XLA splits them, too, and then every sum over, say, the labels needs an
    all-reduce that the gradients wait for. Large ones are left to it.
    """
    meshes = [
        a.place.sharding for a in leaves if len(getattr(a.place.sharding, "device_set", ())) > 1
    ]
    if not meshes or not isinstance(meshes[0], jax.sharding.NamedSharding):
        return None
    whole = jax.sharding.NamedSharding(meshes[0].mesh, jax.sharding.PartitionSpec())
    return tuple(
        whole if a.place.sharding is None and a.nbytes <= SMALL_INPUT else a.place.sharding
        for a in leaves
    )


def _compile_and_run(
    entry: Entry, program: Program, keep: list[int], vectors: Any, arrays: Any
) -> Any:
    event = stats.Event("compile", _difference(entry), stats.user_line())
    with _notice(program, event.line), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some donated buffers were not usable")
        entry.compiled = build(entry, program.bare(), keep)
        results = entry.compiled(vectors, *arrays)
    event.seconds = time.perf_counter() - event.start
    stats.counts["compiles"] += 1
    stats.events.append(event)
    entry.runs = 0
    entry.shapes = [
        jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding if _committed(a) else None)
        for a in arrays
    ]
    return results


def _committed(array: Any) -> bool:
    return bool(getattr(array, "committed", False))


def hlo(entry: Entry) -> str:
    """The optimised HLO of an entry's newest executable (compiles it again: for tests and
    tools).
    """
    vectors = [p[entry.varies[t]] for t, p in entry.baseline.items() if entry.varies[t].any()]
    with jax.enable_x64(True):
        return str(entry.compiled.lower(vectors, *entry.shapes).compile().as_text())


def forget() -> None:
    """Drop every executable, eager ones included.

    Their machine code lies in memory maps, of which Linux gives a process 65,530: a process that
    compiles many thousand programs, as a long test run does, crashes in LLVM without this.
    """
    _entries.clear()
    _plans.clear()
    once.forget()
    for sig in TABLE:
        sig.eager = None
    jax.clear_caches()


def entries() -> list[Entry]:
    """Every cached program structure, oldest first."""
    return list(_entries.values())


def _difference(entry: Entry) -> str:
    """What sets this program apart from its nearest cached neighbour, in words."""
    if entry.runs:
        return "a number that had been constant varies: it is an input from now on"
    code, live, leaves, donated = entry.key
    others = [k for k in _entries if k is not entry.key]
    if not others:
        return "first program"

    def distance(k: Any) -> int:
        same = next((i for i, (a, b) in enumerate(zip(code, k[0], strict=False)) if a != b), None)
        return 10**6 if same is not None else abs(len(code) - len(k[0]))

    near = min(others, key=distance)
    if near[0] == code:
        if near[2] != leaves:
            return "another placement of inputs"
        if near[1] != live:
            return "other results are kept alive by Python"
        return "other inputs can be overwritten" if near[3] != donated else "same structure"
    size = len(entry.key[0])
    same_kind = [k for k in others if len(k[0]) == size]
    return "other shapes, dtypes or arguments" if same_kind else "a sequence of ops not seen before"


@contextlib.contextmanager
def _notice(program: Program, line: tuple[str, int]) -> Iterator[None]:
    """One line on a terminal when a compile takes long; nothing otherwise."""
    if config.notice == "0" or (config.notice == "auto" and not sys.stderr.isatty()):
        yield
        return
    text = f"jtorch: compiling {len(program.starts)} ops for {line[0]}:{line[1]} ...\n"
    timer = threading.Timer(NOTICE_SECONDS, lambda: sys.stderr.write(text))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run_eagerly(sig: Signature, flat: Any) -> list[Value]:
    """Run one op now, through its own small executable (JTORCH_EXECUTION=eager)."""
    if sig.eager is None:
        stats.counts["eager_compiles"] += 1
        sig.eager = jax.jit(sig.fn)
    args = [_ready(x) if isinstance(x, Value) else NUMBERS[type(x)].type(x) for x in flat]
    with jax.enable_x64(True), _outside_traces():
        if not sig.mask and sig.place.sharding is not None:
            with jax.default_device(next(iter(sig.place.sharding.device_set))):
                results = sig.eager(*args)
        else:
            results = sig.eager(*args)
    return [Value(a, r) for a, r in zip(sig.outs, results, strict=True)]


def run_traced(sig: Signature, flat: Any) -> list[Value]:
    """Apply one op at once to JAX tracers, as part of the user's own trace."""
    with jax.enable_x64(True):
        results = sig.fn(*(x.array if isinstance(x, Value) else x for x in flat))
    return [Value(a, r) for a, r in zip(sig.outs, results, strict=True)]
