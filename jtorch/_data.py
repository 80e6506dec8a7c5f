"""Python data to NumPy: what `torch.tensor` makes of numbers, nested sequences and arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._gate import TensorBase

_PYTHON = {bool, int, float, complex}
_NESTED = (list, tuple)
_LIMITS = {np.dtype(t): np.iinfo(t) for t in "bBhHiIlLqQ"}


def to_array(data: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """A new array with the content of `data`, in `dtype` or in the one torch would infer."""
    if isinstance(data, np.generic):
        data = np.asarray(data)
    if not isinstance(data, np.ndarray) and hasattr(data, "__array__"):
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        return _of_array(data, dtype)
    if type(data) in _PYTHON:
        return _of_numbers([data], {type(data)}, dtype).reshape(())
    if isinstance(data, str | bytes) and dtype is None:
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    shape, leaves = _flatten(data)
    return _of_leaves(leaves, dtype).reshape(shape)


def _of_array(data: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
    found = _dtype.from_numpy(data.dtype)
    return np.array(data, order="C") if dtype in (None, found) else cast(data, dtype)


def cast(array: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
    """The array in another torch dtype, as `Tensor.to` converts."""
    if array.dtype.kind == "c" and not dtype.is_complex and dtype.name != "bool":
        array = array.real
    with np.errstate(all="ignore"):
        return np.array(array.astype(dtype.np), order="C")


def _flatten(data: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested sequences and their leaves in order; ragged ones are an error."""
    shape: list[int] = []
    level = [data]
    while level and _is_sequence(level[0]):
        size = len(level[0])
        for item in level:
            if not _is_sequence(item):
                raise TypeError("not a sequence")
            if len(item) != size:
                raise ValueError(
                    f"expected sequence of length {size} at dim {len(shape)} (got {len(item)})"
                )
        shape.append(size)
        if len(shape) > 128:
            raise ValueError(f"too many dimensions '{type(data).__name__}'")
        level = list(itertools.chain.from_iterable(map(_items, level)))
    return tuple(shape), level


def _is_sequence(x: Any) -> bool:
    if type(x) in _NESTED:
        return True
    if type(x) in _PYTHON or isinstance(x, dict | set | np.generic):
        return False
    if isinstance(x, TensorBase):
        return x._value.aval.ndim > 0
    if isinstance(x, str | bytes):
        raise ValueError(f"too many dimensions '{type(x).__name__}'")
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and getattr(x, "ndim", 1) > 0


def _items(x: Any) -> Iterable[Any]:
    if type(x) in _NESTED:
        return x  # type: ignore[no-any-return]
    if isinstance(x, TensorBase):
        if x._value.aval.numel != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return [x[0]]  # type: ignore[index]
    if isinstance(x, np.ndarray):
        return list(x)
    return [x[i] for i in range(len(x))]


def _of_leaves(leaves: list[Any], dtype: Any) -> np.ndarray[Any, Any]:
    kinds = set(map(type, leaves))
    if kinds <= _PYTHON:
        return _of_numbers(leaves, kinds, dtype)
    if dtype is None:
        dtype = _inferred(leaves)
    leaves = [x.item() if hasattr(x, "item") else x for x in leaves]
    for x in leaves:
        if not isinstance(x, int | float | complex):
            _refuse(x, dtype)
    kinds = set(map(type, leaves))
    return _of_numbers(leaves, kinds, dtype)


def _inferred(leaves: list[Any]) -> Any:
    found = None
    for x in leaves:
        if isinstance(x, list | tuple):
            raise TypeError(f"'{type(x).__name__}' object cannot be interpreted as an integer")
        if isinstance(x, str | bytes):
            raise TypeError(f"new(): invalid data type '{type(x).__name__}'")
        if not hasattr(x, "dtype") and not isinstance(x, int | float | complex):
            raise RuntimeError(f"Could not infer dtype of {type(x).__name__}")
        own = _dtype.of(x)
        found = own if found is None else _dtype.promote_types(found, own)
    return found


def _refuse(x: Any, dtype: Any) -> None:
    name = type(x).__name__
    if x is None or isinstance(x, dict | set):
        raise RuntimeError(f"Could not infer dtype of {name}")
    if dtype.is_floating_point:
        raise TypeError(f"must be real number, not {name}")
    raise TypeError(f"'{name}' object cannot be interpreted as an integer")


def _of_numbers(flat: list[Any], kinds: set[type], dtype: Any) -> np.ndarray[Any, Any]:
    """Python numbers in `dtype`, or in the one torch infers; with torch's overflow errors."""
    if dtype is None:
        dtype = _of_kinds(kinds)
    with np.errstate(all="ignore"):
        if dtype.is_complex:
            return np.array(flat, np.complex128).astype(dtype.np)
        if complex in kinds and dtype is not _dtype.bool_:
            raise TypeError("must be real number, not complex")
        if dtype.is_floating_point:
            return np.array(flat, np.float64).astype(dtype.np)
        if dtype is _dtype.bool_:
            return np.array(list(map(bool, flat)), np.bool_)
    return _integers(flat, kinds, dtype)


def _of_kinds(kinds: set[type]) -> Any:
    if complex in kinds:
        return _dtype.default_complex()
    if float in kinds or not kinds:
        return _dtype.get_default_dtype()
    return _dtype.int64 if int in kinds else _dtype.bool_


def _integers(flat: list[Any], kinds: set[type], dtype: Any) -> np.ndarray[Any, Any]:
    limits = _LIMITS[dtype.np]
    if float in kinds:
        floats = np.array(flat, np.float64)
        if not bool(np.all((floats >= limits.min) & (floats <= limits.max))):
            _overflow(dtype.name)
        flat = [int(x) for x in flat]
    if dtype is _dtype.uint64:
        return np.array([x % 2**64 for x in flat], np.uint64)
    try:
        array = np.array(flat, np.int64)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None
    if dtype is _dtype.int64:
        return array
    # an unsigned dtype takes -x for 2**n - x, as C does
    low = -limits.max if limits.min == 0 else limits.min
    if array.size and (array.min() < low or array.max() > limits.max):
        _overflow(dtype.name)
    return array.astype(dtype.np)


def _overflow(name: str) -> None:
    raise RuntimeError(f"value cannot be converted to type {name} without overflow")


_C_NAMES = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t",
    "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t", "float32": "float",
    "float64": "double", "float16": "at::Half", "bfloat16": "at::BFloat16",
}  # fmt: skip


def check_fits(number: Any, dtype: Any) -> None:
    """torch's `Scalar::to<T>` check: a number that a fill of this dtype would have to distort."""
    if dtype.is_complex or dtype is _dtype.bool_:
        return
    name = _C_NAMES.get(dtype.name, dtype.name)
    if isinstance(number, complex):
        if number.imag != 0:
            _overflow(name)
        number = number.real
    if dtype.is_floating_point:
        finite = number - number == 0 if isinstance(number, float) else True
        if finite and dtype.name in _C_NAMES and abs(number) > _dtype.finfo(dtype).max:
            _overflow(name)
        return
    limits = _LIMITS[dtype.np]
    low = -limits.max if limits.min == 0 else limits.min
    if not low <= number <= limits.max:  # NaN fails too
        _overflow(name)
