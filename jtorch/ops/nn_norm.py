"""Normalisation over batches, layers, groups and instances."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Operand, Promote, Scalar, op
from .nn_common import not_implemented

# Statistics of halves are computed in float32; weights keep their own dtype until they are used.
_INPUT: Any = {"promote": Promote.INT_TO_FLOAT, "promotes": ("input",)}
_HIDDEN: Any = {"namespaces": (), **_INPUT}


def _moments(x: Any, axes: Any) -> tuple[Any, Any]:
    mean = jnp.mean(x, axis=axes, keepdims=True)
    return mean, jnp.mean(jnp.square(x - mean), axis=axes, keepdims=True)


def _affine(x: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    if weight is not None:
        x = x * weight.reshape(shape).astype(x.dtype)
    return x if bias is None else x + bias.reshape(shape).astype(x.dtype)


def _channels(x: Any) -> Any:
    return (1, x.shape[1]) + (1,) * (x.ndim - 2)


def _floats(kernel: str) -> Any:
    def check(input: Any, *rest: Any, **static: Any) -> None:
        if not input.dtype.is_floating_point:
            raise not_implemented(kernel, input.dtype)
        if input.ndim < 2:
            raise RuntimeError(f"{kernel}: the input must have at least 2 dimensions")
        for name, given in zip(_NAMES, rest[: len(_NAMES)], strict=False):
            if given is not None and given.numel != input.shape[1]:
                raise RuntimeError(
                    f"{name} should contain {input.shape[1]} elements not {given.numel}"
                )

    return check


_NAMES = ("weight", "bias", "running_mean", "running_var")


@op("_batch_norm_train", check=lambda x, w, b, eps: _floats("batch_norm")(x, w, b),
    grad_name="NativeBatchNorm", **_HIDDEN)  # fmt: skip
def _batch_norm_train(input: Array, weight: Array | None, bias: Array | None, eps: Scalar) -> Any:
    """Normalise every channel by its batch statistics; also the mean and the unbiased variance."""
    axes = (0, *range(2, input.ndim))
    mean, var = _moments(input, axes)
    y = _affine((input - mean) * lax.rsqrt(var + eps), weight, bias, _channels(input))
    count = prod(input.shape[a] for a in axes)
    unbiased = var * (count / (count - 1)) if count > 1 else var * jnp.inf
    return y, mean.reshape(-1), unbiased.reshape(-1)


@op("_batch_norm_eval", grad_name="NativeBatchNorm",
    check=lambda x, m, v, w, b, eps: _floats("batch_norm")(x, w, b, m, v), **_HIDDEN)  # fmt: skip
def _batch_norm_eval(
    input: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: Scalar
) -> Any:
    """Normalise every channel by the given statistics."""
    shape = _channels(input)
    mean, var = mean.reshape(shape).astype(input.dtype), var.reshape(shape).astype(input.dtype)
    return _affine((input - mean) * lax.rsqrt(var + eps), weight, bias, shape)


@op("_running", differentiable=False, namespaces=())
def _running(input: Array, batch: Array, momentum: Operand) -> Any:
    """(1 - momentum) * running + momentum * batch statistic, in the running one's dtype."""
    new = batch.astype(input.dtype)
    if new.size != input.size:  # (N, C) of instance norm: torch averages over the batch
        new = jnp.mean(new.reshape(-1, input.size), axis=0)
    m = jnp.asarray(momentum).astype(input.dtype)
    return (1 - m) * input + m * new.reshape(input.shape)


@op("_instance_norm", check=lambda x, w, b, eps: _floats("instance_norm")(x, w, b),
    grad_name="NativeBatchNorm", **_HIDDEN)  # fmt: skip
def _instance_norm(input: Array, weight: Array | None, bias: Array | None, eps: Scalar) -> Any:
    """Normalise every channel of every sample; also means and unbiased variances (N * C)."""
    axes = tuple(range(2, input.ndim))
    mean, var = _moments(input, axes)
    y = _affine((input - mean) * lax.rsqrt(var + eps), weight, bias, _channels(input))
    count = prod(input.shape[2:])
    unbiased = var * (count / (count - 1)) if count > 1 else var * jnp.inf
    return y, mean.reshape(-1), unbiased.reshape(-1)


