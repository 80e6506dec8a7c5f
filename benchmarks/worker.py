"""One column of the table in a process of its own: reads commands, answers in JSON lines.

The process works only between a command and its answer, so whoever asks one worker at a time has
the machine to that worker.
"""

import contextlib
import json
import resource
import sys
import time
from typing import Any

from .problems import PROBLEMS

RECORDED_STEPS = 30  # steps over which Python's time per recorded op is taken


class Worker:
    """Answers `start`, `run`, `record` and `memory` for one column and one problem."""

    def __init__(self, column: str, problem: str, device: str) -> None:
        self.column, self.device = column, device
        self.problem = PROBLEMS[problem]
        self.done = 0
        self.imported = 0

    def start(self, steps: int) -> dict[str, Any]:
        """Import, build, train a few steps; seconds from nothing to the first loss."""
        begin = time.perf_counter()
        if self.column == "jax":
            from .jax_step import JaxStep

            self.step: Any = JaxStep()
        else:
            from .torch_step import TorchStep

            self.step = TorchStep(self.column, self.device)
        self.imported = self._peak_bytes()
        import_seconds = time.perf_counter() - begin
        self.step.build(self.problem)
        losses = [self.step.run(0, 1, 1)]
        first = time.perf_counter() - begin
        losses += [self.step.run(i, 1, 1) for i in range(1, steps)]
        self.done = steps
        return {"import_seconds": import_seconds, "first_step_seconds": first, "losses": losses}

    def run(self, steps: int, sync_every: int) -> dict[str, Any]:
        """Seconds per step over `steps` steps."""
        begin = time.perf_counter()
        loss = self.step.run(self.done, steps, sync_every)
        seconds = (time.perf_counter() - begin) / steps
        self.done += steps
        return {"seconds": seconds, "loss": loss}

    def record(self) -> dict[str, Any]:
        """Ops recorded by a forward and a backward of jtorch, and Python's seconds for each.

        Nothing runs in between: the clock stops before the optimizer step that runs the program.
        """
        if self.column != "jtorch":
            return {}
        costs = []
        for _ in range(RECORDED_STEPS):
            begin = time.perf_counter()
            self.step.loss(self.done)
            seconds = time.perf_counter() - begin
            ops = recorded_ops(self.step.torch)
            self.step.optimizer.step()
            self.step.run(self.done, 1, 1)
            self.done += 1
            costs.append(seconds / ops)
        return {"ops": ops, "seconds_per_op": sorted(costs)[len(costs) // 2]}

    def memory(self) -> dict[str, Any]:
        """Peak bytes, the accelerator's or (on the CPU) the process's, and those after imports."""
        return {"peak": self._peak_bytes(), "imported": self.imported}

    def _peak_bytes(self) -> int:
        if self.device == "cpu":
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if self.column == "torch":
            return int(self.step.torch.cuda.max_memory_allocated())
        import jax

        return int(jax.devices()[0].memory_stats()["peak_bytes_in_use"])


def recorded_ops(jtorch: Any) -> int:
    """Instructions waiting in jtorch's pending program: its printed form has one line for each."""
    return sum(" = " in line for line in str(jtorch.pending()).splitlines())


def main() -> None:
    worker = Worker(*sys.argv[1:4])
    answers = sys.stdout
    with contextlib.redirect_stdout(
        sys.stderr
    ):  # a library that prints must not break the protocol
        for line in sys.stdin:
            command, arguments = json.loads(line)
            print(json.dumps(getattr(worker, command)(**arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
