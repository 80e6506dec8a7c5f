"""What the samplers ask about shapes and dtypes, and torch's names for dtypes in its messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from .dtype import from_numpy

Array = npt.NDArray[Any]
Shape = Sequence[int]
DType = npt.DTypeLike

HALF, BFLOAT16 = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)
FLOAT, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
BOOL, LONG = np.dtype(np.bool_), np.dtype(np.int64)
FLOATING = (HALF, BFLOAT16, FLOAT, DOUBLE)
ALL_TYPES = (*FLOATING, *map(np.dtype, (np.uint8, np.int8, np.int16, np.int32, np.int64)))

BLOCK = 1 << 18  # elements per pass of the long loops


def size(shape: Shape) -> int:
    return math.prod(shape)


def part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"f{dtype.itemsize // 2}")


def as_complex(parts: Array, dtype: np.dtype[Any]) -> Array:
    return parts.view(dtype).reshape(parts.shape[:-1])


def largest_of(dtype: np.dtype[Any]) -> float:
    """The largest number of a floating type."""
    return float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]


def require(dtype: np.dtype[Any], allowed: Sequence[np.dtype[Any]], kernel: str) -> None:
    if dtype not in allowed:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(dtype)}'")


def scalar_name(dtype: np.dtype[Any]) -> str:
    return from_numpy(dtype).scalar_name


_TYPE_NAMES = {
    "Byte": "unsigned char", "Char": "signed char", "Short": "short int", "Int": "int",
    "Long": "long int", "UInt16": "short unsigned int", "UInt32": "unsigned int",
    "UInt64": "long unsigned int", "Bool": "bool",
    "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Float": "float", "Double": "double",
    "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>",
}  # fmt: skip


def type_name(dtype: np.dtype[Any]) -> str:
    return _TYPE_NAMES[scalar_name(dtype)]
