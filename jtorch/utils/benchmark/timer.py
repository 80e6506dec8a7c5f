"""`Timer` and `Measurement`: seconds per run of a statement, after it has compiled."""

from __future__ import annotations

import statistics
import textwrap
import time
import timeit
from dataclasses import dataclass, field
from typing import Any

from ... import cuda

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def timer() -> float:
    """The clock, once what is pending has run."""
    cuda.synchronize()
    return time.perf_counter()


@dataclass
class Measurement:
    """Times of runs of a statement; `times` are seconds per run."""

    number_per_run: int
    raw_times: list[float]
    stmt: str
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1
    metadata: dict[Any, Any] = field(default_factory=dict)

    @property
    def times(self) -> list[float]:
        """Seconds per run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The average."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The width of the middle half."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def title(self) -> str:
        """What was timed."""
        parts = [self.label or self.stmt]
        return ": ".join([*parts, *([self.sub_label] if self.sub_label else [])])

    def __repr__(self) -> str:
        scale, unit = next((u for u in _UNITS if self.median >= u[0]), _UNITS[-1])
        lines = [f"<{type(self).__module__}.{type(self).__name__} object>", self.title]
        if self.description:
            lines.append(self.description)
        if len(self.times) == 1:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        else:
            lines.append(f"  Median: {self.median / scale:.2f} {unit}")
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit}")
        plural = "s" if self.num_threads > 1 else ""
        runs = f"{len(self.times)} measurement{'s' if len(self.times) > 1 else ''}"
        each = f"{self.number_per_run} run{'s' if self.number_per_run > 1 else ''}"
        lines.append(f"  {runs}, {each}{' per measurement' if len(self.times) > 1 else ''}, "
                     f"{self.num_threads} thread{plural}")  # fmt: skip
        return "\n".join(lines)


class Timer:
    """Times a Python statement, warm: one run first compiles it."""

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "", timer: Any = timer,
        globals: dict[str, Any] | None = None, label: str | None = None,
        sub_label: str | None = None, description: str | None = None, env: str | None = None,
        num_threads: int = 1, language: Any = "python",
    ) -> None:  # fmt: skip
        if str(language).lower() not in ("python", "language.python", "py"):
            raise NotImplementedError("torch.utils.benchmark.Timer times Python statements only.")
        self._stmt = textwrap.dedent(stmt).strip()
        self._timer = timeit.Timer(
            self._stmt, textwrap.dedent(setup).strip() or "pass", timer, globals=globals
        )
        self._meta = {
            "stmt": self._stmt, "label": label, "sub_label": sub_label, "description": description,
            "env": env, "num_threads": num_threads,
        }  # fmt: skip

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, **self._meta)  # type: ignore[arg-type]

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One measurement of `number` runs."""
        self._timer.timeit(max(number // 100, 2))
        return self._measured(number, [self._timer.timeit(number)])

    def _number(self, min_run_time: float) -> int:
        """Runs per measurement, so many that the clock's own time does not count."""
        overhead = statistics.median(self._timer.timeit(0) for _ in range(5))
        number = 1
        while True:
            seconds = self._timer.timeit(number)
            if overhead / max(seconds, 1e-12) <= 1e-4 and seconds >= min_run_time / 1000:
                return number
            if seconds > min_run_time:
                return number
            number *= 10

    def blocked_autorange(self, callback: Any = None, min_run_time: float = 0.2) -> Measurement:
        """Measurements until they have taken `min_run_time` seconds together."""
        number, times = self._number(min_run_time), []
        while sum(times) < min_run_time:
            times.append(self._timer.timeit(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def autorange(self, *args: Any, **kwargs: Any) -> Any:
        """PyTorch renamed it."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Any = None,
    ) -> Measurement:  # fmt: skip
        """Measurements until their spread is below `threshold` of the median."""
        number, times = self._number(0.05), []
        while sum(times) < max_run_time:
            times.append(self._timer.timeit(number))
            if callback is not None:
                callback(number, times[-1])
            m = self._measured(number, times)
            if sum(times) > min_run_time and len(times) > 3 and m.iqr / m.median < threshold:
                break
        return self._measured(number, times)
