"""`Tensor.float()` and its kind: casts by name."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._factory import check_options
from .._functions import composite

_CASTS = {
    "float": _dtype.float32, "double": _dtype.float64, "half": _dtype.float16,
    "bfloat16": _dtype.bfloat16, "int": _dtype.int32, "long": _dtype.int64, "short": _dtype.int16,
    "char": _dtype.int8, "byte": _dtype.uint8, "bool": _dtype.bool_, "cfloat": _dtype.complex64,
    "cdouble": _dtype.complex128,
}  # fmt: skip


def _cast(name: str, dtype: Any) -> None:
    def method(self: Any, memory_format: Any = None) -> Any:
        if memory_format is not None:
            check_options(name, None, False, memory_format)
        return self.to(dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"self in {dtype!r}; self itself if that is its dtype."
    composite("Tensor")(method)


for _name, _target in _CASTS.items():
    _cast(_name, _target)


@composite("Tensor")
def chalf(self: Any, memory_format: Any = None) -> Any:
    """complex32, which JAX has not."""
    raise NotImplementedError(
        "chalf(): JAX has no half-precision complex numbers; use x.cfloat() (complex64)."
    )
