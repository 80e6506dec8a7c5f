"""`GraphModule`: a module whose forward is a graph's code."""

from __future__ import annotations

import copy
import linecache
from typing import Any

from ..nn.module import Module
from .graph import Graph

__all__ = ["GraphModule"]

_count = 0


def _compiled(src: str, globals_: dict[str, Any]) -> Any:
    """The `forward` of a source, which tracebacks can show."""
    global _count
    filename = f"<jtorch.fx {_count}>"
    _count += 1
    linecache.cache[filename] = (len(src), None, src.splitlines(True), filename)
    space = dict(globals_)
    exec(compile(src, filename, "exec"), space)
    return space["forward"]


class GraphModule(Module):
    """The attributes of `root` that the graph uses, and the graph's code as `forward`."""

    _code: str

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # `recompile` gives each its own forward, so each needs its own class
        made = type(cls.__name__, (cls,), {}) if cls.__name__ == "GraphModule" else cls
        return super().__new__(made)

    def __init__(self, root: Any, graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        type(self).__name__ = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph.nodes:
            if node.op in ("get_attr", "call_module"):
                self._take(root, str(node.target))
        self.graph = graph

    def _take(self, root: Any, path: str) -> None:
        """Put what `root` has at a path into the same place here."""
        *parents, name = path.split(".")
        source, here = root, self
        for part in parents:
            source = source[f"{part}"] if isinstance(source, dict) else getattr(source, part)
            if not hasattr(here, part):
                here.add_module(part, Module())
            here = getattr(here, part)
        if isinstance(root, dict):
            value = root[path]
        elif not hasattr(source, name):
            raise RuntimeError(
                f"Node referenced target {path} but that target was not provided in ``root``!"
            )
        else:
            value = getattr(source, name)
        if hasattr(here, name):
            return
        if isinstance(source, Module) and name in source._buffers:
            here.register_buffer(name, value)
        else:
            setattr(here, name, value)

    @property
    def graph(self) -> Graph:
        """The graph; assigning one recompiles."""
        return self.__dict__["_graph"]  # type: ignore[no-any-return]

    @graph.setter
    def graph(self, g: Graph) -> None:
        self.__dict__["_graph"] = g
        g.owning_module = self
        self.recompile()

    @property
    def code(self) -> str:
        """The Python source of `forward`."""
        return self._code

    def recompile(self) -> Any:
        """Make `forward` what the graph is now."""
        code = self.graph.python_code("self")
        self._code = code.src
        type(self).forward = _compiled(code.src, code.globals)  # type: ignore[method-assign]
        return code

    def print_readable(self, print_output: bool = True, **kwargs: Any) -> str:
        """The source, printed."""
        text = f"class {type(self).__name__}(torch.nn.Module):{self.code.strip()}"
        if print_output:
            print(text)
        return text

    def add_submodule(self, target: str, m: Any) -> bool:
        """Put a module at a path."""
        *parents, name = target.split(".")
        here: Any = self
        for part in parents:
            if not hasattr(here, part):
                here.add_module(part, Module())
            here = getattr(here, part)
        here.add_module(name, m)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Remove modules that the graph does not call."""
        used = {str(n.target) for n in self.graph.nodes if n.op in ("call_module", "get_attr")}
        for name, _ in list(self.named_modules()):
            if name and not any(
                u == name or u.startswith(name + ".") or name.startswith(u + ".") for u in used
            ):
                *parents, last = name.split(".")
                here: Any = self
                for part in parents:
                    here = here._modules.get(part) if here is not None else None
                if here is not None:
                    here._modules.pop(last, None)

    def __deepcopy__(self, memo: Any) -> Any:
        parts = Module()
        parts.__dict__.update(
            {k: copy.deepcopy(v, memo) for k, v in self.__dict__.items() if k != "_graph"}
        )
        new_graph = Graph()
        result = new_graph.graph_copy(self.graph, {})
        new_graph.output(result)
        return GraphModule(parts, new_graph, type(self).__name__)

    def __str__(self) -> str:
        more = "To see more debug info, please use `graph_module.print_readable()`"
        return f"{super().__repr__()}\n{self._code}\n# {more}"
