"""Storage and views: cells that several tensors share, read and written through chains of view ops.

A tensor is a `Storage` (a cell with a value and a version) and a chain of view steps. Reading
applies the steps to the cell's value; writing through a chain is a pure op on the base value whose
result replaces the cell's value, so every alias sees it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from . import recorder
from .backward import Dual, call
from .op import Op, Param, Role
from .saved import SHARED, counted, uncounted
from .signature import lookup
from .strides import contiguous_strides
from .value import Aval, Value

Step = tuple[Op, tuple[Any, ...], tuple[Any, ...]]  # view op, metadata, numbers


class Storage:
    """A cell: the base value, and how often it has been written."""

    __slots__ = ("__weakref__", "value", "version")

    def __init__(self, value: Value) -> None:
        self.value, self.version = value, 0

    def write(self, value: Value) -> None:
        """Replace the whole content."""
        if recorder.regions:
            recorder.note_write(self)
        _put(self, value)


def _put(s: Storage, value: Value) -> None:
    old = s.value
    if old.aval is value.aval:  # what takes its memory, if nobody else reads it
        value.was = old.was if old.array is None else id(old)
    if old.home is not SHARED:
        old.home = s.version
    s.value = value
    s.version += 1


def write_all(cells: list[Storage], values: list[Value]) -> None:
    """`write` for many cells: optimizers have hundreds."""
    if recorder.regions:
        for s in cells:
            recorder.note_write(s)
    for s, value in zip(cells, values, strict=True):
        _put(s, value)


class Apart(tuple[Step, ...]):
    """The chain of what `.data` gives: writes through it are counted here, not by the storage's
    users.  `writes` is the counter, in a list: what `as_strided` makes of it shares it.
    """

    writes: list[int]

    def __new__(cls, steps: Any, writes: list[int] | None = None) -> Apart:
        new = super().__new__(cls, steps)
        new.writes = [0] if writes is None else writes
        return new


def count_apart(chain: Apart, s: Storage) -> None:
    """A write through `.data` has bumped the storage's version: torch's counter stays as it was."""
    chain.writes[0] += 1
    uncounted[s] = uncounted.get(s, 0) + 1


def version(chain: Any, s: Storage) -> int:
    """torch's version counter of a tensor (or of the tensor it is a view of)."""
    if type(chain) is Apart:
        return chain.writes[0]
    return counted(s)


def _kinds(op: Op, numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    """The specs of a step's numbers, as the gate made them."""
    kinds = tuple(map(type, numbers))
    return (kinds,) if len(op.operands) > 1 and op.operands[1].role is Role.ARRAYS else kinds


def read_step(step: Step, base: Dual) -> Dual:
    """The view of `base`."""
    op, static, numbers = step
    spec = (base[0].aval, *_kinds(op, numbers))
    return call(lookup(op, static, spec), (base[0], *numbers), (base[1], *(None,) * len(numbers)))[
        0
    ]


def read(chain: tuple[Step, ...], base: Dual) -> Dual:
    """The view of `base` through a whole chain."""
    for step in chain:
        base = read_step(step, base)
    return base


def write(chain: tuple[Step, ...], base: Dual, new: Dual) -> Dual:
    """`base` with what the chain shows replaced by `new`."""
    if not chain:
        return new
    step, rest = chain[0], chain[1:]
    if rest:
        new = write(rest, read_step(step, base), new)
    op, static, numbers = step
    spec = (base[0].aval, new[0].aval, *_kinds(op, numbers))
    sig = lookup(_writer(op), static, spec)
    edges = (base[1], new[1], *(None,) * len(numbers))
    return call(sig, (base[0], new[0], *numbers), edges)[0]


@functools.cache
def _writer(op: Op) -> Op:
    """The op that writes through one view op."""
    assert op.view is not None
    first, *rest = op.params
    params = (first, Param("new", Role.ARRAY), *rest)
    own = op.view.write

    def fn(**args: Any) -> Any:
        base, new = args.pop(first.name), args.pop("new")
        if own is not None:
            return own(base, new, **args)
        return _scatter(op.fn, first.name, base, new, args)

    return Op(f"{op.name}_write", fn, params, linear=True, grad_name="CopySlices", namespaces=())


def _scatter(fn: Callable[..., Any], name: str, base: Any, new: Any, args: dict[str, Any]) -> Any:
    """The generic write: view the flat indices, then scatter."""
    where = fn(**{name: jnp.arange(math.prod(base.shape)).reshape(base.shape)}, **args)
    return base.ravel().at[where.ravel()].set(new.ravel()).reshape(base.shape)


_REPLACE = Op(
    "copy",
    lambda old, new: new,
    (Param("old", Role.ARRAY), Param("new", Role.ARRAY)),
    linear=True,
    grad_name="CopyBackwards",
    namespaces=(),
)


def replaced(old: Dual, new: Dual) -> Dual:
    """`new` in the place of a whole tensor that has a history: it gets a zero gradient."""
    sig = lookup(_REPLACE, (), (old[0].aval, new[0].aval))
    return call(sig, (old[0], new[0]), (old[1], new[1]))[0]


Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


def geometry(base: Aval, chain: tuple[Step, ...]) -> Geometry:
    """(sizes, strides, offset) in elements of a view, as torch has them."""
    sizes: tuple[int, ...] = base.shape
    strides, offset = contiguous_strides(sizes), 0
    for op, static, numbers in chain:
        args = dict(zip((p.name for p in op.statics), static, strict=True))
        names = [p.name for p in op.operands[1:]]
        if len(names) == 1 and op.operands[1].role is Role.ARRAYS:
            args[names[0]] = numbers
        else:
            args.update(zip(names, numbers, strict=True))
        assert op.view is not None
        found = op.view.strided(sizes, strides, offset, **args)
        if found is None:  # torch would have copied; only reads were recorded
            return sizes, strides, offset
        sizes, strides, offset = found
    return sizes, strides, offset
