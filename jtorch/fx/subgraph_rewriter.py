"""`replace_pattern`: every place where a graph computes one thing computes another."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._symbolic_trace import symbolic_trace
from .graph import Graph
from .node import Node

__all__ = ["Match", "replace_pattern"]


class Match(NamedTuple):
    """Where a pattern was found: its last node, and each of its nodes' counterpart."""

    anchor: Node
    nodes_map: dict[Node, Node]


def _graph_of(x: Any) -> Graph:
    if isinstance(x, Graph):
        return x
    return x.graph if hasattr(x, "graph") else symbolic_trace(x).graph


class _Matcher:
    """Compares a pattern with the nodes that lead to one node."""

    def __init__(self, pattern: Graph) -> None:
        self.result = pattern.output_node().args[0]
        if not isinstance(self.result, Node):
            raise NotImplementedError("replace_pattern: the pattern must return one value.")
        self.nodes: dict[Node, Any] = {}

    def match(self, node: Node) -> dict[Node, Any] | None:
        """Each pattern node's counterpart, if the pattern ends at `node`."""
        self.nodes = {}
        return dict(self.nodes) if self._same(self.result, node) and self._closed() else None

    def _same(self, p: Any, n: Any) -> bool:
        if not isinstance(p, Node):
            return self._same_aggregate(p, n)
        if p in self.nodes:
            return self.nodes[p] is n
        if p.op != "placeholder":
            alike = isinstance(n, Node) and p.op == n.op and p.target == n.target
            if not alike:
                return False
        self.nodes[p] = n
        if p.op == "placeholder":
            return True
        return self._same_aggregate(p.args, n.args) and self._same_aggregate(p.kwargs, n.kwargs)

    def _same_aggregate(self, p: Any, n: Any) -> bool:
        if isinstance(p, tuple | list):
            alike = isinstance(n, tuple | list) and len(p) == len(n)
            return alike and all(self._same(a, b) for a, b in zip(p, n, strict=True))
        if isinstance(p, dict):
            return (
                isinstance(n, dict)
                and p.keys() == n.keys()
                and all(self._same(p[k], n[k]) for k in p)
            )
        return bool(type(p) is type(n) and p == n)

    def _closed(self) -> bool:
        """Nobody outside reads what is inside."""
        inside = {n for p, n in self.nodes.items() if p.op != "placeholder"}
        end = self.nodes[self.result]
        return all(user in inside for n in inside if n is not end for user in n.users)


def replace_pattern(gm: Any, pattern: Any, replacement: Any) -> list[Match]:
    """Replace non-overlapping matches of `pattern` in a GraphModule; returns where they were."""
    pattern_graph, new_graph = _graph_of(pattern), _graph_of(replacement)
    inputs = [n for n in pattern_graph.nodes if n.op == "placeholder"]
    outputs = [n for n in new_graph.nodes if n.op == "placeholder"]
    if len(inputs) != len(outputs):
        raise AssertionError("pattern and replacement must take as many arguments")
    matcher, found, taken = _Matcher(pattern_graph), [], set()
    for node in reversed(list(gm.graph.nodes)):
        match = matcher.match(node)
        inside = {n for p, n in (match or {}).items() if p.op != "placeholder"}
        if match is not None and not inside & taken:
            taken |= inside
            found.append((node, match, inside))
    matches, replaced = [], {}  # type: ignore[var-annotated]
    for node, match, inside in reversed(found):
        new_values = dict(
            zip(outputs, (replaced.get(match[i], match[i]) for i in inputs), strict=True)
        )
        first = min(node.users, key=lambda n: _position(gm.graph, n), default=node)
        with gm.graph.inserting_before(first):
            result = gm.graph.graph_copy(new_graph, new_values)
        if isinstance(result, Node):
            node.replace_all_uses_with(result)
            replaced[node] = result
        for old in sorted(inside, key=lambda n: -_position(gm.graph, n)):
            gm.graph.erase_node(old)
        matches.append(Match(node, match))
    gm.recompile()
    return matches


def _position(graph: Graph, node: Node) -> int:
    return next(i for i, n in enumerate(graph.nodes) if n is node)
