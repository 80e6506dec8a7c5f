"""`torch.hann_window` and its kind."""

from __future__ import annotations

from typing import Any

from .. import _windows
from .._engine import dtype as _dtype
from .._engine.device import place_of
from .._factory import check_options, dtype_of, finish, hosted
from .._functions import composite


def _window(name: str, length: Any, options: dict[str, Any], make: Any) -> Any:
    layout, pin = options.pop("layout", None), options.pop("pin_memory", False)
    check_options(name, layout, pin)
    dtype = dtype_of(name, options.pop("dtype", None)) or _dtype.get_default_dtype()
    place, requires_grad = (
        place_of(options.pop("device", None)),
        options.pop("requires_grad", False),
    )
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options))}'")
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name} expects floating point dtypes, got: torch.{dtype.name}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    return finish(name, hosted(make(int(length)).astype(dtype.np), place), requires_grad)


@composite("torch")
def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Any:
    """The Hann window."""
    return _window("hann_window", window_length, options,
                   lambda n: _windows.cosines(n, not periodic, (0.5, 0.5)))  # fmt: skip


@composite("torch")
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> Any:
    """alpha - beta cos."""
    return _window("hamming_window", window_length, options,
                   lambda n: _windows.cosines(n, not periodic, (alpha, beta)))  # fmt: skip


@composite("torch")
def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Any:
    """The Blackman window."""
    return _window("blackman_window", window_length, options,
                   lambda n: _windows.cosines(n, not periodic, (0.42, 0.5, 0.08)))  # fmt: skip


@composite("torch")
def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Any:
    """The triangular window."""
    return _window("bartlett_window", window_length, options,
                   lambda n: _windows.triangle(n, not periodic))  # fmt: skip


@composite("torch")
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any
) -> Any:
    """The Kaiser window of shape `beta`."""
    return _window("kaiser_window", window_length, options,
                   lambda n: _windows.kaiser(n, not periodic, beta))  # fmt: skip
