"""Makes what users call from a row: the function, its in-place twin and `out=`, with torch's signature.

The functions are generated as source, so that Python itself binds arguments: fast, with the native
errors for missing and unexpected ones.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from .._engine.op import REQUIRED, Op, Param, Role
from ._define import VARARGS


class Gate:
    """What the tensor layer lends to derived functions."""

    __slots__ = ("apply", "inplace", "out")

    def __init__(
        self, apply: Callable[..., Any], inplace: Callable[..., Any], out: Callable[..., Any]
    ) -> None:
        self.apply, self.inplace, self.out = apply, inplace, out


def function(op: Op, gate: Gate) -> Callable[..., Any]:
    """The public function of a row; also serves as the method."""
    body = "return _apply(_op, {operands}, {static})"
    if op.out:
        body = "r = _apply(_op, {operands}, {static})\n    return r if out is None else _out(_op, out, r)"
    return _compile(op, op.name, body, gate, extra=("out=None",) if op.out else ())


def inplace(op: Op, gate: Gate) -> Callable[..., Any]:
    """The in-place method of a row, `name_`."""
    return _compile(op, op.name + "_", "return _inplace(_op, {operands}, {static})", gate, ())


def _compile(
    op: Op, name: str, body: str, gate: Gate, extra: tuple[str, ...]
) -> Callable[..., Any]:
    space: dict[str, Any] = {
        "_op": op, "_apply": gate.apply, "_inplace": gate.inplace, "_out": gate.out, "_spelled": spelled,
    }  # fmt: skip
    signature, prelude = _signature(op, space, extra)
    operands = _tuple([_safe(p.name) for p in op.operands])
    static = _tuple([_safe(p.name) for p in op.statics])
    safe = name if not keyword.iskeyword(name) else name + "_"
    text = (
        f"def {safe}({signature}):\n{prelude}    {body.format(operands=operands, static=static)}\n"
    )
    exec(compile(text, f"<jtorch.{name}>", "exec"), space)
    made: Callable[..., Any] = space[safe]
    made.__name__ = made.__qualname__ = name
    made.__module__ = "jtorch"
    made.__doc__ = op.doc + (" In place." if name != op.name else "")
    return made


def _signature(op: Op, space: dict[str, Any], extra: tuple[str, ...]) -> tuple[str, str]:
    parts, prelude, star = [], "", False
    for p in op.params:
        if (op.name, p.name) in VARARGS:
            parts.append("*" + _safe(p.name))
            prelude += f"    {_safe(p.name)} = _spelled({_safe(p.name)})\n"
            star = True
            continue
        if p.keyword_only and not star:
            parts.append("*")
            star = True
        parts.append(_parameter(p, space))
    if extra and not star:
        parts.append("*")
    return ", ".join([*parts, *extra]), prelude


def _parameter(p: Param, space: dict[str, Any]) -> str:
    if p.default is REQUIRED:
        return _safe(p.name)
    space[f"_default_{p.name}"] = p.default
    return f"{_safe(p.name)}=_default_{p.name}"


def _safe(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def _tuple(names: list[str]) -> str:
    return "(" + "".join(n + ", " for n in names) + ")"


def spelled(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`f(x, 2, 3)`, `f(x, (2, 3))` and `f(x, [2, 3])` are the same."""
    if len(args) == 1 and not isinstance(args[0], int) and hasattr(args[0], "__len__"):
        try:
            return tuple(args[0])
        except TypeError:  # a 0-d tensor
            return args
    return args


def roles(op: Op) -> dict[str, Role]:
    """Parameter names to roles, for documentation and tests."""
    return {p.name: p.role for p in op.params}
