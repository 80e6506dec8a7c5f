"""Pieces of a tensor, as views: narrow, split, chunk, tensor_split, unbind."""

from __future__ import annotations

from typing import Any

from .._engine.errors import wrap_dim
from .._functions import composite
from .._gate import TensorBase, apply
from .._indexing import basic
from ..ops import TABLE
from ._arguments import integers

_ALL = ("s", None)
_SELECT = TABLE["select"]


def sliced(t: Any, dim: int, start: int, length: int, step: int = 1) -> Any:
    """start, start + step, ... (`length` of them) of a dimension, as a view."""
    spec = [_ALL] * t._value.aval.ndim
    spec[dim] = ("s", length, step)
    return basic(t, tuple(spec), (start,))


@composite("torch", "Tensor")
def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    """`length` elements of a dimension from `start` on, as a view."""
    shape = input._value.aval.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    d = wrap_dim(dim, len(shape))
    if isinstance(start, TensorBase):
        kind = start._value.aval
        if kind.ndim or not kind.dtype.is_integral or kind.dtype.name == "bool":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
    at, size = int(start), shape[d]
    if not -size <= at <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {at})"
        )
    at += size if at < 0 else 0
    if at + length > size:
        raise RuntimeError(f"start ({at}) + length ({length}) exceeds dimension size ({size}).")
    return sliced(input, d, at, length)


def _pieces(t: Any, dim: int, sizes: Any) -> tuple[Any, ...]:
    at, found = 0, []
    for n in sizes:
        found.append(sliced(t, dim, at, n))
        at += n
    return tuple(found)


def _equal(size: int, step: int) -> list[int]:
    """Pieces of `step`, the last one smaller."""
    if step == 0:
        return [0]
    count = max(-(-size // step), 1)
    return [step] * (count - 1) + [size - step * (count - 1)]


@composite("torch", "Tensor")
def split(
    tensor: Any, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> Any:
    """Pieces of a given size (or of given sizes), as views."""
    asked = split_size if split_size_or_sections is None else split_size_or_sections
    if not isinstance(asked, int):
        return split_with_sizes(tensor, asked, dim)
    d, size = _checked(tensor, dim, "split")
    if asked < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={asked}")
    if asked == 0 and size:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}"
        )
    return _pieces(tensor, d, _equal(size, asked))


@composite("torch", "Tensor")
def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """Pieces of given sizes, as views."""
    d, size = _checked(input, dim, "split")
    sizes = integers("split_with_sizes", "split_sizes", (split_sizes,), {})
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(sizes)}"
        )
    if sum(sizes) != size:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size "
            "at "
            f"dimension {d}), but got split_sizes={list(sizes)}"
        )
    return _pieces(input, d, sizes)


def _checked(t: Any, dim: int, name: str) -> tuple[int, int]:
    shape = t._value.aval.shape
    if not shape:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, len(shape))
    return d, shape[d]


@composite("torch", "Tensor")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` pieces of one size (the last may be smaller), as views."""
    d, size = _checked(input, dim, "chunk")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    step = -(-size // chunks)
    return _pieces(input, d, [0] * chunks if step == 0 else _equal(size, step))


@composite("torch", "Tensor")
def tensor_split(
    input: Any, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
    sections: Any = None, tensor_indices_or_sections: Any = None,
) -> Any:  # fmt: skip
    """`sections` nearly equal pieces, or pieces between `indices`, as views."""
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    where = next(g for g in given if g is not None)
    d, size = _checked(input, dim, "tensor_split")
    if isinstance(where, TensorBase):
        where = where.tolist()  # type: ignore[attr-defined]
    if isinstance(where, int):
        if where <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {where}")
        small, more = divmod(size, where)
        return _pieces(input, d, [small + (i < more) for i in range(where)])
    bounds = [slice(0, i).indices(size)[1] for i in where]
    starts, ends = [0, *bounds], [*bounds, size]
    return tuple(sliced(input, d, a, max(b - a, 0)) for a, b in zip(starts, ends, strict=True))


def _split_along(name: str, least: int, pick: Any) -> Any:
    def f(
        input: Any, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None
    ) -> Any:
        given = (indices_or_sections, indices, sections)
        where = next(g for g in given if g is not None)
        shape = input._value.aval.shape
        if len(shape) < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension"
                f"{'s' if least > 1 else ''}, but got a tensor with {len(shape)} dimensions!"
            )
        d = pick(len(shape))
        if isinstance(where, int) and (where <= 0 or shape[d] % where):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {d}, but the size of the "
                "dimension "
                f"{shape[d]} is not divisible by the split_size {where}!"
            )
        return tensor_split(input, where, d)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`tensor_split` along torch.{name}'s dimension, as views."
    composite("torch", "Tensor")(f)
    return f


hsplit = _split_along("hsplit", 1, lambda ndim: 0 if ndim == 1 else 1)
vsplit = _split_along("vsplit", 2, lambda ndim: 0)
dsplit = _split_along("dsplit", 3, lambda ndim: 2)


@composite("torch", "Tensor", replace=True)
def select(input: Any, dim: int, index: Any) -> Any:
    """The slice at `index` of dimension `dim`, as a view."""
    shape = input._value.aval.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d, at = wrap_dim(dim, len(shape)), int(index)
    if not -shape[d] <= at < shape[d]:
        raise IndexError(
            f"select(): index {at} out of range for tensor of size {list(shape)} at dimension {d}"
        )
    return apply(_SELECT, (input, at + shape[d] if at < 0 else at), (d,))


@composite("torch", "Tensor")
def unbind(input: Any, dim: int = 0) -> Any:
    """All slices along a dimension, as views."""
    shape = input._value.aval.shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    d = wrap_dim(dim, len(shape))
    return tuple(apply(_SELECT, (input, i), (d,)) for i in range(shape[d]))


@composite("torch", "Tensor")
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """As `chunk`."""
    return chunk(input, chunks, dim)


@composite("torch", "Tensor")
def unsafe_split(tensor: Any, split_size: Any, dim: int = 0) -> Any:
    """As `split`."""
    return split(tensor, split_size, dim)


@composite("torch", "Tensor")
def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """As `split_with_sizes`."""
    return split_with_sizes(input, split_sizes, dim)
