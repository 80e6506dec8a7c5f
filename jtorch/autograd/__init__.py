"""`torch.autograd`: backward and grad on lists, grad modes, custom functions."""

from __future__ import annotations

from typing import Any

from .._gate import TensorBase
from .._tensor_autograd import backward as _backward
from .._tensor_autograd import grad as _grad
from .._transforms.vmap import vmap
from . import anomaly_mode as anomaly_mode
from . import forward_ad as forward_ad
from . import function as function
from . import functional as functional
from . import grad_mode as grad_mode
from . import graph as graph
from . import profiler as profiler
from . import profiler_util as profiler_util
from ._checks import gradcheck as gradcheck
from ._checks import gradgradcheck as gradgradcheck
from .anomaly_mode import detect_anomaly as detect_anomaly
from .anomaly_mode import set_detect_anomaly as set_detect_anomaly
from .function import Function as Function
from .grad_mode import enable_grad as enable_grad
from .grad_mode import enforce_grad_layout_policy as enforce_grad_layout_policy
from .grad_mode import inference_mode as inference_mode
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled
from .grad_mode import set_multithreading_enabled as set_multithreading_enabled


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


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Gradients of `outputs` with respect to `inputs`, without touching `.grad`.

    is_grads_batched: `grad_outputs` has a further first dimension, and so have the results.
    Source: torch.autograd.grad.
    """
    if not only_inputs:
        raise NotImplementedError("only_inputs=False was removed from PyTorch: use backward().")
    options = (retain_graph, create_graph, allow_unused, False, materialize_grads)
    if not is_grads_batched:
        found = _grad(outputs, inputs, grad_outputs, *options)
        given = [inputs] if isinstance(inputs, TensorBase) else inputs
        return tuple(_shown(g, x) for g, x in zip(found, given, strict=False))
    given = [grad_outputs] if isinstance(grad_outputs, TensorBase) else list(grad_outputs)
    present: list[bool] = []

    def one(*cts: Any) -> tuple[Any, ...]:
        grads = _grad(outputs, inputs, list(cts), *options)
        present.extend(g is not None for g in grads)
        return tuple(g for g in grads if g is not None)

    found = iter(vmap(one)(*given))
    return tuple(next(found) if p else None for p in present)


def _shown(g: Any, x: Any) -> Any:
    """A gradient as the class of its tensor wants it."""
    of_gradient = getattr(x, "_of_gradient", None)
    return g if of_gradient is None or g is None else of_gradient(g)


def Variable(data: Any, requires_grad: bool = False, volatile: Any = None) -> Any:
    """Variables are tensors: returns a tensor on the same storage."""
    if volatile:
        raise NotImplementedError("volatile was removed from PyTorch: use torch.no_grad() instead.")
    new = data.detach()
    new.requires_grad = requires_grad
    return new
