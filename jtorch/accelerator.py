"""`torch.accelerator`: whichever accelerator JAX has, under the name 'cuda'."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import cuda
from ._engine.device import device

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "device_count",
    "device_index", "empty_cache", "get_memory_info", "is_available", "max_memory_allocated",
    "memory_allocated", "set_device_idx", "set_device_index", "synchronize",
]  # fmt: skip

is_available = cuda.is_available
device_count = cuda.device_count
current_device_index = current_device_idx = cuda.current_device
set_device_index = set_device_idx = cuda.set_device
synchronize = cuda.synchronize
empty_cache = cuda.empty_cache
memory_allocated = cuda.memory_allocated
max_memory_allocated = cuda.max_memory_allocated
get_memory_info = cuda.mem_get_info


def current_accelerator(check_available: bool = False) -> Any:
    """The device type of the accelerator, None where there is none."""
    return device("cuda") if is_available() else None


@contextlib.contextmanager
def device_index(device: int | None) -> Iterator[None]:
    """Make `device` the current one; only 0 can be."""
    if device is not None:
        set_device_index(device)
    yield
