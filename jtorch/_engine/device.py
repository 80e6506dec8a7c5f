"""`torch.device` to JAX devices and back, and `Place`: where the bytes of a value live."""

from __future__ import annotations

import functools
import re
from typing import Any

import jax
import numpy as np

_TYPES = ("cpu", "cuda", "xla", "tpu", "mps", "xpu", "meta")


class device:
    """`torch.device`: a type and an optional index.  'cuda' names any accelerator JAX has."""

    __slots__ = ("index", "type")

    def __init__(self, type: Any = None, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type: str = type.type
            self.index: int | None = type.index if index is None else index
            return
        if isinstance(type, int):
            self.type, self.index = "cuda", type
            return
        if not isinstance(type, str):
            raise TypeError(
                f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}"
            )
        match = re.fullmatch(r"([a-z]+)(?::(\d+))?", type)
        if not match:
            raise RuntimeError(f"Invalid device string: '{type}'")
        name, number = match.groups()
        if name not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}"
            )
        if number is not None and index is not None:
            raise RuntimeError(
                "type (string) must not include an index because index was passed explicitly: "
                f"{type}"
            )
        self.type, self.index = name, index if number is None else int(number)

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')"
            if self.index is None
            else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        """`with torch.device("cuda"):` is where new tensors are made."""
        _default.append(place_of(self))
        return self

    def __exit__(self, *error: Any) -> None:
        _default.pop()

    def __call__(self, function: Any) -> Any:
        """As a decorator: the function runs inside of `with`."""

        @functools.wraps(function)
        def inside(*args: Any, **named: Any) -> Any:
            with self:
                return function(*args, **named)

        return inside


class Place:
    """Where a value lives: a torch device and, beyond JAX's default device, its sharding.

    `key` says which pending program an op on this place belongs to.
    """

    __slots__ = ("device", "key", "sharding", "traced")

    def __init__(self, dev: device, sharding: Any, traced: bool = False) -> None:
        self.device, self.sharding, self.traced = dev, sharding, traced
        self.key = str(dev)

    def __repr__(self) -> str:
        return f"{self.device}" if self.sharding is None else f"{self.device}@{self.sharding}"


CPU = Place(device("cpu"), None)
TRACED = Place(device("cpu"), None, traced=True)
META = Place(device("meta"), None, traced=True)  # shapes and dtypes alone: there are no arrays


@functools.cache
def accelerators() -> tuple[Any, ...]:
    """JAX's accelerator devices, in order; empty on a machine with a CPU only."""
    return tuple(d for d in jax.local_devices() if d.platform != "cpu")


@functools.cache
def cpu_device() -> Any:
    """JAX's first CPU device."""
    return jax.local_devices(backend="cpu")[0]


@functools.cache
def _cpu_place() -> Place:
    # On a CPU-only machine arrays stay uncommitted: they may meet multi-device arrays freely.
    if not accelerators():
        return CPU
    CPU.sharding = jax.sharding.SingleDeviceSharding(cpu_device())
    return CPU


@functools.cache
def _accelerator_place(index: int) -> Place:
    found = accelerators()
    if not found:
        raise RuntimeError(
            "No accelerator is available to JAX in this process: jtorch's 'cuda' names a GPU or "
            "TPU. "
            "Use device='cpu', or `torch.device('cuda' if torch.cuda.is_available() else 'cpu')`."
        )
    if index >= len(found):
        raise RuntimeError(
            f"CUDA error: invalid device ordinal (asked for {index}, JAX has {len(found)})"
        )
    return Place(device("cuda", index), jax.sharding.SingleDeviceSharding(found[index]))


def place_of(dev: Any = None) -> Place:
    """The place a torch device names (None: the default device)."""
    if dev is None:
        return _default[-1] or _cpu_place()
    if isinstance(dev, Place):
        return dev
    if not isinstance(dev, device):
        dev = device(dev)
    if dev.type == "cpu":
        return _cpu_place()
    if dev.type in ("cuda", "xla", "tpu"):
        return _accelerator_place(dev.index or 0)
    if dev.type == "meta":
        return META
    raise NotImplementedError(
        f"jtorch has no {dev.type!r} device: use 'cpu', or 'cuda' for any GPU or TPU that JAX sees."
    )


_default: list[Place | None] = [None]  # set_default_device's, then those of `with`
_meshes: dict[Any, Place] = {}


def set_default_device(dev: Any) -> None:
    """Where tensors are made when nothing is said: a device, or None for the CPU."""
    _default[0] = None if dev is None else place_of(dev)


def get_default_device() -> device:
    """Where tensors are made now when nothing is said."""
    return place_of(None).device


def mesh_place(dev: device, sharding: Any) -> Place:
    """The interned place of an array spread over several devices."""
    found = _meshes.get((dev, sharding))
    if found is None:
        found = _meshes[dev, sharding] = Place(dev, sharding)
    return found


def place_of_array(array: Any) -> Place:
    """The place of an existing `jax.Array`, NumPy array or tracer."""
    if isinstance(array, np.ndarray):
        return _cpu_place()
    if isinstance(array, jax.core.Tracer):
        return TRACED
    devices = array.sharding.device_set
    first = next(iter(devices))
    if len(devices) > 1:
        kind = device("cpu") if first.platform == "cpu" else device("cuda", 0)
        return mesh_place(kind, array.sharding)
    if first.platform == "cpu":
        return _cpu_place() if first == cpu_device() else mesh_place(device("cpu"), array.sharding)
    return _accelerator_place(accelerators().index(first))
