"""The lists of events that profilers give: sums by name, a table, a trace file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from .._profiling import Event

_WIDTH = 12


def _time(us: float, unit: str | None = None) -> str:
    """A time as torch prints it: 12.345us, 1.234ms."""
    if unit is None:
        unit = "s" if us >= 1e6 else "ms" if us >= 1e3 else "us"
    return f"{us / {'s': 1e6, 'ms': 1e3, 'us': 1.0}[unit]:.3f}{unit}"


class FunctionEventAvg:
    """One row: an event, or the sum of all that share a name.  Times in microseconds.

    Device times are 0: what a program does on an accelerator is in JAX's own trace.
    """

    device_time = device_time_total = self_device_time_total = 0.0

    def __init__(self, key: str, input_shapes: Any = (), stack: Any = ()) -> None:
        self.key = self.name = key
        self.count, self.cpu_time_total, self.self_cpu_time_total = 0, 0.0, 0.0
        self.input_shapes, self.stack = list(input_shapes), list(stack)
        self.cpu_parent: Any = None

    def add(self, other: Any) -> FunctionEventAvg:
        """Sum another row, or an event, into this one."""
        if isinstance(other, Event):
            whole = other.end - other.start
            self.count += 1
            self.self_cpu_time_total += whole - other.inner
            self.cpu_time_total += whole
        else:
            self.count += other.count
            self.self_cpu_time_total += other.self_cpu_time_total
            self.cpu_time_total += other.cpu_time_total
        return self

    @property
    def cpu_time(self) -> float:
        """The mean."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        """The mean as text."""
        return _time(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        """The total as text."""
        return _time(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """The total without inner events as text."""
        return _time(self.self_cpu_time_total)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str} input_shapes={self.input_shapes}>"
        )


class EventList(list[Any]):
    """Rows of a profile."""

    def __init__(self, rows: Iterable[Any] = (), events: Iterable[Event] = ()) -> None:
        super().__init__(rows)
        self._events = list(events)

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return float(sum(e.self_cpu_time_total for e in self))

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """One row for each name (and shapes of operands, and source lines)."""
        sums: dict[Any, FunctionEventAvg] = {}
        for e in self._events:
            shapes = e.input_shapes if group_by_input_shapes else []
            stack = e.stack[:group_by_stack_n]
            key = (e.name, str(shapes), tuple(stack))
            if key not in sums:
                sums[key] = FunctionEventAvg(e.name, shapes, stack)
            sums[key].add(e)
        return EventList(sums.values(), self._events)

    def total_average(self) -> FunctionEventAvg:
        """One row for everything."""
        total = FunctionEventAvg("Total")
        for e in self:
            total.add(e)
        return total

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80,
        header: str | None = None, top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """The rows as torch prints them."""
        rows = list(self)
        if not rows:
            return ""
        if sort_by is not None:
            name = sort_by.replace("cuda", "device").replace("xpu", "device")
            rows.sort(key=lambda e: getattr(e, name), reverse=True)
        if top_level_events_only:
            rows = [e for e in rows if e.cpu_parent is None]
        total = sum(e.self_cpu_time_total for e in self)
        shown = rows if row_limit < 0 else rows[:row_limit]
        cells = [
            [_cut(e.key, max_name_column_width), *_times(e, total, time_unit), str(e.count)]
            for e in shown
        ]
        heads = [
            "Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg",
            "# of Calls",
        ]  # fmt: skip
        widths = [min(max(len(e.key) for e in rows) + 4, max_name_column_width)] + [_WIDTH] * 6
        for title, texts, limit in (
            ("Input Shapes", [str(e.input_shapes) if e.input_shapes else "[]" for e in shown],
             max_shapes_column_width),
            ("Source Location", [", ".join(e.stack) for e in shown], max_src_column_width),
        ):  # fmt: skip
            if any(t not in ("", "[]") for t in texts):
                heads.append(title)
                widths.append(min(max(map(len, texts)) + 4, limit))
                for row, text in zip(cells, texts, strict=True):
                    row.append(text[-limit:])
        lines = [_line(heads, widths), *(_line(c, widths) for c in cells)]
        rule = "".join("-" * w + "  " for w in widths)
        above = ["=" * (len(rule) - 2), header] if header is not None else []
        end = f"Self CPU time total: {_time(total, time_unit)}"
        return "\n".join([*above, rule, lines[0], rule, *lines[1:], rule, end, ""])

    def export_chrome_trace(self, path: Any) -> None:
        """The events as a file for chrome://tracing or Perfetto."""
        found = [
            {
                "ph": "X", "cat": "cpu_op", "name": e.name, "ts": e.start, "dur": e.end - e.start,
                "pid": os.getpid(), "tid": e.thread,
                "args": {"Input Dims": e.input_shapes} if e.input_shapes else {},
            }
            for e in self._events
        ]  # fmt: skip
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"schemaVersion": 1, "traceEvents": found}, f)


def _cut(name: str, width: int) -> str:
    return name if len(name) < width - 3 else name[: width - 3] + "..."


def _times(e: Any, total: float, unit: str | None) -> list[str]:
    def share(us: float) -> str:
        return f"{us * 100 / total:.2f}%" if total else "NaN"

    return [
        share(e.self_cpu_time_total), _time(e.self_cpu_time_total, unit),
        share(e.cpu_time_total), _time(e.cpu_time_total, unit), _time(e.cpu_time, unit),
    ]  # fmt: skip


def _line(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{c:>{w}}  " for c, w in zip(cells, widths, strict=True))


def rows_of(events: list[Event]) -> EventList:
    """One row for each event, in the order in which they began."""
    rows = []
    for e in events:
        row = FunctionEventAvg(e.name, e.input_shapes, e.stack).add(e)
        row.cpu_parent = e.parent
        rows.append(row)
    return EventList(rows, events)
