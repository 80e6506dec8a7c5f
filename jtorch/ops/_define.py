"""Declarators: each turns a JAX function into an `Op` row of `TABLE`.

A row is a Python function with torch's parameters, in torch's order, with torch's names and defaults.
Annotations say what each parameter is:

    Array, Array | None       a tensor (an array inside the row)
    Operand, Operand | None   a tensor or a Python number
    Scalar, Scalar | None     a Python number that may vary from call to call: never part of the key.
                              The row gets a Python number or a 0-d array and must work with both.
    Arrays                    a list of tensors
    anything else             metadata: hashable, part of the program's structure

Parameters after `*` are keyword-only; `*shape` makes the derived function take `f(x, 2, 3)` too.
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

TABLE: dict[str, Op] = {}
VARARGS: set[tuple[str, str]] = set()  # (op, parameter) that also come spelled out

_ROLES = {
    "Array": Role.ARRAY,
    "Operand": Role.OPERAND,
    "Scalar": Role.SCALAR,
    "Arrays": Role.ARRAYS,
}
_UNARY_NAMESPACES = ("torch", "Tensor")


def _role(annotation: Any) -> Role:
    if not isinstance(annotation, str) and annotation is not inspect.Parameter.empty:
        raise TypeError("a file of rows needs `from __future__ import annotations`")
    name = annotation if isinstance(annotation, str) else ""
    return _ROLES.get(name.removesuffix(" | None"), Role.STATIC)


def row(op: Op) -> Op:
    """Put a row into the table.  A second row of the same name is an error, never a replacement."""
    if op.name in TABLE:
        raise ValueError(f"op {op.name!r} is declared twice: {TABLE[op.name].fn} and {op.fn}")
    TABLE[op.name] = op
    return op


def params_of(fn: Callable[..., Any], varargs_of: str = "") -> tuple[Param, ...]:
    """The row's parameters, read off its signature."""
    found = []
    for p in inspect.signature(fn).parameters.values():
        default = REQUIRED if p.default is p.empty else p.default
        found.append(Param(p.name, _role(p.annotation), default, p.kind is p.KEYWORD_ONLY))
    return tuple(found)


def op(
    name: str = "", *, varargs: str = "", doc: str = "", **meta: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as a row; returns the function unchanged.

    `meta` are fields of `Op`; `varargs` names the parameter that methods take spelled out.
    """

    def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
        own = name or fn.__name__.rstrip("_")
        row(Op(own, fn, params_of(fn), doc=doc or inspect.getdoc(fn) or "", **meta))
        if varargs:
            VARARGS.add((own, varargs))
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
    name: str, fn: Callable[..., Any], promote: Promote = Promote.DEFAULT, **meta: Any
) -> None:
    """An elementwise function of two tensors or numbers, with in-place twin and `out=`."""
    meta.setdefault("inplace", True)
    meta.setdefault("out", True)
    meta.setdefault("doc", f"Elementwise {name}.")
    params = (Param("input", Role.ARRAY), Param("other", Role.OPERAND))
    row(Op(name, _named(fn, "input", "other"), params, promote, broadcast=True, **meta))


def _named(fn: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """`fn` with its positional parameters under torch's names."""

    def named(**args: Any) -> Any:
        positional = [args.pop(n) for n in names]
        return fn(*positional, **args)

    return named


__all__ = [
    "REQUIRED", "TABLE", "VARARGS", "Array", "Arrays", "Op", "Operand", "Param", "Promote", "Role",
    "Scalar", "View", "binary", "op", "row", "unary",
]  # fmt: skip
