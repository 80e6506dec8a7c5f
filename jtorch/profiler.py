"""`torch.profiler`: the profiler with a schedule of steps."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from .autograd import profiler as _profiler
from .autograd.profiler import record_function as record_function
from .autograd.profiler_util import EventList
from .cuda import is_available as _accelerated

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule",
    "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip


class ProfilerAction(Enum):
    """What a profiler does during a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class ProfilerActivity(Enum):
    """Whose time is asked for."""

    CPU = 0
    XPU = 1
    CUDA = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """What `activities=` may name here."""
    return {ProfilerActivity.CPU} | ({ProfilerActivity.CUDA} if _accelerated() else set())


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:  # fmt: skip
    """Step number -> action: skip, then cycles of wait, warm up and record.

    Source: torch.profiler.schedule.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} "
            f"(need >= 0), active={active} (need > 0), repeat={repeat} (need >= 0), "
            f"skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        warnings.warn(
            "Profiler won't be using warmup, this can skew profiler results", stacklevel=2
        )
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait != 0:  # the first cycle does not wait
            step += wait
        if repeat > 0 and step // cycle >= repeat:
            return ProfilerAction.NONE
        at = step % cycle
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return _RECORDING[at == cycle - 1]

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """An `on_trace_ready` that writes each trace into a folder."""
    if use_gzip:
        raise NotImplementedError(
            "tensorboard_trace_handler(use_gzip=True): traces are plain JSON."
        )

    def handler(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return handler


class profile:
    """Collects events in the steps that a schedule names; without one, in all.

    What is timed is said in `autograd.profiler.profile`.  Source: torch.profiler.profile.
    """

    def __init__(
        self, *, activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False,
        profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
        with_modules: bool = False, experimental_config: Any = None,
        execution_trace_observer: Any = None, acc_events: bool = False,
        use_cuda: bool | None = None,
    ) -> None:  # fmt: skip
        if execution_trace_observer is not None:
            raise NotImplementedError("profile(execution_trace_observer=): leave it out.")
        asked = set(activities or ())
        self._options = {
            "record_shapes": record_shapes, "profile_memory": profile_memory,
            "with_stack": with_stack, "with_flops": with_flops, "with_modules": with_modules,
            "experimental_config": experimental_config,
        }  # fmt: skip
        # the answers to its arguments, once
        device = bool(use_cuda) or (ProfilerActivity.CUDA in asked and _accelerated())
        _profiler.profile(use_cuda=device, **self._options)
        self._schedule, self._ready = schedule, on_trace_ready
        self.step_num = 0
        self.current_action = self._action(0)
        self.profiler: Any = None
        self._running: Any = None
        self._step: Any = None

    def _action(self, step: int) -> ProfilerAction:
        return ProfilerAction.RECORD if self._schedule is None else self._schedule(step)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin with step 0."""
        self._follow(self.current_action)
        self._name_step()

    def stop(self) -> None:
        """End the step that is on; a trace that is on is ready."""
        self._end_step()
        if self._running is not None:
            self._end()
            self._say_ready()

    def step(self) -> None:
        """The next step begins."""
        self._end_step()
        before = self.current_action
        self.step_num += 1
        self.current_action = self._action(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._end()
            self._say_ready()
        self._follow(self.current_action)
        self._name_step()

    def _follow(self, action: ProfilerAction) -> None:
        if action in _RECORDING and self._running is None:
            self._running = _profiler.profile(**self._options).__enter__()
        elif action not in _RECORDING and self._running is not None:
            self._end()

    def _end(self) -> None:
        self._running.__exit__(None, None, None)
        self.profiler, self._running = self._running, None

    def _say_ready(self) -> None:
        if self._ready is not None:
            self._ready(self)

    def _name_step(self) -> None:
        if self._schedule is not None:
            self._step = record_function(f"ProfilerStep#{self.step_num}").__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None

    def _done(self) -> Any:
        if self.profiler is None:
            raise AssertionError("Profiler must be initialized before getting key averages")
        return self.profiler

    def events(self) -> EventList:
        """One row for each event of the last trace."""
        return self._done().function_events  # type: ignore[no-any-return]

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """One row for each name (and shapes of operands, and source lines)."""
        return self._done().key_averages(group_by_input_shape, group_by_stack_n)  # type: ignore[no-any-return]

    def export_chrome_trace(self, path: Any) -> None:
        """The last trace as a file for chrome://tracing or Perfetto."""
        self._done().export_chrome_trace(path)
