"""Declarators: each turns a JAX function into an `Op` row of `TABLE`.

A row is a Python function with torch's parameters, in torch's order, with torch's names and
defaults. Annotations say what each parameter is:

    Array, Array | None       a tensor (an array inside the row)
    Operand, Operand | None   a tensor or a Python number
    Scalar, Scalar | None     a Python number that may vary from call to call: never part of the
    key.
                              The row gets a Python number or a 0-d array and must work with both.
    Arrays                    a list of tensors
    int, float, bool, str     metadata of that type, which the engine checks
    Dims, Ints                an int or several, several ints; also checked
    anything else             metadata: hashable, part of the program's structure

Parameters after `*` are keyword-only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .._engine.dtype import Promote
from .._engine.op import REQUIRED, Op, Param, Role, View

Array = Any
Operand = Any
Scalar = Any
Arrays = Any
Dims = Any
Ints = Any

TABLE: dict[str, Op] = {}

_ROLES = {
    "Array": Role.ARRAY,
    "Operand": Role.OPERAND,
    "Scalar": Role.SCALAR,
    "Arrays": Role.ARRAYS,
}
_UNARY_NAMESPACES = ("torch", "Tensor")


def _param(p: inspect.Parameter) -> Param:
    if not isinstance(p.annotation, str) and p.annotation is not p.empty:
        raise TypeError("a file of rows needs `from __future__ import annotations`")
    text = p.annotation if isinstance(p.annotation, str) else ""
    kind = text.removesuffix(" | None")
    default = REQUIRED if p.default is p.empty else p.default
    optional = kind != text or default is None
    role = _ROLES.get(kind, Role.STATIC)
    return Param(p.name, role, default, p.kind is p.KEYWORD_ONLY, kind, optional)


def row(op: Op) -> Op:
    """Put a row into the table.  A second row of the same name is an error, never a replacement."""
    if op.name in TABLE:
        raise ValueError(f"op {op.name!r} is declared twice: {TABLE[op.name].fn} and {op.fn}")
    TABLE[op.name] = op
    return op


def params_of(fn: Callable[..., Any]) -> tuple[Param, ...]:
    """The row's parameters, read off its signature."""
    return tuple(map(_param, inspect.signature(fn).parameters.values()))


def op(
    name: str = "", *, doc: str = "", **meta: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as a row; returns the function unchanged.

    `meta` are fields of `Op`.
    """

    def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
        own = name or fn.__name__.rstrip("_")
        row(Op(own, fn, params_of(fn), doc=doc or inspect.getdoc(fn) or "", **meta))
        return fn

    return declare


def unary(
    name: str, fn: Callable[..., Any], promote: Promote = Promote.INT_TO_FLOAT, **meta: Any
) -> None:
    """An elementwise function of one tensor, with in-place twin and `out=`."""
    meta.setdefault("inplace", True)
    meta.setdefault("out", True)
    meta.setdefault("doc", f"Elementwise {name}.")
    row(
        Op(
            name,
            _named(fn, "input"),
            (Param("input", Role.ARRAY),),
            promote,
            broadcast=True,
            **meta,
        )
    )


def binary(
    name: str, fn: Callable[..., Any], promote: Promote = Promote.DEFAULT, numbers: str = "other",
    **meta: Any,
) -> None:  # fmt: skip
    """An elementwise function of two tensors, with in-place twin and `out=`.

    numbers: which operands may be Python numbers: "other", "either" (not both), "all", "" (none).
    """
    meta.setdefault("inplace", True)
    meta.setdefault("out", True)
    meta.setdefault("doc", f"Elementwise {name}.")
    first = Role.OPERAND if numbers in ("either", "all") else Role.ARRAY
    params = (Param("input", first), Param("other", Role.OPERAND if numbers else Role.ARRAY))
    named = _named(fn, "input", "other")
    row(Op(name, named, params, promote, broadcast=True, numbers=numbers == "all", **meta))


def _named(fn: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`fn` with its positional parameters under torch's names."""

    def named(**args: Any) -> Any:
        positional = [args.pop(n) for n in names]
        return fn(*positional, **args)

    return named


__all__ = [
    "REQUIRED", "TABLE", "Array", "Arrays", "Dims", "Ints", "Op", "Operand", "Param", "Promote",
    "Role", "Scalar", "View", "binary", "op", "row", "unary",
]  # fmt: skip
