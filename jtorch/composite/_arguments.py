"""Reading arguments as torch's own parser does: sizes spelled out, numbers in disguise, `out=`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .._engine import recorder
from .._engine.backward import modes
from .._engine.value import from_array
from .._gate import TensorBase, check_writable, out, put, wrap
from ..ops import TABLE


def integers(op: str, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """`f(x, 2, 3)`, `f(x, (2, 3))` and `f(x, name=(2, 3))` as a tuple of ints."""
    if named:
        if args or name not in named or len(named) > 1:
            wrong = next((k for k in named if k != name), name)
            raise TypeError(f"{op}() got an unexpected keyword argument '{wrong}'")
        args = (named[name],)
    if len(args) == 1:
        only = args[0]
        if isinstance(only, tuple | list) or (
            isinstance(only, TensorBase) and only._value.aval.ndim
        ):
            args = tuple(only)  # type: ignore[arg-type]
    for a in args:
        if type(a) is not int:
            return tuple(_integer(op, name, i, a) for i, a in enumerate(args))
    return args


def _integer(op: str, name: str, position: int, a: Any) -> int:
    try:
        return operator.index(a)
    except TypeError:
        raise TypeError(
            f"{op}(): argument '{name}' (position 1) must be tuple of ints, but found element of "
            "type "
            f"{type(a).__name__} at pos {position}"
        ) from None


def tensors_of(op: str, args: tuple[Any, ...]) -> list[Any]:
    """`f(a, b)` and `f([a, b])` as a list of tensors."""
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = tuple(args[0])
    for i, a in enumerate(args):
        if not isinstance(a, TensorBase):
            raise TypeError(
                f"{op}(): expected Tensor as element {i} in argument 0, but got {type(a).__name__}"
            )
    return list(args)


def tensor(op: str, name: str, x: Any, position: int = 1) -> Any:
    """The argument, which has to be a tensor."""
    if not isinstance(x, TensorBase):
        raise TypeError(
            f"{op}(): argument '{name}' (position {position}) must be Tensor, not "
            f"{type(x).__name__}"
        )
    return x


def into(op: str, target: Any, result: Any) -> Any:
    """The result, written into `out=` when there is one."""
    if target is None:
        return result
    written = out(TABLE[op], target, result)
    return type(result)(*written) if isinstance(result, tuple) else written


def apart(target: Any, *sources: Any) -> None:
    """torch's refusal of an `out=` that a function would read and write at once."""
    for s in sources:
        if target is not None and isinstance(s, TensorBase) and target._storage is s._storage:
            raise RuntimeError(
                "unsupported operation: some elements of the input tensor and the written-to "
                "tensor refer to a single memory location. Please clone() the tensor before "
                "performing the operation."
            )


def host(t: Any, reason: str) -> Any:
    """The content as a NumPy array not to be written to; runs what is pending for it."""
    return np.asarray(recorder.concrete(t._value, reason))


def from_host(array: Any, like: Any = None) -> Any:
    """A tensor around a fresh NumPy array, on the device of another tensor."""
    made = wrap(from_array(np.ascontiguousarray(array).reshape(array.shape)))
    return made if like is None or like.device.type == "cpu" else made.to(like.device)


def write(t: Any, new: Any, name: str = "clone") -> Any:
    """Write `new` into `t`, after torch's checks; returns `t`."""
    check_writable(t, TABLE[name])
    put(t, (new._value, new._edge() if modes.grad else None))
    return t
