"""`nn.parallel`'s parts: scatter, gather, replicate and parallel_apply, one after the other.

`DataParallel` does not use them: it is one program for all devices. Devices are numbers of
accelerators; on a machine without one everything stays on the CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .._engine.device import accelerators, device
from .._functions import NAMESPACES
from ..nn.module import Module
from ..tensor import Tensor


def _moved(t: Any, where: Any) -> Any:
    """A tensor on a device, given as torch gives it: a number, a name, or -1 for the CPU."""
    if where == -1:
        return t.to("cpu")
    place = device(where)
    return t.to(place) if place.type == "cpu" or accelerators() else t


def _is_namedtuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Chunks of every tensor for the devices; anything else is repeated.

    Source: torch.nn.parallel.scatter.
    """
    if isinstance(inputs, Tensor):
        parts = inputs.chunk(len(target_gpus), dim)  # type: ignore[attr-defined]
        return tuple(_moved(p, d) for p, d in zip(parts, target_gpus, strict=False))

    def inner(parts: Any) -> Any:
        return zip(*(scatter(x, target_gpus, dim) for x in parts), strict=False)

    if _is_namedtuple(inputs):
        return [type(inputs)(*args) for args in inner(inputs)]
    if isinstance(inputs, tuple) and inputs:
        return list(inner(inputs))
    if isinstance(inputs, list) and inputs:
        return [list(i) for i in inner(inputs)]
    if isinstance(inputs, dict) and inputs:
        return [type(inputs)(i) for i in inner(inputs.items())]
    return [inputs for _ in target_gpus]


def scatter_kwargs(
    inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, target_gpus: Sequence[Any], dim: int = 0
) -> tuple[tuple[Any, ...], tuple[dict[str, Any], ...]]:
    """`scatter` for positional and keyword arguments, one of each for every device."""
    args = list(scatter(inputs, target_gpus, dim)) if inputs else []
    named = list(scatter(kwargs, target_gpus, dim)) if kwargs else []
    n = max(len(args), len(named))
    args += [()] * (n - len(args))
    named += [{} for _ in range(n - len(named))]
    return tuple(args), tuple(named)


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """The devices' outputs joined on one of them.  Source: torch.nn.parallel.gather."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return _joined([_moved(o, target_device) for o in outputs], dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if not all(len(first) == len(d) for d in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, gather([d[k] for d in outputs], target_device, dim)) for k in first)
    parts = [gather(p, target_device, dim) for p in zip(*outputs, strict=True)]
    return type(first)(*parts) if _is_namedtuple(first) else type(first)(parts)  # type: ignore[call-arg]


def _joined(parts: list[Any], dim: int) -> Any:
    if all(t.dim() == 0 for t in parts) and dim == 0:
        warnings.warn(
            "Was asked to gather along dimension 0, but all input tensors were scalars; will "
            "instead unsqueeze and return a vector.",
            stacklevel=3,
        )
        parts = [t.unsqueeze(0) for t in parts]
    return NAMESPACES["torch"]["cat"](parts, dim)


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Any]:
    """Copies of a module on the devices; their gradients reach the module's own parameters.

    Source: torch.nn.parallel.replicate.
    """
    return [_replica(network, _copier(d, detach), {}) for d in devices]


def _copier(where: Any, detach: bool) -> Callable[[Any, bool], Any]:
    known: dict[int, Any] = {}

    def copy(t: Any, parameter: bool) -> Any:
        if id(t) not in known:
            new = _moved(t, where)
            known[id(t)] = new.detach() if detach or not parameter else new.view_as(new)
        return known[id(t)]

    return copy


def _replica(module: Any, copy: Callable[[Any, bool], Any], memo: dict[int, Any]) -> Any:
    """A module of the same class whose parameters are ordinary tensors."""
    if id(module) in memo:
        return memo[id(module)]
    new = memo[id(module)] = module.__new__(type(module))
    new.__dict__ = module.__dict__.copy()
    new._parameters, new._buffers, new._modules = {}, {}, {}
    new._is_replica = True
    for name, p in module._parameters.items():
        new.__dict__[name] = None if p is None else copy(p, True)
    for name, b in module._buffers.items():
        new._buffers[name] = None if b is None else copy(b, False)
    for name, child in module._modules.items():
        new._modules[name] = None if child is None else _replica(child, copy, memo)
    return new


def parallel_apply(
    modules: Sequence[Any], inputs: Sequence[Any], kwargs_tup: Sequence[Any] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:  # fmt: skip
    """Each module called on its inputs.  Source: torch.nn.parallel.parallel_apply.

    Differs from torch: no threads, as every device works on its own anyway once it has been asked.
    """
    for what, given in (("inputs", inputs), ("kwargs", kwargs_tup), ("devices", devices)):
        if given is not None and len(given) != len(modules):
            raise AssertionError(
                f"The number of modules {len(modules)} is not equal to the number of {what} "
                f"{len(given)}"
            )
    named = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    results = []
    for module, args, kwargs in zip(modules, inputs, named, strict=True):
        args = args if isinstance(args, list | tuple) else (args,)
        results.append(module(*args, **(kwargs or {})))
    return results
