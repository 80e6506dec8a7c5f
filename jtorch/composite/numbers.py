"""`torch.sym_max` and its kind, and `torch.cond`: numbers and branches are known here."""

from __future__ import annotations

import builtins
import math
from typing import Any

from .._functions import composite, publish
from .._gate import TensorBase


class SymInt:
    """What `isinstance` asks for: sizes are Python ints here, so nothing is an instance."""

    def __new__(cls, *args: Any) -> Any:
        raise TypeError("jtorch has no symbolic numbers: sizes are ints")


class SymFloat(SymInt):
    """As `SymInt`."""


class SymBool(SymInt):
    """As `SymInt`."""


for _cls in (SymInt, SymFloat, SymBool):
    publish("torch", _cls.__name__, _cls)


@composite("torch")
def sym_int(a: Any) -> int:
    """int(a)."""
    return builtins.int(a)


@composite("torch")
def sym_float(a: Any) -> float:
    """float(a)."""
    return builtins.float(a)


@composite("torch")
def sym_not(a: Any) -> bool:
    """not a."""
    return not a


@composite("torch")
def sym_sqrt(a: Any) -> float:
    """The square root of a number."""
    return math.sqrt(a)


def _extreme(name: str, pick: Any) -> None:
    def f(a: Any, b: Any) -> Any:
        for x in (a, b):
            if not isinstance(x, int | float):
                raise AssertionError(f"expected int or float, got {type(x)}")
        found = pick(a, b)
        return builtins.float(found) if isinstance(a, float) or isinstance(b, float) else found

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"{name[4:]}(a, b), a float if either is one."
    composite("torch")(f)


_extreme("sym_max", max)
_extreme("sym_min", min)


@composite("torch")
def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """t if b else f."""
    if not isinstance(b, bool):
        raise AssertionError(f"expected SymBool or bool, got {type(b)}")
    if type(t) is not type(f):
        raise AssertionError(f"type mismatch: {type(t)} vs {type(f)}")
    return t if b else f


@composite("torch")
def sym_sum(*args: Any) -> Any:
    """The sum of numbers, spelled out or in one sequence."""
    return builtins.sum(args[0] if len(args) == 1 and isinstance(args[0], list | tuple) else args)


@composite("torch")
def cond(pred: Any, true_fn: Any, false_fn: Any, operands: Any = ()) -> Any:
    """The branch that `pred` chooses, called.  An `if`: a tensor as `pred` is waited for."""
    if not isinstance(pred, bool | TensorBase):
        raise RuntimeError(f"Expected pred to be bool or tensor, but got {pred}.")
    if isinstance(pred, TensorBase) and pred._value.aval.numel != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    return (true_fn if bool(pred) else false_fn)(*operands)
