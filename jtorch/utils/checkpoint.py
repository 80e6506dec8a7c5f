"""`torch.utils.checkpoint`: a function as a region under `jax.checkpoint`, recomputed in
backward.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax

from .. import _regions, accelerator, cuda
from .._gate import TensorBase
from .._nested import fill, strip

_debug: bool | None = None


class CheckpointError(RuntimeError):
    """PyTorch's error of a recomputation that differs; here the recomputation is the program's."""


def noop_context_fn() -> tuple[Any, Any]:
    """The contexts of `checkpoint(context_fn=)` that change nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Nothing to set: XLA computes again what backward needs and nothing else."""
    yield


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """What `checkpoint(debug=)` is inside; True is refused there as it is here."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


class DefaultDeviceType:
    """The kind of device whose random state the functions below keep if no tensor names one."""

    _chosen: str | None = None

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Choose the kind of device."""
        DefaultDeviceType._chosen = device

    @staticmethod
    def get_device_type() -> str:
        """The chosen kind, or that of the accelerator there is."""
        found = accelerator.current_accelerator(True)
        return DefaultDeviceType._chosen or (found.type if found is not None else "cpu")


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The accelerators on which arguments lie, and their generators' states."""
    tensors: list[Any] = []
    strip(args, tensors)
    devices = [t.get_device() for t in tensors if t.device.type not in ("cpu", "meta")]
    return devices, [cuda.get_rng_state(d) for d in devices]


def set_device_states(devices: Any, states: Any, *, device_type: str | None = None) -> None:
    """Set the generators of the accelerators to states that were kept."""
    if (device_type or DefaultDeviceType.get_device_type()) == "meta":
        return
    for device, state in zip(devices, states, strict=False):
        cuda.set_rng_state(state, device)


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors outside the graph, each requiring gradients as before."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(_detached(x) if isinstance(x, TensorBase) else x for x in inputs)


def _detached(x: Any) -> Any:
    new = x.detach()
    new.requires_grad = x.requires_grad
    return new


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """A warning where no input requires gradients."""
    if not any(getattr(x, "requires_grad", False) for x in inputs if isinstance(x, TensorBase)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
    context_fn: Any = None, determinism_check: str = "default", debug: bool = False,
    preserve_rng_state: bool = True,
    early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """Call `function`; its activations are computed again in backward instead of being kept.

    Random numbers are the same in both passes, and writes to buffers happen once.  Reentrant or not
    makes no difference here.  Source: torch.utils.checkpoint.checkpoint.
    """
    if context_fn not in (None, noop_context_fn) or debug or _debug:
        raise NotImplementedError(
            "checkpoint(context_fn=, debug=): selective checkpointing is not supported; call "
            "checkpoint on the part to recompute, and use jtorch.pending() to see what is recorded."
        )
    if not preserve_rng_state:
        raise NotImplementedError(
            "checkpoint(preserve_rng_state=False): the recomputation always sees the same random "
            "numbers here, at no cost; leave the argument out."
        )
    tensors: list[Any] = []
    plan = strip((args, kwargs), tensors)
    shape: list[Any] = []

    def body(inputs: list[Any]) -> list[Any]:
        given, named = fill(plan, inputs)
        outputs: list[Any] = []
        shape.append(strip(function(*given, **named), outputs))
        return outputs

    region = _regions.record(body, tensors, name="checkpoint")
    return fill(shape[0], _regions.call("checkpoint", (), jax.checkpoint, region))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A sequence of modules in `segments` checkpointed pieces; the last piece is not
    checkpointed.
    """
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if kwargs.pop("preserve_rng_state", True) is not True or kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    size = len(functions) // segments
    end = -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(_run(functions[start : end + 1]), input, use_reentrant=use_reentrant)
    return _run(functions[end + 1 :])(input)


def _run(functions: list[Any]) -> Callable[[Any], Any]:
    def forward(x: Any) -> Any:
        for f in functions:
            x = f(x)
        return x

    return forward
