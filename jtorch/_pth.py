"""PyTorch's checkpoint formats, zip and legacy: objects to a file and back."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _pth_names as names
from . import _pth_storage as storage
from ._engine import dtype as _dtype
from ._engine import recorder
from ._engine.device import device as _device
from ._gate import TensorBase
from ._layout import layout, memory_format
from ._pth_names import TorchName
from ._pth_unpickler import Inert, Scanner, WeightsUnpickler
from ._pth_zip import Bytes, RecordReader, RecordWriter
from .nn.parameter import Parameter
from .tensor import Tensor

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
Restore = Callable[[storage.UntypedStorage, str], storage.UntypedStorage]

_REBUILD_V2 = TorchName("torch._utils", "_rebuild_tensor_v2")
_REBUILD_V3 = TorchName("torch._utils", "_rebuild_tensor_v3")
_REBUILD_PARAMETER = TorchName("torch._utils", "_rebuild_parameter")
_REBUILD_PARAMETER_STATE = TorchName("torch._utils", "_rebuild_parameter_with_state")
_REBUILD_META = TorchName("torch._utils", "_rebuild_meta_tensor_no_storage")
_REBUILD_TYPE = TorchName("torch._tensor", "_rebuild_from_type_v2")
_GET_LAYOUT = TorchName("torch.serialization", "_get_layout")
_UNTYPED = TorchName("torch.storage", "UntypedStorage")


# --- writing ----------------------------------------------------------------------------------


class _StorageRef:
    """Stands in the pickle for a storage; becomes a persistent id."""

    def __init__(self, home: storage.Home, own_class: str | None) -> None:
        self.home, self.own_class = home, own_class


class Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Python's pickler, writing jtorch's objects under torch's names and setting storages aside.

    It is the one in Python because the one in C cannot be told what to call a global.
    """

    def __init__(self, file: Any, protocol: int, legacy: bool) -> None:
        super().__init__(file, protocol)
        self._legacy = legacy
        self._keys: dict[int, str] = {}
        self._classes: dict[Any, TorchName] = {}
        self.storages: dict[str, storage.Home] = {}

    def persistent_id(self, obj: Any) -> Any:
        """A storage as (its kind, class, key, device, elements)."""
        if type(obj) is not _StorageRef:
            return None
        home = obj.home
        key = self._keys.setdefault(id(home.key), str(len(self._keys)))
        first = self.storages.setdefault(key, home)
        if first.value is not home.value:
            raise RuntimeError("a tensor was written to while it was being saved")
        kind: Any = _UNTYPED
        count = home.value.aval.numel
        if obj.own_class is None:
            count = home.value.aval.nbytes
        else:
            kind = self._classes.setdefault(obj.own_class, TorchName("torch", obj.own_class))
        pid = ("storage", kind, key, home.location, count)
        return (*pid, None) if self._legacy else pid

    def reducer_override(self, obj: Any) -> Any:
        """How jtorch's own objects are written; NotImplemented for all others."""
        if isinstance(obj, TensorBase):
            return _reduce_tensor(obj)
        kind = type(obj)
        if kind is _dtype.dtype or kind is memory_format:
            return obj.name
        if kind is TorchName:
            return obj.name
        if kind is _device:
            return _device, (obj.type,) if obj.index is None else (obj.type, obj.index)
        if kind is layout:
            return _GET_LAYOUT, (repr(obj),)
        if isinstance(obj, type | types.FunctionType) and names.torch_name(obj) is not None:
            return obj.__qualname__
        return NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """GLOBAL, under torch's name for what is torch's."""
        if type(obj) in (_dtype.dtype, memory_format):
            where: tuple[str, str] | None = ("torch", str(name))
        else:
            where = names.torch_name(obj)
        if where is None:
            super().save_global(obj, name)
            return
        self.write(pickle.GLOBAL + f"{where[0]}\n{where[1]}\n".encode())
        self.memoize(obj)


def _reduce_tensor(t: Any) -> Any:
    kind = type(t)
    own = kind.__reduce_ex__
    if own not in (Tensor.__reduce_ex__, Parameter.__reduce_ex__):
        return NotImplemented  # a subclass that knows how it wants to be saved
    state = storage.tensor_state(t)
    if kind is Parameter:
        args = (t.data, t.requires_grad, storage.no_hooks())
        return (_REBUILD_PARAMETER_STATE, (*args, state)) if state else (_REBUILD_PARAMETER, args)
    function, args = _rebuild_call(t)
    if kind is Tensor and not state:
        return function, args
    return _REBUILD_TYPE, (function, kind, args, state)


