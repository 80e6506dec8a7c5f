"""safetensors files: a JSON header and raw numbers, read lazily, written whole or not at all."""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine import recorder
from ._engine.value import from_array
from ._files import replaced
from ._gate import wrap

Array = np.ndarray[Any, Any]
MAX_HEADER = 100_000_000

_NAMES = {
    _dtype.float64: "F64", _dtype.float32: "F32", _dtype.float16: "F16", _dtype.bfloat16: "BF16",
    _dtype.int64: "I64", _dtype.int32: "I32", _dtype.int16: "I16", _dtype.int8: "I8",
    _dtype.uint64: "U64", _dtype.uint32: "U32", _dtype.uint16: "U16", _dtype.uint8: "U8",
    _dtype.bool_: "BOOL", _dtype.float8_e4m3fn: "F8_E4M3", _dtype.float8_e5m2: "F8_E5M2",
    _dtype.complex64: "C64",
}  # fmt: skip
_DTYPES = {name: d for d, name in _NAMES.items()}


class SafetensorError(Exception):
    """A file that is not in the format, or is damaged."""


# --- writing ----------------------------------------------------------------------------------


def _array(t: Any) -> Array:
    array = np.asarray(recorder.concrete(t._value, "save_file"))
    array = np.ascontiguousarray(array).reshape(array.shape)
    return array if array.dtype.byteorder in "=|<" else array.astype(array.dtype.newbyteorder("<"))


def _check(tensors: Mapping[str, Any]) -> None:
    """Refuse what would not come back as it was: tensors that share storage, unknown dtypes."""
    seen: dict[int, str] = {}
    for name, t in tensors.items():
        if not isinstance(name, str) or not hasattr(t, "_storage"):
            raise ValueError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}"
            )
        if t.dtype not in _NAMES:
            raise SafetensorError(f"dtype {t.dtype} of {name!r} has no name in safetensors")
        other = seen.setdefault(id(t._storage), name)
        if other != name:
            raise RuntimeError(
                "Some tensors share memory, this will lead to duplicate memory on disk and "
                f"potential differences when loading them again: {[{other, name}]}. Clone one of "
                "them, or save it under one name only."
            )