def _check_normalized(input: Any, normalized_shape: Any, *given: Any) -> None:
    shape = tuple(normalized_shape) if isinstance(normalized_shape, tuple) else (normalized_shape,)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            f"element, but got normalized_shape = {list(shape)}"
        )
    for name, x in zip(("weight", "bias"), given, strict=False):
        if x is not None and x.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(x.shape)} and normalized_shape = {list(shape)}"
            )
    if input.shape[input.ndim - len(shape) :] != shape or input.ndim < len(shape):
        stars = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{stars}], but got "
            f"input of size{list(input.shape)}"
        )


def _layer_check(input: Any, weight: Any, bias: Any, eps: Any, *, normalized_shape: Any) -> None:
    _check_normalized(input, normalized_shape, weight, bias)
    if not input.dtype.is_floating_point:
        raise not_implemented("LayerNormKernelImpl", input.dtype)


@op(
    check=_layer_check, namespaces=("torch", "nn.functional"), grad_name="NativeLayerNorm", **_INPUT
)
def layer_norm(
    input: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None,
    eps: Scalar = 1e-5,
) -> Any:  # fmt: skip
    """Normalise over the last dimensions, those of `normalized_shape`."""
    n = len(normalized_shape) if isinstance(normalized_shape, tuple) else 1
    mean, var = _moments(input, tuple(range(input.ndim - n, input.ndim)))
    shape = input.shape[input.ndim - n :]
    return _affine((input - mean) * lax.rsqrt(var + eps), weight, bias, shape)


def _rms_check(input: Any, weight: Any, eps: Any, *, normalized_shape: Any) -> None:
    _check_normalized(input, normalized_shape, weight)
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        raise not_implemented("rms_norm", input.dtype)


@op(check=_rms_check, namespaces=("torch", "nn.functional"), **_INPUT)
def rms_norm(
    input: Array, normalized_shape: Any, weight: Array | None = None, eps: Scalar | None = None
) -> Any:
    """Divide by the root of the mean square over the last dimensions."""
    n = len(normalized_shape) if isinstance(normalized_shape, tuple) else 1
    axes = tuple(range(input.ndim - n, input.ndim))
    if eps is None:
        eps = float(np.finfo(input.dtype).eps)
    square = jnp.mean(jnp.square(input), axis=axes, keepdims=True)
    return _affine(input * lax.rsqrt(square + eps), weight, None, input.shape[input.ndim - n :])


def _group_check(input: Any, weight: Any, bias: Any, eps: Any, *, num_groups: int) -> None:
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if input.shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.shape != (input.shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(x.shape)} and input of shape {list(input.shape)}"
            )
    if not input.dtype.is_floating_point:
        raise not_implemented("GroupNormKernelImpl", input.dtype)


@op(
    check=_group_check, namespaces=("torch", "nn.functional"), grad_name="NativeGroupNorm", **_INPUT
)
def group_norm(
    input: Array, num_groups: int, weight: Array | None = None, bias: Array | None = None,
    eps: Scalar = 1e-5,
) -> Any:  # fmt: skip
    """Normalise groups of channels of every sample."""
    split = input.reshape(input.shape[0], num_groups, prod(input.shape[1:]) // num_groups)
    mean, var = _moments(split, (2,))
    y = ((split - mean) * lax.rsqrt(var + eps)).reshape(input.shape)
    return _affine(y, weight, bias, _channels(input))


def _response_check(input: Any, alpha: Any, beta: Any, k: Any, *, size: int) -> None:
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )


@op("_local_response_norm", check=_response_check, namespaces=(), promote=Promote.INT_TO_FLOAT)
def _local_response_norm(
    input: Array, size: int, alpha: Scalar = 1e-4, beta: Scalar = 0.75, k: Scalar = 1.0
) -> Any:
    """Divide by a power of the mean square over neighbouring channels."""
    square = jnp.square(input)
    pad = [(0, 0)] * input.ndim
    pad[1] = (size // 2, (size - 1) // 2)
    padded = jnp.pad(square, pad)
    channels = input.shape[1]
    total = padded[:, :channels]
    for i in range(1, size):
        total = total + padded[:, i : i + channels]
    return input / (total / size * alpha + k) ** beta
