"""`Node`: one operation of a graph, and who uses its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .._functions import NAMESPACES

__all__ = ["Node", "map_aggregate", "map_arg"]

OPS = ("placeholder", "call_method", "call_module", "call_function", "get_attr", "output")


def map_aggregate(a: Any, fn: Callable[[Any], Any]) -> Any:
    """A nested argument with `fn` of every leaf."""
    if isinstance(a, tuple):
        parts = [map_aggregate(x, fn) for x in a]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    if isinstance(a, list):
        return [map_aggregate(x, fn) for x in a]
    if isinstance(a, dict):
        return {k: map_aggregate(v, fn) for k, v in a.items()}
    if isinstance(a, slice):
        return slice(*(map_aggregate(x, fn) for x in (a.start, a.stop, a.step)))
    return fn(a)


def map_arg(a: Any, fn: Callable[[Any], Any]) -> Any:
    """A nested argument with `fn` of every node in it."""
    if not callable(fn):
        raise AssertionError("torch.fx.map_arg(a, fn): fn must be a callable")
    return map_aggregate(a, lambda x: fn(x) if isinstance(x, Node) else x)


def name_of(f: Any) -> str:
    """The public name of a function: `torch.add`, `operator.add`, `module.f`."""
    for space, functions in NAMESPACES.items():
        if space == "Tensor":
            continue
        for name in (getattr(f, "__name__", ""), *functions):
            if functions.get(name) is f:
                return f"torch.{name}" if space == "torch" else f"torch.{space}.{name}"
    module = getattr(f, "__module__", None) or ""
    own = getattr(f, "__qualname__", None) or getattr(f, "__name__", repr(f))
    return own if module == "builtins" else f"{module}.{own}"


class Node:
    """What is called (`op`, `target`) with what; `users` are the nodes that read the result."""

    def __init__(
        self, graph: Any, name: str, op: str, target: Any, args: Any, kwargs: Any, type: Any = None
    ) -> None:
        if op not in OPS:
            raise AssertionError(f"op '{op}' is not a valid opcode")
        self.graph, self.name, self.op, self.target, self.type = graph, name, op, target, type
        self.users: dict[Node, None] = {}
        self._input_nodes: dict[Node, None] = {}
        self._prev = self._next = self
        self._erased = False
        self.meta: dict[str, Any] = {}
        self._args, self._kwargs = (), {}  # type: ignore[var-annotated]
        self._update(tuple(args), dict(kwargs))

    def _update(self, args: Any, kwargs: Any) -> None:
        for n in self._input_nodes:
            n.users.pop(self, None)
        found: dict[Node, None] = {}

        def seen(n: Node) -> Node:
            found[n] = None
            return n

        self._args, self._kwargs = map_arg(args, seen), map_arg(kwargs, seen)
        self._input_nodes = found
        for n in found:
            n.users[self] = None

    @property
    def args(self) -> Any:
        """Positional arguments; assigning them keeps `users` right."""
        return self._args

    @args.setter
    def args(self, value: Any) -> None:
        self._update(value, self._kwargs)

    @property
    def kwargs(self) -> Any:
        """Keyword arguments; assigning them keeps `users` right."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, value: Any) -> None:
        self._update(self._args, value)

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes among the arguments, each once."""
        return list(self._input_nodes)

    @property
    def next(self) -> Node:
        """The node after this one."""
        return self._next

    @property
    def prev(self) -> Node:
        """The node before this one."""
        return self._prev

    def _unlink(self) -> None:
        self._prev._next, self._next._prev = self._next, self._prev

    def prepend(self, x: Node) -> None:
        """Put `x` before this node."""
        if x is self:
            return
        x._unlink()
        before = self._prev
        before._next, x._prev, x._next, self._prev = x, before, self, x

    def append(self, x: Node) -> None:
        """Put `x` after this node."""
        self._next.prepend(x)

    def update_arg(self, idx: int, arg: Any) -> None:
        """Replace one positional argument."""
        self.args = (*self._args[:idx], arg, *self._args[idx + 1 :])

    def update_kwarg(self, key: str, arg: Any) -> None:
        """Replace one keyword argument."""
        self.kwargs = {**self._kwargs, key: arg}

    def replace_input_with(self, old_input: Node, new_input: Any) -> None:
        """Read `new_input` where `old_input` was read."""

        def swap(n: Node) -> Any:
            return new_input if n is old_input else n

        self._update(map_arg(self._args, swap), map_arg(self._kwargs, swap))

    def replace_all_uses_with(
        self, replace_with: Node, delete_user_cb: Any = None, *, propagate_meta: bool = False
    ) -> list[Node]:
        """Everybody who reads this node reads the other; returns who changed."""
        if propagate_meta:
            replace_with.meta.update(self.meta)
        users = [u for u in self.users if delete_user_cb is None or delete_user_cb(u)]
        changed = [u for u in users if u is not replace_with]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    def is_impure(self, impure_random: bool = True) -> bool:
        """Whether it may matter though nobody reads it."""
        if self.op in ("placeholder", "output"):
            return True
        return self.op == "call_method" and str(self.target).endswith("_")

    def format_node(self) -> str:
        """A line of the graph's text."""
        if self.op == "placeholder":
            default = f"(default={self.args[0]})" if self.args else ""
            head = f"%{self.name} : [num_users={len(self.users)}]"
            return f"{head} = placeholder[target={self.target}]{default}"
        if self.op == "output":
            return f"return {self.args[0]}"
        head = f"%{self.name} : [num_users={len(self.users)}] = {self.op}[target={self._pretty()}]"
        if self.op == "get_attr":
            return head
        return f"{head}(args = {_percent(self.args)}, kwargs = {_percent(self.kwargs)})"

    def _pretty(self) -> str:
        return self.target if isinstance(self.target, str) else name_of(self.target)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a node of a graph cannot be iterated over")

    def __repr__(self) -> str:
        return self.name


def _percent(a: Any) -> str:
    class Shown:
        def __init__(self, n: Node) -> None:
            self.n = n

        def __repr__(self) -> str:
            return f"%{self.n.name}"

    return repr(map_arg(a, Shown))
