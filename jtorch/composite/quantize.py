"""Fake quantisation, with the checks of grids whose zero is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._functions import composite
from .._gate import TensorBase, apply
from ..ops import TABLE


def _check_zero(zero_point: Any, low: int, high: int) -> None:
    known = zero_point._value.array if isinstance(zero_point, TensorBase) else zero_point
    if low > high or not isinstance(known, int | np.ndarray):
        return  # the row's own check; not computed yet
    if np.any(np.asarray(known) < low) or np.any(np.asarray(known) > high):
        raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")


@composite("torch")
def fake_quantize_per_tensor_affine(
    input: Any, scale: Any, zero_point: Any, quant_min: int, quant_max: int
) -> Any:
    """Rounded to the grid of `scale` and `zero_point`, for gradients that see no rounding."""
    if isinstance(zero_point, float):
        raise TypeError(
            "fake_quantize_per_tensor_affine() received an invalid combination of arguments: "
            "zero_point must be an int or a Tensor"
        )
    _check_zero(zero_point, quant_min, quant_max)
    row = TABLE["_fake_quantize_tensor"]
    return apply(row, (input, scale, zero_point), (quant_min, quant_max))


@composite("torch")
def fake_quantize_per_channel_affine(
    input: Any, scale: Any, zero_point: Any, axis: int, quant_min: int, quant_max: int
) -> Any:
    """The same with a grid of its own for every slice along `axis`."""
    _check_zero(zero_point, quant_min, quant_max)
    row = TABLE["_fake_quantize_channels"]
    return apply(row, (input, scale, zero_point), (axis, quant_min, quant_max))
