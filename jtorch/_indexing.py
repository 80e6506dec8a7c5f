"""`x[...]` and `x[...] = v`: from Python's index to one view row, one gather or one scatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine import recorder
from ._engine.backward import modes
from ._engine.value import from_array
from ._gate import TensorBase, apply, check_writable, put, unread_view, wrap
from .ops import TABLE

_FULL = ("s", None)


class IndexingMixin(TensorBase):
    """Reading and writing by index."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        spec, starts, tensors = parse(self, index)
        viewed = basic(self, spec, starts)
        if tensors is None:
            return viewed
        tensors = [_without_mask(t) for t in tensors]
        _check_range(tensors, viewed._aval.shape)
        flat, layout = _spread(tensors)
        return apply(TABLE["_gather_index"], (viewed, flat), (layout,))

    def __setitem__(self, index: Any, new: Any) -> None:
        if index is False:
            return
        index = None if index is True else index
        spec, starts, tensors = parse(self, index)
        whole = tensors is not None and all(e == _FULL for e in spec)
        target = unread_view(self, TABLE["_basic_index"], starts, (spec,))
        check_writable(self if whole else target, TABLE["clone"])
        if not isinstance(new, TensorBase):
            new = _constant(target, new)
        elif new.device != self.device:
            new = new.to(self.device)  # type: ignore[attr-defined]
        if tensors is None:
            _write(target, new)
            return
        same = new._value.aval.dtype is target._aval.dtype
        if _only_mask(tensors) and new._value.aval.numel == 1 and (tensors[0].ndim or same):
            mask = tensors[0]
            written = apply(TABLE["_mask_write"], (target, mask, new.reshape(())), ())  # type: ignore[attr-defined]
        else:
            tensors = [_without_mask(t) for t in tensors]
            _check_range(tensors, target._aval.shape)
            flat, layout = _spread(tensors)
            written = apply(TABLE["_scatter_index"], (target, flat, new), (layout,))
            if not same:
                raise RuntimeError(
                    "Index put requires the source and destination dtypes match, got "
                    f"{target._aval.dtype.scalar_name} for the destination and "
                    f"{new._value.aval.dtype.scalar_name} for the source."
                )
        put(target, (written._value, written._edge() if modes.grad else None))


def basic(t: Any, spec: Any, starts: tuple[Any, ...]) -> Any:
    """The view part of an index: one row, or the tensor itself (as a view) when it selects all."""
    return apply(TABLE["_basic_index"], (t, tuple(starts)), (spec,))


def _write(target: Any, new: Any) -> None:
    shape, want = new._value.aval.shape, target._aval.shape
    while len(shape) > len(want) and shape[0] == 1:  # torch drops leading ones on assignment
        new = new.squeeze(0)
        shape = shape[1:]
    if new._value.aval.dtype is not target._aval.dtype:
        new = apply(TABLE["_to_dtype"], (new,), (target._aval.dtype,))
    if len(shape) > len(want) or any(
        a != b and a != 1 for a, b in zip(reversed(shape), reversed(want), strict=False)
    ):
        raise RuntimeError(
            f"The expanded size of the tensor ({want[-1] if want else 1}) must match the "
            "existing size "
            f"({shape[-1] if shape else 1}) at non-singleton dimension {max(len(want) - 1, 0)}.  "
            f"Target sizes: {list(want)}.  Tensor sizes: {list(shape)}"
        )
    put(target, (new._value, new._edge() if modes.grad else None))


def _constant(target: Any, new: Any) -> Any:
    dtype = target._aval.dtype
    if isinstance(new, bool | int | float | complex | np.generic):
        number = new.item() if isinstance(new, np.generic) else new
        return apply(TABLE["_scalar"], (number,), (dtype, target._aval.place))
    if not isinstance(new, np.ndarray | list | tuple) and not hasattr(new, "__array__"):
        kind = type(new).__name__
        raise TypeError(f"can't assign a {kind} to a torch.{dtype.scalar_name}Tensor")
    return wrap(from_array(np.array(new, dtype.np)))


def _only_mask(tensors: list[Any]) -> bool:
    given = [t for t in tensors if t is not None]
    return (
        len(given) == 1
        and tensors[0] is not None
        and given[0].dtype in (_dtype.bool_, _dtype.uint8)
    )


def _without_mask(t: Any) -> Any:
    """Boolean masks become index tensors, which needs their values."""
    if t is None or t.dtype not in (_dtype.bool_, _dtype.uint8):
        return t
    array = np.asarray(recorder.concrete(t._value, "boolean mask index"))
    return [wrap(from_array(i.astype(np.int64))) for i in np.nonzero(np.atleast_1d(array))]


def _check_range(tensors: list[Any], shape: tuple[int, ...]) -> None:
    """torch's IndexError for host data; numbers that a program computes are not waited for."""
    at = 0
    for t, size in zip(tensors, shape, strict=False):
        if not isinstance(t, TensorBase):
            continue  # kept whole, or a mask, which has the right size
        array = t._value.array
        if type(array) is np.ndarray and array.size:
            low, high = int(array.min()), int(array.max())
            if low < -size or high >= size:
                raise IndexError(
                    f"index {low if low < -size else high} is out of bounds for dimension {at} "
                    f"with size {size}"
                )
        at += 1


