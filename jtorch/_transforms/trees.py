"""What the transformations do to nested arguments: choose, check, flatten."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._gate import TensorBase
from ..utils._pytree import TreeSpec, tree_flatten


def name_of(func: Callable[..., Any]) -> str:
    """How a function is called in error messages."""
    if hasattr(func, "__name__"):
        return str(func.__name__)
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return repr(func)


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor of ours."""
    return isinstance(x, TensorBase)


def broadcast_prefix(prefix: Any, spec: TreeSpec) -> list[Any] | None:
    """A prefix of a tree as one entry for each of the tree's leaves; None if it is no prefix."""
    leaves, own = tree_flatten(prefix)
    return _spread(own, iter(leaves), spec)


def _spread(own: TreeSpec, leaves: Any, spec: TreeSpec) -> list[Any] | None:
    if own.is_leaf():
        return [next(leaves)] * spec.num_leaves
    if own.type is not spec.type or own.context != spec.context:
        return None
    if own.num_children != spec.num_children:
        return None
    found: list[Any] = []
    for a, b in zip(own.children_specs, spec.children_specs, strict=True):
        part = _spread(a, leaves, b)
        if part is None:
            return None
        found += part
    return found


def positions(argnums: Any, count: int) -> Any:
    """`argnums` counted from the front, checked against the number of arguments."""
    if isinstance(argnums, tuple):
        if not argnums:
            raise RuntimeError("argnums must be non-empty")
        found = tuple(_position(a, count) for a in argnums)
        if len(set(found)) != len(found):
            raise RuntimeError(f"argnums elements must be unique, got {argnums}")
        return found
    if not isinstance(argnums, int):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    return _position(argnums, count)


def _position(argnum: Any, count: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def chosen(args: tuple[Any, ...], at: Any) -> Any:
    """The arguments at `positions`: one, or a tuple."""
    return args[at] if isinstance(at, int) else tuple(args[i] for i in at)


def replaced(args: tuple[Any, ...], at: Any, new: Any) -> tuple[Any, ...]:
    """The arguments with those at `positions` replaced."""
    full = list(args)
    for i, x in zip((at,) if isinstance(at, int) else at, (new,) if isinstance(at, int) else new, strict=True):  # fmt: skip  # noqa: E501
        full[i] = x
    return tuple(full)


def with_aux(result: Any, what: str) -> tuple[Any, Any]:
    """(output, aux) of a function that was called with has_aux=True."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{what}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


def refuse_complex(name: str, tensors: list[Any], is_input: bool) -> None:
    """jacrev and jacfwd are defined for real functions."""
    if any(is_tensor(t) and t.is_complex() for t in tensors):
        kind = "inputs" if is_input else "outputs"
        first = next(i for i, t in enumerate(tensors) if is_tensor(t) and t.is_complex())
        raise RuntimeError(
            f"{name}: Expected all {kind} to be real but received complex tensor at flattened "
            f"input idx: {first}"
        )


def split_rows(rows: Any, sizes: list[int]) -> list[Any]:
    """Consecutive blocks of rows."""
    return list(rows.split(sizes, 0))
