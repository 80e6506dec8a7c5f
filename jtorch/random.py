"""The public random state: `Generator`, `manual_seed`, `get_rng_state` and their kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ._engine import rng
from ._engine.device import device as _device
from ._engine.device import place_of
from ._engine.value import from_array
from ._gate import TensorBase, wrap

__all__ = [
    "Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
    "seed", "set_rng_state", "thread_safe_generator",
]  # fmt: skip


class Generator(rng.Generator):
    """A source of random numbers; on the CPU it is PyTorch's, number for number.

    A generator of an accelerator runs on the host, too: each op on the device draws its key from
    it, so one seed gives the same numbers on one device and on many.
    """

    __slots__ = ()

    def __new__(cls, device: Any = "cpu") -> Generator:
        where = _device("cpu" if device is None else device)
        if where.type != "cpu":
            where = place_of(where).device
            cls = _subclass_for(where, cls)
        return object.__new__(cls)

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()

    @property
    def device(self) -> _device:  # type: ignore[override]
        """Where its numbers go."""
        return _device("cpu")

    def get_state(self) -> Any:  # type: ignore[override]
        """The state as a `torch.ByteTensor` of torch's own layout."""
        return wrap(from_array(super().get_state()))

    def set_state(self, new_state: Any) -> Generator:
        """Continue from what `get_state` returned, here or in PyTorch."""
        if isinstance(new_state, TensorBase):
            new_state = np.array(new_state._numpy("set_state"))  # type: ignore[attr-defined]
        elif not isinstance(new_state, np.ndarray):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        super().set_state(new_state)
        return self

    def clone_state(self) -> Generator:
        """A new generator that continues this one's stream on its own."""
        return Generator(self.device).set_state(self.get_state())

    def get_offset(self) -> int:
        """Only counters of a device have an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> Generator:
        """Only counters of a device have an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator, (self.device,), (self.initial_seed(), None, self.get_state())

    def __setstate__(self, state: tuple[int, Any, Any]) -> None:
        self.set_state(state[2])


def _subclass_for(where: _device, base: type) -> type:
    """`base` with another device; an attribute would change the layout `_publish` relies on."""
    return type(base.__name__, (base,), {"__slots__": (), "device": where})


def _publish(generator: Any) -> Generator:
    # The engine's own default generator becomes the public one, in place: samplers hold it already.
    generator.__class__ = Generator
    return generator  # type: ignore[no-any-return]


default_generator = _publish(rng.default_generator)


def manual_seed(seed: Any) -> Generator:
    """Restart the default generator; the numbers that follow are PyTorch's for that seed."""
    default_generator.manual_seed(int(seed))
    return default_generator


def seed() -> int:
    """Restart the default generator from the operating system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator, a uint8 tensor that PyTorch reads, too."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Continue from a state that `get_rng_state` returned, here or in PyTorch."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """The `with` block draws as it likes; afterwards the stream goes on where it was.

    devices: accelerators to fork, too. All of them draw from the default generator, which is always
    forked, so there is nothing more to save.
    """
    if device_type is not None:
        _device(device_type)
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def thread_safe_generator() -> Generator | None:
    """The generator of a DataLoader worker thread; None, because jtorch's workers are processes."""
    return None
