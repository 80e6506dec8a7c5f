"""How error messages name a type: `torch.typename`."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


def typename(obj: Any) -> str:
    """'torch.FloatTensor' for a tensor, the dotted name of a class, of an object's class else."""
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    prefix = "" if module in (None, "builtins") else f"{module}."
    return prefix + named.__qualname__
