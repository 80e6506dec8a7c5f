"""Results of several tensors: written into `out=` where given, with torch's names."""

from __future__ import annotations

from typing import Any

from .._gate import named_tuple, out
from ..ops import TABLE


def named(op: str, target: Any, name: str, fields: tuple[str, ...], values: Any) -> Any:
    """The tensors as torch's named tuple `name`, after writing them into `out=`."""
    values = tuple(values)
    if target is not None:
        target = tuple(target)
        if len(target) != len(values):
            raise TypeError(
                f"{name}(): argument 'out' must be tuple of Tensors of {len(values)} elements, not "
                f"{len(target)}"
            )
        values = tuple(out(TABLE[op], t, v) for t, v in zip(target, values, strict=True))
    return named_tuple(name, fields)(*values)
