"""What a profiler collects while it is on: ops as they are recorded, programs as they are run.

Outside of a profiler nothing here is called. An op's time is that of recording it; its arithmetic
is in the program that runs later, all ops of it fused. In eager mode each op is its own program.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from ._engine import recorder, replay, stats
from ._engine.backward import camel
from ._engine.value import Aval
from .ops import TABLE

RUN, COMPILE = "jtorch::run", "jtorch::compile"


class Event:
    """One interval (microseconds): its name, what it lies in, and how much of it lies in others."""

    __slots__ = ("end", "inner", "input_shapes", "name", "parent", "stack", "start", "thread")

    def __init__(self, name: str, start: float, parent: Event | None) -> None:
        self.name, self.start, self.end, self.parent = name, start, start, parent
        self.inner = 0.0
        self.thread = threading.get_ident()
        self.input_shapes: list[Any] = []
        self.stack: list[str] = []


class Collector:
    """A list of events, and the innermost open one of each thread."""

    def __init__(self, shapes: bool = False, stack: bool = False) -> None:
        self.events: list[Event] = []
        self.shapes, self.stack = shapes, stack
        self.open = threading.local()

    def begin(self, name: str, start: float | None = None) -> Event:
        """An event that starts now, or did at `start`."""
        at = time.perf_counter() * 1e6 if start is None else start
        event = Event(name, at, getattr(self.open, "event", None))
        if self.stack:
            event.stack = ["{}({})".format(*stats.user_line())]
        self.events.append(event)
        self.open.event = event
        return event

    def finish(self, event: Event, end: float | None = None) -> None:
        """The event ends now."""
        event.end = time.perf_counter() * 1e6 if end is None else end
        self.open.event = event.parent
        if event.parent is not None:
            event.parent.inner += event.end - event.start


_active: list[Collector] = []
_plain: dict[str, Any] = {}


def active() -> list[Collector]:
    """The collectors that are on."""
    return _active


def start(collector: Collector) -> None:
    """Put the timed functions in the place of the engine's."""
    if not _active:
        _plain.update(record=recorder.record, execute=recorder.execute, begin=replay.begin)
        recorder.record, recorder.execute = _record, _execute
        replay.begin = lambda *_: None  # a backward that is copied would not be seen
    _active.append(collector)


def stop(collector: Collector) -> None:
    """Take a collector away, and with the last one the timing."""
    _active.remove(collector)
    if not _active:
        recorder.record, recorder.execute = _plain["record"], _plain["execute"]
        replay.begin = _plain["begin"]


def _timed(name: str, sig: Any, f: Callable[[], Any]) -> Any:
    pairs = [(c, c.begin(name)) for c in _active]
    for c, event in pairs:
        if c.shapes and sig is not None:
            event.input_shapes = [list(a.shape) if type(a) is Aval else [] for a in sig.flat]
    try:
        return f()
    finally:
        for c, event in pairs:
            c.finish(event)


def _record(sig: Any, flat: Any, grad: bool = False) -> Any:
    return _timed(_name(sig), sig, lambda: _with_compiles(_plain["record"], sig, flat, grad))


def _execute(program: Any) -> Any:
    return _timed(RUN, None, lambda: _with_compiles(_plain["execute"], program))


def _with_compiles(f: Callable[..., Any], *args: Any) -> Any:
    """Call `f`; what it had to compile becomes an event of its own."""
    before = stats.counts["compiles"]
    result = f(*args)
    new = stats.counts["compiles"] - before
    for e in [e for e in list(stats.events)[-new:] if e.kind == "compile"] if new else ():
        for c in _active:
            c.finish(c.begin(COMPILE, e.start * 1e6), (e.start + e.seconds) * 1e6)
    return result


def _name(sig: Any) -> str:
    """torch's name of an op: `aten::mul`, or `MulBackward0` for its gradient."""
    name, backward = str(sig.name), sig.name.endswith("_vjp")
    row = TABLE.get(name.removesuffix("_vjp"))
    torchs = row.grad_name if row is not None else ""
    if backward:
        return (torchs or camel(name.removesuffix("_vjp"))) + "Backward0"
    return "aten::" + (
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", torchs).lower() if torchs else name.lstrip("_")
    )
