"""One recorded op per parameter group and step: gathers operands, records, writes back."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._engine import recorder
from .._engine.backward import call, modes
from .._engine.op import Op, Param, Role
from .._engine.signature import lookup
from .._engine.value import Value
from .._gate import TensorBase, check_writable, values_of, write_values
from ..ops import TABLE
from ._rules import Rule
from ._rules_row import make_row, zeros_row

Tensors = list[Any]
Counts = tuple[float, ...]


@functools.cache
def op_of(rule: Rule) -> Op:
    """The op of a rule: numbers, parameters, gradients and state in; parameters and state out."""
    arrays = [Param(n, Role.ARRAYS) for n in ("numbers", "params", "grads", "state")]
    skip = Param("skip", Role.ARRAY, None, optional=True)
    statics = [Param(n, Role.STATIC) for n in ("runs", "counts", "flags")]
    # dynamic: learning rate and step count are program inputs from the first run on
    params = (*arrays, skip, *statics)
    return Op(f"{rule.name}_step", make_row(rule), params, dynamic=True, namespaces=())


_skip: list[Any] = []  # what the steps of the innermost `skipped_if` depend on


@contextlib.contextmanager
def skipped_if(found_inf: Any) -> Iterator[None]:
    """Steps inside change nothing if the 0-d tensor `found_inf` is not 0; nobody waits to know."""
    _skip.append(found_inf)
    try:
        yield
    finally:
        _skip.pop()


ZERO_ALL = Op("zero_grad", zeros_row, (Param("grads", Role.ARRAYS),), differentiable=False)


def zero_all(grads: Tensors) -> None:
    """Write zeros into tensors on one device, as one recorded op."""
    sig = lookup(ZERO_ALL, (), (tuple([g._aval for g in grads]),))
    write_values(grads, recorder.record(sig, values_of(grads)))


def update(
    rule: Rule,
    params: Tensors,
    grads: Tensors,
    slots: list[Tensors],
    counts: list[Counts],
    options: tuple[Any, ...],
    flags: dict[str, Any],
    differentiable: bool = False,
) -> None:
    """Move `params` and their state by one step of `rule`.

    slots: the state tensors, one list per kind, each aligned with `params`.  counts: the numbers of
    each parameter's history that the rule reads.  options: numbers, or 0-d tensors (then the rule's
    numbers are computed inside the program, and gradients flow to them if `differentiable`).
    """
    if len(set(map(id, params))) != len(params):
        _one_by_one(rule, params, grads, slots, counts, options, flags, differentiable)
        return
    if differentiable:
        for p in params:
            check_writable(p, op_of(rule))
    for runs in _by_place(params, counts):
        _record(rule, params, grads, slots, options, flags, differentiable, runs)


def _one_by_one(
    rule: Rule, params: Tensors, grads: Tensors, slots: list[Tensors], counts: list[Counts],
    options: tuple[Any, ...], flags: dict[str, Any], differentiable: bool,
) -> None:  # fmt: skip
    """A parameter that is listed twice takes two steps."""
    for i, p in enumerate(params):
        column = [[s[i]] for s in slots]
        update(rule, [p], [grads[i]], column, [counts[i]], options, flags, differentiable)


def _one(things: list[Any]) -> bool:
    """Whether all are equal: almost always, and quicker to ask than to sort them."""
    return things.count(things[0]) == len(things) if things else True


Run = tuple[Counts, list[int]]  # parameters (by number) that share counts, dtype and device


def _by_place(params: Tensors, counts: list[Counts]) -> list[list[Run]]:
    """The runs of each device.  Usually there is one device and one run: the whole group."""
    avals = [v.aval for v in values_of(params)]
    if _one(counts) and len({(id(a.place), a.dtype) for a in set(avals)}) == 1:
        return [[(counts[0], list(range(len(params))))]]
    places: dict[Any, dict[Any, list[int]]] = {}
    for i, aval in enumerate(avals):
        runs = places.setdefault(aval.place, {})
        runs.setdefault((aval.dtype, counts[i]), []).append(i)
    return [[(key[1], run) for key, run in runs.items()] for runs in places.values()]


def _record(
    rule: Rule, params: Tensors, grads: Tensors, slots: list[Tensors], options: tuple[Any, ...],
    flags: dict[str, Any], differentiable: bool, runs: list[Run],
) -> None:  # fmt: skip
    held = bool([o for o in options if isinstance(o, TensorBase)])
    numbers: list[Any] = []
    moved: Tensors = []
    sources: Tensors = []
    kept: Tensors = []
    sizes = []
    for counts, run in runs:
        own = (*counts, *options) if held else rule.numbers(counts, *options, **flags)
        numbers += own if held else map(float, own)
        whole, before = len(run) == len(params), len(kept)
        moved += params if whole else [params[i] for i in run]
        sources += grads if whole else [grads[i] for i in run]
        for slot in slots:
            kept += [t for t in (slot if whole else [slot[i] for i in run]) if t is not None]
        sizes.append((len(run), len(kept) - before))
    static = (tuple(sizes), len(runs[0][0]) if held else None, tuple(flags.items()))
    # Nothing here may hold the old values when the program runs: they are to be overwritten.
    flat: list[Any] = numbers
    if held:
        numbers = [x if isinstance(x, TensorBase) else float(x) for x in numbers]
        flat = [x._value if isinstance(x, TensorBase) else x for x in numbers]
    spec: list[Any] = [tuple([x.aval if type(x) is Value else float for x in flat])]
    for tensors in (moved, sources, kept):
        values = values_of(tensors)
        spec.append(tuple([v.aval for v in values]))
        flat = flat + values
    del values
    spec.append(_skip[-1]._value.aval if _skip else None)
    if _skip:
        flat.append(_skip[-1]._value)
    sig = lookup(op_of(rule), static, tuple(spec))
    targets = moved + kept
    if differentiable and modes.grad:
        operands = [*numbers, *moved, *sources, *kept]
        edges = [x._edge() if isinstance(x, TensorBase) else None for x in operands]
        for t, (value, edge) in zip(targets, call(sig, flat, edges), strict=True):
            t._assign(value, edge, True)
        return
    write_values(targets, recorder.record(sig, flat))


# --- step counts and other small numbers that live on the host --------------------------


def read(t: Any) -> float:
    """The number in a 0-d tensor; no program runs if it is host data, as step counts are."""
    return _number(t._value)


def _number(v: Value) -> float:
    array = v.array
    if array is None:
        array = recorder.concrete(v, "a number the optimizer needs")
    return float(array.item() if type(array) is np.ndarray else np.asarray(array))


def read_counts(columns: list[Tensors]) -> list[Counts]:
    """Per parameter, the numbers in its count tensors; counts that share a Value are read once."""
    found = []
    for tensors in columns:
        values = values_of(tensors)
        if values and _one(values):
            found.append([_number(values[0])] * len(values))
            continue
        known = {v: _number(v) for v in set(values)}
        found.append([known[v] for v in values])
    return list(zip(*found, strict=True))


def next_counts(steps: Tensors) -> list[Counts]:
    """Each parameter's step count after the step that is about to be taken."""
    counts = read_counts([steps])
    if counts and _one(counts):
        return [(counts[0][0] + 1,)] * len(counts)
    after = {c: (c[0] + 1,) for c in set(counts)}
    return [after[c] for c in counts]


