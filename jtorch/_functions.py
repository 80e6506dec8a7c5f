"""Every public function by namespace: those derived from rows, and composites written over tensors.

A composite is a Python function over tensors that calls rows; it registers here under torch's name:

    @composite("torch", "Tensor")            # torch.chunk and Tensor.chunk
    def chunk(input, chunks, dim=0): ...

    @composite("nn.functional", "torch:celu")  # another public name after a colon
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .ops import TABLE
from .ops._derive import NUMPY_NAMES
from .tensor import Tensor
from .tensor import functions as derived

NAMESPACES: dict[str, dict[str, Any]] = {}


def publish(namespace: str, name: str, f: Any) -> None:
    """Put a function into a namespace ('torch', 'nn.functional', 'linalg', ... or 'Tensor')."""
    space = NAMESPACES.setdefault(namespace, {})
    if name in space:
        raise ValueError(f"{namespace}.{name} is published twice")
    space[name] = f
    if namespace == "Tensor":
        setattr(Tensor, name, f)


def composite(*namespaces: str, replace: bool = False) -> Callable[[Any], Any]:
    """Publish the decorated function in these namespaces; returns it unchanged.

    replace: take the place of a derived function of the same name (a row whose public face needs
    Python around it).
    """

    def declare(f: Any) -> Any:
        for entry in namespaces:
            space, _, name = entry.partition(":")
            if replace:
                NAMESPACES.get(space, {}).pop(name or f.__name__, None)
            public = _with_numpy_names(f) if space in ("torch", "Tensor") else f
            publish(space, name or f.__name__, public)
        return f

    return declare


@functools.cache
def _with_numpy_names(f: Any) -> Any:
    """`f`, taking `axis=`, `keepdims=` and `x2=` too where it has the parameters they stand for."""
    own = inspect.signature(f).parameters
    here = {n: t for n, t in NUMPY_NAMES.items() if t in own and n not in own}
    if not {"dim", "keepdim", "other"} & set(here.values()):
        return f

    @functools.wraps(f)
    def renamed(*args: Any, **named: Any) -> Any:
        if named:
            named = {here.get(n, n): value for n, value in named.items()}
        return f(*args, **named)

    return renamed


def _publish_rows() -> None:
    for op in TABLE.values():
        for entry in op.namespaces:
            space, _, name = entry.partition(":")
            for public in (name or op.name, *op.aliases):
                publish(space, public, derived[op.name])
        if op.namespaces == ("nn.functional",):
            derived[op.name].__module__ = "jtorch.nn.functional"  # where pickle finds it


_publish_rows()
