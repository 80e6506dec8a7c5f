"""What the engine is doing: `pending()` prints the program to come, `report()` what ran and why."""

from __future__ import annotations

import os
from typing import Any

from ._engine import recorder, stats
from ._engine.device import place_of


def pending(device: Any = None) -> str:
    """The pending program of this thread as readable Python."""
    return str(recorder.pending(place_of(device)))


def _at(line: tuple[str, int]) -> str:
    return f"{os.path.relpath(line[0]) if line[0].startswith('/') else line[0]}:{line[1]}"


def report() -> str:
    """Every sync and every compile so far, with its source line, cause and seconds, as a table."""
    counts = stats.counts
    lines = [
        f"jtorch report: {counts['runs']} programs run, {counts['compiles']} compiled, "
        f"{counts['interpreted']} run in NumPy instead, {counts['cut']} cut at a loop's period",
        "",
        "what made programs run:",
    ]
    rows = sorted(stats.sync_totals.items(), key=lambda kv: -kv[1][1])
    lines += [
        f"  {int(n):6d} x  {s:8.3f} s  {reason:24s} {_at(line)}" for (reason, line), (n, s) in rows
    ]
    lines += ["", "compiles:"]
    lines += [
        f"  {e.seconds:8.3f} s  {_at(e.line)}  {e.reason}"
        for e in stats.events
        if e.kind == "compile"
    ]
    return "\n".join(lines)
