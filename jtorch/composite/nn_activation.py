"""Activation functions of torch.nn.functional that take `inplace=` or choose a dimension."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._functions import composite, derived
from .._gate import gate
from ..ops import TABLE, _derive


def _twin(name: str) -> Callable[..., Any]:
    return _derive.inplace(TABLE[name], gate)


_INPLACE = {
    name: _twin(name)
    for name in (
        "celu", "elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "selu",
        "silu", "threshold",
    )
}  # fmt: skip

for _name in ("relu", "selu", "celu", "threshold"):
    composite(f"torch:{_name}_")(_INPLACE[_name])
for _name in ("relu", "selu", "celu", "threshold", "elu", "hardtanh", "leaky_relu"):
    composite(f"nn.functional:{_name}_")(_INPLACE[_name])


def _pick(name: str, inplace: bool) -> Callable[..., Any]:
    return _INPLACE[name] if inplace else derived[name]


@composite("nn.functional")
def relu(input: Any, inplace: bool = False) -> Any:
    """max(x, 0)."""
    return _pick("relu", inplace)(input)


@composite("nn.functional")
def relu6(input: Any, inplace: bool = False) -> Any:
    """x clamped to [0, 6]."""
    return _pick("hardtanh", inplace)(input, 0, 6)


@composite("nn.functional")
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """x clamped to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _pick("hardtanh", inplace)(input, min_val, max_val)


@composite("nn.functional")
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return _pick("elu", inplace)(input, alpha)


@composite("nn.functional")
def selu(input: Any, inplace: bool = False) -> Any:
    """A scaled ELU that keeps mean zero and variance one."""
    return _pick("selu", inplace)(input)


@composite("torch")
def celu(input: Any, alpha: float = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return derived["celu"](input, alpha)


@composite("nn.functional:celu")
def _celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    return _INPLACE["celu"](input, alpha) if inplace else celu(input, alpha)


@composite("nn.functional")
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where x > 0, else negative_slope * x."""
    return _pick("leaky_relu", inplace)(input, negative_slope)


@composite("nn.functional")
def silu(input: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x)."""
    return _pick("silu", inplace)(input)


@composite("nn.functional")
def mish(input: Any, inplace: bool = False) -> Any:
    """x * tanh(softplus(x))."""
    return _pick("mish", inplace)(input)


@composite("nn.functional")
def hardswish(input: Any, inplace: bool = False) -> Any:
    """x * relu6(x + 3) / 6."""
    return _pick("hardswish", inplace)(input)


@composite("nn.functional")
def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """relu6(x + 3) / 6."""
    return _pick("hardsigmoid", inplace)(input)


@composite("nn.functional")
def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where x > threshold, else value."""
    return _pick("threshold", inplace)(input, threshold, value)


@composite("nn.functional")
def softshrink(input: Any, lambd: float = 0.5, *, out: Any = None) -> Any:
    """x moved towards zero by lambd."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd:g}.")
    return derived["softshrink"](input, lambd, out=out)


composite("nn.functional")(derived["prelu"])
composite("nn.functional")(derived["hardshrink"])


def _softmax_dim(name: str, ndim: int, stacklevel: int) -> int:
    """torch's choice where `dim` is missing."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


@composite("nn.functional")
def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """exp(x), scaled to sum to one along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmax", input.dim(), _stacklevel)
    return derived["softmax"](input, dim, dtype)


@composite("nn.functional")
def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """log(softmax(x)) along `dim`."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.dim(), _stacklevel)
    return derived["log_softmax"](input, dim, dtype)


@composite("nn.functional")
def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmin", input.dim(), _stacklevel)
    return derived["softmax"](-input, dim, dtype)
