"""Checks of parameters and samples that do not make a pending program run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .constraints import Constraint


def known(t: Any) -> np.ndarray[Any, Any] | None:
    """The content of a tensor if it is there already."""
    if not isinstance(t, Tensor):
        return np.asarray(t)
    value = t._value
    if value.array is None or value.aval.place.traced:
        return None
    return np.asarray(value.array)


class _Frozen:
    """A copy of a constraint with arrays for bounds."""

    def __new__(cls, constraint: Any) -> Any:
        copy = object.__new__(type(constraint))
        copy.__dict__.update(constraint.__dict__)
        if hasattr(constraint, "base_constraint"):
            copy.base_constraint = cls(constraint.base_constraint)
        for name in constraint._shown:
            bound = getattr(constraint, name)
            setattr(copy, name, known(bound) if isinstance(bound, Tensor) else bound)
        return copy


def holds(constraint: Constraint, value: Any) -> bool:
    """False if a value is known to break a constraint.

    Differs from torch: what has not been computed yet is not checked.
    """
    array = known(value)
    if array is None or any(known(b) is None for b in constraint.bounds()):
        return True
    if not constraint.plain:
        return bool(constraint.check(value).all())
    with np.errstate(all="ignore"):
        return bool(np.all(_Frozen(constraint).check(array)))
