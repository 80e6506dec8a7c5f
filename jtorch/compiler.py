"""`torch.compiler`: what scripts ask of PyTorch's compiler, answered by one that is always on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ._compile import compile as compile

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable",
    "is_compiling", "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance",
]  # fmt: skip
_STANCES = (
    "default", "force_eager", "eager_on_recompile", "fail_on_recompile",
    "eager_then_compile", "aot_eager_then_compile",
)  # fmt: skip


def is_compiling() -> bool:
    """False: Python runs as it is written, also where its ops are compiled."""
    return False


is_dynamo_compiling = is_compiling
is_exporting = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself: no call is compiled away.  Source: torch.compiler.disable."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function (or functions) itself.  Source: torch.compiler.allow_in_graph."""
    if isinstance(fn, list | tuple):
        return [allow_in_graph(f) for f in fn]
    if not callable(fn):
        raise AssertionError("allow_in_graph expects a callable")
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, called each time: right for constant results, too."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Nothing to mark: an iteration's results are never overwritten by the next."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """XLA is the one there is."""
    return ["openxla"]


def reset() -> None:
    """Nothing to forget: JAX's programs stay, and stay right."""


class set_stance(contextlib.ContextDecorator):
    """When PyTorch may compile: kept for the `with` block, and no result depends on it."""

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False,
        force_backend: Any = None,
    ) -> None:  # fmt: skip
        if stance not in _STANCES:
            raise RuntimeError(f"invalid torch.compile stance '{stance}'")
        if stance == "fail_on_recompile":
            raise NotImplementedError(
                "set_stance('fail_on_recompile'): jtorch.report() shows what was compiled again."
            )
        if force_backend is not None and stance != "default":
            raise RuntimeError("non-default stance cannot have force_backend set")
        self.stance = stance

    def __enter__(self) -> set_stance:
        return self

    def __exit__(self, *error: Any) -> None:
        pass
