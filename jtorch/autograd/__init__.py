"""`torch.autograd`: backward and grad on lists, grad modes, custom functions."""

from __future__ import annotations

from typing import Any

from .._gate import TensorBase
from .._tensor_autograd import backward as _backward
from .._tensor_autograd import grad as grad
from . import function as function
from . import grad_mode as grad_mode
from .function import Function as Function
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """The sum of gradients of `tensors` with respect to the graph's leaves, into their `.grad`."""
    tensors = [tensors] if isinstance(tensors, TensorBase) else list(tensors)
    if grad_tensors is None or isinstance(grad_tensors, TensorBase):
        grad_tensors = [grad_tensors] * len(tensors)
    _backward(tensors, list(grad_tensors), retain_graph, create_graph, inputs)


def Variable(data: Any, requires_grad: bool = False, volatile: Any = None) -> Any:
    """Variables are tensors: returns a tensor on the same storage."""
    if volatile:
        raise NotImplementedError("volatile was removed from PyTorch: use torch.no_grad() instead.")
    new = data.detach()
    new.requires_grad = requires_grad
    return new
