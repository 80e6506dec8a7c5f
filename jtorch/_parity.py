"""`python -m jtorch parity script.py`: the same script in PyTorch and in jtorch, step by step."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

_EVENT = dict[str, Any]


@dataclass
class Run:
    """What one run wrote down."""

    events: list[_EVENT]
    arrays: Any

    def of(self, event: _EVENT) -> np.ndarray[Any, Any]:
        """The array of an event."""
        return np.asarray(self.arrays[event["key"]])


@dataclass
class Difference:
    """Where the two runs part, and why, most likely."""

    event: _EVENT
    amount: float
    cause: str


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("jtorch parity", description=__doc__, allow_abbrev=False)
    p.add_argument("--steps", type=int, default=20, help="optimizer steps to compare (%(default)s)")
    p.add_argument("--seed", type=int, default=0, help="set before the script (%(default)s)")
    p.add_argument(
        "--tolerance",
        type=float,
        default=1e-5,
        help="relative difference that counts (%(default)s)",
    )
    p.add_argument("--plot", default="parity.svg", help="where the plot goes ('' for none)")
    p.add_argument("script")
    p.add_argument("args", nargs=argparse.REMAINDER)
    return p


def main(argv: list[str]) -> int:
    """Run twice, compare, print; 0 if nothing differs by more than the tolerance."""
    options = _parser().parse_args(argv)
    if not os.path.isfile(options.script):
        sys.exit(f"jtorch: can't open file '{options.script}'")
    if importlib.util.find_spec("torch") is None:
        sys.exit("jtorch parity compares with PyTorch itself, which is not installed here.")
    with tempfile.TemporaryDirectory() as folder:
        theirs = _run([sys.executable], os.path.join(folder, "torch"), options, "PyTorch")
        mine = _run(
            [sys.executable, "-m", "jtorch"], os.path.join(folder, "jtorch"), options, "jtorch"
        )
    rows, first = compare(theirs, mine, options.tolerance)
    print(table(rows))
    print(explain(first, theirs, mine, options.tolerance))
    if options.plot:
        with open(options.plot, "w") as f:
            f.write(plot(rows))
        print(f"plot: {options.plot}")
    return 0 if first is None else 1


def _run(python: list[str], folder: str, options: Any, name: str) -> Run:
    recorder = os.path.join(os.path.dirname(__file__), "_parity_record.py")
    command = [*python, recorder, folder, str(options.steps), str(options.seed), options.script]
    done = subprocess.run([*command, *options.args], capture_output=True, text=True, check=False)
    events = os.path.join(folder, "events.json")
    if done.returncode:
        sys.stderr.write(done.stderr)
        print(f"(the script failed under {name}; comparing what it did before)", file=sys.stderr)
    if not os.path.exists(events):
        sys.exit(f"jtorch parity: nothing was recorded under {name}")
    with open(events) as f:
        found = json.load(f)
    with np.load(os.path.join(folder, "arrays.npz")) as arrays:
        return Run(found, {name: arrays[name] for name in arrays.files})


def distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """The largest difference over the largest number; infinite for other shapes."""
    if a.shape != b.shape:
        return math.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    with np.errstate(all="ignore"):
        apart = np.abs(np.where(same, 0, a - b)).max()
        size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
    return float(apart / size) if size and np.isfinite(apart) else math.inf


def _pairs(theirs: Run, mine: Run) -> list[tuple[_EVENT, _EVENT]]:
    """Events of the same kind and name, in PyTorch's order."""
    waiting: dict[tuple[Any, ...], list[_EVENT]] = {}
    for e in mine.events:
        waiting.setdefault((e["kind"], e["name"], e["step"]), []).append(e)
    pairs = []
    for e in theirs.events:
        queue = waiting.get((e["kind"], e["name"], e["step"]))
        if queue:
            pairs.append((e, queue.pop(0)))
    return pairs


