"""Fake quantisation: rounded to a grid of integers and back, to train for quantisation."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from ._define import Array, Operand, op
from ._dims import one
from ._rules import refuse


def _check(input: Any, scale: Any, zero_point: Any, *, quant_min: int, quant_max: int,
           axis: int | None = None) -> None:  # fmt: skip
    if quant_min > quant_max:
        raise RuntimeError(
            "`quant_min` should be less than or         equal to `quant_max`."  # torch's own blanks
        )
    refuse("fake_quantize_tensor_cachemask_kernel_type_handling", "integer", "complex")(input)
    if axis is not None:
        _check_channels(input, scale, zero_point, axis)


def _check_channels(input: Any, scale: Any, zero_point: Any, axis: int) -> None:
    if scale.dtype.name not in ("float32", "bfloat16"):
        raise RuntimeError(f"Scale must be Float or BFloat16, found {scale.dtype.scalar_name}")
    if zero_point.dtype.name not in ("int32", "float32", "float16"):
        raise RuntimeError(
            f"Zero-point must be Int32, Float or Half, found {zero_point.dtype.scalar_name}"
        )
    if scale.ndim != 1:
        raise RuntimeError("scale should be a 1-D tensor")
    if zero_point.ndim != 1:
        raise RuntimeError("zero point should be a 1-D tensor")
    if scale.numel != zero_point.numel:
        raise RuntimeError("scale and zero-point need to have the same dimensions")
    axis = one(axis, input.ndim)
    if scale.numel != input.shape[axis]:
        raise RuntimeError(
            "dimensions of scale and zero-point are not consistent with input tensor"
        )


@functools.cache
def _rounded(low: int, high: int, wraps: bool = False) -> Any:
    """x on the grid; its gradient passes where x is inside of the grid (straight through)."""

    @jax.custom_vjp
    def f(x: Any, scale: Any, zero_point: Any) -> Any:
        return forward(x, scale, zero_point)[0]

    def forward(x: Any, scale: Any, zero_point: Any) -> tuple[Any, Any]:
        level = jnp.round(x * (1 / scale)) + zero_point
        # outside, and the lowest level; where torch goes by way of int64, infinity too
        level = jnp.where(~jnp.isfinite(level) if wraps else jnp.isnan(level), low - 1, level)
        inside = (level >= low) & (level <= high)
        return ((jnp.clip(level, low, high) - zero_point) * scale).astype(x.dtype), inside

    def backward(inside: Any, ct: Any) -> tuple[Any, None, None]:
        return jnp.where(inside, ct, 0), None, None

    f.defvjp(forward, backward)
    return f


@op("_fake_quantize_tensor", check=_check, namespaces=(),
    grad_name="FakeQuantizePerTensorAffineCachemask")  # fmt: skip
def _tensor(
    input: Array, scale: Operand, zero_point: Operand, *, quant_min: int, quant_max: int
) -> Any:
    """Rounded to the grid of `scale` and `zero_point`, for gradients that see no rounding."""
    scale = jnp.asarray(scale).reshape(()).astype(input.dtype)
    zero_point = jnp.asarray(zero_point).reshape(()).astype(input.dtype)
    return _rounded(quant_min, quant_max)(input, scale, zero_point)


@op("_fake_quantize_channels", check=_check, namespaces=(),
    grad_name="FakeQuantizePerChannelAffineCachemask")  # fmt: skip
def _channels(
    input: Array, scale: Array, zero_point: Array, *, axis: int, quant_min: int, quant_max: int
) -> Any:
    """The same with a grid of its own for every slice along `axis`."""
    axis = one(axis, input.ndim)
    shape = [-1 if d == axis else 1 for d in range(input.ndim)]
    scale, zero_point = (v.reshape(shape).astype(input.dtype) for v in (scale, zero_point))
    return _rounded(quant_min, quant_max, True)(input, scale, zero_point)
