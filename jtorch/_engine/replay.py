"""A backward pass that repeats an earlier one is appended to the program as a block.

What a walk records follows from the code that the program holds when it begins, from where each
node's results lie in that code, and from the edges. A training loop comes back with all of these
equal at every step: the first walk leaves behind the instructions it appended, the next ones copy
them. Passes with hooks, of a graph that reaches into programs that have run, or for `autograd.grad`
always walk.
"""

from __future__ import annotations

from itertools import repeat
from operator import is_
from typing import Any
from weakref import ref

from . import backward, recorder
from .backward import Dual, OpNode, ResidualNode
from .program import Program
from .saved import check
from .signature import TABLE
from .value import Aval, Value

_PLAIN = {OpNode, ResidualNode}
_MOST = 1 << 12  # blocks that are kept: a script may make graphs without end


class Block:
    """What a walk appended.  Nodes are given by their place on the tape, results by their number
    among those of the block.
    """

    __slots__ = (
        "avals", "checks", "code", "freed", "grads", "leaves", "nodes", "numbered", "outs",
        "residual", "starts",
    )  # fmt: skip

    code: list[int]
    starts: list[int]
    outs: int
    nodes: list[int]  # those that were pulled
    checks: list[tuple[int, tuple[int, ...]]]  # operands that must not have been written since
    numbered: list[int]  # nodes whose numbers the block takes, in its order
    freed: list[int]  # nodes that let go of their operands
    residual: list[int]  # nodes that let go of their residuals
    leaves: list[Any]  # weak references
    grads: list[int]  # results that are their gradients
    avals: tuple[Aval, ...]


_blocks: dict[Any, Block] = {}


class Pass:
    """One backward pass that has walked or copied, and what decides what it appends."""

    __slots__ = ("code", "key", "leaves", "nodes", "outs", "program", "starts")

    def __init__(self, program: Program, nodes: list[OpNode], key: Any) -> None:
        self.program, self.nodes, self.key = program, nodes, key
        self.code, self.starts = len(program.code), len(program.starts)
        self.outs, self.leaves = len(program.outs), len(program.leaves)

    def again(self, leaves: dict[int, tuple[Any, Dual]]) -> bool:
        """Append what an equal pass appended, and give the leaves' gradients; False: unknown."""
        block = _blocks.get(self.key)
        if block is None:
            return False
        program, nodes = self.program, self.nodes
        targets = [leaf() for leaf in block.leaves]
        if any(map(is_, targets, repeat(None))):
            return False
        if [i for i in block.nodes if nodes[i].flat is None]:  # a freed graph: the walk says so
            return False
        for i, saved in block.checks:
            check(nodes[i], saved)
        for i in block.numbered:
            for x in nodes[i].flat:
                if type(x) is not Value:
                    program.numbers[type(x)].append(x)
        program.code += block.code
        program.starts += block.starts
        program.lines += [program.line] * len(block.starts)
        outs: list[Any] = [_nothing] * block.outs
        for leaf, i, kind in zip(targets, block.grads, block.avals, strict=True):
            grad = Value(kind, None, program, self.outs + i)
            outs[i] = ref(grad)
            leaves[id(leaf)] = (leaf, (grad, None))
        program.outs += outs
        for i in block.freed:
            nodes[i].flat = None
        for i in block.residual:
            nodes[i].residuals = None  # type: ignore[attr-defined]
        return True

    def learn(self, order: list[Any], leaves: dict[int, tuple[Any, Dual]]) -> None:
        """Keep what a walk in this order has appended, if it can be had again from the key."""
        program, nodes, keep = self.program, self.nodes, self.key[-1]
        known = {id(node): i for i, node in enumerate(nodes)}
        starts = program.starts[self.starts :]
        appended = [TABLE[program.code[s]] for s in starts]
        pulls = [sig for sig in appended if sig.op is not backward.ADD]
        grads = [dual[0] for _, dual in leaves.values()]
        if (
            len(program.leaves) != self.leaves
            or len(pulls) != len(order)
            or any(id(node) not in known for node in order)
            or not all(v.program is program and v.slot >= self.outs for v in grads)
        ):
            return
        block = Block()
        block.nodes = [known[id(node)] for node in order]
        block.residual = [known[id(n)] for n in order if type(n) is ResidualNode]
        both = zip(order, pulls, strict=True)
        plain = [(known[id(n)], n, p) for n, p in both if type(n) is OpNode]
        block.checks = [(i, p.saves) for i, _, p in plain if p.saves]
        block.numbered = [i for i, _, p in plain if p.numbers]
        block.freed = [i for i, n, _ in plain if not n.sig.op.linear] + block.residual
        if keep:
            block.freed = block.residual = []
        block.code, block.starts = program.code[self.code :], starts
        block.outs = len(program.outs) - self.outs
        block.leaves = [ref(leaf) for leaf, _ in leaves.values()]
        block.grads = [v.slot - self.outs for v in grads]
        block.avals = tuple([v.aval for v in grads])
        if len(_blocks) >= _MOST:
            _blocks.clear()
        _blocks[self.key] = block


def _nothing() -> None:
    """The weak reference of a result that nobody holds."""


def begin(program: Program, edge: Any, ct: Dual, keep: bool) -> Pass | None:
    """The pass that starts with one cotangent at one edge; None if it has to walk."""
    nodes = [node for weak in program.tape if (node := weak()) is not None]
    if recorder.regions or type(edge) is not tuple or ct[0].program is not program:
        return None
    at: list[int] = []
    where: list[int] = []  # a result of this program by its number, a leaf by its id
    known = {}
    for node in nodes:
        if node.hooks is not None or type(node) not in _PLAIN:
            return None
        known[node] = here = node.at
        at.append(here)
        for e in node.edges:
            if type(e) is tuple:
                first = known.get(e[0])
                if first is None:
                    return None
                where.append(first + e[1])
            else:
                where.append(id(e))
    if edge[0] not in known:
        return None
    root = (known[edge[0]] + edge[1], ct[0].slot)
    return Pass(program, nodes, (tuple(program.code), tuple(at), tuple(where), root, keep))
