"""torch's `dim` arguments as JAX axes: wrapped, checked, and worded as torch words them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.errors import wrap_dim


def one(dim: Any, ndim: int) -> int:
    """One dimension counted from the front."""
    return wrap_dim(dim, ndim)


def several(dim: Any, ndim: int) -> tuple[int, ...]:
    """None, an int or a tuple as a tuple of dimensions; None and () mean all of them.

    A 0-d tensor takes dim 0 and -1, and has no dimension to give back.
    """
    if dim is None or dim == ():
        return tuple(range(ndim))
    found: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        d = wrap_dim(d, ndim)
        if d in found:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
        found.append(d)
    return tuple(found) if ndim else ()


def checks(*every: Callable[..., None]) -> Callable[..., None]:
    """Several checks as one, in order."""

    def check(*spec: Any, **static: Any) -> None:
        for one_check in every:
            one_check(*spec, **static)

    return check


def at_least_1d(x: Any) -> Any:
    """A 0-d array as one element, which is what torch's `dim=0` means on it."""
    return x.reshape((1,)) if x.ndim == 0 else x


def kept(x: Any, dims: tuple[int, ...]) -> Any:
    """The shape of a reduction over `dims` with `keepdim=True`."""
    return tuple(1 if d in dims else n for d, n in enumerate(x.shape))
