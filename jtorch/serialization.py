"""`torch.save` and `torch.load`: PyTorch's files, written whole or not at all, read with care."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from . import _pth, _pth_names
from ._engine.device import accelerators
from ._engine.device import device as _device
from ._files import replaced
from ._pth_storage import StorageType, UntypedStorage
from ._pth_zip import is_zip
from ._safetensors import load_file, load_sharded

__all__ = [
    "LoadEndianness", "SourceChangeWarning", "StorageType", "add_safe_globals",
    "clear_safe_globals", "default_restore_location", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "safe_globals", "save",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
_UNSAFE_MESSAGE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will "
    "likely succeed, but it can result in arbitrary code execution. Do it only if you got the "
    "file from a trusted source."
)
_DOCS_MESSAGE = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
)


class SourceChangeWarning(Warning):
    """torch's warning about a module whose source has changed; jtorch does not compare sources."""


class LoadEndianness(Enum):
    """Byte orders of files that do not say theirs; jtorch takes them for little-endian."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


# --- what weights may name --------------------------------------------------------------------

_safe: set[Any] = set()


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let `weights_only=True` use these classes and functions, or (object, "module.name") pairs."""
    _safe.update(safe_globals)


def get_safe_globals() -> list[Any]:
    """What `add_safe_globals` was given so far."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget all of it."""
    _safe.clear()


class safe_globals:
    """`add_safe_globals` for the length of a `with` block."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(self, *_: Any) -> None:
        _safe.difference_update(self.safe_globals)


def _safe_names() -> dict[str, Any]:
    named = {}
    for entry in _safe:
        if isinstance(entry, tuple):
            if len(entry) != 2:
                raise ValueError(
                    "Expected tuple of length 2 (global, str of callable full path), but got tuple "
                    f"of length: {len(entry)}"
                )
            if type(entry[1]) is not str:
                raise TypeError(
                    "Expected second item in tuple to be str of callable full path, but got: "
                    f"{type(entry[1])}"
                )
            named[entry[1]] = entry[0]
        else:
            module, name = _pth_names.torch_name(entry) or (entry.__module__, entry.__qualname__)
            named[f"{module}.{name}"] = entry
    return named


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The globals of a file that `weights_only=True` would refuse; nothing is run."""
    with _opened(f) as file:
        if not is_zip(file):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        return list(_pth.globals_in(file) - _pth_names.allowed().keys() - _safe_names().keys())


# --- save -------------------------------------------------------------------------------------


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object to a path or file; PyTorch reads it.

    A path holds its old content until the new one is complete: a killed process leaves it whole.
    """
    if pickle_module is not pickle:
        raise NotImplementedError(
            f"torch.save(pickle_module={pickle_module.__name__}): jtorch writes with Python's "
            "pickle; leave pickle_module out."
        )
    if _disable_byteorder_record:
        raise NotImplementedError("_disable_byteorder_record: files say their byte order, always.")
    is_path = isinstance(f, str | os.PathLike)
    if not is_path and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    with replaced(f) if is_path else contextlib.nullcontext(f) as file:
        if _use_new_zipfile_serialization:
            _pth.save_zip(obj, file, _archive_name(f) if is_path else "archive", pickle_protocol)
        else:
            _pth.save_legacy(obj, file, pickle_protocol)
        if hasattr(file, "flush"):
            file.flush()


def _archive_name(path: Any) -> str:
    name = os.path.basename(os.fspath(path)).rpartition(".")
    name = name[0] or name[2]
    return name if isinstance(name, str) and name.isascii() else "archive"


# --- load -------------------------------------------------------------------------------------


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `torch.save` wrote, here or in PyTorch.

    With `weights_only` (the default) a file can only hold tensors, plain data, and what
    `add_safe_globals` allows; without it, loading runs code of the file's choice.
    Raises pickle.UnpicklingError for what is not allowed, RuntimeError for a damaged file.
    """
    weights_only = _weights_only(weights_only, pickle_module)
    if pickle_load_args and weights_only:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    options = {"encoding": "utf-8", **pickle_load_args}
    if isinstance(f, str | os.PathLike):
        for suffix, read in ((".safetensors", load_file), (".index.json", load_sharded)):
            if os.fspath(f).endswith(suffix):
                return read(f, device=_one_device(map_location))
    if mmap and not isinstance(f, str | os.PathLike):
        raise ValueError("f must be a file path in order to use the mmap argument")
    safe = _safe_names() if weights_only else None
    with _opened(f) as file:
        try:
            return _load(file, _restorer(map_location), safe, bool(mmap), options)
        except pickle.UnpicklingError as e:
            if not weights_only:
                raise
            raise pickle.UnpicklingError(_explained(str(e))) from None


