"""`no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`: context managers and
decorators.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from .._engine.backward import modes


class _Mode:
    """A grad mode for the length of a `with` block, or of each call of a decorated function."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(modes.grad)
        modes.grad = self.mode

    def __exit__(self, *args: Any) -> None:
        modes.grad = self._before.pop()

    def _fresh(self) -> _Mode:
        return type(self)()  # type: ignore[call-arg]

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isclass(f):
            raise TypeError(
                "Decorating classes with a grad mode is not supported: decorate its methods."
            )
        if inspect.isgeneratorfunction(f):
            return self._generator(f)

        @functools.wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return f(*args, **kwargs)

        return decorated

    def _generator(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """The mode holds while the generator runs, not while its caller does."""

        @functools.wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            generator = f(*args, **kwargs)
            sent: Any = None
            while True:
                try:
                    with self._fresh():
                        item = generator.send(sent)
                except StopIteration as stop:
                    return stop.value
                sent = yield item

        return decorated


class _Bare(_Mode):
    """A mode whose name alone decorates: `@torch.no_grad` as well as `@torch.no_grad()`."""

    on = False

    def __new__(cls, orig_func: Callable[..., Any] | None = None) -> Any:
        new = object.__new__(cls)
        if orig_func is None:
            return new
        new.__init__()  # type: ignore[misc]
        return new(orig_func)

    def __init__(self, orig_func: Callable[..., Any] | None = None) -> None:
        super().__init__(self.on)


class no_grad(_Bare):
    """Results of ops inside need no gradient."""

    on = False


class enable_grad(_Bare):
    """Turns gradients back on inside `no_grad`."""

    on = True


class set_grad_enabled(_Mode):
    """Set the mode now; restore it at the end of the `with` block, if it is used in one."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self.prev = modes.grad
        modes.grad = bool(mode)

    def __enter__(self) -> None:
        modes.grad = self.mode

    def __exit__(self, *args: Any) -> None:
        modes.grad = self.prev

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        modes.grad = self.prev
        return super().__call__(f)

    def _fresh(self) -> _Mode:
        return set_grad_enabled(self.mode)


class inference_mode(_Mode):
    """`no_grad`, as far as gradients go; tensors made inside are ordinary ones
    (docs/differences.md).
    """

    def __new__(cls, mode: Any = True) -> Any:
        new = object.__new__(cls)
        if not callable(mode):
            return new
        new.__init__(True)  # type: ignore[misc]
        return new(mode)

    def __init__(self, mode: Any = True) -> None:
        super().__init__(True)
        self.inference = bool(mode)
        self._inference: list[bool] = []

    def __enter__(self) -> None:
        self.mode = modes.grad and not self.inference
        super().__enter__()
        self._inference.append(modes.inference)
        modes.inference = self.inference

    def __exit__(self, *args: Any) -> None:
        super().__exit__(*args)
        modes.inference = self._inference.pop()

    def _fresh(self) -> _Mode:
        return inference_mode(self.inference)


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require gradients are recorded for backward."""
    return modes.grad


def is_inference_mode_enabled() -> bool:
    """Whether an `inference_mode` block is active."""
    return modes.inference


class _NoEffect(contextlib.ContextDecorator):
    """A setting of PyTorch's engine that nothing here depends on: called, or for a `with` block."""

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        return None

    def __exit__(self, *args: Any) -> None:
        return None


class set_multithreading_enabled(_NoEffect):
    """Backward is recorded on the calling thread, and XLA runs it on all cores, with or without."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)


class enforce_grad_layout_policy(_NoEffect):
    """Gradients are in the layout that XLA chooses, with or without."""

    def __init__(self, enable: bool = True) -> None:
        super().__init__(enable)
