"""One pass over a DataLoader with worker processes: who loads which batch, and in what order."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import jax

from ..._engine import recorder
from ..._engine.device import accelerators, place_of
from ._iterators import BaseIterator
from ._utils import worker as _worker
from ._utils.fetch import DatasetKind
from ._utils.transport import Receiver

STOP_SECONDS = 5.0
_connections: weakref.WeakSet[Any] = weakref.WeakSet()  # loaders' ends, which workers must not keep


def _default_context() -> Any:
    """fork where that is safe: it needs neither a __main__ guard nor things that pickle."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    if chosen is not None or sys.platform == "darwin" or not hasattr(os, "fork"):
        return multiprocessing.get_context()
    return multiprocessing.get_context("fork")


@contextlib.contextmanager
def _quiet_start(context: Any) -> Iterator[None]:
    """All that a worker may read is computed, and JAX has no thread at work while we fork."""
    place_of("cpu"), accelerators()
    recorder.flush("DataLoader workers start")
    for array in jax.live_arrays():
        array.block_until_ready()
    before = os.environ.get("JAX_PLATFORMS")
    if context.get_start_method() != "fork":
        os.environ["JAX_PLATFORMS"] = "cpu"  # a new process must not take the accelerator
    try:
        with warnings.catch_warnings():
            # JAX's and Python's warnings of forks with threads: our children use neither
            warnings.filterwarnings("ignore", message=r".*os\.fork\(\)")
            warnings.filterwarnings("ignore", message=r".*use of fork\(\) may lead to deadlocks")
            yield
    finally:
        if before is None:
            os.environ.pop("JAX_PLATFORMS", None)
        else:
            os.environ["JAX_PLATFORMS"] = before


class _Worker:
    """A process, and what it has been given to do."""

    def __init__(self, process: Any, connection: Any) -> None:
        self.process, self.connection = process, connection
        self.receiver = Receiver(connection)
        self.active = True  # it still has samples in this epoch
        self.stopped = False  # it was told to stop
        self.tasks = 0

    def send(self, index: Any, what: Any = None) -> None:
        # A worker that has just died is named when its answer is waited for, not here.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((self.receiver.take_done(), index, what))

    def stop(self) -> None:
        self.active, self.stopped = False, True
        with contextlib.suppress(OSError, ValueError):
            self.connection.send(_worker.STOP)


