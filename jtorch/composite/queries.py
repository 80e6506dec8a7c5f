"""Questions about tensors that have functions in torch: kind, size, promotion."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._functions import composite, derived
from .._gate import TensorBase
from ..tensor import Tensor
from ._arguments import tensor


@composite("torch")
def get_device(input: Any) -> int:
    """The index of the accelerator, -1 on the CPU."""
    return int(tensor("get_device", "input", input).get_device())


@composite("torch")
def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


@composite("torch")
def is_floating_point(input: Any) -> bool:
    """Whether the dtype is a floating point one."""
    return bool(tensor("is_floating_point", "input", input).dtype.is_floating_point)


@composite("torch")
def is_complex(input: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(tensor("is_complex", "input", input).dtype.is_complex)


@composite("torch")
def is_signed(input: Any) -> bool:
    """Whether the dtype has negative values."""
    return bool(tensor("is_signed", "input", input).dtype.is_signed)


@composite("torch", "Tensor")
def is_nonzero(input: Any) -> bool:
    """Whether the single element is not zero."""
    n = tensor("is_nonzero", "input", input).numel()
    if n != 1:
        raise RuntimeError(
            "Boolean value of Tensor with no values is ambiguous"
            if n == 0
            else "Boolean value of Tensor with more than one value is ambiguous"
        )
    return bool(input.item())


@composite("torch")
def numel(input: Any) -> int:
    """The number of elements."""
    return int(tensor("numel", "input", input).numel())


@composite("torch", "Tensor")
def is_same_size(input: Any, other: Any) -> bool:
    """Whether two tensors have the same sizes."""
    return bool(input.shape == other.shape)


def _item(x: Any) -> tuple[Any, str]:
    if isinstance(x, TensorBase):
        return x._value.aval.dtype, "dim" if x._value.aval.ndim else "zero"
    return _dtype.of(x if not isinstance(x, float) else 0.0), "number"


@composite("torch")
def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype of arithmetic on two tensors or numbers."""
    return _dtype.result_type((_item(tensor1), _item(tensor2)))


@composite("torch")
def detach(input: Any) -> Any:
    """The same storage, outside the graph."""
    return input.detach()


@composite("torch")
def detach_(input: Any) -> Any:
    """Leave the graph in place."""
    return input.detach_()


@composite("torch")
def view_as_real_copy(input: Any) -> Any:
    """`view_as_real` with storage of its own."""
    return derived["view_as_real"](input).clone()


@composite("torch")
def view_as_complex_copy(input: Any) -> Any:
    """`view_as_complex` with storage of its own."""
    return derived["view_as_complex"](input).clone()
