"""`Tensor.new_*`: factories that take dtype and device from a tensor."""

from __future__ import annotations

from typing import Any

from .. import creation
from .._factory import check_options, place_like, sizes
from .._functions import composite
from ..tensor import Tensor


def _sized(name: str, make: Any) -> Any:
    def method(
        self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False,
        layout: Any = None, pin_memory: bool = False, **named: Any,
    ) -> Any:  # fmt: skip
        shape = sizes(name, creation._size_argument(name, size, named))
        return make(shape, dtype=self.dtype if dtype is None else dtype, layout=layout,
                    device=place_like(self, device), requires_grad=requires_grad,
                    pin_memory=pin_memory)  # fmt: skip

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"As torch.{name.removeprefix('new_')}, with the dtype and device of self."
    return composite("Tensor")(method)


new_zeros = _sized("new_zeros", creation.zeros)
new_ones = _sized("new_ones", creation.ones)
new_empty = _sized("new_empty", creation.empty)


@composite("Tensor")
def new_full(
    self: Any, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """As torch.full, with the dtype and device of self."""
    return creation.full(
        size, fill_value, dtype=self.dtype if dtype is None else dtype, layout=layout,
        device=place_like(self, device), requires_grad=requires_grad, pin_memory=pin_memory,
    )  # fmt: skip


@composite("Tensor")
def new_tensor(
    self: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    layout: Any = None, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """As torch.tensor, with the dtype and device of self."""
    check_options("new_tensor", layout, pin_memory)
    dtype = self.dtype if dtype is None else dtype
    where = place_like(self, device)
    if isinstance(data, str | bytes):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    return creation.tensor(data, dtype=dtype, device=where, requires_grad=requires_grad)


@composite("Tensor")
def new_empty_strided(
    self: Any, size: Any, stride: Any, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """As torch.empty_strided, with the dtype and device of self."""
    return creation.empty_strided(
        size, stride, dtype=self.dtype if dtype is None else dtype, layout=layout,
        device=place_like(self, device), requires_grad=requires_grad, pin_memory=pin_memory,
    )  # fmt: skip


@composite("Tensor")
def new(self: Any, *args: Any) -> Any:
    """torch's legacy constructor: `x.new(2, 3)` is empty, `x.new([1, 2])` holds data."""
    if len(args) == 1 and not isinstance(args[0], int | Tensor) and not hasattr(args[0], "numel"):
        return self.new_tensor(args[0])
    if len(args) == 1 and isinstance(args[0], Tensor):
        return args[0].detach().clone()
    return self.new_empty(*args) if args else self.new_empty(0)
