"""What every factory function shares: sizes, dtype, device, and the finishing touches."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _layout
from ._engine import dtype as _dtype
from ._engine.device import META, TRACED, Place, accelerators, place_of
from ._engine.value import Value, aval, from_array
from ._gate import TensorBase, apply, out, wrap
from .ops import TABLE


def sizes(name: str, args: Any) -> tuple[int, ...]:
    """A shape that came as `f(2, 3)` or `f((2, 3))`."""
    if len(args) == 1 and not isinstance(args[0], int) and hasattr(args[0], "__len__"):
        if not isinstance(args[0], TensorBase | np.ndarray | str) or _has_dims(args[0]):
            args = args[0]
    elif not args:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return shape_of(name, args)


def check_format(memory_format: Any, shape: tuple[int, ...]) -> None:
    """The channels-last formats are for images (or volumes) only."""
    for form, rank in ((_layout.channels_last, 4), (_layout.channels_last_3d, 5)):
        if memory_format is form and len(shape) != rank:
            raise RuntimeError(f"required rank {rank} tensor to use {form.name} format")


def _has_dims(x: Any) -> bool:
    return getattr(x, "ndim", 0) > 0


def shape_of(name: str, args: Any) -> tuple[int, ...]:
    """A shape given as one sequence, checked."""
    shape = []
    if not hasattr(args, "__len__") or isinstance(args, str):
        kind = type(args).__name__
        raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, not {kind}")
    for i, a in enumerate(args):
        n = a if type(a) is int else _index(name, a, i)
        shape.append(n)
    if any(n < 0 for n in shape):
        if name in ("zeros", "ones"):
            raise RuntimeError(f"{name}: Dimension size must be non-negative.")
        first = next(n for n in shape if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {first}: {shape}")
    return tuple(shape)


def _index(name: str, a: Any, i: int) -> int:
    if isinstance(a, bool) or not hasattr(a, "__index__"):
        kind = type(a).__name__
        if i == 0:
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not {kind}"
            )
        raise TypeError(
            f"{name}(): argument 'size' failed to unpack the object at pos {i + 1} with error "
            f'"type must be tuple of ints,but got {kind}"'
        )
    return int(a.__index__())


def dtype_of(name: str, dtype: Any) -> Any:
    """A `dtype=` argument: None, a dtype, or a Python type."""
    if dtype is None or isinstance(dtype, _dtype.dtype):
        return dtype
    if isinstance(dtype, type) and dtype in (bool, int, float, complex):
        return _dtype.of(dtype)
    raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")


def check_options(name: str, layout: Any, pin_memory: Any, memory_format: Any = None) -> None:
    """Refuse what jtorch has no other answer to than the default."""
    if layout is not None and layout is not _layout.strided:
        raise NotImplementedError(
            f"{name}(layout={layout!r}): jtorch has strided tensors only; leave layout out."
        )
    if pin_memory and not accelerators():
        raise RuntimeError(
            "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory "
            "allocator is available on this system."
        )
    if memory_format not in (None, *_MEMORY_FORMATS):
        raise TypeError(
            f"{name}(): argument 'memory_format' must be torch.memory_format, "
            f"not {type(memory_format).__name__}"
        )


# Accepted everywhere: the order of elements in memory is XLA's choice.
_MEMORY_FORMATS = (
    _layout.contiguous_format, _layout.preserve_format, _layout.channels_last,
    _layout.channels_last_3d,
)  # fmt: skip


def place_like(t: Any, device: Any) -> Place:
    """`device`, or where `t` lives."""
    return t._value.aval.place if device is None else place_of(device)


def place_for(device: Any, out_: Any = None) -> Place:
    """`device`, or where `out=` lives, or the default device."""
    return place_of(device) if out_ is None or device is not None else out_._value.aval.place


def out_dtype(dtype: Any, out_: Any) -> Any:
    """The dtype asked for, where `out=` may decide it."""
    if out_ is None:
        return dtype
    if dtype is not None and dtype is not out_.dtype:
        raise RuntimeError(
            f"dtype {dtype.scalar_name} does not match dtype of out parameter "
            f"({out_.dtype.scalar_name})"
        )
    return out_.dtype


def record(name: str, operands: tuple[Any, ...], *static: Any) -> Any:
    """Call a factory row."""
    return apply(TABLE[name], operands, static)


def hosted(array: np.ndarray[Any, Any], place: Place) -> Any:
    """A tensor around host data, which is given up."""
    if place is META:
        return wrap(Value(aval(tuple(array.shape), _dtype.from_numpy(array.dtype), META)))
    return wrap(from_array(array, _cpu_if_traced(place)))


def _cpu_if_traced(place: Place) -> Place:
    return place_of("cpu") if place is TRACED else place


class _Named:
    """What `out=` errors call the function."""

    def __init__(self, name: str) -> None:
        self.name = name


def finish(name: str, t: Any, requires_grad: bool = False, out_: Any = None) -> Any:
    """Write to `out=` or become a leaf that requires grad."""
    if out_ is not None:
        t = out(_Named(f"aten::{name}"), out_, t)  # type: ignore[arg-type]
    if requires_grad:
        if not (t.dtype.is_floating_point or t.dtype.is_complex):
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        t.requires_grad_(True)
    return t
