"""The `Op` record: one JAX function, torch's parameters, and everything else that is
declared once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Any

from .dtype import Promote

REQUIRED: Any = ...


class Role(Enum):
    """What a parameter of an op is."""

    ARRAY = "a tensor"
    OPERAND = "a tensor or a Python number"
    SCALAR = "a Python number that may vary without a new program"
    ARRAYS = "a sequence of tensors"
    STATIC = "metadata, part of the program's structure"


@dataclasses.dataclass(frozen=True)
class Param:
    """One of torch's parameters: its name, role, default (`REQUIRED` for none).

    `kind` names the Python type of metadata that has one ('int', 'float', 'bool', 'str').
    """

    name: str
    role: Role
    default: Any = REQUIRED
    keyword_only: bool = False
    kind: str = ""
    optional: bool = False  # None is an answer


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """What makes an op a view: how to write through it, and where its elements lie.

    `write(base, new, **static)` is the base with the viewed elements replaced; None means the
    generic rule (flat indices and a scatter). `strided(sizes, strides, offset, **static)` gives the
    view's own (sizes, strides, offset), or None when torch would have to copy.
    """

    strided: Callable[..., Any]
    write: Callable[..., Any] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Op:
    """One row of the op table.

    `fn` takes torch's parameters under torch's names: tensors as JAX arrays, the rest as they are.
    It returns an array or a tuple of arrays. See `ops/_define.py` for how rows are written.
    """

    name: str
    fn: Callable[..., Any]
    params: tuple[Param, ...]
    promote: Promote = Promote.NONE
    promotes: tuple[str, ...] | None = None  # who takes part in promotion; None: every operand
    broadcast: bool = False  # operands broadcast: torch's message when they cannot
    view: View | None = None
    linear: bool = False  # the gradient needs no operand values, only their shapes
    residuals: bool = (
        False  # dear and not removed by CSE: the forward records what the gradient needs
    )
    differentiable: bool = True
    check: Callable[..., Any] | None = (
        None  # check(*avals_or_numbers, **static) raises torch's errors
    )
    fields: tuple[str, ...] = ()  # names of a named-tuple result
    fields_name: str = ""
    namespaces: tuple[str, ...] = ("torch", "Tensor")
    inplace: bool = False
    out: bool = False
    dunder: tuple[str, ...] = ()
    rdunder: str = ""
    idunder: str = ""
    aliases: tuple[str, ...] = ()
    dynamic: bool = False  # its numbers are known to vary: program inputs from the first run
    host: Callable[..., Any] | None = None  # the same on NumPy data that no program has read yet
    numbers: bool = False  # takes numbers alone, as torch.add(1, 2) does
    grad_name: str = ""  # torch's grad_fn name, when it is not CamelCase of `name`
    result_dtype: Callable[..., Any] | None = None  # overrides the promotion kind's result dtype
    doc: str = ""

    @property
    def operands(self) -> tuple[Param, ...]:
        """The parameters that are not static, in torch's order."""
        return tuple(p for p in self.params if p.role is not Role.STATIC)

    @property
    def statics(self) -> tuple[Param, ...]:
        """The metadata parameters, in torch's order."""
        return tuple(p for p in self.params if p.role is Role.STATIC)

    def __repr__(self) -> str:
        return f"<op {self.name}>"
