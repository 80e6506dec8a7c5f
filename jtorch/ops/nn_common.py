"""What the rows of torch.nn.functional share: dtype refusals, tuples of sizes, constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FLOATS = "floats"
NUMBERS = "numbers"


def floats_only(kernel: str, *, complex_too: bool = False) -> Callable[..., None]:
    """A check that refuses what is not floating point, in the words of torch's kernel."""

    def check(input: Any, *rest: Any, **static: Any) -> None:
        refuse(kernel, input.dtype, complex_too=complex_too, asked=static.get("dtype"))

    return check


def refuse(kernel: str, dtype: Any, *, complex_too: bool = False, asked: Any = None) -> None:
    """torch's "not implemented for" of a kernel for floats."""
    dtype = asked or dtype
    if not (dtype.is_floating_point or (complex_too and dtype.is_complex)):
        raise not_implemented(kernel, dtype)


def real_only(kernel: str) -> Callable[..., None]:
    """A check that refuses bool and complex."""

    def check(input: Any, *rest: Any, **static: Any) -> None:
        if input.dtype.is_complex or input.dtype.name == "bool":
            raise not_implemented(kernel, input.dtype)

    return check


def not_implemented(kernel: str, dtype: Any) -> NotImplementedError:
    """The exception torch raises for a dtype that a kernel has no code for."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.scalar_name}'")


def ntuple(x: Any, n: int) -> tuple[int, ...]:
    """An int or a sequence of one or `n` ints as `n` ints."""
    if not isinstance(x, tuple | list):
        return (int(x),) * n
    return tuple(int(i) for i in x) * n if len(x) == 1 else tuple(int(i) for i in x)


def wrap(dim: int, ndim: int) -> int:
    """A dimension counted from the front, or torch's IndexError."""
    size = max(ndim, 1)
    if not -size <= dim < size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but "
            f"got {dim})"
        )
    return dim % size
