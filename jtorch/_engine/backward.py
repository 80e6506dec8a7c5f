"""Reverse mode: grad nodes, the walk from a result to its leaves, hooks, and grad modes.

A differentiable value is a *dual*: (Value, edge). An edge says where its gradient goes: None
(nowhere), `(node, output number)`, or a leaf, which is any object with `_accumulate(dual,
create_graph)`.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from itertools import repeat
from operator import is_not
from typing import Any

from . import recorder
from .op import Op, Param, Role
from .saved import check, check_result
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
    """The node of one recorded op."""

    __slots__ = ("flat", "sig")

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
    if len(results) == 1:
        return [(results[0], (node, 0))]
    return [
        (v, (node, i) if tracked else None)
        for i, (v, tracked) in enumerate(zip(results, sig.tracked, strict=True))
    ]


def _plain(name: str, fn: Callable[..., Any], arrays: int, linear: bool) -> Op:
    params = tuple(Param(f"x{i}", Role.ARRAY) for i in range(arrays))
    return Op(name, fn, params, linear=linear)


_ADD = _plain("accumulate_grad", lambda x0, x1: x0 + x1, 2, True)
_sums: dict[tuple[Aval, Aval], Signature] = {}


def add(a: Dual, b: Dual) -> Dual:
    """The recorded sum of two cotangents."""
    key = (a[0].aval, b[0].aval)
    sig = _sums.get(key)
    if sig is None:
        sig = _sums[key] = make(_ADD, (), key)
    return call(sig, (a[0], b[0]), (a[1], b[1]))[0]


class Walk:
    """One backward pass: cotangents waiting at nodes, gradients collected at leaves."""

    def __init__(self, create_graph: bool, keep: bool, wanted: set[Any] | None) -> None:
        self.create_graph, self.keep, self.wanted = create_graph, keep, wanted
        self.waiting: dict[int, list[Dual | None]] = {}  # by the node's number
        self.heap: list[tuple[int, Node]] = []  # newest first
        self.leaves: dict[int, tuple[Any, Dual]] = {}
        self.captured: dict[Any, Dual] = {}

    def send(self, edge: Any, ct: Dual) -> None:
        """Add a cotangent to what waits at an edge."""
        if type(edge) is not tuple:
            old = self.leaves.get(id(edge))
            self.leaves[id(edge)] = (edge, ct if old is None else add(old[1], ct))
            return
        node, index = edge
        slots = self.waiting.get(node.seq)
        if slots is None:
            slots = self.waiting[node.seq] = [None] * len(node.outs)
            heapq.heappush(self.heap, (-node.seq, node))
        held = slots[index]
        slots[index] = ct if held is None else add(held, ct)

    def run(self, wrap: Callable[[Dual], Any], unwrap: Callable[[Any], Dual]) -> None:
        """Walk newest node first; every parent is older than its children."""
        needed = None if self.wanted is None else self._needed()
        heap, waiting, leaves = self.heap, self.waiting, self.leaves
        while heap:
            node = heapq.heappop(heap)[1]
            cts = waiting.pop(node.seq)
            if node.hooks is None and needed is None:
                grads = node.pull(cts, self.create_graph, self.keep)
            else:
                grads = self._attended(node, cts, needed, wrap, unwrap)
            for edge, g in zip(node.edges, grads, strict=True):
                if edge is None or g is None:
                    continue
                if type(edge) is tuple:  # `send`, for what is new: almost always
                    parent, index = edge
                    if parent.seq not in waiting:
                        slots: list[Any] = [None] * len(parent.outs)
                        slots[index] = g
                        waiting[parent.seq] = slots
                        heapq.heappush(heap, (-parent.seq, parent))
                        continue
                elif id(edge) not in leaves:
                    leaves[id(edge)] = (edge, g)
                    continue
                self.send(edge, g)

    def _attended(self, node: Node, cts: Any, needed: Any, wrap: Any, unwrap: Any) -> Any:
        """`pull` for a node with hooks, or in a walk that looks for certain edges."""
        hooks = node.hooks
        if hooks is not None:
            self._tensor_hooks(hooks, cts, wrap, unwrap)
        if needed is not None:
            for i, ct in enumerate(cts):
                if ct is not None and (node, i) in self.wanted:  # type: ignore[operator]
                    self.captured[node, i] = ct
            if node not in needed:
                return (None,) * len(node.edges)
        if hooks is None:
            return node.pull(cts, self.create_graph, self.keep)
        if hooks.spoiled is not None:
            check_result(hooks.spoiled)
        cts = _node_hooks(hooks.pre, cts, None, wrap, unwrap)
        grads = node.pull(cts, self.create_graph, self.keep)
        return _node_hooks(hooks.post, grads, cts, wrap, unwrap)

    def _needed(self) -> set[Node]:
        """Nodes from which a wanted edge can be reached (the rest need not be pulled)."""
        order: list[Node] = []
        stack = [node for _, node in self.heap]
        seen = set(stack)
        while stack:
            node = stack.pop()
            order.append(node)
            for e in node.edges:
                if type(e) is tuple and e[0] not in seen:
                    seen.add(e[0])
                    stack.append(e[0])
        needed: set[Node] = set()
        wanted = self.wanted or set()
        for node in sorted(order, key=lambda n: n.seq):
            for e in node.edges:
                if e is not None and (
                    (e in wanted or e[0] in needed) if type(e) is tuple else id(e) in wanted
                ):
                    needed.add(node)
                    break
        return needed

    def _tensor_hooks(self, hooks: Hooks, cts: list[Dual | None], wrap: Any, unwrap: Any) -> None:
        for index, own in hooks.tensor.items():
            for hook in tuple(own.values()):
                ct = cts[index]
                if ct is not None:
                    new = hook(wrap(ct))
                    cts[index] = ct if new is None else unwrap(new)
        for index, ref in hooks.retained.items():
            target, ct = ref(), cts[index]
            if target is not None and ct is not None:
                target._accumulate(ct, self.create_graph)


def _node_hooks(hooks: dict[int, Any], grads: Any, given: Any, wrap: Any, unwrap: Any) -> Any:
    """The gradients after a node's hooks; `given`: what the node was given, None before
    it has run.
    """

    def show(duals: Any) -> tuple[Any, ...]:
        return tuple(None if d is None else wrap(d) for d in duals)

    for hook in tuple(hooks.values()):
        new = hook(show(grads)) if given is None else hook(show(grads), show(given))
        if new is not None:
            new = new if isinstance(new, tuple) else (new,)
            grads = [None if t is None else unwrap(t) for t in new]
    return grads


def run(
    roots: list[tuple[Any, Dual]],
    *,
    keep: bool,
    create_graph: bool,
    wrap: Callable[[Dual], Any],
    unwrap: Callable[[Any], Dual],
    wanted: list[Any] | None = None,
) -> Walk:
    """Pull the cotangents of `roots` (edge, dual) back; `wanted` edges are captured, None: all
    leaves.

    Leaves are not touched here: the caller delivers `walk.leaves`.
    """
    targets = None if wanted is None else {e if type(e) is tuple else id(e) for e in wanted}
    walk = Walk(create_graph, keep, targets)
    before = modes.grad
    modes.grad = create_graph
    place = roots[0][1][0].aval.place if roots else None
    program = recorder.backward_begins(place) if place is not None and not place.traced else None
    try:
        for edge, ct in roots:
            walk.send(edge, ct)
        walk.run(wrap, unwrap)
    finally:
        modes.grad = before
        if program is not None:
            program.backward, program.line = False, None
    return walk
