"""`torch.cuda`: any accelerator JAX has, TPUs included."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax

from ._engine import recorder
from ._engine.device import accelerators, device
from .amp._deprecated import cuda_amp as amp  # noqa: F401  `torch.cuda.amp`
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


def memory_reserved(device: Any = None) -> int:
    """Bytes XLA's allocator holds on the accelerator."""
    return _memory(device, "bytes_reserved") or _memory(device, "bytes_in_use")


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes XLA's allocator held."""
    return _memory(device, "peak_bytes_reserved") or _memory(device, "peak_bytes_in_use")


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of the accelerator."""
    stats = _pick(device).memory_stats() or {}
    total = int(stats.get("bytes_limit", 0))
    return total - int(stats.get("bytes_in_use", 0)), total


def memory_stats(device: Any = None) -> dict[str, Any]:
    """XLA's own counters of the accelerator."""
    return dict(_pick(device).memory_stats() or {}) if is_available() else {}


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """XLA's own counters, one on a line."""
    return "\n".join(f"{name}: {value}" for name, value in sorted(memory_stats(device).items()))


def get_device_properties(device: Any = None) -> SimpleNamespace:
    """Name, memory and compute capability of the accelerator."""
    major, minor = get_device_capability(device)
    return SimpleNamespace(
        name=get_device_name(device), major=major, minor=minor,
        total_memory=mem_get_info(device)[1],
        multi_processor_count=getattr(_pick(device), "core_count", 0) or 0,
    )  # fmt: skip


def is_initialized() -> bool:
    """Whether the accelerator is in use: JAX starts all of them at once."""
    return is_available()


def init() -> None:
    """Start the accelerator, or say that there is none."""
    _first()


def seed() -> None:
    """Seed the generator from entropy."""
    default_generator.seed()


seed_all = seed


def initial_seed() -> int:
    """The seed the generator started from."""
    return default_generator.initial_seed()


def get_rng_state(device: Any = "cuda") -> Any:
    """The generator's state: there is one for all devices."""
    return default_generator.get_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Continue from a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


def get_rng_state_all() -> list[Any]:
    """The state for each accelerator, all the same one."""
    return [default_generator.get_state() for _ in accelerators()]


def set_rng_state_all(new_states: Any) -> None:
    """Continue from states that `get_rng_state_all` returned."""
    for state in new_states:
        set_rng_state(state)


class Stream:
    """A queue of work.  XLA orders its own, so a stream is a place to write `with` around."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        self.device = device

    def synchronize(self) -> None:
        """Wait for everything."""
        synchronize()

    def wait_stream(self, stream: Any) -> None:
        """Nothing to do: work runs in the order of its data."""

    def wait_event(self, event: Any) -> None:
        """Nothing to do: work runs in the order of its data."""

    def record_event(self, event: Any = None) -> Any:
        """An event at this point of the program."""
        event = Event() if event is None else event
        event.record()
        return event

    def query(self) -> bool:
        """Waits, and is then done."""
        synchronize()
        return True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *args: Any) -> None:
        pass


class Event:
    """A point in time, for measuring: recording it waits until the work before it is done."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False,
        external: bool = False,
    ) -> None:  # fmt: skip
        if interprocess:
            raise NotImplementedError("torch.cuda.Event(interprocess=True): events stay here.")
        self._time: float | None = None

    def record(self, stream: Any = None) -> None:
        """Note the time once everything before has run."""
        synchronize()
        self._time = time.perf_counter()

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds from this event to another."""
        if self._time is None or end_event._time is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return float(end_event._time - self._time) * 1000

    def synchronize(self) -> None:
        """Nothing left to wait for."""

    def wait(self, stream: Any = None) -> None:
        """Nothing left to wait for."""

    def query(self) -> bool:
        """Recording waited already."""
        return True


def current_stream(device: Any = None) -> Stream:
    """The one stream there is."""
    return Stream(device)


default_stream = current_stream


@contextlib.contextmanager
def stream(stream: Any) -> Iterator[Any]:
    """Work inside the `with` block runs as everywhere."""
    yield stream


@contextlib.contextmanager
def device_of(obj: Any) -> Iterator[None]:
    """Make the device of a tensor the current one; only accelerator 0 can be."""
    if getattr(obj, "is_cuda", False):
        set_device(obj.device)
    yield


def reset_peak_memory_stats(device: Any = None) -> None:
    """XLA cannot reset its peak: `max_memory_allocated` stays that of the whole process."""
    raise NotImplementedError(
        "torch.cuda.reset_peak_memory_stats: XLA keeps one peak for the whole process; measure a "
        "part of a program in a process of its own."
    )


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