def _spread(tensors: list[Any]) -> tuple[tuple[Any, ...], tuple[bool, ...]]:
    """Index tensors in order, and which dimensions of the viewed tensor they index."""
    flat: list[Any] = []
    layout: list[bool] = []
    for t in tensors:
        if t is None:
            layout.append(False)
        elif isinstance(t, list):
            flat += t
            layout += [True] * len(t)
        else:
            flat.append(t)
            layout.append(True)
    return tuple(flat), tuple(layout)


def parse(t: Any, index: Any) -> tuple[Any, tuple[Any, ...], list[Any] | None]:
    """(spec, numbers, index tensors).

    spec, one entry per dimension of the source or None-index: ('i',) an int taken from the numbers;
    ('s', None) all; ('s', length, step) a slice whose start is taken from the numbers; ('n',) a new
    dimension. Index tensors line up with the dimensions of the viewed result; None where it is
    kept.
    """
    shape = t._value.aval.shape
    items = list(index) if isinstance(index, tuple) else [index]
    items = [_normal(i) for i in items]
    items = _expand_ellipsis(items, shape)
    spec: list[Any] = []
    starts: list[int] = []
    tensors: list[Any] = []
    dim = 0
    for item in items:
        if item is None:
            spec.append(("n",))
            tensors.append(None)
        elif isinstance(item, bool):
            spec.append(("n",))
            tensors.append(wrap(from_array(np.array([item]))))
        elif isinstance(item, int):
            spec.append(("i",))
            starts.append(_checked(item, shape, dim))
            dim += 1
        elif isinstance(item, slice):
            entry, start = _slice(item, shape[dim])
            spec.append(entry)
            starts += start
            tensors.append(None)
            dim += 1
        else:
            used = _check_tensor(item, shape, dim)
            spec += [_FULL] * used
            tensors.append(item)
            if used == 0:
                spec.append(("n",))
            dim += used
    spec += [_FULL] * (len(shape) - dim)
    kept = tensors if any(x is not None for x in tensors) else None
    return tuple(spec), tuple(starts), kept


def _normal(item: Any) -> Any:
    if item is None or item is Ellipsis or isinstance(item, slice | bool | int):
        return item
    if isinstance(item, TensorBase):
        aval = item._value.aval
        if aval.dtype.is_floating_point or aval.dtype.is_complex:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        array = item._value.array
        if (
            aval.ndim == 0
            and aval.dtype.name not in ("bool", "uint8")
            and type(array) is np.ndarray
        ):
            return int(array)
        return item
    if isinstance(item, np.generic):
        return item.item()
    if isinstance(item, np.ndarray | list | tuple | range):
        if isinstance(item, list | tuple) and any(isinstance(i, TensorBase) for i in item):
            item = [int(i) for i in item]
        array = np.asarray(item)
        if array.size == 0:
            array = array.astype(np.int64)
        if array.dtype.kind not in "biu":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return wrap(from_array(np.array(array)))
    if hasattr(item, "__index__"):
        return int(item)
    if isinstance(item, str | bytes):
        raise TypeError(f"new(): invalid data type '{type(item).__name__}'")
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {type(item).__name__})"
    )


def _expand_ellipsis(items: list[Any], shape: tuple[int, ...]) -> list[Any]:
    used = 0
    for i in items:
        if i is None or i is Ellipsis or isinstance(i, bool):
            continue
        mask = isinstance(i, TensorBase) and i._value.aval.dtype.name in ("bool", "uint8")
        used += i._value.aval.ndim if mask else 1
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    places = [n for n, i in enumerate(items) if i is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if not places:
        return items
    at = places[0]
    return [*items[:at], *[slice(None)] * (len(shape) - used), *items[at + 1 :]]


def _checked(i: int, shape: tuple[int, ...], dim: int) -> int:
    size = shape[dim]
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")
    return i + size if i < 0 else i


def _slice(s: slice, size: int) -> tuple[Any, list[int]]:
    step = 1 if s.step is None else int(s.step)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    if s.start is None and s.stop is None and step == 1:
        return _FULL, []
    start, stop, _ = slice(
        None if s.start is None else int(s.start), None if s.stop is None else int(s.stop), step
    ).indices(size)
    length = max(0, -(-(stop - start) // step))
    if length == size and start == 0 and step == 1:
        return _FULL, []
    return ("s", length, step), [start if length else 0]


def _check_tensor(item: Any, shape: tuple[int, ...], dim: int) -> int:
    """How many dimensions an index tensor takes, after torch's shape checks."""
    aval = item._value.aval
    if aval.dtype.name not in ("bool", "uint8"):
        return 1
    for k, size in enumerate(aval.shape):
        if size != shape[dim + k]:
            raise IndexError(
                f"The shape of the mask {list(aval.shape)} at index {k} does not match the shape "
                "of "
                f"the indexed tensor {list(shape)} at index {dim + k}"
            )
    return aval.ndim
