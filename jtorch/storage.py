"""`torch.storage`: the cell that tensors share, as bytes (`UntypedStorage`) or as elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine.device import device as _device
from ._engine.storage import Storage
from ._engine.value import from_array
from ._functions import composite
from ._gate import TensorBase, wrap

__all__ = ["TypedStorage", "UntypedStorage"]


def _whole(cell: Storage) -> Any:
    """A tensor on all of a cell, outside the graph: what is written to it, every sharer sees."""
    t = wrap(cell.value)
    t._storage = cell
    return t


class _Common:
    """What the two kinds share.  Two storages are equal when they are the same cell."""

    def __init__(self, cell: Storage) -> None:
        self._cell = cell

    @property
    def device(self) -> _device:
        """Where it lives."""
        return self._cell.value.aval.place.device

    @property
    def is_cuda(self) -> bool:
        """Whether it lives on an accelerator."""
        return self.device.type == "cuda"

    @property
    def _cdata(self) -> int:
        return id(self._cell)

    def data_ptr(self) -> int:
        """What `Tensor.data_ptr` gives for a tensor at its beginning."""
        return id(self._cell)

    def nbytes(self) -> int:
        """Bytes of all elements."""
        return int(self._cell.value.aval.nbytes)

    def is_shared(self) -> bool:
        """Whether other processes see it: no."""
        return False

    def is_pinned(self, device: Any = None) -> bool:
        """Whether it is page-locked: no, XLA stages its own transfers."""
        return False

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Common) and type(self) is type(other) and self._cell is other._cell
        )

    def __hash__(self) -> int:
        return id(self._cell)

    def _listed(self, what: str) -> str:
        rows = "".join(f" {x}\n" for x in self)  # type: ignore[attr-defined]
        return f"{rows}[torch.storage.{what}]"


class UntypedStorage(_Common):
    """A storage as bytes."""

    def __init__(self, source: Any = 0, *, device: Any = None) -> None:
        if not isinstance(source, Storage):
            array = np.zeros(source, np.uint8) if isinstance(source, int) else source
            made = wrap(from_array(np.array(array, np.uint8)))
            source = (made if device is None else made.to(device))._storage
        super().__init__(source)

    def size(self) -> int:
        """Bytes of all elements."""
        return self.nbytes()

    __len__ = size

    def element_size(self) -> int:
        """One: its elements are bytes."""
        return 1

    def _bytes(self) -> np.ndarray[Any, Any]:
        content: np.ndarray[Any, Any] = _whole(self._cell).cpu()._numpy("storage")
        return np.frombuffer(content.tobytes(), np.uint8)

    def __getitem__(self, index: Any) -> Any:
        found = self._bytes()[index]
        return int(found) if isinstance(index, int) else UntypedStorage(found)

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self._bytes().tolist()  # type: ignore[no-any-return]

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage(_whole(self._cell).clone()._storage)

    def to(self, *, device: Any, non_blocking: bool = False) -> UntypedStorage:
        """On another device; itself if it is there already."""
        moved = _whole(self._cell).to(device)
        return self if moved._storage is self._cell else UntypedStorage(moved._storage)

    def cpu(self) -> UntypedStorage:
        """On the host."""
        return self.to(device="cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> UntypedStorage:
        """On the accelerator."""
        return self.to(device="cuda" if device is None else _device(device))

    def copy_(self, source: Any, non_blocking: bool = False) -> UntypedStorage:
        """Write the content of a storage of the same size and element type."""
        _whole(self._cell).copy_(_whole(source._cell).reshape(self._cell.value.aval.shape))
        return self

    def __repr__(self) -> str:
        return self._listed(f"UntypedStorage(device={self.device}) of size {len(self)}")


class TypedStorage(_Common):
    """A storage as elements of one dtype (deprecated in torch)."""

    def __init__(self, *size: int, dtype: Any = None, wrap_storage: Any = None) -> None:
        kind = dtype or _dtype.get_default_dtype()
        if wrap_storage is None:
            count = size[0] if size else 0
            wrap_storage = UntypedStorage(wrap(from_array(np.zeros(count, kind.np)))._storage)
        super().__init__(wrap_storage._cell)
        self.dtype = kind

    def _flat(self) -> Any:
        return _whole(self._cell).reshape(-1).view(self.dtype)

    def untyped(self) -> UntypedStorage:
        """The same storage as bytes."""
        return UntypedStorage(self._cell)

    def size(self) -> int:
        """The number of elements."""
        return self.nbytes() // int(self.dtype.itemsize)

    __len__ = size

    def element_size(self) -> int:
        """Bytes of one element."""
        return int(self.dtype.itemsize)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self._flat()[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._flat()[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return self._flat().tolist()  # type: ignore[no-any-return]

    def fill_(self, value: Any) -> TypedStorage:
        """Write one number everywhere."""
        self._flat().fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> TypedStorage:
        """Write the elements of another storage of the same size."""
        self._flat().copy_(source._flat())
        return self

    def clone(self) -> TypedStorage:
        """A copy."""
        return TypedStorage(dtype=self.dtype, wrap_storage=self.untyped().clone())

    def cpu(self) -> TypedStorage:
        """On the host."""
        return TypedStorage(dtype=self.dtype, wrap_storage=self.untyped().cpu())

    def cuda(self, device: Any = None, non_blocking: bool = False) -> TypedStorage:
        """On the accelerator."""
        return TypedStorage(dtype=self.dtype, wrap_storage=self.untyped().cuda(device))

    def __repr__(self) -> str:
        text = f"TypedStorage(dtype={self.dtype}, device={self.device}) of size {len(self)}"
        return self._listed(text)


@composite("torch")
def is_storage(obj: Any) -> bool:
    """Whether an object is a storage."""
    return isinstance(obj, _Common)


@composite("Tensor")
def untyped_storage(self: TensorBase) -> UntypedStorage:
    """The cell that this tensor shares with its views, as bytes."""
    return UntypedStorage(self._storage)


@composite("Tensor")
def storage(self: TensorBase) -> TypedStorage:
    """The cell that this tensor shares with its views, as elements."""
    kind = self._value.aval.dtype
    return TypedStorage(dtype=kind, wrap_storage=UntypedStorage(self._storage))


@composite("Tensor")
def is_set_to(self: TensorBase, tensor: Any) -> bool:
    """Whether two tensors are the same place: storage, offset, sizes and strides."""
    mine, theirs = self._geometry(), tensor._geometry()  # type: ignore[attr-defined]
    return self._storage is tensor._storage and bool(mine == theirs)


@composite("Tensor")
def is_shared(self: Any) -> bool:
    """Whether other processes see the storage: no."""
    return False
