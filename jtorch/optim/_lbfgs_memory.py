"""`Memory`: what L-BFGS remembers of its last steps, in rings of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine import recorder
from .._engine.op import Op, Param, Role
from .._engine.signature import lookup
from .._engine.value import Value, aval
from .._gate import TensorBase, wrap
from . import _rules_lbfgs as rules

State = dict[str, Any]
AT_ONCE = 64 << 20  # bytes of rings that are made whole; larger ones grow, a new program each time
FIRST_ROOM = 8


def _op(fn: Any, roles: dict[str, Role], differentiable: bool = False) -> Op:
    params = tuple(Param(n, r) for n, r in roles.items())
    return Op(f"lbfgs_{fn.__name__}", fn, params, dynamic=True, differentiable=differentiable)


_A, _L, _N, _M = Role.ARRAY, Role.ARRAYS, Role.SCALAR, Role.STATIC
GATHER = _op(rules.gather, {"grads": _L, "direction": _L, "missing": _M, "dtype": _M})
MOVE = _op(rules.move, {"params": _L, "direction": _A, "t": _N})
START = _op(rules.start, {"grad": _A})
DIRECTION = _op(
    rules.direction,
    {"grad": _A, "before": _A, "d": _A, "steps": _A, "changes": _A, "ro": _A, "scale": _A}
    | {"t": _N, "count": _N, "head": _N},
)
GROW = _op(rules.grow, {"steps": _A, "changes": _A, "ro": _A, "room": _M})
STACK = _op(rules.stack, {"steps": _L, "changes": _L, "ro": _L})


def record(op: Op, *operands: Any, **static: Any) -> list[Value]:
    """Record one op on Values, numbers and lists of them, outside the graph."""
    flat: list[Any] = []
    spec: list[Any] = []
    for x in operands:
        items = x if isinstance(x, list) else [x]
        flat += items
        kinds = tuple(i.aval if isinstance(i, Value) else type(i) for i in items)
        spec.append(kinds if isinstance(x, list) else kinds[0])
    sig = lookup(op, tuple(static[p.name] for p in op.statics), tuple(spec))
    return recorder.record(sig, flat)


def numbers(stats: Value) -> list[float]:
    """Read a vector of numbers; runs what is pending."""
    return [float(x) for x in np.asarray(recorder.concrete(stats, "optimizer.step"))]


class Memory:
    """The last `limit` pairs (step, change of gradient), and the scale of the initial Hessian."""

    def __init__(self, like: Value, limit: int) -> None:
        self.limit = limit
        self.count = self.head = 0
        kind, n = like.aval, like.aval.numel
        small = 2 * limit * kind.nbytes <= AT_ONCE
        room = limit if small else min(FIRST_ROOM, limit)

        def zeros(*shape: int) -> Value:
            return Value(aval(shape, kind.dtype, kind.place), np.zeros(shape, kind.np))

        self.rings = [zeros(room, n), zeros(room, n), zeros(room)]
        self.scale = Value(aval((), kind.dtype, kind.place), np.ones((), kind.np))

    @property
    def room(self) -> int:
        """Entries that fit without growing."""
        return self.rings[0].aval.shape[0]

    def direction(
        self, grad: Value, before: Value, d: Value, t: float
    ) -> tuple[Value, list[float]]:
        """Remember the step t d; the next direction, its slope and its largest component."""
        if self.count == self.room < self.limit:
            self.rings = record(GROW, *self.rings, room=min(4 * self.room, self.limit))
            recorder.flush("optimizer.step")
        new, *rings, scale, stats = record(
            DIRECTION, grad, before, d, *self.rings, self.scale, float(t), self.count, self.head
        )
        self.rings, self.scale = rings, scale
        curvature, slope, largest = numbers(stats)
        if curvature > rules.LEAST_CURVATURE:
            if self.count == self.room:
                self.head = (self.head + 1) % self.room
            else:
                self.count += 1
        return new, [slope, largest]

    def save(self) -> State:
        """torch's entries: lists of tensors, oldest first."""
        order = [(self.head + i) % self.room for i in range(self.count)]
        steps, changes, ro = (
            [wrap(ring).select(0, i).clone() for i in order] for ring in self.rings
        )
        return {"old_dirs": changes, "old_stps": steps, "ro": ro, "H_diag": wrap(self.scale)}

    @classmethod
    def load(cls, state: State, like: Value, limit: int) -> Memory:
        """A memory from torch's entries."""
        memory = cls(like, limit)
        old, room = state.get("old_dirs") or [], memory.room
        if old:
            lists = [state["old_stps"], old, state["ro"]]
            values = [
                [v._value if isinstance(v, TensorBase) else float(v) for v in x] for x in lists
            ]
            memory.rings = record(STACK, *values)
            memory.count = len(old)
            if memory.room < room:
                memory.rings = record(GROW, *memory.rings, room=room)
        scale = state.get("H_diag", 1)
        if isinstance(scale, TensorBase):
            memory.scale = scale._value
        else:
            memory.scale = Value(memory.scale.aval, np.array(float(scale), like.aval.np))
        return memory
