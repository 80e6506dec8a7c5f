"""Collation: samples to a batch, in NumPy for as long as the data is on the host."""

from __future__ import annotations

import collections.abc
import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ...._engine.dtype import float64, from_numpy
from ...._engine.value import from_array
from ...._functions import derived
from ...._gate import wrap
from ....creation import as_tensor, tensor
from ....tensor import Tensor
from . import transport

CollateMap = dict[Any, Callable[..., Any]]

np_str_obj_array_pattern = re.compile(r"[SaUO]")
default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars to tensors, inside mappings and sequences too; the rest as it is."""
    kind = type(data)
    if isinstance(data, Tensor):
        return data
    if kind.__module__ == "numpy" and kind.__name__ not in ("str_", "string_"):
        if kind is np.ndarray and np_str_obj_array_pattern.search(data.dtype.str):
            return data
        return as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        parts = [default_convert(d) for d in data]
        return kind(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, str | bytes):
        return _sequence(data, [default_convert(d) for d in data])
    return data


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Join samples of any structure; `collate_fn_map` says how to join its leaves.

    collate_fn_map: type (or tuple of types) to `f(batch, *, collate_fn_map)`; an exact type is
    looked for first, then base classes in the map's order.
    """
    first = batch[0]
    leaf = _find(first, collate_fn_map or {})
    if leaf is not None:
        return leaf(batch, collate_fn_map=collate_fn_map)

    def join(samples: Any) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, collections.abc.Mapping):
        return _mapping(first, {key: join([d[key] for d in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(join(samples) for samples in zip(*batch, strict=False)))
    if isinstance(first, collections.abc.Sequence):
        size = len(first)
        if any(len(sample) != size for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [join(samples) for samples in zip(*batch, strict=False)]
        return parts if isinstance(first, tuple) else _sequence(first, parts)
    raise TypeError(default_collate_err_msg_format.format(type(first)))


def _find(first: Any, table: CollateMap) -> Callable[..., Any] | None:
    found = table.get(type(first))
    if found is None:
        found = next((f for kind, f in table.items() if isinstance(first, kind)), None)
    return found


def _mapping(like: Any, content: dict[Any, Any]) -> Any:
    """`content` in a mapping of the same type and attributes; a dict where that fails."""
    try:
        if isinstance(like, collections.abc.MutableMapping):
            clone = copy.copy(like)
            clone.update(content)
            return clone
        return type(like)(content)
    except TypeError:
        return content


def _sequence(like: Any, content: list[Any]) -> Any:
    """`content` in a sequence of the same type and attributes; a list where that fails."""
    try:
        if isinstance(like, collections.abc.MutableSequence):
            clone = copy.copy(like)
            for i, item in enumerate(content):
                clone[i] = item
            return clone
        return type(like)(content)  # type: ignore[call-arg]
    except TypeError:
        return content


def collate_tensor_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """`torch.stack`, without JAX when every sample is host data."""
    arrays = _host_arrays(batch)
    return derived["stack"](list(batch), 0) if arrays is None else _stacked(arrays)


def _host_arrays(batch: Any) -> list[np.ndarray[Any, Any]] | None:
    """The samples' arrays, if they are alike, on the host, and outside any graph."""
    aval = batch[0]._value.aval
    arrays = []
    for t in batch:
        value = t._value
        if type(value.array) is not np.ndarray or value.aval is not aval or t._edge() is not None:
            return None
        arrays.append(value.array)
    return arrays if aval.place.device.type == "cpu" else None


def _stacked(arrays: Any) -> Any:
    first = arrays[0]
    if first.ndim == 0:
        return wrap(from_array(np.array(arrays, first.dtype)))
    out = transport.empty((len(arrays), *first.shape), first.dtype)
    for row, array in zip(out, arrays, strict=True):
        row[...] = array
    return wrap(from_array(out))


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Arrays to one tensor."""
    first = batch[0]
    if np_str_obj_array_pattern.search(first.dtype.str):
        raise TypeError(default_collate_err_msg_format.format(first.dtype))
    known = (collate_fn_map or {}).get(Tensor) is collate_tensor_fn
    alike = all(
        isinstance(a, np.ndarray) and a.shape == first.shape and a.dtype == first.dtype
        for a in batch
    )
    if known and alike and first.dtype.isnative:
        from_numpy(first.dtype)  # torch's error for what is no torch dtype
        return _stacked(batch)
    return collate([as_tensor(b) for b in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """NumPy scalars to a tensor of their dtype."""
    return as_tensor(batch)


def collate_float_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Python floats to a float64 tensor."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Python ints (or bools) to a tensor."""
    return tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Text stays as it is."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """Join samples into a batch with a new first dimension.

    Tensors, arrays and numbers become tensors (floats float64, ints int64), text stays, and
    mappings, named tuples and sequences are joined item by item (tuples to lists, as in torch).
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
