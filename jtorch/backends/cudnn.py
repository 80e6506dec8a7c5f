"""`torch.backends.cudnn`: switches that XLA decides by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

enabled = True
benchmark = False
benchmark_limit: int | None = 10
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available() -> bool:
    """False: no script can call cuDNN through jtorch; XLA does where it pays."""
    return False


def version() -> int | None:
    """None, as in a PyTorch without cuDNN."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN would take the tensor: no."""
    return False


def set_flags(
    _enabled: bool | None = None, _benchmark: bool | None = None,
    _benchmark_limit: int | None = None, _deterministic: bool | None = None,
    _allow_tf32: bool | None = None, _fp32_precision: str = "none",
) -> tuple[Any, ...]:  # fmt: skip
    """Change the switches that are not None; returns all old values."""
    names = (
        "enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32", "fp32_precision",
    )  # fmt: skip
    given = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32, _fp32_precision)
    old = tuple(globals()[name] for name in names)
    globals().update({n: v for n, v in zip(names, given, strict=True) if v is not None})
    return old


@contextlib.contextmanager
def flags(
    enabled: bool = False, benchmark: bool = False, benchmark_limit: int = 10,
    deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none",
) -> Iterator[None]:  # fmt: skip
    """The switches with these values inside the `with` block."""
    old = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32, fp32_precision)
    try:
        yield
    finally:
        set_flags(*old)
