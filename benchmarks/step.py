"""`python -m benchmarks.step`: one training step in jtorch, hand-written JAX and eager PyTorch.

Every column is a process; all are started first and then take turns, one running at a time, in
rounds whose order rotates. The table shows medians over rounds.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from .problems import PROBLEMS

REPOSITORY = Path(__file__).parent.parent
COLUMNS = {
    "jtorch": "jtorch, unmodified loop",
    "jax": "JAX by hand, jit + donation",
    "torch": "PyTorch eager",
}
DEFAULT_PROBLEMS = ("mlp-small", "mlp-large", "cnn", "gpt")
CHECKED_STEPS = 3  # steps whose losses must agree between the columns


class Column:
    """A worker process and what it has measured."""

    def __init__(self, name: str, problem: str, device: str) -> None:
        environment = dict(os.environ)
        if device == "cpu":
            environment["JAX_PLATFORMS"] = "cpu"
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, problem, device],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds: list[float] = []

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([command, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the {self.name} worker ended at {command!r}; its error is above")
        return dict(json.loads(line))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def check_losses(started: dict[str, dict[str, Any]]) -> None:
    """All columns train the same model on the same data, or the comparison means nothing."""
    (_, first), *rest = started.items()
    for name, answer in rest:
        for step, (a, b) in enumerate(zip(first["losses"], answer["losses"], strict=True)):
            if not math.isclose(a, b, rel_tol=1e-3):
                raise SystemExit(f"step {step}: the loss is {a} in one column, {b} in {name}")


def measure(problem: str, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Everything the tables need to know about one problem, by column."""
    columns = [Column(name, problem, args.device) for name in args.columns]
    try:
        found = {column.name: column.ask("start", steps=CHECKED_STEPS) for column in columns}
        check_losses(found)
        steps = steps_per_round(columns, args)
        for number in range(args.rounds):
            turn = number % len(columns)
            for column in columns[turn:] + columns[:turn]:
                answer = column.ask("run", steps=steps, sync_every=args.sync_every)
                column.seconds.append(answer["seconds"])
        for column in columns:
            found[column.name] |= {
                "seconds": statistics.median(column.seconds),
                "spread": statistics.quantiles(column.seconds, n=4)[::2],
                "steps_per_round": steps,
                **column.ask("record"),
                **column.ask("memory"),
            }
    finally:
        for column in columns:
            column.close()
    return found


def steps_per_round(columns: list[Column], args: argparse.Namespace) -> int:
    """Warm every column up; then as many steps as take the slowest about `--seconds`."""
    slowest = 0.0
    for column in columns:
        column.ask("run", steps=args.sync_every, sync_every=args.sync_every)
        answer = column.ask("run", steps=2, sync_every=args.sync_every)
        slowest = max(slowest, answer["seconds"])
    return max(2, round(args.seconds / slowest))


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def step_table(results: dict[str, dict[str, dict[str, Any]]], columns: list[str]) -> str:
    """Milliseconds a step and, for each column, the multiple of the hand-written JAX step."""
    header = ["training step", *(COLUMNS[name] for name in columns)]
    rows = []
    for problem, found in results.items():
        base = found.get("jax", {}).get("seconds")
        row = [PROBLEMS[problem].title]
        for name in columns:
            seconds = found[name]["seconds"]
            ratio = f" ({seconds / base:.2f}x)" if base and name != "jax" else ""
            row.append(f"{seconds * 1e3:.3f} ms{ratio}")
        rows.append(row)
    return table(header, rows)


def cost_table(results: dict[str, dict[str, dict[str, Any]]], columns: list[str]) -> str:
    """Seconds to the first step, peak memory, and Python's time per recorded op."""
    header = ["training step", "seconds to the first step", "peak MiB (over imports)"]
    header += ["ops recorded by forward + backward", "Python per op"]
    header[1:3] = [f"{title}: {', '.join(columns)}" for title in header[1:3]]
    rows = []
    for problem, found in results.items():
        row = [PROBLEMS[problem].title]
        row.append(" / ".join(f"{found[name]['first_step_seconds']:.1f}" for name in columns))
        row.append(" / ".join(mebibytes(found[name]) for name in columns))
        recorded = found.get("jtorch", {})
        row.append(str(recorded.get("ops", "-")))
        cost = recorded.get("seconds_per_op")
        row.append("-" if cost is None else f"{cost * 1e6:.2f} us")
        rows.append(row)
    return table(header, rows)


def mebibytes(found: dict[str, Any]) -> str:
    peak, imported = found["peak"] / 2**20, found["imported"] / 2**20
    return f"{peak:.0f} ({peak - imported:.0f})"


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--problems", nargs="+", choices=PROBLEMS, default=DEFAULT_PROBLEMS, metavar="NAME",
        help=f"which training steps: {', '.join(PROBLEMS)}",
    )  # fmt: skip
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--rounds", type=int, default=15, help="turns of each column (at least 2)")
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long a turn takes")
    parser.add_argument("--sync-every", type=int, default=10, help="steps between loss readings")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--json", metavar="FILE", help="write every figure")
    args = parser.parse_args(argv)
    if args.rounds < 2:
        parser.error("--rounds must be at least 2: a median of one is no median")
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    results = {problem: measure(problem, args) for problem in args.problems}
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {args.device}; "
        f"median of {args.rounds} interleaved rounds, loss read every {args.sync_every} steps "
        "and after each round\n"
    )
    print(step_table(results, args.columns) + "\n")
    print(cost_table(results, args.columns))
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