def _rebuild_call(t: Any) -> tuple[TorchName, tuple[Any, ...]]:
    if t.is_meta:
        return _REBUILD_META, (t.dtype, tuple(t.shape), t.stride(), t.requires_grad)
    home = storage.Home(t)
    own_class = storage.storage_name(home.dtype)
    ref = _StorageRef(home, own_class)
    args = (ref, home.offset, home.size, home.stride, t.requires_grad, storage.no_hooks())
    return (_REBUILD_V3, (*args, home.dtype)) if own_class is None else (_REBUILD_V2, args)


def _content(home: storage.Home) -> Bytes:
    """The bytes of a storage, in this machine's order."""
    array = np.asarray(recorder.concrete(home.value, "torch.save"))
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def save_zip(obj: Any, file: Any, archive: str, protocol: int) -> None:
    """Write the zip format."""
    buffer = io.BytesIO()
    pickler = Pickler(buffer, protocol, legacy=False)
    pickler.dump(obj)
    with RecordWriter(file, archive) as records:
        records.write("data.pkl", buffer.getvalue())
        records.write("byteorder", sys.byteorder.encode())
        for key, home in pickler.storages.items():
            records.write(f"data/{key}", memoryview(_content(home)))
        records.write("version", b"3\n")


def save_legacy(obj: Any, file: Any, protocol: int) -> None:
    """Write the format that PyTorch had before 1.6."""
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": sizes,
    }
    for part in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle.dump(part, file, protocol=protocol)
    pickler = Pickler(file, protocol, legacy=True)
    pickler.dump(obj)
    keys = sorted(pickler.storages)
    pickle.dump(keys, file, protocol=protocol)
    for key in keys:
        home = pickler.storages[key]
        own_class = storage.storage_name(home.dtype)
        count = home.value.aval.nbytes if own_class is None else home.value.aval.numel
        file.write(struct.pack("<q", count))
        file.write(memoryview(_content(home)))


# --- reading ----------------------------------------------------------------------------------


