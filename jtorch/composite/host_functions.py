"""Functions on host data: Python functions element by element, files, and facts about memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._engine.backward import modes
from .._engine.device import accelerators, place_of
from .._factory import check_options, dtype_of, hosted
from .._functions import composite
from .._gate import TensorBase, apply
from ..ops import TABLE
from ..tensor import Tensor
from ._arguments import host, into

# --- element by element ---------------------------------------------------------------------------


def _writable(name: str, t: Any) -> None:
    if t.requires_grad and modes.grad:
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() "
            "instead."
        )
    if t.device.type != "cpu":
        raise TypeError(f"{name} is only implemented on CPU tensors")


@composite("Tensor")
def apply_(self: Any, callable: Callable[[Any], Any]) -> Any:
    """Replace every element by what a Python function makes of it.  Slow: for a few elements."""
    _writable("apply_", self)
    values = [callable(x) for x in host(self, "apply_()").ravel().tolist()]
    return self._write_array(np.array(values).astype(self.dtype.np).reshape(tuple(self.shape)))


@composite("Tensor")
def map_(self: Any, tensor: Any, callable: Callable[[Any, Any], Any]) -> Any:
    """Replace every element by what a Python function makes of it and of another tensor's."""
    _writable("map_", self)
    if tensor.dtype is not self.dtype:
        raise TypeError(
            f"map_: expected torch.{self.dtype.scalar_name}Tensor for 'other' (got "
            f"torch.{tensor.dtype.scalar_name}Tensor)"
        )
    other = host(tensor.detach().expand(self.shape), "map_()").ravel().tolist()
    pairs = zip(host(self, "map_()").ravel().tolist(), other, strict=True)
    values = [callable(a, b) for a, b in pairs]
    return self._write_array(np.array(values).astype(self.dtype.np).reshape(tuple(self.shape)))


# --- indices and hashes ---------------------------------------------------------------------------


@composite("torch")
def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """Places in a flattened tensor as one tensor of coordinates per dimension."""
    kind = indices.dtype
    if kind.is_complex or kind.is_floating_point or kind is _dtype.bool_:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {kind}")
    if not isinstance(shape, int | Sequence):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for n in sizes:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    found: list[Any] = []
    for n in reversed(sizes):
        found.insert(0, indices % n)
        indices = indices // n
    return tuple(found)


@composite("torch", "Tensor")
def hash_tensor(
    input: Any, dim: Any = (), *, keepdim: bool = False, mode: int = 0, out: Any = None
) -> Any:
    """The exclusive or of all elements (or of those along `dim`), each as 64 bits."""
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    result = apply(TABLE["_hash"], (input,), (dim, keepdim))
    return into("_hash", out, result)


# --- files ----------------------------------------------------------------------------------------


@composite("torch")
def from_file(
    filename: str, shared: bool | None = None, size: int | None = 0, *, dtype: Any = None,
    layout: Any = None, device: Any = None, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """The first `size` numbers of a file.  Differs from torch: writes do not reach the file."""
    check_options("from_file", layout, pin_memory)
    if shared:
        raise NotImplementedError(
            "from_file(shared=True): jtorch's tensors are never views of a file. Leave shared out "
            "to read, and write with `tensor.numpy().tofile(filename)`."
        )
    kind, count = dtype_of("from_file", dtype) or _dtype.get_default_dtype(), size or 0
    if os.path.getsize(filename) < count * kind.itemsize:
        raise RuntimeError(f"file {filename} has fewer than {count} elements of {kind}")
    return hosted(np.fromfile(filename, kind.np, count), place_of(device))


# --- facts ----------------------------------------------------------------------------------------


@composite("Tensor")
def const_data_ptr(self: Any) -> int:
    """As `data_ptr`."""
    return int(self.data_ptr())


@composite("Tensor")
def dim_order(self: Any, *, ambiguity_check: bool | list[Any] = False) -> tuple[int, ...]:
    """The dimensions from the outermost in memory to the innermost."""
    if not isinstance(ambiguity_check, bool):
        raise NotImplementedError("dim_order(ambiguity_check=[...]): pass True or False.")
    strides, shape = self.stride(), tuple(self.shape)
    if ambiguity_check and any(n == 1 for n in shape):
        raise RuntimeError("The tensor does not have unique dim order.")
    return tuple(sorted(range(len(shape)), key=lambda d: -strides[d]))


@composite("Tensor")
def storage_type(self: Any) -> Any:
    """The type of `storage()`."""
    return type(self.storage())


@composite("Tensor")
def is_pinned(self: Any, device: Any = None) -> bool:
    """Whether the tensor is in page-locked memory: no, XLA stages its own transfers."""
    return False


@composite("Tensor")
def pin_memory(self: Any, device: Any = None) -> Any:
    """The tensor itself: XLA stages its own transfers, and from any memory."""
    if not accelerators():
        raise RuntimeError("Cannot access accelerator device when none is available.")
    return self


@composite("Tensor")
def module_load(self: Any, other: Any, assign: bool = False) -> Any:
    """What `load_state_dict` puts into a module for `other`."""
    return other.detach() if assign else self.copy_(other).detach()


def _grad_dtype(self: Any) -> Any:
    """The dtype of this leaf's gradient: its own."""
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    return self.dtype


def _set_grad_dtype(self: Any, dtype: Any) -> None:
    if dtype is not self.dtype:
        raise NotImplementedError(
            "grad_dtype: gradients have the dtype of their tensor in jtorch; cast in a hook."
        )


Tensor.grad_dtype = property(_grad_dtype, _set_grad_dtype)  # type: ignore[attr-defined]


@composite("Tensor")
def as_subclass(self: Any, cls: Any) -> Any:
    """A tensor of another class on the same storage and in the same graph."""
    if not (isinstance(cls, type) and issubclass(cls, TensorBase)):
        raise TypeError("cls must be a type (got " + type(cls).__name__ + ")")
    new = self.view(self.shape)
    new.__class__ = cls
    return new


@composite("torch")
def init_num_threads() -> None:
    """Nothing: XLA's threads are started with it."""
