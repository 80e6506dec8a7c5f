"""What runs in a worker process, and what it knows about itself."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import random
import sys
import threading
import traceback
from typing import Any, NoReturn

import numpy as np

from ...._engine import host, recorder
from ....random import manual_seed
from . import transport
from .fetch import create_fetcher

CHECK_SECONDS = 5.0  # how often a waiting worker looks whether its loader's process still lives


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What `get_worker_info()` tells a worker: its number, seed and copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """About the DataLoader worker that calls; None in any other process."""
    return _worker_info


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker is started with."""

    kind: int
    dataset: Any
    auto_collation: bool
    collate_fn: Any
    drop_last: bool
    base_seed: int
    init_fn: Any
    id: int
    num_workers: int

    def fetcher(self) -> Any:
        """A new pass over the dataset."""
        return create_fetcher(
            self.kind, self.dataset, self.auto_collation, self.collate_fn, self.drop_last
        )


# What the two processes tell each other besides (index, data).
RESUME = "resume"
STOP = None


@dataclasses.dataclass(frozen=True)
class StreamEnd:
    """The worker's part of a stream is used up."""

    worker_id: int


class KeyErrorMessage(str):
    """A text that is printed as it is where KeyError would show its repr."""

    def __repr__(self) -> str:
        return str(self)


@dataclasses.dataclass(frozen=True)
class Failure:
    """An exception and its traceback, on the way to another process."""

    exc_type: Any
    text: str
    where: str

    @classmethod
    def caught(cls, worker_id: int) -> Failure:
        """The exception being handled."""
        kind, _, _ = sys.exc_info()
        where = f"in DataLoader worker process {worker_id}"
        return cls(kind, traceback.format_exc(), where)

    def reraise(self) -> NoReturn:
        """Raise it here, with the traceback from there in its text."""
        text = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.text}"
        if self.exc_type is KeyError:
            raise KeyError(KeyErrorMessage(text))
        if getattr(self.exc_type, "message", None):
            raise self.exc_type(message=text)
        try:
            error = self.exc_type(text)
        except Exception:  # it wants other arguments
            raise RuntimeError(text) from None
        raise error


def main(job: Job, connection: Any, others: Any) -> None:
    """The worker: seeds, then batches until the loader says stop or goes away."""
    recorder.after_fork()
    host.only()
    for other in others:  # or their loaders would seem alive as long as we are
        with contextlib.suppress(OSError):
            other.close()
    sender = transport.Sender(connection)
    transport.use(sender.empty)
    _seed(job)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        _serve(job, tasks, sender)


def _seed(job: Job) -> None:
    global _worker_info
    seed = job.base_seed + job.id
    random.seed(seed)
    manual_seed(seed)
    words = [job.id, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    _worker_info = WorkerInfo(job.id, job.num_workers, seed, job.dataset)


def _listen(connection: Any, tasks: queue.SimpleQueue[Any]) -> None:
    """Take tasks off the connection at once, so that the loader never waits for us to do so."""
    parent = os.getppid()
    try:
        while True:
            while not connection.poll(CHECK_SECONDS):
                if os.getppid() != parent:
                    return tasks.put(STOP)
            tasks.put(connection.recv())
    except (EOFError, OSError):
        tasks.put(STOP)


def _serve(job: Job, tasks: queue.SimpleQueue[Any], sender: transport.Sender) -> None:
    fetcher, failure = None, None
    try:
        if job.init_fn is not None:
            job.init_fn(job.id)
        fetcher = job.fetcher()
    except Exception:
        failure = Failure.caught(job.id)
    ended = False
    while (task := tasks.get()) is not STOP:
        released, index, what = task
        sender.release(released)
        if index == RESUME:
            ended, failure = False, None
            try:
                fetcher = job.fetcher()
            except Exception:
                failure = Failure.caught(job.id)
            sender.send(RESUME, None)
            continue
        if ended:
            continue
        if failure is not None:
            data, failure = failure, None
        else:
            data = _fetch(job, fetcher, what)
            ended = isinstance(data, StreamEnd)
        _send(sender, index, data, job.id)
        del data, task, what


def _fetch(job: Job, fetcher: Any, what: Any) -> Any:
    try:
        return fetcher.fetch(what)
    except Exception as e:
        if isinstance(e, StopIteration) and job.kind == 1:
            return StreamEnd(job.id)
        return Failure.caught(job.id)


def _send(sender: transport.Sender, index: Any, data: Any, worker_id: int) -> None:
    try:
        sender.send(index, data)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception:
        failure = Failure.caught(worker_id)
        try:
            sender.send(index, failure)
        except Exception:  # an exception class that cannot be pickled
            sender.send(index, Failure(RuntimeError, failure.text, failure.where))
