"""`torch.cpu`: the host as a device, and `torch.get_device_module`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import cuda as _cuda
from ._engine.device import accelerators
from ._engine.device import device as _device
from ._functions import composite
from .amp._deprecated import cpu_amp as amp  # noqa: F401  `torch.cpu.amp`


def is_available() -> bool:
    """There always is a host."""
    return True


def device_count() -> int:
    """One."""
    return 1


def current_device() -> str:
    """The host's name."""
    return "cpu"


def set_device(device: Any) -> None:
    """Nothing: there is one host."""


def synchronize(device: Any = None) -> None:
    """Nothing, as in torch: whoever reads a number waits for it."""


class Stream:
    """The host's one queue."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """Nothing: one queue is in order."""

    def record_event(self) -> None:
        """Nothing: one queue is in order."""

    def wait_event(self, event: Any) -> None:
        """Nothing: one queue is in order."""


_stream = Stream()


def current_stream(device: Any = None) -> Stream:
    """The host's one queue."""
    return _stream


@contextlib.contextmanager
def stream(stream: Any) -> Iterator[None]:
    """Nothing: there is one queue."""
    yield


@composite("torch")
def get_device_module(device: Any = None) -> Any:
    """The module of a device's type; of the accelerator, if there is one, without an argument."""
    if device is not None and not isinstance(device, str | _device):
        raise RuntimeError(f"Invalid value of device '{device}', expect torch.device, str, or None")
    kind = ("cuda" if accelerators() else "cpu") if device is None else _device(device).type
    if kind == "cpu":
        import sys

        return sys.modules[__name__]
    if kind != "cuda":
        raise RuntimeError(
            f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'."
        )
    return _cuda
