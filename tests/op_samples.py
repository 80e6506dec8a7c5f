"""Samples of every op: PyTorch's own OpInfo database, made small and carried over to jtorch."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import jtorch

MOST_ELEMENTS = 600  # of a sample's tensors: compile time is what counts, not coverage of sizes
SAMPLES = 3

# Why an entry of PyTorch's database is not compared here.
LEFT_OUT = {
    "jiterator": "CUDA source code given as a string",
    "sparse": "sparse tensors are refused (docs/differences.md)",
    "to_sparse": "sparse tensors are refused (docs/differences.md)",
    "masked": "torch.masked is a prototype of its own",
    "native_": "aten's inner functions, not public",
    "chalf": "JAX has no half-precision complex numbers (docs/differences.md)",
    "nn.functional.triplet_margin_with_distance_loss": "its samples hold PyTorch functions",
    "nested": "nested tensors are refused (docs/differences.md)",
    "empty": "uninitialised memory",
    "new_empty": "uninitialised memory",
    "max_pool2d_with_indices_backward": "aten's inner function, not public",
}


VARIANTS_LEFT_OUT = {
    "as_strided.partial_views": "its samples are views of larger storages, which copying undoes",
    "nn.functional.linear_cross_entropy.chunked": "its samples hold an object of PyTorch's",
    "nn.functional.linear_cross_entropy.chunked_none": "its samples hold an object of PyTorch's",
}


def left_out(op: Any) -> str:
    """The reason why an entry is not compared, or nothing."""
    name = op.name
    if isinstance(op.op, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return "aten's inner functions, not public"
    last = name.rsplit(".", 1)[-1]
    if name.startswith("torch.") or (last.startswith("_") and not last.startswith("__")):
        return "private"
    if title(op) in VARIANTS_LEFT_OUT:
        return VARIANTS_LEFT_OUT[title(op)]
    for prefix, reason in LEFT_OUT.items():
        if name == prefix or name.startswith((prefix + ".", prefix + "_", "jiterator", "native_")):
            return reason
        if prefix in ("sparse", "to_sparse", "nested", "empty") and last.startswith(prefix):
            return reason
    return ""


@functools.cache
def entries() -> tuple[Any, ...]:
    """The entries that are compared, ordered so that neighbours are of one family."""
    return tuple(op for op in op_db if not left_out(op))


def title(op: Any) -> str:
    """The entry's name with its variant."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


def carried(f: Callable[..., Any], path: str) -> Callable[..., Any]:
    """jtorch's counterpart of what an OpInfo calls: by name, or the wrapper with `torch`
    replaced.
    """
    if isinstance(f, types.FunctionType) and f.__module__.startswith("torch.testing"):
        return rebound(f)
    found: Any = jtorch
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is None or isinstance(found, jtorch.dtype):
        found = getattr(jtorch.Tensor, path, None)
    if found is None:
        raise AttributeError(f"jtorch has no {path}")
    return found  # type: ignore[no-any-return]


@functools.cache
def rebound(f: types.FunctionType) -> Callable[..., Any]:
    """A function of PyTorch's test code that finds jtorch where it says `torch`."""
    space = dict(f.__globals__)
    space["torch"], space["F"] = jtorch, jtorch.nn.functional
    space["freeze_rng_state"] = jtorch.random.fork_rng
    cells = []
    for cell in f.__closure__ or ():
        inside = cell.cell_contents
        if isinstance(inside, types.FunctionType) and inside.__module__.startswith("torch.testing"):
            inside = rebound(inside)
        elif isinstance(inside, types.BuiltinFunctionType):
            inside = carried(inside, inside.__name__)
        cells.append(types.CellType(inside))
    new = types.FunctionType(f.__code__, space, f.__name__, f.__defaults__, tuple(cells))
    new.__kwdefaults__ = f.__kwdefaults__
    return new


def to_jtorch(x: Any, known: dict[int, Any]) -> Any:
    """A sample's argument in jtorch; one tensor becomes one tensor however often it occurs."""
    if isinstance(x, torch.Tensor):
        if id(x) not in known:
            known[id(x)] = tensor(x)
        return known[id(x)]
    if isinstance(x, torch.dtype):
        return getattr(jtorch, str(x).removeprefix("torch."))
    if isinstance(x, torch.device):
        return jtorch.device(x.type)
    if isinstance(x, torch.memory_format | torch.layout):
        return getattr(jtorch, str(x).removeprefix("torch."))
    if isinstance(x, torch.Size):
        return jtorch.Size(x)
    if isinstance(x, torch.Generator):
        raise TypeError("a generator")
    if isinstance(x, slice):
        return slice(*(to_jtorch(part, known) for part in (x.start, x.stop, x.step)))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(to_jtorch(part, known) for part in x))
    if isinstance(x, list | tuple):
        return type(x)(to_jtorch(part, known) for part in x)
    if isinstance(x, dict):
        return {key: to_jtorch(part, known) for key, part in x.items()}
    return x


def tensor(x: torch.Tensor) -> Any:
    """A jtorch leaf with the same content."""
    if x.layout is not torch.strided:
        raise TypeError("a sparse tensor")
    plain = x.detach().resolve_conj().resolve_neg()
    if x.dtype is torch.bfloat16:
        new = jtorch.tensor(plain.float().numpy()).to(jtorch.bfloat16)
    else:
        new = jtorch.tensor(plain.numpy())
    return new.requires_grad_(x.requires_grad)


def tensors(x: Any) -> Iterator[Any]:
    """The tensors in a nested argument or result."""
    if isinstance(x, torch.Tensor | jtorch.Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for part in x:
            yield from tensors(part)
    elif isinstance(x, dict):
        for part in x.values():
            yield from tensors(part)


def samples(op: Any, dtype: torch.dtype, grad: bool, most: int = SAMPLES) -> list[Any]:
    """A few small samples, spread over PyTorch's list."""
    torch.manual_seed(0)
    np.random.seed(0)
    found = []
    for s in op.sample_inputs("cpu", dtype, requires_grad=grad):
        size = sum(t.numel() for t in tensors((s.input, s.args, s.kwargs)))
        if size <= MOST_ELEMENTS:
            found.append(s)
    if len(found) <= most:
        return found
    if most == 1:
        return [found[len(found) // 2]]
    return [found[i * (len(found) - 1) // (most - 1)] for i in range(most)]


def plain(x: Any) -> np.ndarray[Any, Any]:
    """A tensor of either library as a NumPy array."""
    x = x.detach()
    if "bfloat16" in str(x.dtype):
        x = x.to(torch.float32 if isinstance(x, torch.Tensor) else jtorch.float32)
    if isinstance(x, torch.Tensor):
        x = x.resolve_conj().resolve_neg()
    return np.asarray(x.numpy(force=True) if isinstance(x, torch.Tensor) else x.numpy())
