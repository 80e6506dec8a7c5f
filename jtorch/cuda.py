"""`torch.cuda`: any accelerator JAX has, TPUs included."""

from __future__ import annotations

from typing import Any

import jax

from ._engine import recorder
from ._engine.device import accelerators, device
from .random import default_generator


def is_available() -> bool:
    """Whether JAX has an accelerator."""
    return bool(accelerators())


def device_count() -> int:
    """How many accelerators this process sees."""
    return len(accelerators())


def current_device() -> int:
    """The index of the accelerator 'cuda' means."""
    _first()
    return 0


def get_device_name(device: Any = None) -> str:
    """What JAX calls the accelerator."""
    return str(_pick(device).device_kind)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """CUDA compute capability (major, minor); (0, 0) for what is not a GPU."""
    major, _, minor = str(getattr(_pick(device), "compute_capability", "0.0")).partition(".")
    return int(major), int(minor or 0)


def set_device(device: Any) -> None:
    """Only accelerator 0 can be the one that 'cuda' means: name others as 'cuda:1'."""
    if _index(device) != 0:
        raise NotImplementedError(
            "torch.cuda.set_device: jtorch's 'cuda' is always cuda:0; write the device as 'cuda:1'."
        )


def synchronize(device: Any = None) -> None:
    """Run what is pending and wait until every device is idle."""
    recorder.flush("cuda.synchronize")
    for d in jax.local_devices():
        jax.device_put(0.0, d).block_until_ready()


def empty_cache() -> None:
    """XLA's allocator gives memory back by itself: nothing is kept that could be freed here."""


def manual_seed(seed: int) -> None:
    """Seed the generator; there is one for all devices."""
    default_generator.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the generator; there is one for all devices."""
    manual_seed(seed)


def memory_allocated(device: Any = None) -> int:
    """Bytes in use on the accelerator."""
    return _memory(device, "bytes_in_use")


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that were in use."""
    return _memory(device, "peak_bytes_in_use")


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """XLA computes in bfloat16 on every device."""
    return is_available()


def _memory(device: Any, name: str) -> int:
    if not is_available():
        return 0
    return int((_pick(device).memory_stats() or {}).get(name, 0))


def _index(which: Any) -> int:
    if which is None:
        return 0
    return which if isinstance(which, int) else device(which).index or 0


def _first() -> Any:
    if not accelerators():
        raise RuntimeError("No CUDA GPUs are available (JAX sees no accelerator in this process)")
    return accelerators()[0]


def _pick(which: Any) -> Any:
    _first()
    return accelerators()[_index(which)]
