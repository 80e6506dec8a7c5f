"""Factory functions: tensors from data, constants, sequences; `*_like` and `new_*`."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ._data import check_fits, to_array
from ._engine import dtype as _dtype
from ._engine.device import place_of
from ._factory import (
    check_format,
    check_options,
    dtype_of,
    finish,
    hosted,
    out_dtype,
    place_for,
    place_like,
    record,
    shape_of,
    sizes,
)  # fmt: skip
from ._functions import composite
from .tensor import Tensor

# --- from data ------------------------------------------------------------------------------------


@composite("torch")
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:  # fmt: skip
    """A new leaf with a copy of `data`: a number, nested sequences, an array, or a tensor."""
    check_options("tensor", None, pin_memory)
    dtype = dtype_of("tensor", dtype)
    if isinstance(data, Tensor):
        _warn_copy()
        new = _copy(data, dtype, device)
    else:
        new = hosted(to_array(data, dtype), place_of(device))
    return finish("tensor", new, requires_grad)


def _warn_copy() -> None:
    warnings.warn(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() "
        "or sourceTensor.detach().clone().requires_grad_(True), rather than "
        "torch.tensor(sourceTensor).",
        UserWarning, stacklevel=3,
    )  # fmt: skip


def _copy(data: Any, dtype: Any, device: Any) -> Any:
    moved = data.detach().to(dtype=dtype, device=device)
    return moved.clone() if moved._storage is data._storage else moved


@composite("torch")
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """`data` as a tensor: itself if it is one already.  Differs from torch: arrays are copied."""
    dtype = dtype_of("as_tensor", dtype)
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return hosted(to_array(data, dtype), place_of(device))


@composite("torch")
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """`obj` as a tensor, of buffers too.  Differs from torch: host arrays are always copied."""
    dtype = dtype_of("asarray", dtype)
    if isinstance(obj, Tensor):
        new = _as_tensor_again(obj, dtype, device, copy)
        return finish("asarray", new, True) if requires_grad else new
    if copy is False:
        raise ValueError("can't alias arbitrary sequence into a tensor.")
    if isinstance(obj, bytes | bytearray | memoryview):
        kind = dtype or _dtype.get_default_dtype()
        obj = np.frombuffer(obj, kind.np)
    return finish("asarray", hosted(to_array(obj, dtype), place_of(device)), requires_grad)


def _as_tensor_again(obj: Any, dtype: Any, device: Any, copy: bool | None) -> Any:
    new = obj.to(dtype=dtype, device=device)
    if copy is False and new is not obj:
        raise ValueError("can't alias tensor with another dtype or device without copying")
    return new.clone() if copy and new is obj else new


@composite("torch")
def from_numpy(ndarray: Any) -> Any:
    """A tensor of a NumPy array.  Differs from torch: later writes to the array are not seen."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return hosted(to_array(ndarray), place_of("cpu"))


@composite("torch")
def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Any:
    """A 1-d tensor with a copy of a buffer's bytes."""
    kind = dtype_of("frombuffer", dtype)
    length = memoryview(buffer).nbytes
    if length == 0 or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({length} bytes) minus 1"
        )
    if count < 0 and (length - offset) % kind.itemsize:
        raise ValueError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a "
            f"multiple of element size ({kind.itemsize})"
        )
    if count > 0 and offset + count * kind.itemsize > length:
        raise ValueError(
            f"requested buffer length ({count} * {kind.itemsize} bytes) after offset ({offset} "
            f"bytes) must not be greater than actual buffer length ({length} bytes)"
        )
    array = np.frombuffer(buffer, kind.np, count, offset)
    return finish("frombuffer", hosted(np.array(array), place_of("cpu")), requires_grad)


