"""What the engine did and why: counters for tests, events for `report()`, the user's
source line.
"""

from __future__ import annotations

import collections
import os
import sys
import time
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
counts: collections.Counter[str] = collections.Counter()
_ours: dict[str, bool] = {}


class Event:
    """One sync or compile: its kind, the user's line, why, and how long it took (seconds)."""

    __slots__ = ("kind", "line", "reason", "seconds", "start")

    def __init__(self, kind: str, reason: str, line: tuple[str, int], seconds: float = 0.0) -> None:
        self.kind, self.reason, self.line, self.seconds = kind, reason, line, seconds
        self.start = time.perf_counter()


_MAX_EVENTS = 10_000
events: collections.deque[Event] = collections.deque(maxlen=_MAX_EVENTS)
sync_totals: dict[tuple[str, tuple[str, int]], list[float]] = {}


def user_line() -> tuple[str, int]:
    """File and line of the innermost frame that is not ours (nor a generated function of ours)."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        ours = _ours.get(name)
        if ours is None:
            ours = _ours[name] = name.startswith((PACKAGE, "<jtorch"))
        if not ours:
            return name, frame.f_lineno
        frame = frame.f_back
    return "?", 0


def note_sync(reason: str, seconds: float, line: tuple[str, int] | None = None) -> None:
    """Record that a pending program had to run, and for which line (None: the one that runs)."""
    counts["flush"] += 1
    counts[f"flush:{reason}"] += 1
    entry = sync_totals.setdefault((reason, line or user_line()), [0, 0.0])
    entry[0] += 1
    entry[1] += seconds


def reset() -> None:
    """Forget all counters and events (tests and `report` use it)."""
    counts.clear()
    events.clear()
    sync_totals.clear()