def _load(file: Any, restore: Any, safe: Any, mmap: bool, options: Any) -> Any:
    if is_zip(file):
        return _pth.load_zip(file, restore, safe, mmap, options)
    if mmap:
        raise RuntimeError(
            "mmap can only be used with files saved with "
            "`torch.save(_use_new_zipfile_serialization=True), "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    return _pth.load_legacy(file, restore, safe, options)


def _weights_only(asked: bool | None, pickle_module: Any) -> bool:
    force, forbid = (
        os.getenv(f"TORCH_FORCE_{name}WEIGHTS_ONLY_LOAD", "0").lower() in ("1", "y", "yes", "true")
        for name in ("", "NO_")
    )
    if force and forbid:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` "
            "should be set, but both were set."
        )
    result = pickle_module is None if asked is None else bool(asked)
    if force:
        result = True
    elif forbid and asked is None:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the"
            "`weights_only` argument was not explicitly passed to `torch.load`, forcing "
            "weights_only=False.",
            stacklevel=3,
        )
        result = False
    if result and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if pickle_module not in (None, pickle):
        raise NotImplementedError(
            f"torch.load(pickle_module={pickle_module.__name__}): jtorch reads with Python's "
            "pickle; leave pickle_module out."
        )
    return result


def _explained(message: str) -> str:
    """torch's advice around an error of the whitelist."""
    if re.search(r"GLOBAL (\S+) was not an allowed global by default.", message):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two "
            "options, \033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
            f"\n\t(1) {_UNSAFE_MESSAGE}\n\t(2) Alternatively, to load with `weights_only=True` "
            "please check the recommended steps in the following error message.\n\t"
            f"WeightsUnpickler error: {message}{_DOCS_MESSAGE}"
        )
    return f"Weights only load failed. {_UNSAFE_MESSAGE}\n\n{message}{_DOCS_MESSAGE}"


@contextlib.contextmanager
def _opened(f: Any) -> Iterator[Any]:
    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as file:
            yield file
        return
    try:
        f.seek(f.tell())
    except (io.UnsupportedOperation, AttributeError) as e:
        raise type(e)(
            f"{e}. You can only torch.load from a file that is seekable. Please pre-load the data "
            "into a buffer like io.BytesIO and try to load from it instead."
        ) from None
    yield f


def _one_device(map_location: Any) -> str:
    """`map_location` for files that do not say where their tensors were."""
    if map_location is not None and not isinstance(map_location, str | bytes | _device):
        kind = "dict" if isinstance(map_location, dict) else "callable"
        raise RuntimeError(
            f"Loading safetensors file with {kind} map_location is not supported. "
            "Use a device string or torch.device instead."
        )
    return "cpu" if map_location is None else str(map_location)


# --- devices ----------------------------------------------------------------------------------


def default_restore_location(storage: UntypedStorage, location: str) -> UntypedStorage:
    """The storage for the device that the file names.  RuntimeError if there is no such device."""
    kind, _, index = str(location).partition(":")
    if kind == "cpu":
        return storage.cpu()
    if kind == "meta":
        return storage.to(_device("meta"))
    if kind not in ("cuda", "xla", "tpu", "mps", "xpu", "hpu", "privateuseone"):
        raise RuntimeError(
            "don't know how to restore data location of torch.UntypedStorage "
            f"(tagged with {location})"
        )
    count = len(accelerators())
    if not count:
        raise RuntimeError(
            f"Attempting to deserialize object on a {kind.upper()} "
            f"device but torch.{kind}.is_available() is False. "
            "If you are running on a CPU-only machine, "
            "please use torch.load with map_location=torch.device('cpu') "
            "to map your storages to the CPU."
        )
    if index and int(index) >= count:
        raise RuntimeError(
            f"Attempting to deserialize object on {kind.upper()} device "
            f"{index} but torch.{kind}.device_count() is {count}. "
            "Please use torch.load with map_location to map your storages "
            "to an existing device."
        )
    return storage.to(_device("cuda", int(index or 0)))


def _restorer(map_location: Any) -> Callable[[UntypedStorage, str], UntypedStorage]:
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, bytes):
        map_location = map_location.decode()
    if isinstance(map_location, str | _device):
        return lambda storage, _: default_restore_location(storage, str(map_location))
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(
            storage, str(map_location.get(location, location))
        )

    def restore(storage: UntypedStorage, location: str) -> UntypedStorage:
        result = map_location(storage, location)
        return default_restore_location(storage, location) if result is None else result

    return restore
