"""Reverse mode: grad nodes, the walk from a result to its leaves, hooks, and grad modes.

A differentiable value is a *dual*: (Value, edge). An edge says where its gradient goes: None (nowhere),
`(node, output number)`, or a leaf, which is any object with `_accumulate(dual, create_graph)`.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any

from . import recorder
from .device import TRACED
from .op import Op, Param, Role
from .signature import Signature, differentiable, make
from .value import Aval, Value

Dual = tuple[Value, Any]
_sequence = itertools.count()
_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they "
    "have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


class _Modes(threading.local):
    grad = True
    inference = False


modes = _Modes()


class Node:
    """One step of the graph: what pulls cotangents of its outputs back to its inputs."""

    __slots__ = ("__weakref__", "edges", "hooks", "outs", "pre_hooks", "retained", "seq")

    def __init__(self, edges: tuple[Any, ...], outs: tuple[Aval, ...]) -> None:
        self.edges, self.outs = edges, outs
        self.seq = next(_sequence)
        self.pre_hooks: dict[int, dict[int, Callable[..., Any]]] | None = None  # tensor hooks
        self.hooks: dict[str, dict[int, Callable[..., Any]]] | None = None  # node hooks
        self.retained: dict[int, Any] | None = None

    def __lt__(self, other: Node) -> bool:
        return self.seq > other.seq

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
        super().__init__(edges, sig.outs)
        self.sig = sig
        # A linear op's gradient does not read its operands: holding them would keep them alive.
        self.flat = tuple(x for x in flat if type(x) is not Value) if sig.op.linear else tuple(flat)

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        flat, sig = self.flat, self.sig
        if flat is None:
            raise RuntimeError(_FREED)
        needs = tuple(i for i, e in enumerate(self.edges) if e is not None)
        given = tuple(i for i, c in enumerate(cts) if c is not None and differentiable(sig.outs[i]))
        if not given:
            return [None] * len(self.edges)
        vjp = sig.vjp(needs, given)
        values = [cts[i] for i in given]
        operands = (*flat, *(c[0] for c in values if c is not None))
        if create_graph:
            own = (None,) * len(flat) if sig.op.linear else self.edges
            edges = (*own, *(c[1] for c in values if c is not None))
        else:
            edges = ()
        grads = iter(call(vjp, operands, edges))
        if not keep and not sig.op.linear:
            self.flat = None
        return [next(grads) if e is not None else None for e in self.edges]

    def name(self) -> str:
        op = self.sig.op
        return (op.grad_name or camel(op.name)) + "Backward0"


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
        given = tuple(
            i for i, c in enumerate(cts) if c is not None and differentiable(self.sig.outs[i])
        )
        if not given:
            return [None] * len(self.edges)
        values = [c[0] for i in given if (c := cts[i]) is not None]
        grads = iter(call(self.make_pull(given), (*self.residuals, *values), ()))
        if not keep:
            self.flat = self.residuals = None
        return [next(grads) if e is not None else None for e in self.edges]


def camel(name: str) -> str:
    """'batch_norm' -> 'BatchNorm'."""
    return "".join(part.capitalize() for part in name.split("_"))


def call(sig: Signature, flat: Any, edges: Any) -> list[Dual]:
    """Record an op; with edges (one per flat operand), also its grad node."""
    track = sig.differentiable and any(e is not None for e in edges)
    if track and sig.op.residuals and sig.place is not TRACED:
        return _call_keeping(sig, flat, tuple(edges))
    results = recorder.record(sig, flat, track)
    if not track:
        return [(v, None) for v in results]
    recorder.note_edges(flat, edges)
    node = OpNode(sig, flat, tuple(edges))
    return [(v, (node, i) if differentiable(v.aval) else None) for i, v in enumerate(results)]


def _call_keeping(sig: Signature, flat: Any, edges: tuple[Any, ...]) -> list[Dual]:
    needs = tuple(i for i, e in enumerate(edges) if e is not None)
    forward, make_pull = sig.with_residuals(needs)
    results = recorder.record(forward, flat, True)
    recorder.note_edges(flat, edges)
    n = len(sig.outs)
    node = ResidualNode(sig, flat, edges, make_pull, tuple(results[n:]))
    return [(v, (node, i) if differentiable(v.aval) else None) for i, v in enumerate(results[:n])]


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
        self.waiting: dict[Node, list[Dual | None]] = {}
        self.heap: list[Node] = []
        self.leaves: dict[int, tuple[Any, Dual]] = {}
        self.captured: dict[Any, Dual] = {}

    def send(self, edge: Any, ct: Dual) -> None:
        """Add a cotangent to what waits at an edge."""
        if type(edge) is not tuple:
            old = self.leaves.get(id(edge))
            self.leaves[id(edge)] = (edge, ct if old is None else add(old[1], ct))
            return
        node, index = edge
        slots = self.waiting.get(node)
        if slots is None:
            slots = self.waiting[node] = [None] * len(node.outs)
            heapq.heappush(self.heap, node)
        held = slots[index]
        slots[index] = ct if held is None else add(held, ct)

    def run(self, wrap: Callable[[Dual], Any], unwrap: Callable[[Any], Dual]) -> None:
        """Walk newest node first; every parent is older than its children."""
        needed = None if self.wanted is None else self._needed()
        while self.heap:
            node = heapq.heappop(self.heap)
            cts = self.waiting.pop(node)
            self._tensor_hooks(node, cts, wrap, unwrap)
            if self.wanted is not None:
                for i, ct in enumerate(cts):
                    if ct is not None and (node, i) in self.wanted:
                        self.captured[node, i] = ct
                if node not in needed:  # type: ignore[operator]
                    continue
            cts = self._node_hooks(node, "pre", cts, None, wrap, unwrap)
            grads = node.pull(cts, self.create_graph, self.keep)
            grads = self._node_hooks(node, "post", grads, cts, wrap, unwrap)
            for edge, g in zip(node.edges, grads, strict=True):
                if edge is not None and g is not None:
                    self.send(edge, g)

    def _needed(self) -> set[Node]:
        """Nodes from which a wanted edge can be reached (the rest need not be pulled)."""
        order: list[Node] = []
        seen = set(self.waiting)
        stack = list(seen)
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

    def _tensor_hooks(self, node: Node, cts: list[Dual | None], wrap: Any, unwrap: Any) -> None:
        for index, hooks in (node.pre_hooks or {}).items():
            for hook in tuple(hooks.values()):
                ct = cts[index]
                if ct is not None:
                    new = hook(wrap(ct))
                    cts[index] = ct if new is None else unwrap(new)
        for index, ref in (node.retained or {}).items():
            target, ct = ref(), cts[index]
            if target is not None and ct is not None:
                target._accumulate(ct, self.create_graph)

    def _node_hooks(
        self, node: Node, when: str, grads: Any, given: Any, wrap: Any, unwrap: Any
    ) -> Any:
        hooks = (node.hooks or {}).get(when)
        if not hooks:
            return grads
        show = lambda duals: tuple(None if d is None else wrap(d) for d in duals)  # noqa: E731
        for hook in tuple(hooks.values()):
            new = hook(show(grads)) if when == "pre" else hook(show(grads), show(given))
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
    """Pull the cotangents of `roots` (edge, dual) back; `wanted` edges are captured, None: all leaves.

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
            program.backward = False
    return walk
