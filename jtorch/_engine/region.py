"""Regions: a Python function over tensors, recorded once as a program of its own and called as one
op.

Inside a region ops are appended to the region's program. Its inputs are placeholders; whatever else
it reads is captured, together with the edge its gradient takes; numbers become operands, so that
they may vary; writes to outside storages become extra results. A wrapper (checkpoint, pmap, vmap
...) then turns the recorded function into the one that runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from . import recorder
from .backward import Dual, call
from .device import Place
from .op import Op
from .program import Program
from .signature import NUMBERS, Signature, infer, stand_ins
from .storage import Storage
from .value import Aval, Value

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclasses.dataclass
class Recorded:
    """A recorded region: what it reads and what it gives."""

    program: Program
    inputs: list[Value]
    captured: list[Value]
    edges: list[Any]
    numbers: list[Any]
    results: list[Value]
    effects: list[tuple[Storage, Value]]

    def function(self) -> Callable[..., Any]:
        """(inputs, captured, numbers) -> results and effects, as JAX sees it."""
        program, kinds = self.program, [type(x) for x in self.numbers]
        n_in, n_captured = len(self.inputs), len(self.captured)
        order = {id(v): i for i, v in enumerate((*self.inputs, *self.captured))}
        leaf_at = [order[id(v)] for v in program.leaves]
        wanted = [(v.slot, -1) if program.made(v) else (-1, order[id(v)]) for v in self.outputs()]
        keep = [slot for slot, _ in wanted if slot >= 0]
        bare = program.bare()  # the function outlives this call: it must not hold values

        def run(*flat: Any) -> tuple[Any, ...]:
            arrays, given = flat[: n_in + n_captured], flat[n_in + n_captured :]
            by_type: dict[type, list[Any]] = {t: [] for t in NUMBERS}
            for kind, x in zip(kinds, given, strict=True):
                by_type[kind].append(x)
            leaves = [arrays[i] for i in leaf_at]
            computed = iter(bare.as_function(keep, lambda t, i: by_type[t][i])(leaves))
            return tuple(next(computed) if slot >= 0 else arrays[i] for slot, i in wanted)

        return run

    def outputs(self) -> list[Value]:
        """Results, then the final values of outside storages that were written."""
        return [*self.results, *(v for _, v in self.effects)]

    def key(self) -> Any:
        """The structure of the region: equal keys mean the same JAX function."""
        order = {id(v): i for i, v in enumerate((*self.inputs, *self.captured))}
        p = self.program
        return (
            tuple(p.code),
            tuple(order[id(v)] for v in p.leaves),
            tuple(v.slot if p.made(v) else ~order[id(v)] for v in self.outputs()),
            tuple(v.aval for v in (*self.inputs, *self.captured)),
            tuple(map(type, self.numbers)),
        )


def record(fn: Callable[[list[Value]], list[Value]], inputs: list[Aval], place: Place) -> Recorded:
    """Run `fn` on placeholders and collect what it does.  On an error nothing outside has
    changed.
    """
    placeholders = [Value(a) for a in inputs]
    with recorder.region(place) as region:
        results = fn(placeholders)
    program = region.program
    mine = {id(v) for v in placeholders}
    effects = [
        (s, s.value)
        for s, before in region.writes.values()
        if s.value is not before and id(before) not in mine and not program.made(before)
    ]
    outside = [v for v in program.leaves if id(v) not in mine]
    seen = {id(v) for v in outside} | mine
    for v in (*results, *(v for _, v in effects)):
        if not program.made(v) and id(v) not in seen:
            seen.add(id(v))
            outside.append(v)
    region.undo()
    numbers = [x for t in NUMBERS for x in program.numbers[t]]
    edges = [region.edges.get(id(v)) for v in outside]
    return Recorded(program, placeholders, outside, edges, numbers, results, effects)


_signatures: dict[Any, Signature] = {}


def call_region(
    name: str, kind: Any, wrapper: Wrapper, region: Recorded, inputs: list[Dual], place: Place
) -> list[Dual]:
    """Record a call of a region as one op; writes its effects; returns its results as duals.

    kind: hashable, part of the structure: which wrapper with which settings.
    """
    key = (name, kind, region.key(), tuple(v.aval for v, _ in inputs), place)
    sig = _signatures.get(key)
    flat = (*(v for v, _ in inputs), *region.captured, *region.numbers)
    if sig is None:
        sig = _signatures[key] = _signature(name, wrapper, region, flat, place)
    edges = (*(e for _, e in inputs), *region.edges, *(None,) * len(region.numbers))
    duals = call(sig, flat, edges)
    count = len(duals) - len(region.effects)  # a wrapper may add results of its own
    for (storage, _), (value, _) in zip(region.effects, duals[count:], strict=True):
        storage.write(value)
    return duals[:count]


def _signature(
    name: str, wrapper: Wrapper, region: Recorded, flat: tuple[Any, ...], place: Place
) -> Signature:
    fn = wrapper(region.function())
    kinds = tuple(x.aval if type(x) is Value else type(x) for x in flat)
    return infer(Op(name, fn, ()), (), kinds, fn, stand_ins(kinds), place, kinds)
