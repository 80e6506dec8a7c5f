"""`Tracer`: runs a module on proxies and keeps what happened as a graph."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from .._functions import NAMESPACES
from ..nn.module import Module
from ..tensor import Tensor
from .graph import WRAPPED, Graph
from .graph_module import GraphModule
from .node import Node
from .proxy import Proxy, TraceError, TracerBase

__all__ = ["Tracer", "symbolic_trace", "wrap"]


def wrap(fn_or_name: Any) -> Any:
    """Record calls of a function of the calling module instead of tracing into it."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(
            "Unsupported type for global function! Must be either a callable or string name"
        )
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    if frame.f_back.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    WRAPPED[id(frame.f_back.f_globals), name] = frame.f_back.f_globals
    return fn_or_name


def _has_proxy(a: Any) -> Proxy | None:
    if isinstance(a, Proxy):
        return a
    if isinstance(a, dict):
        a = a.values()
    elif not isinstance(a, tuple | list):
        return None
    return next((p for p in map(_has_proxy, a) if p is not None), None)


def _recording(f: Any) -> Any:
    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        proxy = _has_proxy((args, kwargs))
        if proxy is None:
            return f(*args, **kwargs)
        return proxy.tracer.create_proxy("call_function", f, args, kwargs)

    return call


class _Patches:
    """Names in dictionaries and classes, put back afterwards."""

    def __init__(self) -> None:
        self.undo: list[tuple[Any, str, Any]] = []

    def item(self, space: dict[str, Any], name: str, new: Any) -> None:
        self.undo.append((space, name, space[name]))
        space[name] = new

    def attribute(self, cls: Any, name: str, new: Any) -> None:
        self.undo.append((cls, name, getattr(cls, name)))
        setattr(cls, name, new)

    def restore(self) -> None:
        for where, name, old in reversed(self.undo):
            if isinstance(where, dict):
                where[name] = old
            else:
                setattr(where, name, old)


def _public_functions() -> Iterator[tuple[dict[str, Any], str, Any]]:
    """(a module's globals, name, function) of every public function that takes tensors."""
    package = __package__.partition(".")[0]
    for space, functions in NAMESPACES.items():
        if space == "Tensor":
            continue
        module = sys.modules.get(package if space == "torch" else f"{package}.{space}")
        if module is None:
            continue
        for name, f in functions.items():
            if vars(module).get(name) is f:
                yield vars(module), name, f


