"""`torch.autograd.profiler`: which ops are recorded, what runs and compiles, and for how long."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import jax

from .. import _profiling
from .._engine.device import accelerators
from .profiler_util import EventList, FunctionEventAvg, rows_of

__all__ = ["profile", "record_function"]
_MEMORY = (
    "memory belongs to whole programs: `jax.profiler.device_memory_profile()` shows what is held."
)


class profile:
    """Collects events for the length of a `with` block.

    Times are the host's: of an op, recording it; of `jtorch::run`, starting a program. What an
    accelerator does is in JAX's trace (`jax.profiler.trace(folder)` around the block), where the
    names of `record_function` appear, too.
    """

    def __init__(
        self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None,
        record_shapes: bool = False, with_flops: bool = False, profile_memory: bool = False,
        with_stack: bool = False, with_modules: bool = False, use_kineto: bool = False,
        use_cpu: bool = True, experimental_config: Any = None, acc_events: bool = False,
    ) -> None:  # fmt: skip
        for on, what, why in (
            (with_flops, "with_flops", "ask jax.jit(f).lower(...).compile().cost_analysis()."),
            (profile_memory, "profile_memory", _MEMORY),
            (with_modules, "with_modules", "with_stack=True names the source line."),
            (experimental_config is not None, "experimental_config", "leave it out."),
            (not use_cpu, "use_cpu=False", "use jax.profiler.trace(folder) instead."),
        ):
            if on:
                raise NotImplementedError(f"profile({what}): {why}")
        if use_cuda or use_device:
            _warn_of_devices()
        self.enabled, self.entered = enabled, False
        self._options = {"shapes": record_shapes, "stack": with_stack}
        self._collector: Any = None
        self._rows: EventList | None = None

    def __enter__(self) -> profile:
        if self.enabled:
            if self.entered:
                raise RuntimeError("Profiler context manager is not reentrant")
            self.entered = True
            self._collector = _profiling.Collector(**self._options)
            _profiling.start(self._collector)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.enabled:
            _profiling.stop(self._collector)
            self._rows = rows_of(self._collector.events)

    @property
    def function_events(self) -> EventList:
        """One row for each event."""
        return EventList() if self._rows is None else self._rows

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """One row for each name (and shapes of operands, and source lines)."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n)

    def table(self, **options: Any) -> str:
        """Every event as a row of a table; options are those of `EventList.table`."""
        return self.function_events.table(**options)

    def total_average(self) -> FunctionEventAvg:
        """One row for everything."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return self.function_events.self_cpu_time_total

    def export_chrome_trace(self, path: Any) -> None:
        """The events as a file for chrome://tracing or Perfetto."""
        self.function_events.export_chrome_trace(path)

    def __str__(self) -> str:
        return str(self.function_events)


def _warn_of_devices() -> None:
    if not accelerators():
        warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=3)
        return
    warnings.warn(
        "jtorch's profiler times the host; for the accelerator put jax.profiler.trace(folder) "
        "around the same block",
        stacklevel=3,
    )


class record_function(contextlib.ContextDecorator):
    """A name for a block (or for each call of a decorated function): in profiles and in JAX's
    traces.
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args
        self._open: list[Any] = []

    def __enter__(self) -> record_function:
        annotation = jax.profiler.TraceAnnotation(self.name)
        annotation.__enter__()
        events = [(c, c.begin(self.name)) for c in _profiling.active()]
        self._open.append((annotation, events))
        return self

    def __exit__(self, *error: Any) -> None:
        annotation, events = self._open.pop()
        for collector, event in events:
            collector.finish(event)
        annotation.__exit__(*error)
