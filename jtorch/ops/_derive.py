"""Makes what users call from a row: function, in-place twin and `out=`, with torch's signature.

The functions are generated as source, so that Python itself binds arguments: fast, with
torch's errors for missing and unexpected ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.op import REQUIRED, Op, Param


class Gate:
    """What the tensor layer lends to derived functions."""

    __slots__ = ("apply", "inplace", "out")

    def __init__(
        self, apply: Callable[..., Any], inplace: Callable[..., Any], out: Callable[..., Any]
    ) -> None:
        self.apply, self.inplace, self.out = apply, inplace, out


class _Absent:
    """The default of a parameter that has none: torch words its absence itself."""

    def __repr__(self) -> str:
        return "required"


ABSENT: Any = _Absent()

# torch takes NumPy's names for its own parameters, in every function that its C++ parser serves.
NUMPY_NAMES = {
    "axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other",
}  # fmt: skip


def function(op: Op, gate: Gate) -> Callable[..., Any]:
    """The public function of a row; also serves as the method."""
    body = "return _apply(_op, {operands}, {static})"
    if op.out:
        body = "r = _apply(_op, {operands}, {static})\n"
        body += "    return r if out is None else _out(_op, out, r)"
    return _compile(op, op.name, body, gate, extra=("out=None",) if op.out else ())


def inplace(op: Op, gate: Gate) -> Callable[..., Any]:
    """The in-place method of a row, `name_`."""
    return _compile(op, op.name + "_", "return _inplace(_op, {operands}, {static})", gate, ())


def _compile(
    op: Op, name: str, body: str, gate: Gate, extra: tuple[str, ...]
) -> Callable[..., Any]:
    space: dict[str, Any] = {
        "_op": op, "_apply": gate.apply, "_inplace": gate.inplace, "_out": gate.out,
        "_absent": ABSENT, "_again": _again,
    }  # fmt: skip
    signature, prelude = _signature(op, space, extra)
    operands = _tuple([p.name for p in op.operands])
    static = _tuple([p.name for p in op.statics])
    body = body.format(operands=operands, static=static)
    text = f"def {name}({signature}):\n{prelude}    {body}\n"
    exec(compile(text, f"<jtorch.{name}>", "exec"), space)
    made: Callable[..., Any] = space[name]
    space["_self"] = made
    made.__name__ = made.__qualname__ = name
    made.__module__ = "jtorch"
    made.__doc__ = op.doc + (" In place." if name != op.name else "")
    return made


def _signature(op: Op, space: dict[str, Any], extra: tuple[str, ...]) -> tuple[str, str]:
    """Parameters as source, and the lines that look after absent and renamed ones."""
    parts, star = [], False
    for p in op.params:
        if p.keyword_only and not star:
            parts.append("*")
            star = True
        parts.append(_parameter(p, space))
    if extra and not star:
        parts.append("*")
    required = [f"{p.name} is _absent" for p in op.params if p.default is REQUIRED]
    wrong = " or ".join(["_named", *required])
    prelude = f"    if {wrong}:\n        return _again(_self, _op, locals())\n"
    return ", ".join([*parts, *extra, "**_named"]), prelude


def _parameter(p: Param, space: dict[str, Any]) -> str:
    if p.default is REQUIRED:
        return f"{p.name}=_absent"
    space[f"_default_{p.name}"] = p.default
    return f"{p.name}=_default_{p.name}"


def _tuple(names: list[str]) -> str:
    return "(" + "".join(n + ", " for n in names) + ")"


def _again(f: Callable[..., Any], op: Op, values: dict[str, Any]) -> Any:
    """Call `f` once more with NumPy's names translated, or raise torch's words about the names."""
    params = {p.name: p for p in op.params}
    named = values.pop("_named")
    for key, value in named.items():
        name = NUMPY_NAMES.get(key, "")
        before = values.get(name, ...)
        if name not in params or not (before is ABSENT or before is params[name].default):
            raise TypeError(f"{f.__name__}() got an unexpected keyword argument '{key}'")
        values[name] = value
    missing = [f'"{n}"' for n, value in values.items() if value is ABSENT]
    if missing:
        raise TypeError(
            f"{f.__name__}() missing {len(missing)} required positional arguments: "
            f"{', '.join(missing)}"
        )
    return f(**values)
