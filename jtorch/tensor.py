"""`Tensor`: what users hold.  Ops come from the table, everything else from the three mixins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine import executor, recorder
from ._engine.backward import call, modes
from ._engine.device import META, TRACED, place_of
from ._engine.device import device as _device
from ._engine.errors import wrap_dim
from ._engine.op import Op
from ._engine.saved import SHARED
from ._engine.signature import lookup
from ._engine.storage import geometry, version
from ._engine.strides import is_contiguous
from ._engine.transfer import TransferNode
from ._engine.value import Value, from_array
from ._engine.value import aval as _aval
from ._gate import (
    TensorBase,
    apply,
    check_writable,
    gate,
    put,
    set_tensor_class,
    subclass_hooks,
    wrap,
)
from ._indexing import IndexingMixin
from ._layout import strided
from ._size import Size
from ._tensor_autograd import AutogradMixin
from ._tensor_python import PythonMixin
from .ops import TABLE, _derive


class Tensor(AutogradMixin, PythonMixin, IndexingMixin):
    """A multi-dimensional array whose operations are recorded and run later as one XLA program."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for hook in subclass_hooks:
            hook(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Tensor(data)` or `Tensor(2, 3)`: torch's legacy constructor (default dtype)."""
        dtype = _dtype.get_default_dtype()
        if len(args) == 1 and isinstance(args[0], Tensor):
            value = args[0]._value
            value.home = SHARED
            return wrap(value, None, cls)
        if len(args) == 1 and isinstance(args[0], Size):
            args = tuple(args[0])
        if all(isinstance(a, int) for a in args) and args:
            array = np.zeros(args, dtype.np)
        else:
            array = np.asarray(args[0] if args else [], dtype.np)
        return wrap(from_array(np.array(array)), None, cls)

    @property
    def shape(self) -> Size:
        """The sizes."""
        return Size(self._value.aval.shape)

    def size(self, dim: int | None = None) -> Any:
        """All sizes, or one."""
        if dim is None:
            return Size(self._value.aval.shape)
        shape = self._value.aval.shape
        if not -len(shape) <= dim < len(shape):
            n = max(len(shape), 1)
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got "
                f"{dim})"
            )
        return shape[dim]

    @property
    def dtype(self) -> _dtype.dtype:
        """The element type."""
        return self._value.aval.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> _device:
        """Where the tensor lives."""
        return self._value.aval.place.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._value.aval.ndim

    def dim(self) -> int:
        """The number of dimensions."""
        return self._value.aval.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._value.aval.numel

    nelement = numel

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._value.aval.nbytes

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.itemsize

    @property
    def is_cuda(self) -> bool:
        """Whether the tensor lives on an accelerator."""
        return self.device.type == "cuda"

    is_cpu = property(lambda self: self.device.type == "cpu")
    is_sparse = property(lambda self: False)
    is_quantized = property(lambda self: False)
    is_meta = property(lambda self: self._aval.place is META)
    is_nested = property(lambda self: False)
    layout = property(lambda self: strided)

    def get_device(self) -> int:
        """The index of the accelerator, -1 on the CPU."""
        return -1 if self.device.type == "cpu" else self.device.index or 0

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating point one."""
        return bool(self.dtype.is_floating_point)

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return bool(self.dtype.is_complex)

    def is_signed(self) -> bool:
        """Whether the dtype has negative values."""
        return bool(self.dtype.is_signed)

    @property
    def _version(self) -> int:
        root = self if self._base is None else self._root()
        return version(root._chain, self._storage)

    def _geometry(self) -> Any:
        if self._chain is None:
            return geometry(self._value.aval, ())
        return geometry(self._storage.value.aval, self._chain)

    def stride(self, dim: int | None = None) -> Any:
        """Elements between neighbours, per dimension."""
        strides = self._geometry()[1]
        return strides if dim is None else strides[wrap_dim(dim, len(strides))]

    def storage_offset(self) -> int:
        """Elements before the first one, in the storage."""
        return int(self._geometry()[2])

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in row-major order."""
        sizes, strides, _ = self._geometry()
        return is_contiguous(sizes, strides)

    def contiguous(self, memory_format: Any = None) -> Any:
        """self if contiguous, else a copy."""
        return self if self.is_contiguous() else self.clone()  # type: ignore[attr-defined]

    def data_ptr(self) -> int:
        """An identity of the first element: equal for tensors that share it."""
        return id(self._storage) + self.storage_offset() * self.itemsize

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Another dtype and/or device; self if nothing changes."""
        dtype, place, copy = _to_arguments(args, kwargs)
        result = self if place is None else _to_place(self, place)
        if dtype is not None and dtype is not self.dtype:
            result = apply(TABLE["_to_dtype"], (result,), (dtype,))
        return result.clone() if copy and result is self else result

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The type's name, or a cast."""
        if dtype is None:
            return type_name(self)
        if isinstance(dtype, str):
            if dtype not in _BY_TYPE_NAME:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = _BY_TYPE_NAME[dtype]
        return self.to(dtype)

    def type_as(self, other: Any) -> Any:
        """Cast to the dtype (and device) of another tensor."""
        return self.to(other)

    def cpu(self, memory_format: Any = None) -> Any:
        """On the host."""
        return self.to("cpu")

    def cuda(
        self, device: Any = None, non_blocking: bool = False, memory_format: Any = None
    ) -> Any:
        """On the accelerator."""
        return self.to("cuda" if device is None else _device(device))

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        """Write another tensor's content (broadcast, cast) into this one."""
        check_writable(self, TABLE["clone"])
        if isinstance(src, bool | int | float | complex):
            src = self.new_tensor(src)  # type: ignore[attr-defined]
        if not isinstance(src, TensorBase):
            raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")  # fmt: skip  # noqa: E501
        source = src.to(device=self.device) if src.device != self.device else src  # type: ignore[attr-defined]
        if source.dtype is not self.dtype:
            source = source.to(self.dtype)
        elif _grad_mode() and source._edge() is not None:
            source = source.clone()  # type: ignore[attr-defined]  # a node of its own
        source._value.home = SHARED
        put(self, (source._value, source._edge() if _grad_mode() else None))
        return self

    def set_(self, source: Any) -> Any:
        """Share the storage of another tensor."""
        self.data = source
        return self

    def _write_array(self, array: np.ndarray[Any, Any]) -> Any:
        """Fill from host data of the right shape (random numbers); gives the array up."""
        check_writable(self, TABLE["clone"])
        value = Value(
            _aval(tuple(array.shape), _dtype.from_numpy(array.dtype), place_of("cpu")), array
        )
        if self.device.type != "cpu":
            value = wrap(value).to(self.device)._value
        put(self, (value, None))
        return self

    def unbind(self, dim: int = 0) -> tuple[Any, ...]:
        """All slices along a dimension, as views."""
        return tuple(self.select(dim, i) for i in range(self.size(dim)))  # type: ignore[attr-defined]


def _grad_mode() -> bool:
    return modes.grad


def _to_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool]:
    """`.to(device)`, `.to(dtype)`, `.to(device, dtype)`, `.to(other)`, with keywords."""
    dtype, place = kwargs.pop("dtype", None), kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)  # every transfer is asynchronous already
    kwargs.pop("memory_format", None)  # layout is XLA's choice
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() received an invalid combination of arguments - got {sorted(kwargs)}")
    for a in (*args, other):
        if isinstance(a, _dtype.dtype):
            dtype = a
        elif isinstance(a, TensorBase):
            dtype, place = a._value.aval.dtype, a._value.aval.place
        elif isinstance(a, str | _device):
            place = a
        elif isinstance(a, bool):
            copy = copy or (a and a is not args[-1])
        elif isinstance(a, int):
            place = _device("cuda", a)
        elif a is not None:
            raise TypeError(
                f"to() received an invalid combination of arguments - got ({type(a).__name__})"
            )
    return dtype, None if place is None else place_of(place), copy


def _to_place(t: Any, place: Any) -> Any:
    value = t._value
    if value.aval.place is place or value.aval.place is TRACED:
        return t
    if place is META:
        return wrap(Value(_aval(value.aval.shape, value.aval.dtype, META)))
    if value.aval.place.device == place.device and place.sharding is None:
        return t
    return transfer(t, place)


def transfer(t: Any, place: Any) -> Any:
    """A copy on another device; runs what is pending for it.  Gradients flow back across."""
    value = t._value
    target = _aval(value.aval.shape, value.aval.dtype, place)
    array = executor.to_device(recorder.concrete(value, "to(device)"), place.sharding)
    moved = Value(target, array)
    edge = t._edge() if _grad_mode() else None
    if edge is None:
        return wrap(moved)
    return wrap(moved, (TransferNode(edge, value.aval, moved.aval), 0))


def type_name(t: Any) -> str:
    """torch's legacy type string, e.g. 'torch.FloatTensor'."""
    prefix = "torch.cuda." if t.device.type == "cuda" else "torch."
    return f"{prefix}{t.dtype.scalar_name}Tensor"


_BY_TYPE_NAME = {f"torch.{d.scalar_name}Tensor": d for d in _dtype.NAMES.values()}
set_tensor_class(Tensor)


def _derive_all() -> dict[str, Callable[..., Any]]:
    """Functions of every row; methods, operators and in-place twins go onto `Tensor`."""
    made = {}
    for op in TABLE.values():
        f = made[op.name] = _derive.function(op, gate)
        for name in (op.name, *op.aliases):
            if "Tensor" in op.namespaces:
                _attach(name, f)
            if op.inplace:
                _attach(name + "_", _derive.inplace(op, gate))
        for dunder in op.dunder:
            operator = _operator(op) if len(op.operands) > 1 else f
            _attach(dunder, _commuted(dunder, operator) if dunder[:3] == "__r" else operator)
        if op.rdunder:
            _attach(op.rdunder, _reflected(op.rdunder, f))
        if op.idunder:
            _attach(op.idunder, _assignment(_derive.inplace(op, gate)))
    return made


def _attach(name: str, f: Callable[..., Any]) -> None:
    if name not in Tensor.__dict__:
        setattr(Tensor, name, f)


_ACCEPTED = (TensorBase, int, float, complex, np.generic, np.ndarray)
_QUICK = {float, int, bool, Tensor}


def _operator(op: Op) -> Callable[..., Any]:
    """A binary operator: straight to the gate, with the other parameters at their defaults."""
    rest = tuple(p.default for p in op.operands[2:])
    static = tuple(p.default for p in op.statics)

    def operator(self: Any, other: Any) -> Any:
        if type(other) not in _QUICK and not _acceptable(other):
            return NotImplemented
        return apply(op, (self, other, *rest), static)

    return operator


def _assignment(f: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        return f(self, other) if _acceptable(other) else NotImplemented

    return operator


def _acceptable(other: Any) -> bool:
    return isinstance(other, _ACCEPTED) or hasattr(other, "__jax_array__")


def _reflected(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        if not isinstance(other, _ACCEPTED):
            return NotImplemented
        if not isinstance(self, TensorBase):
            raise _no_method(name, self)
        return f(other, self)

    return operator


def _commuted(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    """The reflected operator of an op that is commutative."""

    def operator(self: Any, other: Any) -> Any:
        if not isinstance(self, TensorBase):
            raise _no_method(name, self)
        return f(self, other)

    return operator


def _no_method(name: str, x: Any) -> TypeError:
    """Python's words about `Tensor.__radd__(5, t)`."""
    return TypeError(
        f"descriptor '{name}' for 'torch._C.TensorBase' objects doesn't apply to a "
        f"'{type(x).__name__}' object"
    )


functions = _derive_all()


def from_value(value: Value) -> Any:
    """A tensor around an engine value."""
    return wrap(value)


def record_on(t: Any, name: str, static: tuple[Any, ...], *numbers: Any) -> Any:
    """Record a row by name on one tensor outside the graph (internal helper of the layers
    above).
    """
    spec = (t._value.aval, *map(type, numbers))
    return call(lookup(TABLE[name], static, spec), (t._value, *numbers), ())[0][0]
