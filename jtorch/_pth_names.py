"""torch's names in pickles and the objects of jtorch that bear them, in both directions."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import types
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import _pth_storage as _storage
from ._engine import dtype as _dtype
from ._engine.device import device as _device
from ._engine.value import from_array
from ._functions import NAMESPACES
from ._gate import wrap
from ._layout import layout
from ._size import Size
from .nn.parameter import Parameter
from .random import Generator
from .tensor import Tensor

_OURS = __package__
_ENCODINGS = ("latin1", "latin-1", "ascii", "utf-8", "utf8")


class TorchName:
    """A global that is to stand in a pickle under torch's name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.module}.{self.name} is only a name here")


# --- what a pickle of weights may call --------------------------------------------------------


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in _ENCODINGS:
        raise ValueError(f"encoding {encoding!r} is not one that pickles of bytes use")
    return text.encode(encoding)


def _bytearray(*args: Any) -> bytearray:
    if not all(isinstance(a, str | bytes) for a in args):
        raise TypeError("a bytearray is made from bytes or text, here")
    return bytearray(*args)


def key(x: Any) -> Any:
    """A dictionary key or member of a set; tuples only if they are small.

    A hash walks through a nested tuple as often as its parts are shared, which may be for ever.
    """
    if type(x) is tuple and not _is_small(x):
        raise ValueError("a tuple is nested too deeply to be a key")
    return x


def _is_small(x: tuple[Any, ...], most: int = 4096) -> bool:
    waiting, seen = [x], 0
    while waiting:
        items = waiting.pop()
        seen += len(items)
        if seen > most:
            return False
        waiting += [i for i in items if type(i) is tuple]
    return True


def _set(items: Any = ()) -> set[Any]:
    return set(map(key, items))


def _mapping(kind: Any) -> Callable[..., Any]:
    def make(items: Any = ()) -> Any:
        if isinstance(items, dict):
            return kind(items)
        if kind is Counter:
            return kind(list(map(key, items)))
        return kind([(key(k), v) for k, v in items])

    return make


def _size(items: Any = ()) -> Size:
    if not all(type(n) is int for n in items):
        raise TypeError("a Size is made of ints")
    return Size(items)


def _parameter(data: Any, requires_grad: Any = True) -> Any:
    return _storage._rebuild_parameter(data, requires_grad, None)


@functools.cache
def allowed() -> dict[str, Any]:
    """What `weights_only=True` may find, by torch's name; each takes only harmless arguments."""
    table: dict[str, Any] = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "torch.nn.parameter.Parameter": Parameter,
        "torch.serialization._get_layout": _storage.get_layout,
        "torch.Size": Size,
        "torch.Tensor": Tensor,
        "torch.device": _device,
        "torch.storage.UntypedStorage": _storage.StorageType("ByteStorage"),
        "torch._tensor._rebuild_from_type_v2": _storage._rebuild_from_type_v2,
        "_codecs.encode": _encode,
        "builtins.bytearray": bytearray,
        "builtins.set": set,
        "builtins.complex": complex,
    }
    table.update({f"torch.{d.name}": d for d in _dtype.NAMES.values()})
    table.update({f"torch._utils.{name}": f for name, f in _storage.REBUILD.items()})
    for name, d in _storage.STORAGE_DTYPES.items():
        for prefix in ("torch.", "torch.cuda."):
            table[prefix + name] = _storage.StorageType(name)
            table[f"{prefix}{d.scalar_name}Tensor"] = _LegacyTensorType(d)
    return table


class _LegacyTensorType:
    """`torch.FloatTensor` in very old pickles: an empty tensor that BUILD fills."""

    def __init__(self, d: Any) -> None:
        self.dtype = d

    def __call__(self, *args: Any) -> Any:
        if args:
            raise TypeError("tensors are rebuilt from their storage, not from numbers")
        return wrap(from_array(np.empty(0, self.dtype.np)))


# How the allowed globals that are general-purpose types are called: with checked arguments.
CALLS: dict[Any, Callable[..., Any]] = {
    bytearray: _bytearray,
    set: _set,
    OrderedDict: _mapping(OrderedDict),
    Counter: _mapping(Counter),
    Size: _size,
    Parameter: _parameter,
    Tensor: _LegacyTensorType(_dtype.float32),
}


# --- reading: torch's name to our object ------------------------------------------------------


