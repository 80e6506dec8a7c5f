"""`Program`: the instructions recorded since the last run, in a form that is its own cache key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from operator import attrgetter, call
from typing import Any
from weakref import ref

import numpy as np

from .signature import NUMBERS, TABLE, Signature
from .stats import user_line
from .value import Aval, Value, pending_values

# References to a leaf's Value and array while `donatable` looks at them and nobody else holds them:
# the leaves list, the loop variable, getrefcount's argument; then the slot and the argument.
_VALUE_REFS, _ARRAY_REFS = 3, 2
_ARRAY, _AVAL = attrgetter("array"), attrgetter("aval")
_new: Any = object.__new__  # a Value is made for every result: without a call of `__init__`
LEAF_BYTES = 256 << 20  # host data a pending program may keep alive before it is looked at
_PACKS: tuple[type, ...] = (bool, int, float, complex)


class Program:
    """A straight line of instructions.

    `code` holds, per instruction, the signature's id and its array operands: results of the program
    are numbered 0, 1, ..., leaves ~0, ~1, ...  Numbers are not in `code`: each signature knows how
    many of which type it takes, and takes them from `numbers` in order.
    """

    __slots__ = (
        "backward", "code", "foreign", "grads", "last", "leaf_bytes", "leaf_index", "leaves",
        "line", "lines", "mark", "next_check", "numbers", "outs", "owner", "place", "starts",
        "tape",
    )  # fmt: skip

    def __init__(self, place: Any, next_check: int) -> None:
        self.place, self.next_check = place, next_check
        # the pending programs of the thread it is one of, and what computes those of others
        self.owner: dict[str, Program] | None = None
        self.foreign: Callable[[Value], None] | None = None
        self.code: list[int] = []
        self.starts: list[int] = []
        self.lines: list[Any] = []
        self.leaves: list[Value] = []
        self.leaf_index: dict[int, int] = {}
        self.leaf_bytes = 0
        self.numbers: dict[type, list[Any]] = {t: [] for t in _PACKS}
        self.outs: list[Callable[[], Value | None]] = []  # weak references
        self.tape: list[Any] = []  # the grad nodes of its instructions, weak references
        self.grads = False  # whether ops were recorded for a gradient since the last backward
        self.mark = 0  # instructions up to the last end of a backward
        self.backward = False
        self.line: Any = None  # the user's line, while a backward is being recorded
        self.last: Program | None = None  # a bare program that began at the same line, if any

    def leaf(self, v: Value) -> int:
        """The number of a value from elsewhere, which becomes a leaf."""
        array, other = v.array, v.program
        if array is None or (other is not None and other.leaves):
            return self._known_leaf(v)
        leaves = self.leaves
        v.program, v.slot = self, ~len(leaves)
        leaves.append(v)
        if type(array) is np.ndarray:
            self._hold(v.aval.nbytes)
        return v.slot

    def _known_leaf(self, v: Value) -> int:
        """The same for a value that is pending, or that another program which has not run yet
        has read or made: it may be one of the leaves already.
        """
        if v.array is None and self.foreign is not None:
            self.foreign(v)
        index, leaves = self.leaf_index, self.leaves
        for i in range(len(index), len(leaves)):
            index[id(leaves[i])] = ~i
        number = index.get(id(v))
        if number is None:
            number = index[id(v)] = ~len(leaves)
            leaves.append(v)
            if type(v.array) is np.ndarray:
                self._hold(v.aval.nbytes)
        if v.array is not None:  # a pending one must still say who computes it
            v.program, v.slot = self, number
        return number

    def _hold(self, nbytes: int) -> None:
        """Count the host data that the program keeps alive."""
        self.leaf_bytes += nbytes
        if self.leaf_bytes > LEAF_BYTES:
            self.next_check = min(self.next_check, len(self.starts))

    def made(self, v: Value) -> bool:
        """Whether `v` is a result of this program."""
        return v.program is self and v.slot >= 0

    def emit(self, sig: Signature, flat: Any, line: Any) -> list[Value]:
        """Append one instruction; returns its pending results."""
        # operands first: a foreign one may fail to be computed, then nothing has been appended
        operands = []
        for x in flat:
            if type(x) is Value:
                operands.append(x.slot if x.program is self else self.leaf(x))
        if sig.numbers:
            numbers = self.numbers
            for x in flat:
                if type(x) is not Value:
                    numbers[type(x)].append(x)
        code, outs, kinds = self.code, self.outs, sig.outs
        self.starts.append(len(code))
        self.lines.append(line)
        code.append(sig.id)
        code += operands
        if len(kinds) == 1:
            v = _new(Value)
            v.aval, v.array, v.program, v.slot = kinds[0], None, self, len(outs)
            outs.append(ref(v))
            return [v]
        results = pending_values(sig.outs, self, len(outs))
        outs += map(ref, results)
        return results

    def results(self) -> list[Value | None]:
        """Each result that Python still holds, None for the others."""
        return list(map(call, self.outs))

    def arrays(self) -> list[Any]:
        """The leaves' arrays."""
        return list(map(_ARRAY, self.leaves))

    def pattern(self, values: list[Value | None], arrays: list[Any]) -> tuple[Any, ...]:
        """All that decides which executable runs and which buffers it may overwrite.

        The reference counts say who else holds a leaf or its array.
        """
        leaves = self.leaves
        return (
            tuple(self.code),
            tuple(map(bool, values)),
            tuple(map(_AVAL, leaves)),
            tuple(map(sys.getrefcount, leaves)),
            tuple(map(sys.getrefcount, arrays)),
            tuple(map(type, arrays)),
        )

    def done(self) -> None:
        """Let go of everything, as values may hold on to the program that made or read them."""
        self.leaves, self.leaf_index, self.outs = [], {}, []
        self.code, self.starts, self.lines, self.tape = [], [], [], []
        self.last = self.owner = None

    def live(self) -> list[tuple[int, Value]]:
        """The results Python still holds: the program's outputs."""
        return [(i, v) for i, r in enumerate(self.outs) if (v := r()) is not None]

    def donatable(self, live: list[tuple[int, Value]]) -> tuple[int, ...]:
        """Leaves nobody will read again whose memory an output of the same kind can take over."""
        room: dict[Aval, int] = {}
        for _, out in live:
            room[out.aval] = room.get(out.aval, 0) + 1
        found = []
        for i in range(len(self.leaves)):  # not enumerate, which would hold a reference more
            leaf = self.leaves[i]
            if room.get(leaf.aval, 0) and sys.getrefcount(leaf) == _VALUE_REFS:
                host = type(leaf.array) is np.ndarray  # it will get a device array of its own
                if host or sys.getrefcount(leaf.array) == _ARRAY_REFS:
                    room[leaf.aval] -= 1
                    found.append(i)
        return tuple(found)

    def settled(
        self, live: list[tuple[int, Value]], donated: tuple[int, ...]
    ) -> list[tuple[int, Value]]:
        """The outputs in the order that gives each overwritten leaf's memory to what replaces it.

        `jit` hands donated inputs to outputs of their kind in order; a wrong pairing costs a copy.
        """
        leaf_of = {id(self.leaves[i]): i for i in donated}
        heirs: dict[int, tuple[int, Value]] = {}
        others: dict[Aval, list[tuple[int, Value]]] = {}
        for entry in live:
            i = leaf_of.get(entry[1].was)
            if i is not None and i not in heirs and self.leaves[i].aval is entry[1].aval:
                heirs[i] = entry
            else:
                others.setdefault(entry[1].aval, []).append(entry)
        order = []
        for i in donated:
            order.append(heirs[i] if i in heirs else others[self.leaves[i].aval].pop(0))
        return order + [entry for entries in others.values() for entry in entries]

    def key(self, live: list[tuple[int, Value]], donated: tuple[int, ...]) -> tuple[Any, ...]:
        """The structural key: instructions, outputs, leaf kinds and donation; no number that
        varies.
        """
        return (
            tuple(self.code),
            tuple(i for i, _ in live),
            tuple(v.aval for v in self.leaves),
            donated,
        )

    def instructions(self) -> Iterator[tuple[Signature, list[int]]]:
        """Each instruction's signature and operand numbers."""
        if not self.starts:
            return
        ends = [*self.starts[1:], len(self.code)]
        for a, b in zip(self.starts, ends, strict=True):
            yield TABLE[self.code[a]], self.code[a + 1 : b]

    def bare(self) -> Program:
        """The instructions without values, numbers or results: what a cache may keep."""
        copy = Program(self.place, 0)
        copy.code, copy.starts, copy.lines = self.code, self.starts, self.lines
        return copy

    def line_of(self, sig: Signature) -> Any:
        """The user's line of the instruction that is about to be appended.

        Looking through the frames takes as long as recording does, and a loop comes by the same
        lines
        again: while this program repeats the last one, its lines are taken for the same.
        """
        i, last = len(self.starts), self.last
        if last is not None:
            if not i:
                line = user_line()
                if not last.lines or last.lines[0] != line:
                    self.last = None
                return line
            if i < len(last.starts) and last.code[last.starts[i]] == sig.id:
                return last.lines[i]
            self.last = None
        return user_line()

    def ids(self) -> list[int]:
        """The signature ids alone."""
        code = self.code
        return [code[s] for s in self.starts]

    def as_function(
        self, keep: list[int], numbers: Callable[[type, int], Any]
    ) -> Callable[..., Any]:
        """The program as a JAX function of its leaves; `numbers(type, i)` supplies the numbers."""
        listing = list(self.instructions())

        def run(leaves: Any) -> list[Any]:
            env: list[Any] = []
            used = dict.fromkeys(_PACKS, 0)
            for sig, operands in listing:
                args, ids = [], iter(operands)
                for kind in sig.flat:
                    if isinstance(kind, Aval):
                        i = next(ids)
                        args.append(env[i] if i >= 0 else leaves[~i])
                    else:
                        args.append(numbers(kind, used[kind]))
                        used[kind] += 1
                env.extend(sig.fn(*args))
            return [env[i] for i in keep]

        return run

    def split(self, at: int) -> tuple[Program, Program]:
        """Two programs that do the work of this one: the first `at` instructions, and the rest.

        Results of the first that the second reads stay alive as outputs of the first.
        """
        parts = Program(self.place, 0), Program(self.place, self.next_check)
        self._replay(lambda index: parts[index >= at])
        parts[1].owner, parts[1].foreign = self.owner, self.foreign
        parts[1].grads = self.grads
        parts[1].mark = max(0, self.mark - at)
        return parts

    def without_dead(self, live: list[tuple[int, Value]]) -> Program:
        """This program, or one without the instructions that no output needs.

        What was overwritten or never read would only make equal work look different.
        """
        needed = bytearray(len(self.outs))
        for i, _ in live:
            needed[i] = 1
        code, slot, end, alive = self.code, len(self.outs), len(self.code), []
        for start in reversed(self.starts):
            n = len(TABLE[code[start]].outs)
            slot -= n
            use = needed[slot] if n == 1 else any(needed[slot : slot + n])
            alive.append(use)
            if use:
                for i in code[start + 1 : end]:
                    if i >= 0:
                        needed[i] = 1
            end = start
        if all(alive):
            return self
        alive.reverse()
        lean = Program(self.place, self.next_check)
        self._replay(lambda index: lean if alive[index] else None)
        lean.owner, lean.foreign = self.owner, self.foreign
        return lean

    def _replay(self, target: Callable[[int], Program | None]) -> None:
        """Append each instruction to the program `target` names (None: to none); values
        move along.
        """
        taken = dict.fromkeys(_PACKS, 0)
        slots: list[Value | None] = [r() for r in self.outs]
        done = 0
        for index, (sig, operands) in enumerate(self.instructions()):
            part = target(index)
            flat, ids = [], iter(operands)
            for kind in sig.flat:
                if isinstance(kind, Aval):
                    i = next(ids)
                    flat.append(slots[i] if i >= 0 else self.leaves[~i])
                else:
                    flat.append(self.numbers[kind][taken[kind]])
                    taken[kind] += 1
            if part is None:
                done += len(sig.outs)
                continue
            for fresh in part.emit(sig, flat, self.lines[index]):
                old = slots[done]
                if old is None:
                    slots[done] = fresh
                else:  # the user's object stays the one that is filled
                    old.program, old.slot = part, fresh.slot
                    part.outs[fresh.slot] = ref(old)
                done += 1
        self.leaves, self.leaf_index = [], {}  # a reference left here would forbid donation

    def verify(self) -> None:
        """Raise AssertionError if the program is not well formed (JTORCH_VERIFY=1)."""
        avals: list[Aval] = []
        want = dict.fromkeys(_PACKS, 0)
        for sig, operands in self.instructions():
            kinds = [a for a in sig.flat if isinstance(a, Aval)]
            assert len(kinds) == len(operands), f"{sig}: {len(operands)} operands"
            for kind, i in zip(kinds, operands, strict=True):
                assert i < len(avals), f"{sig} reads result {i} before it exists"
                have = avals[i] if i >= 0 else self.leaves[~i].aval
                assert have is kind, f"{sig} wants {kind} and reads {have}"
            for kind in sig.flat:
                if not isinstance(kind, Aval):
                    want[kind] += 1
            avals += sig.outs
        assert len(avals) == len(self.outs), "results and instructions disagree"
        for t in _PACKS:
            assert want[t] == len(self.numbers[t]), f"{t.__name__} numbers disagree"

    def __str__(self) -> str:
        """The program as readable Python."""
        live = {i for i, _ in self.live()}
        params = ", ".join(f"a{i}: '{v.aval}'" for i, v in enumerate(self.leaves))
        lines, slot = [f"def program({params}):"], 0
        used = dict.fromkeys(_PACKS, 0)
        for (sig, operands), where in zip(self.instructions(), self.lines, strict=True):
            args, ids = [], iter(operands)
            for kind in sig.flat:
                if isinstance(kind, Aval):
                    i = next(ids)
                    args.append(f"v{i}" if i >= 0 else f"a{~i}")
                else:
                    args.append(repr(self.numbers[kind][used[kind]]))
                    used[kind] += 1
            args += _metadata(sig)
            names = ", ".join(f"v{slot + i}" for i in range(len(sig.outs)))
            kinds = ", ".join(map(repr, sig.outs))
            note = f"  # {kinds}" + (f"  {where[0]}:{where[1]}" if where else "")
            lines.append(f"    {names} = {sig.name}({', '.join(args)}){note}")
            slot += len(sig.outs)
        lines.append(f"    return {', '.join(f'v{i}' for i in sorted(live)) or None}")
        return "\n".join(lines)


def _metadata(sig: Signature) -> list[str]:
    names = [p.name for p in sig.op.statics]
    if len(names) != len(sig.static or ()):
        return [repr(sig.static)] if sig.static else []
    return [f"{n}={v!r}" for n, v in zip(names, sig.static, strict=True)]


def pack(numbers: dict[type, list[Any]]) -> dict[type, np.ndarray[Any, Any]]:
    """The numbers of a program as one vector per type."""
    return {t: np.array(ns, NUMBERS[t]) for t, ns in numbers.items() if ns}