def compare(theirs: Run, mine: Run, tolerance: float) -> tuple[list[_EVENT], Difference | None]:
    """(a row for each step, the first difference above the tolerance)."""
    rows: dict[int, _EVENT] = {}
    first, stream_parted = None, None
    for a, b in _pairs(theirs, mine):
        if a["kind"] == "stream":
            if a["state"] != b["state"] and stream_parted is None:
                stream_parted = a
            continue
        amount = distance(theirs.of(a), mine.of(b))
        row = rows.setdefault(a["step"], {"step": a["step"]})
        if a["kind"] == "loss":
            row.setdefault("torch", float(theirs.of(a).reshape(-1)[0]))
            row.setdefault("jtorch", float(mine.of(b).reshape(-1)[0]))
        row[a["kind"]] = max(row.get(a["kind"], 0.0), amount)
        if first is None and (amount > tolerance or a["dtype"] != b["dtype"]):
            first = Difference(a, amount, _cause(a, b, amount, stream_parted))
    return [rows[s] for s in sorted(rows)], first


def _cause(a: _EVENT, b: _EVENT, amount: float, stream: _EVENT | None) -> str:
    if a["dtype"] != b["dtype"]:
        return f"dtype: PyTorch has {a['dtype']}, jtorch {b['dtype']}"
    if stream is not None or a["kind"] == "initial":
        where = "" if stream is None else f" (the streams part before step {stream['step']})"
        return f"random stream: the two drew different numbers{where}"
    if amount < 1e-3:
        return (
            "order of reduction: sums round differently, and the difference grows from step to step"
        )
    return "op: this module or gradient computes something else; please report it"


_COLUMNS = (("step", "step"), ("torch", "loss (PyTorch)"), ("jtorch", "loss (jtorch)"),
            ("loss", "loss diff"), ("output", "outputs"), ("gradient", "gradients"),
            ("parameter", "parameters"))  # fmt: skip


def table(rows: list[_EVENT]) -> str:
    """Losses, and the largest relative differences, for each step."""
    text = [[title for _, title in _COLUMNS]]
    for row in rows:
        text.append([_cell(key, row.get(key)) for key, _ in _COLUMNS])
    widths = [max(map(len, column)) for column in zip(*text, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in text
    )


def _cell(key: str, x: Any) -> str:
    if x is None:
        return "-"
    if key == "step":
        return str(x)
    return f"{x:.7g}" if key in ("torch", "jtorch") else f"{x:.1e}"


def explain(first: Difference | None, theirs: Run, mine: Run, tolerance: float) -> str:
    """What to make of it."""
    counts = f"{len(theirs.events)} events under PyTorch, {len(mine.events)} under jtorch"
    if first is None:
        compared = len(_pairs(theirs, mine))
        return f"no difference above {tolerance:g} ({compared} compared; {counts})"
    e = first.event
    what = f"{e['kind']} {e['name']}" if e["name"] != e["kind"] else e["kind"]
    return (
        f"first difference: {what} at step {e['step']}, by {first.amount:.1e} of its size\n"
        f"likely cause: {first.cause}"
    )


_COLORS = {"loss": "#d62728", "gradient": "#1f77b4", "parameter": "#2ca02c"}


def plot(rows: list[_EVENT]) -> str:
    """Relative differences by step on a logarithmic scale, as SVG."""
    low, high = -9, 1
    last = max([r["step"] for r in rows] or [1]) or 1

    def point(step: int, value: float) -> str:
        exponent = math.log10(min(max(value, 10.0**low), 10.0**high))
        y = 20 + (high - exponent) / (high - low) * 260
        return f"{60 + step / last * 520:.1f},{y:.1f}"

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="340" font-family="sans-serif" '
        'font-size="11"><rect width="640" height="340" fill="white"/>'
    ]
    for exponent in range(low, high + 1, 2):
        y = point(0, 10.0**exponent).split(",")[1]
        parts.append(f'<line x1="60" x2="580" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="8" y="{float(y) + 4}">1e{exponent}</text>')
    for i, (kind, color) in enumerate(_COLORS.items()):
        points = " ".join(point(r["step"], r[kind]) for r in rows if kind in r)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}"/>')
        parts.append(f'<text x="{60 + 120 * i}" y="325" fill="{color}">{kind}</text>')
    parts.append('<text x="400" y="325">relative difference by step</text></svg>')
    return "\n".join(parts)