class Tracer(TracerBase):
    """Traces `root`'s forward; a subclass says which modules are leaves and changes nodes."""

    def __init__(
        self, autowrap_modules: Any = (), autowrap_functions: Any = (),
        param_shapes_constant: bool = False,
    ) -> None:  # fmt: skip
        if param_shapes_constant:
            raise NotImplementedError("Tracer(param_shapes_constant=True): leave it out.")
        self._autowrap = {f: None for f in autowrap_functions}
        self._modules_to_wrap = list(autowrap_modules)
        self.root: Any = None

    def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
        """Whether a call of `m` is one node: torch's own layers are."""
        ours = type(m).__module__.startswith(f"{__package__.partition('.')[0]}.nn")
        return ours and type(m).__name__ != "Sequential"

    def path_of_module(self, mod: Any) -> str:
        """The name of a submodule of the root."""
        for name, m in self.root.named_modules():
            if m is mod:
                return str(name)
        raise NameError("module is not installed as a submodule")

    def call_module(self, m: Any, forward: Any, args: Any, kwargs: Any) -> Any:
        """A module is called: one node for a leaf, else what its forward does."""
        name = self.path_of_module(m)
        if not self.is_leaf_module(m, name):
            return forward(*args, **kwargs)
        return self.create_proxy("call_module", name, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """A parameter or buffer of a module is read."""
        if not isinstance(attr_val, Tensor):
            return attr_val
        for name, t in (*self.root.named_parameters(), *self.root.named_buffers()):
            if t is attr_val:
                if name not in parameter_proxy_cache:
                    parameter_proxy_cache[name] = self.create_proxy("get_attr", name, (), {})
                return parameter_proxy_cache[name]
        return attr_val

    def _leaf(self, a: Any) -> Any:
        if isinstance(a, Tensor):
            return self._constant(a)
        return super()._leaf(a)

    def _constant(self, t: Tensor) -> Node:
        for name, value in (*self.root.named_parameters(), *self.root.named_buffers()):
            if value is t:
                return self.create_node("get_attr", name, (), {})
        for name, value in vars(self.root).items():
            if value is t:
                return self.create_node("get_attr", name, (), {})
        i = 0
        while hasattr(self.root, f"_tensor_constant{i}"):
            i += 1
        setattr(self.root, f"_tensor_constant{i}", t)
        return self.create_node("get_attr", f"_tensor_constant{i}", (), {})

    def _arguments(
        self, fn: Any, concrete_args: Any, is_module: bool
    ) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for i, p in enumerate(inspect.signature(fn).parameters.values()):
            if is_module and i == 0:
                args.append(self.root)
            elif concrete_args and p.name in concrete_args:
                args.append(concrete_args[p.name])
            elif p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise TraceError(
                    f"symbolic_trace cannot trace *{p.name}: give the function fixed parameters"
                )
            else:
                default = () if p.default is p.empty else (p.default,)
                proxy = self.create_proxy("placeholder", p.name, default, {}, name=p.name)
                if p.kind is p.KEYWORD_ONLY:
                    kwargs[p.name] = proxy
                else:
                    args.append(proxy)
        return args, kwargs

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> Graph:
        """The graph of a module's forward, or of a function."""
        is_module = isinstance(root, Module)
        self.root = root if is_module else Module()
        fn = type(root).forward if is_module else root
        self.graph = Graph(tracer_cls=type(self))
        args, kwargs = self._arguments(fn, concrete_args, is_module)
        with self._watching(fn):
            result = fn(*args, **kwargs)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    @contextlib.contextmanager
    def _watching(self, fn: Any) -> Iterator[None]:
        """Inside the block calls of functions and modules are seen."""
        patches = _Patches()
        cache: dict[str, Any] = {}
        call, get = Module.__call__, Module.__getattr__  # type: ignore[attr-defined]

        def module_call(m: Any, *args: Any, **kwargs: Any) -> Any:
            if _has_proxy((args, kwargs)) is None:
                return call(m, *args, **kwargs)
            return self.call_module(m, lambda *a, **k: call(m, *a, **k), args, kwargs)

        def module_getattr(m: Any, name: str) -> Any:
            return self.getattr(name, get(m, name), cache)

        try:
            recorders = {}
            for space, name, f in list(_public_functions()):
                recorders[id(f)] = _recording(f)
                patches.item(space, name, recorders[id(f)])
            self._patch_globals(patches, getattr(fn, "__globals__", {}), recorders)
            patches.attribute(Module, "__call__", module_call)
            patches.attribute(Module, "__getattr__", module_getattr)
            yield
        finally:
            patches.restore()

    def _patch_globals(self, patches: _Patches, space: dict[str, Any], recorders: Any) -> None:
        """Functions that the traced code has imported by name, and those that `wrap` named."""
        for name, value in list(space.items()):
            if id(value) in recorders and callable(value):
                patches.item(space, name, recorders[id(value)])
            elif callable(value) and any(value is f for f in self._autowrap):
                patches.item(space, name, _recording(value))
        for module in self._modules_to_wrap:
            for name, value in list(vars(module).items()):
                if callable(value) and not name.startswith("_"):
                    patches.item(vars(module), name, _recording(value))
        for (_, name), space_ in WRAPPED.items():
            if name in space_:
                patches.item(space_, name, _recording(space_[name]))


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """A module or function as a `GraphModule`."""
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
