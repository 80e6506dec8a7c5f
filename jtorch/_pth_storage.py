"""Storages of `.pth` files, and the functions that their pickles call to rebuild tensors."""

from __future__ import annotations

import math
import reprlib
from collections import OrderedDict
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine.device import META, Place, place_of
from ._engine.device import device as _device
from ._engine.strides import contiguous_strides, is_contiguous
from ._engine.value import Value, aval, from_array
from ._gate import TensorBase, alias, apply, wrap
from .nn.parameter import Parameter
from .ops import TABLE
from .tensor import Tensor

STORAGE_DTYPES = {f"{d.scalar_name}Storage": d for d in _dtype.NAMES.values()}
# Newer dtypes have no storage class of their own: their files hold bytes, and the dtype apart.
_OWN_CLASS = (
    "DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage",
    "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage", "ComplexDoubleStorage",
    "ComplexFloatStorage",
)  # fmt: skip


class UntypedStorage:
    """The bytes of a storage in a file, and the device where its tensors are to live.

    This is what a callable `map_location` gets, and what it returns: the storage itself, or
    `storage.cuda(1)`.
    """

    def __init__(self, content: np.ndarray[Any, Any], place: Place | None = None) -> None:
        self.content = content
        self.place = place_of("cpu") if place is None else place
        self.roots: dict[Any, Any] = {}  # by dtype: a tensor on all of it, or a leading reshape

    @property
    def device(self) -> _device:
        """Where its tensors live."""
        return self.place.device

    def nbytes(self) -> int:
        """Bytes of the content."""
        return int(self.content.nbytes)

    size = __len__ = nbytes

    def to(self, device: Any) -> UntypedStorage:
        """The same bytes, for another device."""
        return UntypedStorage(self.content, place_of(device))

    def cpu(self) -> UntypedStorage:
        """The same bytes, for the host."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> UntypedStorage:
        """The same bytes, for an accelerator."""
        index = device if isinstance(device, int) else None
        return self.to(_device("cuda", index) if index is not None or device is None else device)

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self.content.tolist()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"torch.UntypedStorage(device={self.device}) of size {self.nbytes()}"


class TypedStorage:
    """A storage as elements of one dtype."""

    def __init__(self, untyped: UntypedStorage, dtype: Any) -> None:
        self.untyped, self.dtype = untyped, dtype

    def __len__(self) -> int:
        return self.untyped.nbytes() // int(self.dtype.itemsize)


class StorageType:
    """What stands for `torch.FloatStorage` in a pickle: a dtype."""

    def __init__(self, name: str) -> None:
        self.dtype = STORAGE_DTYPES[name]

    def __repr__(self) -> str:
        return f"StorageType(dtype={self.dtype})"


def storage_name(dtype: Any) -> str | None:
    """torch's storage class of a dtype; None for the newer dtypes, which have none."""
    name = f"{dtype.scalar_name}Storage"
    return name if name in _OWN_CLASS else None


# --- tensors on storages ----------------------------------------------------------------------


def _checked(storage: TypedStorage, offset: Any, size: Any, stride: Any) -> None:
    """Refuse a geometry that is none, or that reaches outside of the storage."""
    if not isinstance(storage, TypedStorage):
        raise RuntimeError(f"expected a storage, but got {type(storage).__name__}")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"mismatch in length of strides and shape: {len(stride)} and {len(size)}"
        )
    if any(type(n) is not int or n < 0 or n >= 2**63 for n in numbers) or len(size) > 64:
        raise RuntimeError(
            f"invalid geometry of a tensor: sizes {reprlib.repr(size)}, strides "
            f"{reprlib.repr(stride)}, storage offset {reprlib.repr(offset)}"
        )
    if 0 in size:
        return
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    itemsize = int(storage.dtype.itemsize)
    if (last + 1) * itemsize > storage.untyped.nbytes():
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {itemsize} requiring a storage size of {(last + 1) * itemsize} are out of "
            f"bounds for storage of size {storage.untyped.nbytes()}"
        )


def _rebuild_tensor(storage: TypedStorage, offset: Any, size: Any, stride: Any) -> Any:
    """A tensor on a storage; tensors that share one go on sharing it, views stay views."""
    size, stride = tuple(size), tuple(stride)
    _checked(storage, offset, size, stride)
    if 0 in size:
        empty = np.empty(size, storage.dtype.np)
        return _placed(empty, storage.untyped.place)
    whole = offset == 0 and math.prod(size) == len(storage) and is_contiguous(size, stride)
    roots = storage.untyped.roots
    root = roots.get(storage.dtype)
    if root is None:
        flat = storage.untyped.content[: len(storage) * storage.dtype.itemsize].view(
            storage.dtype.np
        )
        root = _placed(flat.reshape(size) if whole else flat, storage.untyped.place)
        roots[storage.dtype] = root
        if whole:
            return root
    if whole and root._value.aval.shape == size:
        return alias(root)
    flat = alias(root) if root._value.aval.ndim == 1 else alias(root).reshape(-1)
    return alias(apply(TABLE["as_strided"], (flat,), (size, stride, offset)))


def _placed(array: np.ndarray[Any, Any], place: Place) -> Any:
    t = wrap(from_array(array))
    return t if place.device.type == "cpu" else t.to(place.device)


def _finished(t: Any, requires_grad: Any, metadata: Any) -> Any:
    for mark, f in (("conj", np.conj), ("neg", np.negative)):
        if metadata and metadata.get(mark):  # torch's lazy bits; here the numbers themselves
            array = np.asarray(f(t._numpy("torch.load")))
            t = _placed(array, t._value.aval.place)
    if requires_grad:
        t.requires_grad_(True)
    return t


