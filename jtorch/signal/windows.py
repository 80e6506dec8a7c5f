"""`torch.signal.windows`: window functions by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import _layout, _windows
from .._engine import dtype as _dtype
from .._engine.device import place_of
from .._factory import finish, hosted

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming",
    "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _finished(name: str, M: int, options: dict[str, Any], make: Any, check: Any = None) -> Any:
    """The window `make()` as a tensor, after torch's checks."""
    dtype, layout = options.pop("dtype", None), options.pop("layout", _layout.strided)
    device, requires_grad = options.pop("device", None), options.pop("requires_grad", False)
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options))}'")
    dtype = _dtype.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not _layout.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (_dtype.float32, _dtype.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    if check is not None:
        check()
    return finish(name, hosted(make().astype(dtype.np), place_of(device)), requires_grad)


def _positive(what: str, value: float) -> Any:
    def check() -> None:
        if value <= 0:
            raise ValueError(f"{what} must be positive, got: {value} instead.")

    return check


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any
) -> Any:
    """exp(-|n - center| / tau)."""

    def check() -> None:
        _positive("Tau", tau)()
        if sym and center is not None:
            raise ValueError("Center must be None for symmetric windows")

    return _finished("exponential", M, options,
                     lambda: _windows.exponential(M, sym, center, tau), check)  # fmt: skip


def cosine(M: int, *, sym: bool = True, **options: Any) -> Any:
    """Half a wave of a sine."""
    return _finished("cosine", M, options, lambda: _windows.cosine(M, sym))


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Any:
    """A Gaussian of standard deviation `std`."""
    return _finished("gaussian", M, options, lambda: _windows.gaussian(M, sym, std),
                     _positive("Standard deviation", std))  # fmt: skip


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Any:
    """The Kaiser window of shape `beta`."""

    def check() -> None:
        if beta < 0:
            raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    return _finished("kaiser", M, options, lambda: _windows.kaiser(M, sym, beta), check)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Any:
    """A weighted sum of cosines with the coefficients `a`."""

    def check() -> None:
        if not isinstance(a, Iterable):
            raise TypeError("Coefficients must be a list/tuple")
        if not a:
            raise ValueError("Coefficients cannot be empty")

    return _finished("general_cosine", M, options, lambda: _windows.cosines(M, sym, list(a)), check)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Any:
    """alpha - (1 - alpha) cos."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The Hamming window."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The Hann window."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The Blackman window."""
    return _finished("blackman", M, options, lambda: _windows.cosines(M, sym, [0.42, 0.5, 0.08]))


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The minimum 4-term Blackman-Harris window after Nuttall."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The triangular window."""
    return _finished("bartlett", M, options, lambda: _windows.triangle(M, sym))
