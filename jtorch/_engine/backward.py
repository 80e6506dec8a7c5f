"""Reverse mode: grad nodes, ops that are recorded with one, hooks, and grad modes.

A differentiable value is a *dual*: (Value, edge). An edge says where its gradient goes: None
(nowhere), `(node, output number)`, or a leaf, which is any object with `_accumulate(dual,
create_graph)`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from itertools import repeat
from operator import is_not
from typing import Any
from weakref import ref

from . import recorder
from .op import Op, Param, Role
from .saved import check
from .signature import Signature, make
from .value import Aval, Value

Dual = tuple[Value, Any]
_sequence = itertools.count()
_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they "
    "have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


class _Modes(threading.local):
    grad = True
    inference = False


modes = _Modes()


class Hooks:
    """What hangs on a node: hooks of its outputs (tensors), of itself, and tensors that keep
    `.grad`.
    """

    __slots__ = ("post", "pre", "retained", "spoiled", "tensor")

    def __init__(self) -> None:
        self.spoiled: Any = None  # the result that the node reads has been written
        self.tensor: dict[int, dict[int, Callable[..., Any]]] = {}
        self.pre: dict[int, Callable[..., Any]] = {}
        self.post: dict[int, Callable[..., Any]] = {}
        self.retained: dict[int, Any] = {}


class Node:
    """One step of the graph: what pulls cotangents of its outputs back to its inputs."""

    __slots__ = ("__weakref__", "edges", "hooks", "outs", "seq")

    def __init__(self, edges: tuple[Any, ...], outs: tuple[Aval, ...]) -> None:
        self.edges, self.outs, self.seq = edges, outs, next(_sequence)
        self.hooks: Hooks | None = None

    def hooked(self) -> Hooks:
        """The node's hooks, to add to."""
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        """Gradients of the inputs, aligned with `edges`."""
        raise NotImplementedError

    def name(self) -> str:
        """torch's name for it, e.g. 'AddBackward0'."""
        raise NotImplementedError


class OpNode(Node):
    """The node of one recorded op.

    at: the number of its first result in the program, and of what it reads in that program's code.
    """

    __slots__ = ("at", "flat", "sig")
    at: int

    def __init__(self, sig: Signature, flat: Any, edges: tuple[Any, ...]) -> None:
        # the base class's lines: one call fewer for every op
        self.edges, self.outs, self.seq, self.hooks = edges, sig.outs, next(_sequence), None
        self.sig = sig
        if not sig.op.linear:
            self.flat: Any = flat
        elif sig.numbers:
            # A linear op's gradient does not read its operands: holding them would keep them alive.
            self.flat = [x for x in flat if type(x) is not Value]
        else:
            self.flat = ()

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        flat, sig, edges = self.flat, self.sig, self.edges
        if flat is None:
            raise RuntimeError(_FREED)
        if len(cts) == 1 and cts[0] is not None and all(map(is_not, edges, repeat(None))):
            values: Any = cts
            vjp = sig.pull_all
            if vjp is None:
                vjp = sig.pull_all = sig.vjp(tuple(range(len(edges))), _FIRST)
        else:
            given = self._given(cts)
            if not given:
                return [None] * len(edges)
            values = [cts[i] for i in given]
            vjp = sig.vjp(tuple([i for i, e in enumerate(edges) if e is not None]), given)
        if vjp.saves:
            check(self, vjp.saves)
        operands = [*flat, *[c[0] for c in values]]
        if create_graph:
            own = (None,) * len(flat) if sig.op.linear else edges
            grads: list[Any] = call(vjp, operands, (*own, *(c[1] for c in values)))
        else:
            grads = [(v, None) for v in recorder.record(vjp, operands)]
        if not keep and not sig.op.linear:
            self.flat = None
        return grads if len(grads) == len(edges) else _aligned(edges, grads)

    def _given(self, cts: list[Dual | None]) -> tuple[int, ...]:
        """The outputs for which there is a cotangent."""
        if len(cts) == 1:
            return () if cts[0] is None else _FIRST
        tracked = self.sig.tracked
        return tuple([i for i, c in enumerate(cts) if c is not None and tracked[i]])

    def name(self) -> str:
        op = self.sig.op
        return (op.grad_name or camel(op.name)) + "Backward0"


