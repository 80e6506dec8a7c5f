"""Gradients of convolutions as functions: `conv2d_input`, `conv2d_weight` and kin."""

from __future__ import annotations

from typing import Any

from .._functions import NAMESPACES
from ..autograd import enable_grad, grad
from ..tensor import Tensor
from . import functional as F

_TORCH = NAMESPACES["torch"]


def _declare(n: int) -> None:
    name = f"conv{n}d"
    convolve = getattr(F, name)

    def conv_input(
        input_size: Any, weight: Tensor, grad_output: Tensor,
        stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        with enable_grad():
            like = {"dtype": grad_output.dtype, "device": grad_output.device}
            x = _TORCH["zeros"](tuple(input_size), requires_grad=True, **like)
            out = convolve(x, weight, None, stride, padding, dilation, groups)
        return grad(out, x, grad_output)[0]

    def conv_weight(
        input: Tensor, weight_size: Any, grad_output: Tensor,
        stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        with enable_grad():
            like = {"dtype": grad_output.dtype, "device": grad_output.device}
            w = _TORCH["zeros"](tuple(weight_size), requires_grad=True, **like)
            out = convolve(input, w, None, stride, padding, dilation, groups)
        return grad(out, w, grad_output)[0]

    for suffix, f, of in (("input", conv_input, "input"), ("weight", conv_weight, "weight")):
        f.__name__ = f.__qualname__ = f"{name}_{suffix}"
        f.__doc__ = f"The gradient of {name} with respect to its {of}."
        globals()[f.__name__] = f


for _n in (1, 2, 3):
    _declare(_n)
