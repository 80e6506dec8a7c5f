"""`Graph`: nodes in order, and the Python code that they are."""

from __future__ import annotations

import builtins
import contextlib
import keyword
import math
import operator
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .node import Node, map_arg, name_of

__all__ = ["Graph", "PythonCode"]

# what `torch.fx.wrap` named: (a module's globals, a name in them)
WRAPPED: dict[tuple[int, str], dict[str, Any]] = {}
_INFIX = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "floordiv": "{} // {}",
    "truediv": "{} / {}", "mod": "{} % {}", "pow": "{} ** {}", "lshift": "{} << {}",
    "rshift": "{} >> {}", "and_": "{} & {}", "or_": "{} | {}", "xor": "{} ^ {}",
    "matmul": "{} @ {}", "getitem": "{}[{}]", "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}",
    "ge": "{} >= {}", "eq": "{} == {}", "ne": "{} != {}", "neg": "-{}", "pos": "+{}",
    "invert": "~{}",
}  # fmt: skip
_FORMATS = {getattr(operator, name): text for name, text in _INFIX.items()}


@dataclass
class PythonCode:
    """Source of a `forward`, and the objects that it names."""

    src: str
    globals: dict[str, Any]


class _Names:
    """Names of one graph, each given once."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def new(self, candidate: str) -> str:
        """A valid name like `candidate`: `add`, `add_1`, ..."""
        base = re.sub(r"[^0-9a-zA-Z_]+", "_", candidate)
        base = base if base and not base[0].isdigit() else f"_{base}"
        stem = re.match(r"(.*)_(\d+)$", base)
        root, count = (stem[1], int(stem[2])) if stem else (base, 0)
        name = base
        while name in self.used or keyword.iskeyword(name) or hasattr(builtins, name):
            count += 1
            name = f"{root}_{count}"
        self.used.add(name)
        return name


def _snake(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


class Graph:
    """Nodes from placeholders to an output; new ones go where `inserting_before` says."""

    def __init__(
        self, owning_module: Any = None, tracer_cls: Any = None, tracer_extras: Any = None
    ) -> None:
        self._root = Node(self, "", "placeholder", "", (), {})
        self._root.op = "root"
        self._insert: Callable[[Node], None] = self._root.prepend
        self._names = _Names()
        self.owning_module, self._tracer_cls = owning_module, tracer_cls
        self._len = 0

    @property
    def nodes(self) -> _NodeList:
        """The nodes in order."""
        return _NodeList(self)

    def create_node(
        self, op: str, target: Any, args: Any = None, kwargs: Any = None, name: str | None = None,
        type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """Append a node, or insert it where the graph inserts now."""
        candidate = name if name is not None else self._candidate(op, target)
        made = Node(
            self, self._names.new(candidate), op, target, args or (), kwargs or {}, type_expr
        )
        self._insert(made)
        self._len += 1
        return made

    @staticmethod
    def _candidate(op: str, target: Any) -> str:
        own = target if isinstance(target, str) else getattr(target, "__name__", str(target))
        return _snake(
            own.replace(".", "_").lstrip("*").rstrip("_")
            if op != "placeholder"
            else own.lstrip("*")
        )

    @contextlib.contextmanager
    def _inserting(self, insert: Callable[[Node], None]) -> Iterator[None]:
        old, self._insert = self._insert, insert
        try:
            yield
        finally:
            self._insert = old

    def inserting_before(self, n: Node | None = None) -> Any:
        """New nodes go before `n` (at the end without it) inside the `with` block."""
        return self._inserting((n or self._root).prepend)

    def inserting_after(self, n: Node | None = None) -> Any:
        """New nodes go after `n` (at the beginning without it) inside the `with` block."""
        return self._inserting(_Appender(n or self._root))

    def placeholder(self, name: str, type_expr: Any = None, default_value: Any = ...) -> Node:
        """An argument of the graph."""
        args = () if default_value is ... else (default_value,)
        return self.create_node(
            "placeholder", name, args, name=name.lstrip("*"), type_expr=type_expr
        )

    def get_attr(self, qualified_name: str, type_expr: Any = None) -> Node:
        """A parameter, buffer or attribute of the module."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(
        self, module_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None
    ) -> Node:
        """A submodule's forward."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(
        self, method_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None
    ) -> Node:
        """A method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(
        self, the_function: Any, args: Any = None, kwargs: Any = None, type_expr: Any = None,
        name: str | None = None,
    ) -> Node:  # fmt: skip
        """A function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def output(self, result: Any, type_expr: Any = None) -> Node:
        """What the graph returns."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def output_node(self) -> Node:
        """The output."""
        return next(n for n in reversed(self.nodes) if n.op == "output")

    def find_nodes(self, *, op: str, target: Any = None, sort: bool = True) -> list[Node]:
        """Nodes of a kind, and of a target."""
        return [n for n in self.nodes if n.op == op and target in (None, n.target)]

    def node_copy(self, node: Node, arg_transform: Any = lambda x: x) -> Node:
        """A copy of another graph's node, its arguments changed by `arg_transform`."""
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        made = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        made.meta = dict(node.meta)
        return made

    def graph_copy(
        self, g: Graph, val_map: dict[Node, Any], return_output_node: bool = False
    ) -> Any:
        """Copy all nodes of `g` but its output; returns what that would return here."""
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], lambda n: val_map[n])
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def erase_node(self, to_erase: Node) -> None:
        """Remove a node that nobody reads."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in "
                f"the graph: {to_erase.users}!"
            )
        if to_erase.graph is not self:
            raise RuntimeError(f"Attempting to remove {to_erase} from wrong graph!")
        if to_erase._erased:
            return
        to_erase._unlink()
        to_erase._erased = True
        self._len -= 1
        to_erase._update((), {})

    def eliminate_dead_code(self, is_impure_node: Any = None) -> bool:
        """Erase what nobody reads; returns whether anything went."""
        changed = False
        for node in reversed(self.nodes):
            impure = node.is_impure() if is_impure_node is None else is_impure_node(node)
            if not impure and not node.users:
                self.erase_node(node)
                changed = True
        return changed

    def lint(self) -> None:
        """Raise for a node that reads what comes later or belongs to another graph."""
        seen: set[Node] = set()
        for node in self.nodes:
            for x in node.all_input_nodes:
                if x.graph is not self:
                    raise RuntimeError(
                        f"Argument '{x}' of Node '{node}' does not belong to this Graph"
                    )
                if x not in seen:
                    raise RuntimeError(
                        f"Argument '{x}' of Node '{node}' was used before it has been defined!"
                    )
            seen.add(node)

    def python_code(self, root_module: str, *, verbose: bool = False) -> PythonCode:
        """The graph as the source of a `forward`."""
        return _Writer(self, root_module).write()

    def print_tabular(self) -> None:
        """A table of the nodes."""
        rows = [("opcode", "name", "target", "args", "kwargs")]
        rows += [(n.op, n.name, n._pretty(), str(n.args), str(n.kwargs)) for n in self.nodes]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        print("\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]]))

    def __str__(self) -> str:
        names = ", ".join(f"%{n.name}" for n in self.nodes if n.op == "placeholder")
        lines = [n.format_node() for n in self.nodes]
        return f"graph({names}):\n" + "\n".join(f"    {line}" for line in lines)


class _Appender:
    """Puts each new node after the last one."""

    def __init__(self, after: Node) -> None:
        self.after = after

    def __call__(self, n: Node) -> None:
        self.after.append(n)
        self.after = n


class _NodeList:
    def __init__(self, graph: Graph, backwards: bool = False) -> None:
        self.graph, self.backwards = graph, backwards

    def __len__(self) -> int:
        return self.graph._len

    def __iter__(self) -> Iterator[Node]:
        root = self.graph._root
        n = root._prev if self.backwards else root._next
        while n is not root:
            if not n._erased:
                yield n
            n = n._prev if self.backwards else n._next

    def __reversed__(self) -> _NodeList:
        return _NodeList(self.graph, not self.backwards)


class _Writer:
    """Turns a graph into source; a value is dropped after its last use, as Python would free it."""

    def __init__(self, graph: Graph, root: str) -> None:
        self.graph, self.root = graph, root
        self.globals: dict[str, Any] = {}
        self.last: dict[Node, list[Node]] = {}
        seen: set[Node] = set()
        for node in reversed(graph.nodes):
            for x in node.all_input_nodes:
                if x not in seen:
                    seen.add(x)
                    self.last.setdefault(node, []).append(x)

    def named(self, f: Any) -> str:
        """How the source names an object."""
        name = name_of(f)
        if name.startswith("torch."):
            self.globals["torch"] = _torch()
            return name
        if getattr(builtins, name, None) is f:
            return name
        short = name.replace(".", "_")
        if f in (getattr(operator, n, None) for n in dir(operator)):
            short = f"_operator_{f.__name__}"
        while self.globals.get(short, f) is not f:
            short += "_"
        self.globals[short] = f
        return short

    def text(self, a: Any) -> str:
        """An argument as source."""
        if isinstance(a, Node):
            return a.name
        if isinstance(a, tuple):
            inside = ", ".join(map(self.text, a))
            if hasattr(a, "_fields"):
                return f"{self.named(type(a))}({inside})"
            return f"({inside},)" if len(a) == 1 else f"({inside})"
        if isinstance(a, list):
            return f"[{', '.join(map(self.text, a))}]"
        if isinstance(a, dict):
            return "{" + ", ".join(f"{k!r}: {self.text(v)}" for k, v in a.items()) + "}"
        if isinstance(a, slice):
            return f"slice({self.text(a.start)}, {self.text(a.stop)}, {self.text(a.step)})"
        return self.constant(a)

    def constant(self, a: Any) -> str:
        """A value that is no node as source."""
        if isinstance(a, float) and not math.isfinite(a):
            self.globals.update(inf=math.inf, nan=math.nan)
            return repr(a)
        if isinstance(a, types.FunctionType | types.BuiltinFunctionType | type):
            return self.named(a)
        module = type(a).__module__
        if module.startswith("jtorch"):  # dtypes, devices, layouts
            self.globals["torch"], self.globals["device"] = (
                _torch(),
                getattr(_torch(), "device", None),
            )
            text = repr(a)
            return f"torch.{text}" if text.startswith("device(") else text
        return repr(a)

    def call(self, args: Any, kwargs: Any) -> str:
        """Arguments as source."""
        parts = [*map(self.text, args), *(f"{k} = {self.text(v)}" for k, v in kwargs.items())]
        return ", ".join(parts)

    def line(self, n: Node) -> str:
        """One statement."""
        if n.op == "output":
            return f"return {self.text(n.args[0])}"
        return f"{n.name} = {self.expression(n)}"

    def expression(self, n: Node) -> str:
        """What a node computes."""
        if n.op == "call_method":
            return f"{self.text(n.args[0])}.{n.target}({self.call(n.args[1:], n.kwargs)})"
        if n.op == "get_attr":
            return self.attribute(n.target)
        if n.op == "call_module":
            return f"{self.attribute(n.target)}({self.call(n.args, n.kwargs)})"
        if n.target in _FORMATS and not n.kwargs:
            return _FORMATS[n.target].format(*map(self.text, n.args))
        if n.target is getattr and len(n.args) == 2 and str(n.args[1]).isidentifier():
            return f"{self.text(n.args[0])}.{n.args[1]}"
        return f"{self.named(n.target)}({self.call(n.args, n.kwargs)})"

    def attribute(self, path: str) -> str:
        """`self.layers.0.weight` as source."""
        text = self.root
        for part in path.split("."):
            text = f"{text}.{part}" if part.isidentifier() else f'getattr({text}, "{part}")'
        return text

    def parameter(self, n: Node) -> str:
        """A placeholder in the signature."""
        star = re.match(r"\**", n.target)[0]  # type: ignore[index]
        default = f" = {self.text(n.args[0])}" if n.args else ""
        return f"{star}{n.name}{default}"

    def write(self) -> PythonCode:
        """The whole function."""
        parameters, lines = ["self"], []
        for n in self.graph.nodes:
            if n.op == "placeholder":
                parameters.append(self.parameter(n))
                continue
            drop = "" if n.op == "output" else self.dropped(n)
            lines.append(f"    {self.line(n)}{drop}")
        body = "\n".join(lines) or "    pass"
        wraps = "\n".join(f'torch.fx._symbolic_trace.wrap("{name}")' for name in self.wrapped())
        head = f"\n{wraps}\n\ndef forward({', '.join(parameters)}):\n"
        return PythonCode(f"{head}{body}\n    ", self.globals)

    def wrapped(self) -> list[str]:
        """The names here of functions that `torch.fx.wrap` names."""
        marked = [space.get(name) for (_, name), space in WRAPPED.items()]
        names = [n for n, f in self.globals.items() if any(f is m for m in marked)]
        if names:
            self.globals["torch"] = _torch()
        return names

    def dropped(self, n: Node) -> str:
        """`;  x = y = None` for what is read here for the last time, and for what nobody reads."""
        gone = [x.name for x in self.last.get(n, [])]
        if not n.users and n.op != "call_module":
            gone = [*gone, n.name]
        return f";  {' = '.join(gone)} = None" if gone else ""


def _torch() -> Any:
    import sys

    return sys.modules[__package__.partition(".")[0]]