_FIRST = (0,)


def _aligned(edges: tuple[Any, ...], grads: list[Any]) -> list[Dual | None]:
    """The gradients of the inputs that have an edge, at their places."""
    rest = iter(grads)
    return [None if e is None else next(rest) for e in edges]


class ResidualNode(OpNode):
    """The node of an op whose forward left behind what its gradient needs."""

    __slots__ = ("make_pull", "residuals")

    def __init__(
        self, sig: Signature, flat: Any, edges: Any, make_pull: Any, residuals: Any
    ) -> None:
        super().__init__(sig, flat, edges)
        self.make_pull, self.residuals = make_pull, residuals

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        if create_graph:  # the gradient of the gradient needs the operands themselves
            return super().pull(cts, create_graph, keep)
        if self.residuals is None:
            raise RuntimeError(_FREED)
        given = self._given(cts)
        if not given:
            return [None] * len(self.edges)
        values = [c[0] for i in given if (c := cts[i]) is not None]
        operands = (*self.residuals, *values)
        grads = [(v, None) for v in recorder.record(self.make_pull(given), operands)]
        if not keep:
            self.flat = self.residuals = None
        return _aligned(self.edges, grads)


def camel(name: str) -> str:
    """'batch_norm' -> 'BatchNorm'."""
    return "".join(part.capitalize() for part in name.split("_"))


def call(sig: Signature, flat: Any, edges: Any) -> list[Dual]:
    """Record an op; with edges (one per flat operand), also its grad node."""
    if sig.differentiable:
        for e in edges:
            if e is not None:
                return tracked_call(sig, flat, tuple(edges))
    return [(v, None) for v in recorder.record(sig, flat)]


def tracked_call(sig: Signature, flat: Any, edges: tuple[Any, ...]) -> list[Dual]:
    """`call` when some operand needs a gradient.  `flat` is kept: nobody may change it
    afterwards.
    """
    if recorder.regions:
        flat = recorder.region_operands(flat, edges)
    if sig.op.residuals and not sig.place.traced:
        needs = tuple([i for i, e in enumerate(edges) if e is not None])
        forward, make_pull = sig.with_residuals(needs)
        results = recorder.record(forward, flat, True)
        n = len(sig.outs)
        node: OpNode = ResidualNode(sig, flat, edges, make_pull, results[n:])
        del results[n:]
    else:
        results = recorder.record(sig, flat, True)
        node = OpNode(sig, flat, edges)
    first = results[0]
    program, node.at = first.program, first.slot
    if program is not None:
        program.tape.append(ref(node))
    if len(results) == 1:
        return [(first, (node, 0))]
    return [
        (v, (node, i) if tracked else None)
        for i, (v, tracked) in enumerate(zip(results, sig.tracked, strict=True))
    ]


def _plain(name: str, fn: Callable[..., Any], arrays: int, linear: bool) -> Op:
    params = tuple(Param(f"x{i}", Role.ARRAY) for i in range(arrays))
    return Op(name, fn, params, linear=linear)


ADD = _plain("accumulate_grad", lambda x0, x1: x0 + x1, 2, True)
_sums: dict[tuple[Aval, Aval], Signature] = {}


def add(a: Dual, b: Dual) -> Dual:
    """The recorded sum of two cotangents."""
    key = (a[0].aval, b[0].aval)
    sig = _sums.get(key)
    if sig is None:
        sig = _sums[key] = make(ADD, (), key)
    return call(sig, (a[0], b[0]), (a[1], b[1]))[0]
