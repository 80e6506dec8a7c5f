"""Index errors at the call, for indices that are host data (most are: labels, positions, tokens).

Indices that a program computes are only known later: there, reads out of range give NaN and writes
are dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.dtype import promote_types
from .._engine.errors import wrap_dim
from .._functions import composite, derived
from .._gate import TensorBase
from ..tensor import Tensor
from ._arguments import apart


def first_outside(index: Any, low: int, high: int) -> int | None:
    """The first number outside low <= i < high, if the index is host data and has one."""
    if not isinstance(index, TensorBase):
        return None
    array = index._value.array
    if type(array) is not np.ndarray or not array.size or array.dtype.kind != "i":
        return None
    if array.min() >= low and array.max() < high:
        return None
    return int(array[(array < low) | (array >= high)].flat[0])


def _size(t: Any, dim: int) -> tuple[int, int]:
    shape = t._value.aval.shape
    d = wrap_dim(dim, len(shape))
    return d, shape[d] if shape else 1


def _element(input: Any, dim: Any, index: Any) -> None:
    d, size = _size(input, dim)
    found = first_outside(index, 0, size)
    if found is not None:
        raise RuntimeError(f"index {found} is out of bounds for dimension {d} with size {size}")


def _slices(input: Any, dim: Any, index: Any) -> None:
    if first_outside(index, 0, _size(input, dim)[1]) is not None:
        raise IndexError("index out of range in self")


def _wrapped_slices(input: Any, dim: Any, index: Any) -> None:
    d, size = _size(input, dim)
    found = first_outside(index, -size, size)
    if found is not None:
        raise IndexError(f"index {found} is out of bounds for dimension {d} with size {size}")


def _guard(name: str, method: bool, check: Any) -> None:
    plain = getattr(Tensor, name) if method else derived[name]

    def f(input: Any, dim: Any, index: Any, *args: Any, **named: Any) -> Any:
        check(input, dim, index)
        if "out" in named:
            apart(named["out"], input, index, *args)
        return plain(input, dim, index, *args, **named)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = plain.__doc__
    composite("Tensor", *(() if method else ("torch",)), replace=True)(f)


for _name in ("gather", "scatter_add", "scatter_reduce"):
    _guard(_name, False, _element)
for _name in ("scatter_add_", "scatter_reduce_"):
    _guard(_name, True, _element)
for _name in ("index_select", "index_add", "index_copy"):
    _guard(_name, False, _slices)
for _name in ("index_add_", "index_copy_"):
    _guard(_name, True, _slices)
_guard("index_fill", False, _wrapped_slices)
_guard("index_fill_", True, _wrapped_slices)


def _check_flat(input: Any, index: Any) -> None:
    n = input._value.aval.numel
    found = first_outside(index, -n, n)
    if found is not None and n:
        raise IndexError(
            f"out of range: tried to access index {found} on a tensor of {n} elements."
        )


def _guard_put(name: str, plain: Any, *namespaces: str) -> None:
    def f(input: Any, index: Any, source: Any, accumulate: bool = False, **named: Any) -> Any:
        _check_flat(input, index)
        return plain(input, index, source, accumulate, **named)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = plain.__doc__
    composite(*namespaces, replace=True)(f)


_guard_put("put", derived["put"], "torch", "Tensor")
_guard_put("put_", Tensor.put_, "Tensor")  # type: ignore[attr-defined]


@composite("torch", "Tensor", replace=True)
def take(input: Any, index: Any, *, out: Any = None) -> Any:
    """Elements of the flattened tensor; negative indices count from its end."""
    _check_flat(input, index)
    apart(out, input, index)
    return derived["take"](input, index, out=out)


@composite("torch", "Tensor", replace=True)
def kthvalue(
    input: Any, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None
) -> Any:  # fmt: skip
    """The k-th smallest element of a dimension, and its place."""
    if out is not None:
        apart(out[0], input)
    return derived["kthvalue"](input, k, dim, keepdim, out=out)


@composite("torch", "Tensor", replace=True)
def cov(
    input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None
) -> Any:  # fmt: skip
    """Covariance matrix of the rows."""
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is not None and _has_negative(weights):
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if aweights is not None:
        wide = promote_types(input.dtype, aweights.dtype)
        input = input if wide is input.dtype else input.to(wide)
    return derived["cov"](input, correction=correction, fweights=fweights, aweights=aweights)


def _has_negative(t: Any) -> bool:
    array = t._value.array
    return type(array) is np.ndarray and bool((array < 0).any())


check_element = _element