def write_counts(columns: list[Tensors], counts: list[Counts]) -> None:
    """Store new counts as host data; parameters with equal counts share one Value."""
    if not counts:  # no parameter has a gradient
        return
    made: dict[Any, Value] = {}
    for column, numbers in zip(columns, zip(*counts, strict=True), strict=True):
        if _skip:
            _write_unless_skipped(column, numbers)
            continue
        avals = [v.aval for v in values_of(column)]
        if _one(avals) and _one(counts):
            value = Value(avals[0], np.array(numbers[0], avals[0].np))
            write_values(column, [value] * len(column))
            continue
        keys = list(zip(avals, numbers, strict=True))
        for key in set(keys):
            if key not in made:
                made[key] = Value(key[0], np.array(key[1], key[0].np))
        write_values(column, [made[key] for key in keys])


def _write_unless_skipped(tensors: Tensors, numbers: tuple[float, ...]) -> None:
    """The same where the step may be thrown away: the program knows which count is right."""
    found = _skip[-1]._value
    made: dict[Any, Value] = {}
    for t, number in zip(tensors, numbers, strict=True):
        key = (t._value.aval.dtype, read(t), number)
        if key not in made:
            dtype, old, new = key
            sig = lookup(TABLE["_amp_count"], (dtype,), (found.aval, float, float))
            (made[key],) = recorder.record(sig, [found, float(old), float(new)])
        t._assign(made[key], None, False)
