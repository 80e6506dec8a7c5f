"""torch.fft's frequencies and shifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._engine.errors import wrap_dim
from .._factory import check_options, dtype_of, finish, hosted, out_dtype, place_for
from .._functions import composite, derived

_roll = derived["roll"]


def _frequencies(name: str, steps: Any, options: dict[str, Any], out: Any) -> Any:
    check_options(name, options.pop("layout", None), options.pop("pin_memory", False))
    dtype = out_dtype(dtype_of(name, options.pop("dtype", None)), out)
    dtype = dtype or _dtype.get_default_dtype()
    device, requires_grad = options.pop("device", None), options.pop("requires_grad", False)
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options))}'")
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    made = hosted(steps.astype(dtype.np), place_for(device, out))
    return finish(name, made, requires_grad, out)


def _scaled(steps: Any, n: int, d: float) -> Any:
    with np.errstate(all="ignore"):
        return steps * np.float64(1) / (n * d) if n * d else steps / np.float64(0)


@composite("fft")
def fftfreq(n: int, d: float = 1.0, *, out: Any = None, **options: Any) -> Any:
    """The frequencies of the elements of `fft`'s result."""
    steps = np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)]).astype(np.float64)
    return _frequencies("fftfreq", _scaled(steps, n, d), options, out)


@composite("fft")
def rfftfreq(n: int, d: float = 1.0, *, out: Any = None, **options: Any) -> Any:
    """The frequencies of the elements of `rfft`'s result."""
    steps = np.arange(n // 2 + 1).astype(np.float64)
    return _frequencies("rfftfreq", _scaled(steps, n, d), options, out)


def _dims(input: Any, dim: Any) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(input.dim()))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    return tuple(wrap_dim(d, input.dim()) for d in dims)


@composite("fft")
def fftshift(input: Any, dim: Any = None) -> Any:
    """Zero frequency moved to the middle."""
    dims = _dims(input, dim)
    return _roll(input, tuple(input.shape[d] // 2 for d in dims), dims)


@composite("fft")
def ifftshift(input: Any, dim: Any = None) -> Any:
    """Zero frequency moved back to the front."""
    dims = _dims(input, dim)
    return _roll(input, tuple((input.shape[d] + 1) // 2 for d in dims), dims)