def find(module: str, name: str) -> Any:
    """The object of jtorch that torch's global names; AttributeError if there is none."""
    known = allowed().get(f"{module}.{name}")
    if known is not None:
        return known
    if module == "torch._C" and name == "Generator":
        return Generator
    if module == "torch._C" and name.startswith("_VariableFunctions"):
        return types.SimpleNamespace(**NAMESPACES["torch"])  # torch.relu is getattr(this, "relu")
    for where in _modules(module):
        try:
            return functools.reduce(getattr, name.split("."), where)
        except AttributeError:
            continue
    raise AttributeError(
        f"jtorch has no {module}.{name}, which this file was saved with. Save a state_dict "
        "instead, or make the name importable."
    )


def _modules(module: str) -> Iterator[Any]:
    """Where an attribute of a torch module may live here."""
    path = module.removeprefix("torch")
    with contextlib.suppress(ModuleNotFoundError):
        yield importlib.import_module(_OURS + path)
    if path.startswith("._C"):
        yield from (types.SimpleNamespace(**NAMESPACES[n]) for n in ("nn.functional", "torch"))
    while path := path.rpartition(".")[0]:
        with contextlib.suppress(ModuleNotFoundError):
            yield importlib.import_module(_OURS + path)


# --- writing: our object to torch's name ------------------------------------------------------

_FIXED: dict[Any, tuple[str, str]] = {
    Tensor: ("torch", "Tensor"),
    Parameter: ("torch.nn.parameter", "Parameter"),
    Size: ("torch", "Size"),
    _device: ("torch", "device"),
    _dtype.dtype: ("torch", "dtype"),
    Generator: ("torch._C", "Generator"),
    layout: ("torch", "layout"),
}
# Files that jtorch cuts otherwise than torch: where torch has what is in them, by path under the
# package; a longer path counts before a shorter one, and a layer's own entry before its file's.
_FILES = {
    "nn": "nn.modules",
    "nn.containers": "nn.modules.container",
    "nn.layer_norm": "nn.modules.normalization",
    "nn.multihead_attention": "nn.modules.activation",
    "nn.norm": "nn.modules.batchnorm",
    "nn.parameter": "nn.parameter",
    "nn.parameter_containers": "nn.modules.container",
    "nn.recurrent": "nn.modules.rnn",
    "nn.recurrent_cells": "nn.modules.rnn",
    "nn.transformer_layers": "nn.modules.transformer",
    "nn._transformer_stacks": "nn.modules.transformer",
    "nn.utils": "nn.utils",
    "parallel": "nn.parallel",
}
_LAYERS = {
    "InstanceNorm": "instancenorm", "LazyInstanceNorm": "instancenorm", "Flatten": "flatten",
    "Unflatten": "flatten", "Fold": "fold", "Unfold": "fold", "Pixel": "pixelshuffle",
    "ChannelShuffle": "channelshuffle", "LazyConv": "conv", "LazyLinear": "linear",
    "LazyBatchNorm": "batchnorm", "LinearCrossEntropyLoss": "loss",
    "LinearCrossEntropyOptions": "linear_cross_entropy_options",
}  # fmt: skip


def torch_name(obj: Any) -> tuple[str, str] | None:
    """(module, name) that torch knows this class or function by; None for what is not jtorch's."""
    if isinstance(obj, TorchName):
        return obj.module, obj.name
    module = getattr(obj, "__module__", None) or ""
    if not isinstance(module, str) or module.partition(".")[0] != _OURS:
        return None
    if isinstance(obj, types.FunctionType):
        return _function_name(obj)
    fixed = _FIXED.get(obj)
    return (_torch_file(module, obj.__qualname__), obj.__qualname__) if fixed is None else fixed


def _torch_file(module: str, name: str) -> str:
    path = module.removeprefix(f"{_OURS}.")
    layer = next((file for prefix, file in _LAYERS.items() if name.startswith(prefix)), None)
    if layer is not None and path.startswith("nn."):
        return f"torch.nn.modules.{layer}"
    for ours in sorted(_FILES, key=len, reverse=True):
        if path == ours or path.startswith(f"{ours}."):
            return f"torch.{_FILES[ours]}{path.removeprefix(ours)}"
    folder, _, file = path.rpartition(".")
    return f"torch.{folder}" if file.startswith("_") and folder else f"torch.{path}"


def _function_name(f: Any) -> tuple[str, str]:
    plain = inspect.unwrap(f)  # functions are wrapped once a subclass of Tensor has been defined
    for space, names in NAMESPACES.items():
        for name, found in names.items():
            if space != "Tensor" and inspect.unwrap(found) is plain:
                return "torch" if space == "torch" else f"torch.{space}", name
    return _torch_file(f.__module__, f.__qualname__), f.__qualname__
