"""The walk of one backward pass from a result to the leaves of its graph."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from . import recorder, replay
from .backward import Dual, Hooks, Node, add, modes
from .saved import check_result


class Walk:
    """One backward pass: cotangents waiting at nodes, gradients collected at leaves."""

    def __init__(self, create_graph: bool, keep: bool, wanted: set[Any] | None) -> None:
        self.create_graph, self.keep, self.wanted = create_graph, keep, wanted
        self.waiting: dict[int, list[Dual | None]] = {}  # by the node's number
        self.heap: list[tuple[int, Node]] = []  # newest first
        self.leaves: dict[int, tuple[Any, Dual]] = {}
        self.captured: dict[Any, Dual] = {}
        self.order: list[Node] = []  # as they were pulled

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
            self.order.append(node)
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
    seed = roots[0][1][0] if roots else None
    program = None
    if seed is not None and not seed.aval.place.traced:
        program = recorder.backward_begins(seed)
    try:
        first = None
        if program is not None and wanted is None and not create_graph and len(roots) == 1:
            first = replay.begin(program, *roots[0], keep)
            if first is not None and first.again(walk.leaves):
                return walk
        for edge, ct in roots:
            walk.send(edge, ct)
        walk.run(wrap, unwrap)
        if first is not None:
            first.learn(walk.order, walk.leaves)
    finally:
        modes.grad = before
        if program is not None:
            program.backward, program.line = False, None
    return walk