@composite("torch")
def scalar_tensor(
    s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """A 0-d tensor, of the default dtype unless told otherwise."""
    check_options("scalar_tensor", layout, pin_memory)
    dtype = dtype_of("scalar_tensor", dtype) or _dtype.get_default_dtype()
    return finish("full", record("_full", (s,), (), dtype, place_of(device)), requires_grad)


# --- constants ------------------------------------------------------------------------------------


def _constant_function(name: str, value: int) -> Any:
    def function(
        *size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False, memory_format: Any = None,
        **named: Any,
    ) -> Any:  # fmt: skip
        check_options(name, layout, pin_memory, memory_format)
        shape = sizes(name, _size_argument(name, size, named))
        if memory_format is not None:
            check_format(memory_format, shape)
        dtype = out_dtype(dtype_of(name, dtype), out) or _dtype.get_default_dtype()
        t = record("_constant", (), shape, value, dtype, place_for(device, out))
        return finish(name, t, requires_grad, out) if requires_grad or out is not None else t

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"A tensor of the given size, as torch.{name}."
    return composite("torch")(function)


def _size_argument(name: str, size: Any, named: dict[str, Any]) -> Any:
    if "size" in named and not size:
        size = (named.pop("size"),)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    return size


zeros = _constant_function("zeros", 0)
ones = _constant_function("ones", 1)
empty = _constant_function("empty", 0)  # defined content costs nothing here: it is fused away


@composite("torch")
def full(
    size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Filled with `fill_value`, whose kind decides the dtype."""
    check_options("full", layout, pin_memory)
    dtype = out_dtype(dtype_of("full", dtype), out)
    place = place_for(device, out)
    t = _filled("full", shape_of("full", size), fill_value, dtype, place)
    return finish("full", t, requires_grad, out)


def _filled(name: str, shape: Any, value: Any, dtype: Any, place: Any) -> Any:
    if isinstance(value, Tensor):
        value = _scalar_operand(name, value)
        kind = value.dtype
        if dtype is None:
            dtype = _dtype.get_default_dtype() if kind.is_floating_point else kind
    else:
        value = _number(name, value)
        dtype = dtype or _dtype.of(value)
        check_fits(value, dtype)
    return record("_full", (value,), shape, dtype, place)


def _number(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | complex):
        kind = type(value).__name__
        raise TypeError(f"{name}(): argument 'fill_value' (position 2) must be Number, not {kind}")
    return value


def _scalar_operand(name: str, value: Any) -> Any:
    if value.ndim:
        raise TypeError(f"{name}(): argument 'fill_value' (position 2) must be Number, not Tensor")
    return value.detach()


def _like_function(name: str, value: int) -> Any:
    def function(
        input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
    ) -> Any:  # fmt: skip
        _check_like(name, input, layout, pin_memory, memory_format)
        dtype = dtype_of(name, dtype) or input.dtype
        t = record("_constant", (), tuple(input.shape), value, dtype, place_like(input, device))
        return finish("constant", t, True) if requires_grad else t

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Of the shape, dtype and device of `input`, as torch.{name}."
    return composite("torch")(function)


def _check_like(name: str, t: Any, layout: Any, pin_memory: Any, memory_format: Any) -> None:
    if not isinstance(t, Tensor):
        kind = type(t).__name__
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {kind}")
    check_options(name, layout, pin_memory, memory_format)


zeros_like = _like_function("zeros_like", 0)
ones_like = _like_function("ones_like", 1)
empty_like = _like_function("empty_like", 0)


@composite("torch")
def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Filled with `fill_value`; shape, dtype and device of `input`."""
    _check_like("full_like", input, layout, pin_memory, memory_format)
    dtype = dtype_of("full_like", dtype) or input.dtype
    t = _filled("full_like", tuple(input.shape), fill_value, dtype, place_like(input, device))
    return finish("full", t, requires_grad)


@composite("torch")
def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Zeros of the given sizes and strides."""
    check_options("empty_strided", layout, pin_memory)
    shape, strides = shape_of("empty_strided", size), tuple(stride)
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides "
            f"({len(strides)})"
        )
    need = (
        1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if 0 not in shape else 0
    )
    t = zeros(need, dtype=dtype, device=device).as_strided(shape, strides)
    return finish("constant", t, requires_grad)


@composite("torch")
def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Zeros whose dimensions lie in memory in the order `physical_layout`."""
    check_options("empty_permuted", layout, pin_memory)
    shape, order = shape_of("empty_permuted", size), tuple(physical_layout)
    if len(order) != len(shape):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    for d in order:
        if not 0 <= d < len(shape):
            raise RuntimeError(f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {d} at index {order.index(d)}).  NB: negative dims not currently supported; file an issue if you want it.")  # fmt: skip  # noqa: E501
        if order.count(d) > 1:
            raise RuntimeError("Duplicate dim not allowed")
    t = zeros([shape[d] for d in order], dtype=dtype, device=device)
    return finish("constant", t.permute([order.index(d) for d in range(len(shape))]), requires_grad)


# --- sequences ------------------------------------------------------------------------------------


def _item(x: Any, name: str, argument: str, position: int) -> Any:
    """A number given as a number, a NumPy scalar or a tensor of one element."""
    if isinstance(x, Tensor | np.generic):
        x = x.item()
    if not isinstance(x, bool | int | float | complex):
        kind = type(x).__name__
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Number, not {kind}"
        )
    return x


def _range_arguments(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    names = ("end",) if len(args) == 1 and "end" not in named else ("start", "end", "step")
    if len(args) > 3:
        raise TypeError(
            f"{name}() takes from 1 to 3 positional arguments but {len(args)} were given"
        )
    values = dict(zip(names, args, strict=False))
    for key in ("start", "end", "step"):
        if key in named:
            if key in values:
                raise TypeError(f"{name}() got multiple values for argument '{key}'")
            values[key] = named.pop(key)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    if "end" not in values:
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got {args}, but expected one "
            "of: (Number end), (Number start, Number end), (Number start, Number end, Number step)"
        )
    order = [values.get("start", 0), values["end"], values.get("step", 1)]
    position = [names.index(k) + 1 if k in names else 0 for k in ("start", "end", "step")]
    given = zip(order, ("start", "end", "step"), position, strict=True)
    return [_item(v, name, k, p) for v, k, p in given]


def _check_range(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start:g} -> {end:g}")
    if not ((step > 0 and end >= start) or (step < 0 and end <= start)):
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


@composite("torch")
def arange(
    *args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **named: Any,
) -> Any:  # fmt: skip
    """start, start + step, ... up to but without `end`."""
    check_options("arange", layout, pin_memory)
    start, end, step = _range_arguments("arange", args, named)
    if any(isinstance(x, complex) for x in (start, end, step)):
        raise RuntimeError("value cannot be converted to type double without overflow")
    dtype = out_dtype(dtype_of("arange", dtype), out)
    if dtype is None:
        floats = any(isinstance(x, float) for x in (start, end, step))
        dtype = _dtype.get_default_dtype() if floats else _dtype.int64
    if dtype is _dtype.bool_ or dtype.is_complex:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{dtype.scalar_name}'")
    _check_range(start, end, step)
    if dtype is _dtype.int64:
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero")
        count = -((start - end) // step)
    else:
        count = math.ceil((end - start) / step)
    if dtype.is_integral:
        start, step = int(start), int(step)
    t = record("_arange", (start, step), max(count, 0), dtype, place_for(device, out))
    return finish("arange", t, requires_grad, out) if requires_grad or out is not None else t


@composite("torch:range")
def range_(
    *args: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **named: Any,
) -> Any:  # fmt: skip
    """start, start + step, ... up to and with `end` (deprecated in torch)."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).", UserWarning, stacklevel=2,
    )  # fmt: skip
    check_options("range", layout, pin_memory)
    if len(args) == 1:
        args = (0, *args)
    start, end, step = _range_arguments("range", args, named)
    _check_range(start, end, step)
    dtype = out_dtype(dtype_of("range", dtype), out) or _dtype.get_default_dtype()
    count = math.floor((end - start) / step + 1)
    if dtype.is_integral:
        start, step = int(start), int(step)
    t = record("_arange", (start, step), count, dtype, place_for(device, out))
    return finish("arange", t, requires_grad, out)


@composite("torch")
def linspace(
    start: Any, end: Any, steps: Any, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """`steps` evenly spaced values from `start` to `end`, both included."""
    check_options("linspace", layout, pin_memory)
    dtype, place = out_dtype(dtype_of("linspace", dtype), out), place_for(device, out)
    ends = _ends("linspace", start, end)
    steps = _steps("linspace", steps)
    t = record("_linspace", ends, steps, dtype or _spaced_dtype(ends), place)
    return finish("linspace", t, requires_grad, out)


@composite("torch")
def logspace(
    start: Any, end: Any, steps: Any, base: float = 10.0, *, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """`base` to the powers `linspace(start, end, steps)`."""
    check_options("logspace", layout, pin_memory)
    dtype, place = out_dtype(dtype_of("logspace", dtype), out), place_for(device, out)
    ends = _ends("logspace", start, end)
    if not isinstance(base, bool | int | float):
        kind = type(base).__name__
        raise TypeError(f"logspace(): argument 'base' (position 4) must be float, not {kind}")
    steps = _steps("logspace", steps)
    t = record("_logspace", (*ends, float(base)), steps, dtype or _spaced_dtype(ends), place)
    return finish("logspace", t, requires_grad, out)


def _ends(name: str, start: Any, end: Any) -> tuple[Any, Any]:
    """Both ends as operands: numbers, or 0-d tensors, which need not be known yet."""
    tensors = [isinstance(x, Tensor) for x in (start, end)]
    if any(tensors) and (dims := [getattr(x, "ndim", 0) for x in (start, end)]) != [0, 0]:
        given = [
            f"{n} with {d} dimension(s)"
            for n, d, is_t in zip(("start", "end"), dims, tensors, strict=True)
            if is_t
        ]
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got "
            f"{' and '.join(given)}."
        )
    ends = zip((start, end), tensors, ("start", "end"), (1, 2), strict=True)
    found = [x.detach() if is_t else _item(x, name, n, i) for x, is_t, n, i in ends]
    return found[0], found[1]


def _steps(name: str, steps: Any) -> int:
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        kind = type(steps).__name__
        raise TypeError(f"{name}(): argument 'steps' (position 3) must be int, not {kind}")
    steps = int(steps.__index__())
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return steps


def _spaced_dtype(ends: tuple[Any, Any]) -> Any:
    kinds = [x.dtype.is_complex if isinstance(x, Tensor) else isinstance(x, complex) for x in ends]
    return _dtype.default_complex() if any(kinds) else _dtype.get_default_dtype()


@composite("torch")
def eye(
    n: Any, m: Any = None, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Ones on the diagonal, zeros elsewhere."""
    check_options("eye", layout, pin_memory)
    m = n if m is None else m
    for letter, x, position in (("n", n, 1), ("m", m, 2)):
        if isinstance(x, bool) or not hasattr(x, "__index__"):
            kind = type(x).__name__
            raise TypeError(
                f"eye(): argument '{letter}' (position {position}) must be int, not {kind}"
            )
        if x < 0:
            raise RuntimeError(f"{letter} must be greater or equal to 0, got {x}")
    dtype = out_dtype(dtype_of("eye", dtype), out) or _dtype.get_default_dtype()
    t = record("_eye", (), int(n), int(m), dtype, place_for(device, out))
    return finish("eye", t, requires_grad, out)


__all__ = ["arange", "as_tensor", "asarray", "empty", "eye", "from_numpy", "full", "linspace",
           "ones", "tensor", "zeros"]  # fmt: skip