def _rebuild_tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any,
    metadata: Any = None,
) -> Any:  # fmt: skip
    return _finished(_rebuild_tensor(storage, offset, size, stride), requires_grad, metadata)


def _rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Any:  # fmt: skip
    if not isinstance(dtype, _dtype.dtype):
        raise RuntimeError(f"expected a dtype, but got {type(dtype).__name__}")
    typed = TypedStorage(storage.untyped, dtype)
    return _finished(_rebuild_tensor(typed, offset, size, stride), requires_grad, metadata)


def _rebuild_parameter(data: Any, requires_grad: Any, hooks: Any) -> Any:
    if not isinstance(data, TensorBase):
        raise RuntimeError(f"expected a Tensor, but got {type(data).__name__}")
    return Parameter(data, bool(requires_grad))  # type: ignore[arg-type]


def _rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Any:
    return set_attributes(_rebuild_parameter(data, requires_grad, hooks), state)


def _rebuild_from_type_v2(func: Any, kind: Any, args: Any, state: Any) -> Any:
    t = func(*args)
    if not (isinstance(kind, type) and issubclass(kind, Tensor) and isinstance(t, TensorBase)):
        raise RuntimeError(f"expected a Tensor class, but got {kind!r}")
    if type(t) is not kind:
        grad = t._req  # type: ignore[attr-defined]
        t = alias(t, kind)
        t._req = grad
    setter = getattr(kind, "__setstate__", None)
    if setter is not None:
        setter(t, state)
        return t
    return set_attributes(t, state)


def set_attributes(t: Any, state: Any) -> Any:
    """Python attributes of a tensor, as `__getstate__` gave them."""
    if isinstance(state, tuple):
        if len(state) != 2:
            raise RuntimeError(f"Invalid serialized state: {reprlib.repr(state)}")
        state, slots = state
        state = {**(state or {}), **(slots or {})}
    if state:
        t.__dict__.update(state)
    return t


def _rebuild_sparse_tensor(layout: Any, data: Any) -> Any:
    raise NotImplementedError(
        f"this file holds a tensor of layout {layout}: jtorch has strided tensors only. Save its "
        "indices and values, or its to_dense(), instead."
    )


def _rebuild_qtensor(*_: Any) -> Any:
    raise NotImplementedError(
        "this file holds a quantized tensor, which jtorch does not have. Save its dequantize()."
    )


def _rebuild_nested_tensor(*_: Any) -> Any:
    raise NotImplementedError(
        "this file holds a nested tensor, which jtorch does not have. Save its unbind() instead."
    )


def _rebuild_meta_tensor_no_storage(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Any:
    """A tensor on the meta device: a shape and a dtype."""
    if not isinstance(dtype, _dtype.dtype):
        raise RuntimeError(f"expected a dtype, but got {type(dtype).__name__}")
    shape = tuple(int(n) for n in size)
    return _finished(wrap(Value(aval(shape, dtype, META))), requires_grad, None)


def _rebuild_device_tensor_from_numpy(
    data: Any, dtype: Any, device: Any, requires_grad: Any
) -> Any:
    """Tensors of XLA and similar devices, which PyTorch saves as NumPy arrays or CPU tensors."""
    t = data if isinstance(data, TensorBase) else wrap(from_array(np.array(data)))
    t = t.to(dtype).to("cpu" if str(device).startswith("cpu") else "cuda")  # type: ignore[attr-defined]
    return _finished(t, requires_grad, None)


def get_layout(name: str) -> Any:
    """`torch.strided` from its name."""
    from . import _layout

    found = getattr(_layout, str(name).removeprefix("torch."), None)
    if not isinstance(found, _layout.layout):
        raise KeyError(name)
    return found


REBUILD = {
    f.__name__: f
    for f in (
        _rebuild_device_tensor_from_numpy, _rebuild_meta_tensor_no_storage, _rebuild_nested_tensor,
        _rebuild_parameter, _rebuild_parameter_with_state, _rebuild_qtensor, _rebuild_sparse_tensor,
        _rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3,
    )
}  # fmt: skip
REBUILD["_rebuild_device_tensor_from_cpu_tensor"] = _rebuild_device_tensor_from_numpy
REBUILD["_rebuild_xla_tensor"] = _rebuild_device_tensor_from_numpy


# --- tensors to storages ----------------------------------------------------------------------


class Home:
    """Where a tensor lies when it is written: a storage (by identity), and its geometry there."""

    __slots__ = ("dtype", "key", "location", "offset", "size", "stride", "value")

    def __init__(self, t: Any) -> None:
        value = t._value
        self.dtype, self.size = value.aval.dtype, tuple(value.aval.shape)
        self.location = str(value.aval.place.device)
        base = t._storage.value
        if base.aval.dtype is self.dtype:
            self.key, self.value = t._storage, base
            _, self.stride, self.offset = t._geometry()
        else:  # a view as another dtype: a copy of its own
            self.key, self.value = value, value
            self.stride, self.offset = contiguous_strides(self.size), 0


def tensor_state(t: Any) -> dict[str, Any]:
    """The Python attributes of a tensor that go into the file."""
    return dict(t.__dict__)


def no_hooks() -> OrderedDict[Any, Any]:
    """torch does not save hooks; an empty mapping stands for them."""
    return OrderedDict()
