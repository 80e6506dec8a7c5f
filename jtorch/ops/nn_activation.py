"""Activation functions.  `where` picks the branch exactly as torch's kernels do, so kinks agree."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, Scalar, op
from .nn_common import floats_only, not_implemented, wrap
from .nn_math import absolute, log1p_exp, log_sigmoid_of, log_softmax_of, sigmoid_of, softmax_of

_F: Any = Promote.INT_TO_FLOAT  # halves are computed in float32; integers are refused by `check`
_HIDDEN: Any = {"namespaces": (), "promote": _F}


def _clamp_check(what: str) -> Any:
    def check(input: Any, *rest: Any) -> None:
        if input.dtype.name == "bool":
            raise RuntimeError(
                f"{what} not supported for {'relu' if 'Boolean' in what else 'hardtanh'}"
            )
        if input.dtype.is_complex:
            raise NotImplementedError("clamp is not supported for complex types")

    return check


@op(promote=Promote.DEFAULT, inplace=True, check=_clamp_check("Boolean inputs"))
def relu(input: Array) -> Any:
    """max(x, 0)."""
    return _relu(input)


@jax.custom_jvp
def _relu(x: Any) -> Any:
    return jnp.maximum(x, 0)


@_relu.defjvp
def _relu_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return _relu(x), jnp.where(x > 0, t, jnp.zeros_like(t))


@op(promote=Promote.DEFAULT, check=_clamp_check("Bool inputs"), namespaces=())
def hardtanh(input: Array, min_val: Scalar = -1.0, max_val: Scalar = 1.0) -> Any:
    """x clamped to [min_val, max_val]."""
    inside = jnp.logical_and(input > min_val, input < max_val)
    edge = jnp.where(input <= min_val, min_val, max_val)
    clamped = jnp.where(inside, input, edge)
    return jnp.where(jnp.isnan(input), input, clamped) if _inexact(input) else clamped


def _inexact(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.inexact))


@op(check=floats_only("elu_cpu"), grad_name="Elu", **_HIDDEN)
def elu(input: Array, alpha: Scalar = 1.0) -> Any:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return _elu(input, alpha, 1, 1)


def _elu(x: Any, negative: Any, positive: Any, inner: Any) -> Any:
    below = jnp.expm1(jnp.where(x > 0, jnp.zeros_like(x), x) * inner) * negative
    return jnp.where(x > 0, x * positive, below)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@op(promote=_F, check=floats_only("elu_cpu"), inplace=True, namespaces=("torch",), grad_name="Elu")
def selu(input: Array) -> Any:
    """scale * elu(x, alpha) with the constants of self-normalising networks."""
    return _elu(input, _SELU_ALPHA * _SELU_SCALE, _SELU_SCALE, 1)


@op(check=floats_only("elu_cpu"), grad_name="Elu", **_HIDDEN)
def celu(input: Array, alpha: Scalar = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    return _elu(input, alpha, 1, 1 / alpha)


@op(check=floats_only("leaky_relu_cpu"), **_HIDDEN)
def leaky_relu(input: Array, negative_slope: Scalar = 0.01) -> Any:
    """x where x > 0, else negative_slope * x."""
    return jnp.where(input > 0, input, input * negative_slope)


@op(check=floats_only("leaky_relu_cpu"), grad_name="RreluWithNoise", **_HIDDEN)
def _rrelu(input: Array, noise: Array) -> Any:
    """x where x > 0, else noise * x."""
    return jnp.where(input > 0, input, input * noise)


def _prelu_check(input: Any, weight: Any) -> None:
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {_cpp(input.dtype)} and {_cpp(weight.dtype)}"
        )
    if not input.dtype.is_floating_point:
        raise not_implemented("prelu_cpu", input.dtype)
    if weight.numel == 1:
        return
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    channels = input.shape[1] if input.ndim >= 2 else 1
    if input.ndim == 0:
        raise RuntimeError("Not allow zero-dim input tensor.")
    if channels != weight.numel:
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.numel} and channel size = {channels}."
        )


def _cpp(dtype: Any) -> Any:
    return {"float32": "float", "float64": "double", "int64": "long int"}.get(
        dtype.name, dtype.name
    )


@op(promote=_F, check=_prelu_check)
def prelu(input: Array, weight: Array) -> Any:
    """x where x > 0, else weight * x; one weight or one per channel."""
    if input.ndim >= 2 and weight.size != 1:
        weight = weight.reshape((1, -1) + (1,) * (input.ndim - 2))
    else:
        weight = weight.reshape(weight.shape if input.ndim == 1 and weight.size != 1 else ())
    return jnp.where(input > 0, input, input * weight)


_SQRT_HALF = 0.70710678118654752440
_TANH_SCALE, _TANH_CUBE = 0.79788456080286535588, 0.044715


def _gelu_check(input: Any, approximate: str) -> None:
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    floats_only("GeluKernelImpl")(input)


@op(promote=_F, out=True, check=_gelu_check, namespaces=("nn.functional",))
def gelu(input: Array, *, approximate: str = "none") -> Any:
    """x times the normal distribution function of x; approximate='tanh' for a cheaper one."""
    if approximate == "none":
        return input * (0.5 * (1 + lax.erf(input * _SQRT_HALF)))
    inner = _TANH_SCALE * (input + _TANH_CUBE * (input * input * input))
    return 0.5 * input * (1 + jnp.tanh(inner))


@op(check=floats_only("silu_cpu", complex_too=True), **_HIDDEN)
def silu(input: Array) -> Any:
    """x * sigmoid(x)."""
    return input * sigmoid_of(input)


@op(check=floats_only("mish_cpu"), **_HIDDEN)
def mish(input: Array) -> Any:
    """x * tanh(log(1 + exp(x)))."""
    return input * jnp.tanh(log1p_exp(input))


@op(check=floats_only("hardswish_cpu"), **_HIDDEN)
def hardswish(input: Array) -> Any:
    """x * relu6(x + 3) / 6."""
    middle = input * ((input + 3) / 6)
    return jnp.where(input <= -3, jnp.zeros_like(input), jnp.where(input < 3, middle, input))


@op(check=floats_only("hardsigmoid_cpu"), **_HIDDEN)
def hardsigmoid(input: Array) -> Any:
    """relu6(x + 3) / 6."""
    middle = (input + 3) / 6
    zero, one = jnp.zeros_like(input), jnp.ones_like(input)
    return jnp.where(input <= -3, zero, jnp.where(input >= 3, one, middle))


@op(promote=_F, out=True, check=floats_only("hardshrink_cpu"))
def hardshrink(input: Array, lambd: Scalar = 0.5) -> Any:
    """x outside [-lambd, lambd], else zero."""
    return jnp.where(jnp.logical_and(input >= -lambd, input <= lambd), jnp.zeros_like(input), input)


@op(promote=_F, out=True, check=floats_only("softshrink_check"), namespaces=())
def softshrink(input: Array, lambd: Scalar = 0.5) -> Any:
    """x moved towards zero by lambd."""
    lower = jnp.where(input < -lambd, input + lambd, jnp.zeros_like(input))
    moved = jnp.where(input > lambd, input - lambd, lower)
    return jnp.where(jnp.isnan(input), input, moved)


def _tanhshrink_check(input: Any) -> None:
    if input.dtype.name == "bool":
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead."
        )


@op(promote=_F, check=_tanhshrink_check, namespaces=("nn.functional",))
def tanhshrink(input: Array) -> Any:
    """x - tanh(x)."""
    return input - jnp.tanh(input)


def _softsign_check(input: Any) -> None:
    if input.dtype.name == "bool":
        raise not_implemented("abs_cpu", input.dtype)


@op(promote=_F, check=_softsign_check, namespaces=("nn.functional",))
def softsign(input: Array) -> Any:
    """x / (1 + |x|)."""
    return input / (1 + absolute(input))


@op(promote=_F, out=True, check=floats_only("softplus_cpu"), namespaces=("nn.functional",))
def softplus(input: Array, beta: Scalar = 1.0, threshold: Scalar = 20.0) -> Any:
    """log(1 + exp(beta * x)) / beta; the identity where beta * x > threshold."""
    scaled = input * beta
    large = scaled > threshold
    return jnp.where(large, input, jnp.log1p(jnp.exp(jnp.where(large, 0, scaled))) / beta)


@op(promote=_F, out=True, check=floats_only("log_sigmoid_cpu"), namespaces=("nn.functional",),
    grad_name="LogSigmoid")  # fmt: skip
def logsigmoid(input: Array) -> Any:
    """log(sigmoid(x))."""
    return log_sigmoid_of(input)


def _threshold_check(input: Any, *rest: Any) -> None:
    if input.dtype.name == "bool" or input.dtype.is_complex:
        raise not_implemented("threshold_cpu", input.dtype)


@op(promote=Promote.DEFAULT, check=_threshold_check, inplace=True, namespaces=("torch",))
def threshold(input: Array, threshold: Scalar, value: Scalar) -> Any:
    """x where x > threshold, else value."""
    other = jnp.broadcast_to(jnp.asarray(value, input.dtype), input.shape)
    return jnp.where(input <= threshold, other, input)


def _glu_check(input: Any, dim: int) -> None:
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = wrap(dim, input.ndim)
    if input.shape[d] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {d} is size {input.shape[d]}"
        )
    floats_only("glu_cpu")(input)


@op(promote=_F, out=True, check=_glu_check, namespaces=("nn.functional",))
def glu(input: Array, dim: int = -1) -> Any:
    """The first half times the sigmoid of the second half."""
    a, b = jnp.split(input, 2, axis=dim)
    return a * lax.logistic(b)


def _softmax_check(name: str) -> Any:
    def check(input: Any, dim: int, dtype: Any = None) -> None:
        d = wrap(dim, input.ndim)
        kernel = f"{name}_lastdim_kernel_impl" if d == max(input.ndim - 1, 0) else name
        floats_only(kernel)(input, dtype=dtype)

    return check


@op(promote=_F, check=_softmax_check("softmax"), out=True,
    namespaces=("torch", "Tensor", "special"))  # fmt: skip
def softmax(input: Array, dim: int, dtype: Any = None) -> Any:
    """exp(x), scaled to sum to one along `dim`."""
    return softmax_of(input, dim) if input.ndim else jnp.ones_like(input) + 0 * input


@op(promote=_F, check=_softmax_check("log_softmax"), out=True,
    namespaces=("torch", "Tensor", "special"))  # fmt: skip
def log_softmax(input: Array, dim: int, dtype: Any = None) -> Any:
    """log(softmax(x)) along `dim`."""
    return log_softmax_of(input, dim) if input.ndim else input * 0