class MultiProcessIterator(BaseIterator):
    """Hands out index lists to workers in turn, and batches in the order of the indices."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._prefetch_factor, self._in_order = loader.prefetch_factor, loader.in_order
        if self._prefetch_factor <= 0:
            raise AssertionError(
                "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
            )
        self._workers: list[_Worker] = []
        self._shutdown = False
        context = loader.multiprocessing_context or _default_context()
        with _quiet_start(context):
            for i in range(self._num_workers):
                self._workers.append(self._start(context, loader, i))
        self._reset(loader, first_iter=True)

    def _start(self, context: Any, loader: Any, number: int) -> _Worker:
        job = _worker.Job(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn,
            self._drop_last, self._base_seed, loader.worker_init_fn, number, self._num_workers,
        )  # fmt: skip
        ours, theirs = context.Pipe(duplex=True)
        forks = context.get_start_method() == "fork"
        others = [*_connections, ours] if forks else []
        process = context.Process(target=_worker.main, args=(job, theirs, others), daemon=True)
        process.start()
        theirs.close()
        _connections.add(ours)
        return _Worker(process, ours)

    def _reset(self, loader: Any, first_iter: bool = False) -> None:
        super()._reset(loader, first_iter)
        self._send_idx = self._rcvd_idx = 0
        # by index: who has it, and the batch once it is here
        self._task_info: dict[int, tuple[Any, ...]] = {}
        self._outstanding = 0
        self._turn = itertools.cycle(range(self._num_workers))
        if not first_iter:
            self._resume()
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _resume(self) -> None:
        """A new epoch for persistent workers: what is left of the last one is dropped."""
        waiting = set(self._workers)
        for w in self._workers:
            w.active, w.tasks = True, 0
            w.send(_worker.RESUME)
        while waiting:
            w, index, _ = self._get_data()
            if index == _worker.RESUME:
                waiting.discard(w)

    # --- handing out ---------------------------------------------------------------------------

    def _try_put_index(self) -> None:
        try:
            index = self._next_index()
        except StopIteration:
            return
        w = self._next_worker()
        if w is None:
            return
        w.send(self._send_idx, index)
        self._task_info[self._send_idx] = (w,)
        w.tasks += 1
        self._outstanding += 1
        self._send_idx += 1

    def _next_worker(self) -> _Worker | None:
        most = self._prefetch_factor * self._num_workers
        for _ in range(self._num_workers):
            w = self._workers[next(self._turn)]
            if not w.active:
                continue
            active = sum(other.active for other in self._workers)
            if self._in_order or w.tasks < most // active:
                return w
        return None

    # --- taking in -----------------------------------------------------------------------------

    def _next_data(self) -> Any:
        while True:
            if not self._find_next():
                if not self._persistent_workers:
                    self._shutdown_workers()
                raise StopIteration
            info = self._task_info[self._rcvd_idx]
            if len(info) == 2:
                del self._task_info[self._rcvd_idx]
                self._rcvd_idx += 1
                return self._process_data(info[1], info[0])
            w, index, data = self._get_data()
            self._outstanding -= 1
            if self._dataset_kind == DatasetKind.Iterable and isinstance(data, _worker.StreamEnd):
                w.active = False
                if not self._persistent_workers:
                    w.stop()
                self._try_put_index()
            elif index == self._rcvd_idx or not self._in_order:
                del self._task_info[index]
                self._rcvd_idx += index == self._rcvd_idx
                return self._process_data(data, w)
            else:
                self._task_info[index] += (data,)

    def _find_next(self) -> bool:
        """Move on to the next index that will bring a batch; False when there is none."""
        while self._rcvd_idx < self._send_idx:
            info = self._task_info.get(self._rcvd_idx)
            if info is not None:
                if len(info) == 2 or info[0].active:
                    return True
                del self._task_info[self._rcvd_idx]
            self._rcvd_idx += 1
        return False

    def _process_data(self, data: Any, w: _Worker) -> Any:
        w.tasks -= 1
        self._try_put_index()
        if isinstance(data, _worker.Failure):
            data.reraise()
        return data

    def _get_data(self) -> tuple[_Worker, Any, Any]:
        """The next message of any worker.  RuntimeError after the timeout, or if a worker died."""
        end = time.monotonic() + self._timeout if self._timeout > 0 else None
        listening = {w.connection: w for w in self._workers if not w.stopped}
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            ready = multiprocessing.connection.wait(list(listening), left)
            if not ready:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            w = listening[ready[0]]  # type: ignore[index]
            try:
                return (w, *w.receiver.receive())
            except (EOFError, ConnectionResetError):
                self._report_dead()

    def _report_dead(self) -> None:
        """Raise for the workers that are gone though they had work to do."""
        dead = []
        for w in self._workers:
            if not w.stopped:
                w.process.join(1.0 if w.connection.poll(0) else 0.0)
                if not w.process.is_alive():
                    dead.append(w)
        for w in dead:
            w.active, w.stopped = False, True
        self._shutdown_workers()
        pids = ", ".join(str(w.process.pid) for w in dead)
        causes = RuntimeError("; ".join(_death(w.process) for w in dead))
        raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly") from causes

    # --- the end -------------------------------------------------------------------------------

    def _shutdown_workers(self) -> None:
        if self._shutdown:
            return
        self._shutdown = True
        for w in self._workers:
            w.stop()
            w.connection.close()  # wakes a worker that is sending
        end = time.monotonic() + STOP_SECONDS
        for w in self._workers:
            w.process.join(max(0.0, end - time.monotonic()))
            if w.process.is_alive():
                w.process.kill()
                w.process.join()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be on its way out
            self._shutdown_workers()


def _death(process: Any) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.strsignal(-code) or signal.Signals(-code).name
        return f"DataLoader worker (pid {process.pid}) is killed by signal: {name}. "
    return (
        f"DataLoader worker (pid {process.pid}) exited unexpectedly with exit code {code}. Details "
        "are lost due to multiprocessing. Rerunning with num_workers=0 may give better error trace."
    )
