"""`torch.futures`: results that come later, and `torch.fork`, which runs its function at once."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable
from typing import Any

from ._functions import composite

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A result that another thread may still be computing."""

    def __init__(self, *, devices: Any = None) -> None:
        self._future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def done(self) -> bool:
        """Whether there is a result or an exception."""
        return self._future.done()

    def wait(self) -> Any:
        """The result, as soon as there is one; raises if there is an exception instead."""
        return self._future.result()

    def value(self) -> Any:
        """The result, which has to be there."""
        if not self.done():
            raise RuntimeError("value() called on a Future that is not completed: use wait()")
        return self._future.result()

    def set_result(self, result: Any) -> None:
        """Give the result, once."""
        if self.done():
            raise RuntimeError("Future can only be marked completed once")
        self._future.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Give an exception instead of a result."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._future.set_exception(result)

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """A future of what `callback` returns for this one, when it is done."""
        after = Future()

        def run(_: Any) -> None:
            try:
                after.set_result(callback(self))
            except Exception as e:
                after.set_exception(e)

        self._future.add_done_callback(run)
        return after

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Call `callback` with this future when it is done."""
        self._future.add_done_callback(lambda _: callback(self))


def collect_all(futures: Iterable[Future]) -> Future:
    """A future of the list of futures, done when all of them are."""
    every, together = list(futures), Future()
    left = [len(every)]

    def one(_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            together.set_result(every)

    if not every:
        together.set_result(every)
    for f in every:
        f.add_done_callback(one)
    return together


def wait_all(futures: Iterable[Future]) -> list[Any]:
    """The results of all futures."""
    return [f.wait() for f in collect_all(futures).wait()]


@composite("torch")
def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """A future of the call, which runs here and now, as in PyTorch outside of TorchScript."""
    future = Future()
    future.set_result(func(*args, **kwargs))
    return future


@composite("torch")
def wait(future: Future) -> Any:
    """The result of a future."""
    return future.wait()