def _layout(tensors: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Names in the order of their bytes (largest elements first, so that all are aligned)."""
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header, at = {}, 0
    for name in order:
        t = tensors[name]
        header[name] = {
            "dtype": _NAMES[t.dtype],
            "shape": list(t.shape),
            "data_offsets": [at, at + t.nbytes],
        }
        at += t.nbytes
    return order, header


def _write(file: Any, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None) -> None:
    _check(tensors)
    order, header = _layout(tensors)
    if metadata:
        header = {"__metadata__": dict(metadata), **header}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)))
    file.write(text)
    for name in order:
        file.write(_array(tensors[name]).reshape(-1).view(np.uint8).data)


def save_file(
    tensors: Mapping[str, Any], filename: Any, metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors.  RuntimeError if two of them share memory."""
    with replaced(filename) as file:
        _write(file, tensors, metadata)


# --- reading ----------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SafetensorError("Error while deserializing header: a name occurs twice")
    return found


def _header(data: Any, size: int) -> tuple[int, dict[str, Any]]:
    """(where the numbers begin, the header), checked against the file's size."""
    if size < 8:
        raise SafetensorError("Error while deserializing header: header too small")
    (length,) = struct.unpack("<Q", data[:8])
    if length > MAX_HEADER:
        raise SafetensorError("Error while deserializing header: header too large")
    if length > size - 8:
        raise SafetensorError("Error while deserializing header: invalid header length")
    try:
        header = json.loads(bytes(data[8 : 8 + length]).decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise SafetensorError("Error while deserializing header: invalid header") from None
    if not isinstance(header, dict):
        raise SafetensorError("Error while deserializing header: invalid header")
    return 8 + length, header


class _Entry:
    """One tensor of a header."""

    def __init__(self, name: str, entry: Any, size: int) -> None:
        try:
            self.dtype = _DTYPES[entry["dtype"]]
            self.shape = tuple(entry["shape"])
            self.begin, self.end = entry["data_offsets"]
            numbers = (*self.shape, self.begin, self.end)
        except (TypeError, KeyError, ValueError):
            raise SafetensorError(
                f"Error while deserializing header: invalid entry {name!r}"[:300]
            ) from None
        if any(type(n) is not int or n < 0 for n in numbers) or self.end > size:
            raise SafetensorError(
                f"Error while deserializing header: invalid offsets of {name!r}"[:300]
            )
        if math.prod(self.shape) * self.dtype.itemsize != self.end - self.begin:
            raise SafetensorError(
                f"Error while deserializing header: invalid shape of {name!r}"[:300]
            )


class safe_open:
    """A file whose tensors are read when asked for: `keys()`, `get_tensor`, `get_slice`."""

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu") -> None:
        if framework not in ("pt", "torch", "pytorch"):
            raise NotImplementedError(
                f"framework={framework!r}: jtorch reads tensors of its own; use 'pt'"
            )
        self._device = device
        with open(filename, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise SafetensorError("Error while deserializing header: header too small")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._start, header = _header(self._map, size)
        self._metadata = header.pop("__metadata__", None)
        self._entries = {name: _Entry(name, e, size - self._start) for name, e in header.items()}
        at = 0
        for e in sorted(self._entries.values(), key=lambda e: (e.begin, e.end)):
            if e.begin != at:
                raise SafetensorError(
                    "Error while deserializing header: tensors overlap or leave gaps"
                )
            at = e.end
        if at != size - self._start:
            raise SafetensorError("Error while deserializing header: incomplete metadata, file not fully covered")  # fmt: skip  # noqa: E501

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *_: Any) -> None:
        pass  # the map goes when the last tensor on it does

    def keys(self) -> list[str]:
        """The names, in the order of the file."""
        return list(self._entries)

    offset_keys = keys

    def metadata(self) -> dict[str, str] | None:
        """What `save_file` was given as metadata."""
        return self._metadata

    def _view(self, name: str) -> Array:
        entry = self._entries.get(name)
        if entry is None:
            raise SafetensorError(f"File does not contain tensor {name}")
        count = math.prod(entry.shape)
        flat = np.frombuffer(
            self._map, np.uint8, entry.end - entry.begin, self._start + entry.begin
        )
        return (
            flat.view(entry.dtype.np).reshape(entry.shape)
            if count
            else np.empty(entry.shape, entry.dtype.np)
        )

    def get_tensor(self, name: str) -> Any:
        """One tensor."""
        return _tensor(np.array(self._view(name)), self._device)

    def get_slice(self, name: str) -> Slice:
        """A handle on one tensor: index it to read a part."""
        return Slice(self._view(name), self._device)


class Slice:
    """A tensor in a file: `slice[2:5, :]` reads that part only."""

    def __init__(self, array: Array, device: Any) -> None:
        self._array, self._device = array, device

    def get_shape(self) -> list[int]:
        """The sizes of the whole tensor."""
        return list(self._array.shape)

    def get_dtype(self) -> str:
        """safetensors' name of the dtype."""
        return _NAMES[_dtype.from_numpy(self._array.dtype)]

    def __getitem__(self, index: Any) -> Any:
        return _tensor(np.array(self._array[index]), self._device)


def _tensor(array: Array, device: Any) -> Any:
    t = wrap(from_array(array))
    return t if str(device) == "cpu" else t.to(device)


def load_file(filename: Any, device: Any = "cpu") -> dict[str, Any]:
    """All tensors of a file by name."""
    with safe_open(filename, device=device) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


# --- checkpoints of several files -------------------------------------------------------------

INDEX = "model.safetensors.index.json"
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def _bytes(size: int | str) -> int:
    if isinstance(size, int):
        return size
    text = size.upper().strip()
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * factor)
    raise ValueError(f"max_shard_size={size!r}: write a number of bytes, or one like '5GB'")


def save_sharded(tensors: Mapping[str, Any], folder: Any, max_shard_size: int | str = "5GB") -> str:
    """Write tensors to several safetensors files and an index in Hugging Face's form; its path.

    The index is replaced last and names new files, so that a killed process leaves the old
    checkpoint whole; the files that the old index named go after that.
    """
    _check(tensors)
    os.makedirs(folder, exist_ok=True)
    shards = list(_shards(tensors, _bytes(max_shard_size)))
    mark = os.urandom(4).hex()
    weights: dict[str, str] = {}
    for i, names in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}-{mark}.safetensors"
        save_file({n: tensors[n] for n in names}, os.path.join(folder, file), {"format": "pt"})
        weights.update(dict.fromkeys(names, file))
    path = os.path.join(os.fspath(folder), INDEX)
    old = _index(path)["weight_map"] if os.path.exists(path) else {}
    total = sum(t.nbytes for t in tensors.values())
    with replaced(path) as out:
        text = json.dumps({"metadata": {"total_size": total}, "weight_map": weights}, indent=2)
        out.write(text.encode())
    for file in set(old.values()) - set(weights.values()):
        if os.path.exists(gone := os.path.join(folder, file)):
            os.unlink(gone)
    return path


def _shards(tensors: Mapping[str, Any], most: int) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, t in tensors.items():
        if names and size + t.nbytes > most:
            yield names
            names, size = [], 0
        names.append(name)
        size += t.nbytes
    yield names


def _index(path: str) -> Any:
    """An index, whose files must lie beside it."""
    with open(path, "rb") as file:
        index = json.load(file)
    try:
        files = set(index["weight_map"].values())
    except (TypeError, KeyError, AttributeError):
        raise SafetensorError(f"{path} is not an index: it has no weight_map") from None
    for file in files:
        if not isinstance(file, str) or os.path.basename(file) != file or file in ("", ".", ".."):
            raise SafetensorError(f"{path} names a file that is not beside it: {file!r}")
    return index


def load_sharded(path: Any, device: Any = "cpu") -> dict[str, Any]:
    """All tensors of a checkpoint of several safetensors files, given its index or its folder."""
    path = os.fspath(path)
    path = os.path.join(path, INDEX) if os.path.isdir(path) else path
    weights = _index(path)["weight_map"]
    folder = os.path.dirname(path)
    files = {f: safe_open(os.path.join(folder, f), device=device) for f in set(weights.values())}
    return {name: files[file].get_tensor(name) for name, file in weights.items()}
