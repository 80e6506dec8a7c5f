"""`torch.multiprocessing`: Python's own, with `spawn`; tensors travel by value."""

from __future__ import annotations

import multiprocessing as _python
import traceback
from multiprocessing import *  # noqa: F403  torch.multiprocessing has all of these names
from typing import Any

__all__ = [
    *_python.__all__, "ProcessContext", "ProcessExitedException", "ProcessRaisedException",
    "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn",
    "start_processes",
]  # fmt: skip


class ProcessRaisedException(Exception):
    """A process that `spawn` started raised; the message holds its traceback."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.error_index, self.error_pid = error_index, error_pid


class ProcessExitedException(Exception):
    """A process that `spawn` started ended without raising: a signal or an exit code."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: Any = None
    ) -> None:
        super().__init__(msg)
        self.error_index, self.error_pid = error_index, error_pid
        self.exit_code, self.signal_name = exit_code, signal_name


def get_all_sharing_strategies() -> set[str]:
    """Only by file: values are pickled."""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """'file_system'."""
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """PyTorch's choices; jtorch pickles values whichever it is."""
    if new_strategy not in ("file_descriptor", "file_system"):
        raise AssertionError(f"invalid sharing strategy: {new_strategy}")


def _wrapped(fn: Any, index: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        errors.put(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """The processes that `spawn` started."""

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes, self._errors = processes, errors

    def pids(self) -> list[int]:
        """Their process ids."""
        return [int(p.pid) for p in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for them; True when all are done. The first that fails ends the others."""
        from multiprocessing.connection import wait

        alive = [p for p in self.processes if p.is_alive()]
        if alive:
            wait([p.sentinel for p in alive], timeout)
        failed = next((i for i, p in enumerate(self.processes) if p.exitcode), None)
        if failed is not None:
            self._raise(failed)
        return all(p.exitcode == 0 for p in self.processes)

    def _raise(self, i: int) -> None:
        for p in self.processes:
            if p.is_alive():
                p.terminate()
        for p in self.processes:
            p.join()
        p = self.processes[i]
        if not self._errors[i].empty():
            text = (
                f"\n\n-- Process {i} terminated with the following error:\n{self._errors[i].get()}"
            )
            raise ProcessRaisedException(text, i, p.pid)
        if p.exitcode < 0:
            import signal

            name = signal.Signals(-p.exitcode).name
            raise ProcessExitedException(
                f"process {i} terminated with signal {name}", i, p.pid, p.exitcode, name
            )
        raise ProcessExitedException(
            f"process {i} terminated with exit code {p.exitcode}", i, p.pid, p.exitcode
        )


def start_processes(
    fn: Any, args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn", numa_options: Any = None,
) -> ProcessContext | None:  # fmt: skip
    """`nprocs` processes that call `fn(i, *args)`; waits for them, or returns what can."""
    if numa_options is not None:
        raise NotImplementedError(
            "start_processes(numa_options=...) is not supported: leave it out"
        )
    context = _python.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        errors.append(context.SimpleQueue())
        process = context.Process(target=_wrapped, args=(fn, i, args, errors[i]), daemon=daemon)  # type: ignore[attr-defined]
        process.start()
        processes.append(process)
    started = ProcessContext(processes, errors)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Any, args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """`nprocs` fresh processes that call `fn(i, *args)`."""
    if start_method != "spawn":
        raise NotImplementedError("spawn() starts with 'spawn' only: use start_processes().")
    return start_processes(fn, args, nprocs, join, daemon, start_method)