class FullUnpickler(pickle.Unpickler):
    """Python's own machine, which runs what the file says; torch's names mean jtorch's objects."""

    def __init__(self, file: Any, load_storage: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(file, **options)
        self._load_storage = load_storage

    def persistent_load(self, pid: Any) -> Any:
        """A storage, or (legacy) the class of a module that was saved with its source."""
        return self._load_storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        """A global of the file."""
        if module == "torch" or module.startswith("torch."):
            return names.find(module, name)
        return super().find_class(module, name)


def _unpickler(
    file: Any,
    load_storage: Callable[[Any], Any],
    safe: dict[str, Any] | None,
    options: Any,
    size: int,
) -> Any:
    if safe is None:
        return FullUnpickler(file, load_storage, **options)
    return WeightsUnpickler(file, load_storage, safe, options["encoding"], size)


def _storage_id(pid: Any) -> tuple[Any, ...]:
    """(class, key, device, elements[, view]) of a persistent id, checked."""
    if (
        not isinstance(pid, tuple)
        or not pid
        or _text(pid[0]) != "storage"
        or len(pid) not in (5, 6)
    ):
        raise pickle.UnpicklingError("Unknown persistent id: expected one of a storage")
    kind, key, location, count = pid[1:5]
    if type(count) is not int or count < 0:
        raise pickle.UnpicklingError("a storage's size must be a number of elements")
    return kind, _text(key), _text(location), count, pid[5] if len(pid) == 6 else None


def _text(x: Any) -> str:
    if isinstance(x, bytes):
        return x.decode("ascii")
    if not isinstance(x, str):
        raise pickle.UnpicklingError(
            f"expected text in a persistent id, but got {type(x).__name__}"
        )
    return x


def load_zip(
    file: Any, restore: Restore, safe: dict[str, Any] | None, mapped: bool, options: Any
) -> Any:
    """Read the zip format.  safe: what weights may name beside the defaults; None runs all."""
    records = RecordReader(file, mapped)
    if "constants.pkl" in records:
        raise RuntimeError(
            "this is a TorchScript archive, which holds code for PyTorch's own interpreter. Save "
            "the model's state_dict() with torch.save instead."
        )
    order = records.read("byteorder") if "byteorder" in records else b"little"
    if order not in (b"little", b"big"):
        raise ValueError("Unknown endianness type: " + order.decode("ascii", "replace"))
    loaded: dict[str, storage.UntypedStorage] = {}

    def load_storage(pid: Any) -> Any:
        kind, key, location, count, _ = _storage_id(pid)
        dtype = kind.dtype
        if key not in loaded:
            content = records.array(f"data/{key}")
            content = _sized(content, count * dtype.itemsize, key)
            if order.decode() != sys.byteorder:
                content = content.view(dtype.np).byteswap().view(np.uint8)
            loaded[key] = restore(storage.UntypedStorage(content), location)
        return storage.TypedStorage(loaded[key], dtype)

    pickled = records.read("data.pkl")
    return _unpickler(io.BytesIO(pickled), load_storage, safe, options, len(pickled)).load()


def _sized(content: Bytes, nbytes: int, key: str) -> Bytes:
    if content.nbytes < nbytes:
        raise RuntimeError(
            f"storage {key} has {content.nbytes} bytes in the file, but its tensors need {nbytes}: "
            "the file is corrupt"
        )
    return content[:nbytes]


class _Bounded:
    """A file from which nobody reads past the end, however much they ask for."""

    def __init__(self, file: Any) -> None:
        here = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(here)
        self._file = file
        self.readline, self.tell, self.seek = file.readline, file.tell, file.seek

    def read(self, n: int = -1) -> bytes:
        left = self.size - self._file.tell()
        return self._file.read(left if n < 0 else min(n, left))  # type: ignore[no-any-return]

    def readinto(self, part: Any) -> int:
        data = self.read(len(part))
        part[: len(data)] = data
        return len(data)


def load_legacy(file: Any, restore: Restore, safe: dict[str, Any] | None, options: Any) -> Any:
    """Read the format before PyTorch 1.6: storages come after the pickle that needs them."""
    source = _Bounded(file)
    if WeightsUnpickler(source).load() != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = WeightsUnpickler(source).load()
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version!r}"[:200])
    system = WeightsUnpickler(source).load()
    start = source.tell()
    scan = Scanner(source)
    scan.load()  # calls nothing; it finds out which storages there are
    stored = _read_storages(source, scan, WeightsUnpickler(source).load())
    end = source.tell()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise NotImplementedError(
            "this file was written on a big-endian machine in the legacy format"
        )
    loaded: dict[str, storage.UntypedStorage] = {}

    def load_storage(pid: Any) -> Any:
        if isinstance(pid, tuple) and pid and pid[0] in ("module", b"module"):
            return pid[1]
        kind, key, location, _, view = _storage_id(pid)
        content = stored[key]
        if view is not None:
            key, first, length = view
            content = content[first * kind.dtype.itemsize :][: length * kind.dtype.itemsize]
        if key not in loaded:
            loaded[key] = restore(storage.UntypedStorage(content), location)
        return storage.TypedStorage(loaded[key], kind.dtype)

    source.seek(start)
    result = _unpickler(source, load_storage, safe, options, source.size).load()
    source.seek(end)
    return result


def _read_storages(source: _Bounded, scan: Scanner, keys: Any) -> dict[str, Bytes]:
    widths = {}
    for pid in scan.persistent_ids:
        if isinstance(pid, tuple) and pid and pid[0] in ("storage", b"storage"):
            kind, key, *_ = _storage_id(pid)
            name = kind.name if isinstance(kind, Inert) else ""
            dtype = storage.STORAGE_DTYPES.get(name)
            widths[key] = 1 if dtype is None else int(dtype.itemsize)
    if not isinstance(keys, list):
        raise pickle.UnpicklingError("expected the list of storages: the file is corrupt")
    stored = {}
    for key in map(_text, keys):
        if key not in widths:
            raise pickle.UnpicklingError("a storage that no tensor uses: the file is corrupt")
        (count,) = struct.unpack("<q", source.read(8).ljust(8, b"\xff"))
        nbytes = count * widths[key]
        if not 0 <= nbytes <= source.size - source.tell():
            raise RuntimeError(f"storage {key} is cut off: the file is corrupt")
        stored[key] = np.frombuffer(source.read(nbytes), np.uint8)
    return stored


def globals_in(file: Any) -> set[str]:
    """The globals that the pickle of a zip file names; nothing is run."""
    records = RecordReader(file)
    if "constants.pkl" in records:
        raise ValueError(
            "Expected input to be a checkpoint returned by torch.save but got a torchscript "
            "checkpoint"
        )
    scan = Scanner(io.BytesIO(records.read("data.pkl")))
    scan.load()
    return set(scan.globals)


__all__ = ["globals_in", "load_legacy", "load_zip", "save_legacy", "save_zip"]
