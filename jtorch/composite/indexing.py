"""Indexing functions with several faces: where, scatter, index_put, fills, sorting by argument."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._functions import composite
from .._gate import TensorBase, apply
from .._indexing import _spread, _without_mask, parse
from ..ops import TABLE
from ..ops._derive import NUMPY_NAMES
from ._arguments import from_host, into, write
from .bounds import check_element

_SCATTER = TABLE["_scatter"]


@composite("torch", "Tensor")
def scatter(
    input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """input with src (a tensor or a number) written at index along dim."""
    source = value if src is None else src
    check_element(input, dim, index)
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    return into("_scatter", out, apply(_SCATTER, (input, index, source), (dim, reduce)))


@composite("Tensor")
def scatter_(
    self: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Any:
    """`scatter` in place."""
    return write(self, scatter(self, dim, index, src, value=value, reduce=reduce), "_scatter")


def _put_at(input: Any, indices: Any, values: Any, accumulate: bool) -> Any:
    """A new tensor: input with values written (or added) at the indices."""
    if not isinstance(indices, tuple | list):
        raise TypeError(
            "index_put(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for i, index in enumerate(indices):
        if not isinstance(index, TensorBase):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(index).__name__}"
            )
    _, _, tensors = parse(input, tuple(indices))
    flat, layout = _spread([_without_mask(t) for t in tensors or ()])
    if values.dtype is not input.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype.scalar_name} for the destination and {values.dtype.scalar_name} for the "
            "source."
        )
    row = TABLE["_index_accumulate" if accumulate else "_scatter_index"]
    return apply(row, (input, flat, values), (layout,))


@composite("torch", "Tensor")
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """input with values at the positions that a tuple of index tensors names."""
    return _put_at(input, indices, values, accumulate)


@composite("torch", "Tensor")
def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """`index_put` in place."""
    return write(input, _put_at(input, indices, values, accumulate))


@composite("Tensor")
def fill_diagonal_(self: Any, fill_value: Any, wrap: bool = False) -> Any:
    """The main diagonal set to one value, in place; `wrap` goes on below it in tall matrices."""
    shape = tuple(self.shape)
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    step = sum(int(np.prod(shape[d + 1 :])) for d in range(len(shape)))
    size = int(np.prod(shape))
    end = size if wrap or shape[0] <= shape[1] or len(shape) > 2 else shape[1] * shape[1]
    if len(shape) == 2 and not wrap:
        end = min(end, step * min(shape))
    mask = np.zeros(size, bool)
    mask[:end:step] = True
    return self.masked_fill_(from_host(mask.reshape(shape), self), fill_value)


def _sorting(name: str, row: str) -> Any:
    op = TABLE[row]

    def f(input: Any, *args: Any, stable: Any = None, out: Any = None, **named: Any) -> Any:
        named = {NUMPY_NAMES.get(n, n): value for n, value in named.items()}
        dim, descending = _sort_arguments(name, *args, **named)
        return into(row, out, apply(op, (input,), (dim, descending)))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"torch.{name}; always stable."
    return composite("torch", "Tensor")(f)


def _sort_arguments(name: str, dim: int = -1, descending: bool = False) -> tuple[int, bool]:
    return dim, bool(descending)


sort = _sorting("sort", "_sort")
argsort = _sorting("argsort", "_argsort")


def _medians(name: str) -> Any:
    full, along = TABLE[f"_{name}"], TABLE[f"_{name}_dim"]

    def f(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
        if dim is None:
            return into(f"_{name}", out, apply(full, (input,), ()))
        return into(f"_{name}_dim", out, apply(along, (input,), (dim, keepdim)))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"The {name} of all elements, or of a dimension with its place; the lower of two."
    return composite("torch", "Tensor")(f)


median = _medians("median")
nanmedian = _medians("nanmedian")


def _known_outside(q: Any) -> bool:
    """Whether q is host data with a number outside [0, 1]."""
    array = q._value.array
    if type(array) is not np.ndarray or array.ndim > 1:
        return False
    return not ((array >= 0) & (array <= 1)).all()


def _quantiles(name: str, ignore_nan: bool) -> Any:
    def f(
        input: Any, q: Any, dim: Any = None, keepdim: bool = False, *,
        interpolation: str = "linear", out: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(q, TensorBase):
            if not 0 <= q <= 1:
                raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
            q = from_host(np.asarray(q, input.dtype.np), input)
        elif _known_outside(q):
            raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
        static = (dim, keepdim, interpolation, ignore_nan)
        return into("_quantile", out, apply(TABLE["_quantile"], (input, q), static))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"{name} of the elements along dim (or of all)."
    return composite("torch", "Tensor")(f)


quantile = _quantiles("quantile", False)
nanquantile = _quantiles("nanquantile", True)


@composite("torch")
def searchsorted(
    sorted_sequence: Any, input: Any = None, *, out_int32: bool = False, right: bool = False,
    side: Any = None, sorter: Any = None, out: Any = None, **named: Any,
) -> Any:  # fmt: skip
    """Where to insert values so that the sequence stays sorted."""
    values = named.pop("self", input)
    if isinstance(values, TensorBase) and values._value.aval.ndim == 0 and sorted_sequence.ndim > 1:
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
            "dimension "
            f"is 1, but we got boundaries tensor dim({sorted_sequence.ndim}) and input value's "
            "dim(0) "
            "numel(1)"
        )
    result = apply(
        TABLE["_searchsorted"], (sorted_sequence, values, sorter), (out_int32, right, side)
    )
    return into("_searchsorted", out, result)


@composite("torch")
def bucketize(
    input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False, out: Any = None
) -> Any:
    """The bucket of each value between sorted boundaries."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


def _triangle_indices(name: str, upper: bool) -> Any:
    def f(
        row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
        layout: Any = None,
    ) -> Any:  # fmt: skip
        for i, (what, n) in enumerate((("row", row), ("col", col), ("offset", offset))):
            if isinstance(n, bool) or not isinstance(n, int):
                raise TypeError(
                    f"{name}(): argument '{what}' (position {i + 1}) must be int, not "
                    f"{type(n).__name__}"
                )
            if n < 0 and what != "offset":
                raise RuntimeError(f"{what} must be non-negative, got{n}")
        found = (np.triu_indices if upper else np.tril_indices)(row, offset, col)
        made = from_host(np.stack(found).astype((dtype or _dtype.int64).np))
        return made if device is None else made.to(device)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"Rows and columns of the {'upper' if upper else 'lower'} triangle, row by row."
    return composite("torch")(f)


tril_indices = _triangle_indices("tril_indices", False)
triu_indices = _triangle_indices("triu_indices", True)


@composite("torch")
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All combinations of r elements of a vector, as rows."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return from_host(np.zeros(0, input.dtype.np), input)
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(pick(range(input.numel()), r)), np.int64).reshape(-1, r)
    return input[from_host(places, input)]


@composite("torch")
def zero_(input: Any) -> Any:
    """Every element set to zero, in place."""
    return input.zero_()
