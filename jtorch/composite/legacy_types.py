"""`torch.FloatTensor` and its kind: constructors by dtype that `isinstance` understands."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data import to_array
from .._engine import dtype as _dtype
from .._engine.device import place_of
from .._factory import hosted
from .._functions import NAMESPACES, publish
from .._gate import TensorBase


class _LegacyType(type):
    """The type of a legacy type: its instances are the CPU tensors of one dtype."""

    dtype: Any

    def __instancecheck__(cls, x: Any) -> bool:
        return (
            isinstance(x, TensorBase)
            and x._value.aval.dtype is cls.dtype
            and x._value.aval.place.device.type == "cpu"
        )

    def __call__(cls, *args: Any) -> Any:
        """`FloatTensor(2, 3)` has that size (and zeros), `FloatTensor([2, 3])` those elements."""
        if len(args) == 1 and isinstance(args[0], TensorBase):
            if args[0]._value.aval.dtype is not cls.dtype:
                raise TypeError(f"expected {cls.__name__} (got another dtype)")
            return args[0].detach()  # type: ignore[attr-defined]
        if args and all(isinstance(a, int) for a in args):
            return hosted(np.zeros(args, cls.dtype.np), place_of("cpu"))
        if len(args) == 1 and type(args[0]).__name__ == "Size":
            return hosted(np.zeros(args[0], cls.dtype.np), place_of("cpu"))
        data = args[0] if args else []
        return hosted(to_array(data, cls.dtype), place_of("cpu"))

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _make(dtype: Any) -> Any:
    name = f"{dtype.scalar_name}Tensor"
    return _LegacyType(name, (), {"dtype": dtype, "__module__": "torch"})


_HAVE_TYPES = "float16 bfloat16 float32 float64 uint8 int8 int16 int32 int64 bool"
for _d in map(_dtype.NAMES.__getitem__, _HAVE_TYPES.split()):
    if f"{_d.scalar_name}Tensor" not in NAMESPACES["torch"]:
        publish("torch", f"{_d.scalar_name}Tensor", _make(_d))
