"""Reshaping and viewing: size inference, splits, stacks of mixed dimensions, properties."""

from __future__ import annotations

import functools
import math
from typing import Any

from .._engine.dtype import dtype as _dtype_class
from .._engine.errors import broadcast_shapes as _broadcast
from .._engine.errors import wrap_dim
from .._engine.storage import geometry
from .._engine.strides import reshape_strides
from .._functions import composite, derived, publish
from .._gate import apply
from .._size import Size
from ..ops import TABLE
from ._arguments import apart, integers, into, tensors_of

_VIEW, _COPY = TABLE["view"], TABLE["_reshape_copy"]
_cat, _stack = derived["cat"], derived["stack"]


def infer_size(size: tuple[int, ...], numel: int) -> tuple[int, ...]:
    """The size with its -1 filled in, or torch's error."""
    unknown = -1
    known = 1
    for i, n in enumerate(size):
        if n == -1:
            if unknown >= 0:
                raise RuntimeError("only one dimension can be inferred")
            unknown = i
        elif n < 0:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(size)}")
        else:
            known *= n
    if unknown < 0:
        if known != numel:
            raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
        return size
    if known == 0:
        if numel:
            raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(size)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    if numel % known:
        raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
    return (*size[:unknown], numel // known, *size[unknown + 1 :])


def _viewable(t: Any, size: tuple[int, ...]) -> bool:
    return t._chain is None or _strides_allow(t._storage.value.aval, t._chain, size)


@functools.lru_cache(4096)
def _strides_allow(base: Any, chain: Any, size: tuple[int, ...]) -> bool:
    sizes, strides, _ = geometry(base, chain)
    return reshape_strides(tuple(sizes), tuple(strides), size) is not None


@composite("Tensor")
def view(self: Any, *shape: Any, **named: Any) -> Any:
    """The same elements under another shape (or as another dtype), as a view."""
    if len(shape) == 1 and isinstance(shape[0], _dtype_class):
        return _view_dtype(self, shape[0])
    if "dtype" in named:
        return _view_dtype(self, named["dtype"])
    size = infer_size(integers("view", "size", shape, named), self._value.aval.numel)
    if not _viewable(self, size):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension "
            "spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return apply(_VIEW, (self,), (size,))


def _view_dtype(t: Any, dtype: Any) -> Any:
    aval = t._value.aval
    if dtype is aval.dtype:
        return apply(_VIEW, (t,), (aval.shape,))
    if aval.dtype.is_complex != dtype.is_complex and t.requires_grad:
        raise RuntimeError("view(dtype): a bit cast between real and complex has no gradient")
    shape, old, new = aval.shape, aval.dtype.itemsize, dtype.itemsize
    if old != new:
        if not shape:
            raise RuntimeError(
                f"self.dim() cannot be 0 to view {aval.dtype.scalar_name} as {dtype.scalar_name} "
                "(different element sizes)"
            )
        if t.stride(-1) != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {aval.dtype.scalar_name} as "
                f"{dtype.scalar_name} "
                f"(different element sizes), but got {t.stride(-1)}"
            )
        if shape[-1] * old % new:
            raise RuntimeError(
                f"self.size(-1) must be divisible by {new // old} to view "
                f"{aval.dtype.scalar_name} as "
                f"{dtype.scalar_name} (different element sizes), but got {shape[-1]}"
            )
        shape = (*shape[:-1], shape[-1] * old // new)
    return apply(TABLE["_view_dtype"], (t,), (dtype, shape))


def _reshape(input: Any, size: tuple[int, ...]) -> Any:
    return apply(_VIEW if _viewable(input, size) else _COPY, (input,), (size,))


@composite("torch", "Tensor")
def reshape(input: Any, *shape: Any, **named: Any) -> Any:
    """The same elements under another shape: a view where strides allow, else a copy."""
    size = integers("reshape", "shape", shape, named)
    return _reshape(input, infer_size(size, input._value.aval.numel))


@composite("Tensor")
def view_as(self: Any, other: Any) -> Any:
    """`view` with the shape of another tensor."""
    return view(self, *other.shape)


@composite("Tensor")
def reshape_as(self: Any, other: Any) -> Any:
    """`reshape` with the shape of another tensor."""
    return reshape(self, *other.shape)


@composite("torch", "Tensor")
def ravel(input: Any) -> Any:
    """One dimension; a view of what is contiguous, else a copy."""
    return apply(_VIEW if input.is_contiguous() else _COPY, (input,), ((input.numel(),),))


@composite("torch", "Tensor")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Dimensions start_dim..end_dim as one; the tensor itself when there is nothing to do."""
    shape = input._value.aval.shape
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return _reshape(input, (1,))
    if start == end:
        return input
    joined = math.prod(shape[start : end + 1])
    return _reshape(input, (*shape[:start], joined, *shape[end + 1 :]))


@composite("torch", "Tensor")
def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """One dimension as several, as a view."""
    shape = input._value.aval.shape
    d = wrap_dim(dim, len(shape))
    sizes = integers("unflatten", "sizes", (sizes,), {})
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    product = math.prod(sizes)
    if sizes.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if -1 in sizes:
        fits = product != 0 and shape[d] % product == 0
    else:
        fits = product == shape[d]
    if not fits:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} "
            f"({shape[d]}) in the input tensor"
        )
    return view(input, *shape[:d], *infer_size(sizes, shape[d]), *shape[d + 1 :])


@composite("torch", "Tensor")
def permute(input: Any, *dims: Any, **named: Any) -> Any:
    """Dimensions in another order, as a view."""
    return apply(TABLE["permute"], (input,), (integers("permute", "dims", dims, named),))


@composite("Tensor")
def expand(self: Any, *size: Any, implicit: bool = False, **named: Any) -> Any:
    """Dimensions of size one repeated without a copy, as a view."""
    return apply(TABLE["expand"], (self,), (integers("expand", "size", size, named),))


@composite("torch", "Tensor")
def broadcast_to(input: Any, size: Any) -> Any:
    """`expand` as a function."""
    return expand(input, size)


@composite("Tensor")
def expand_as(self: Any, other: Any) -> Any:
    """`expand` to the shape of another tensor."""
    return expand(self, *other.shape)


@composite("torch")
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes broadcast to."""
    sizes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    common = [1] * max((len(s) for s in sizes), default=0)
    for position, size in enumerate(sizes):
        for i in range(-1, -1 - len(size), -1):
            if size[i] < 0:
                raise ValueError("Attempting to broadcast a dimension with negative length!")
            if common[i] == 1:
                common[i] = size[i]
            elif size[i] not in (1, common[i]):
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {size[i]} at {i}! Mismatching "
                    f"argument at index {position} had {size}; but expected shape should be "
                    f"broadcastable to {common}"
                )
    return Size(common)


@composite("torch")
def broadcast_tensors(*tensors: Any) -> Any:
    """Views of the tensors, expanded to their common shape."""
    found = tensors_of("broadcast_tensors", tensors)
    shape = _broadcast(*(t._value.aval.shape for t in found)) if found else ()
    return tuple(expand(t, *shape) for t in found)


def _many(dims: Any) -> tuple[int, ...]:
    return (dims,) if isinstance(dims, int) else tuple(dims)


def _moved(input: Any, source: Any, destination: Any) -> Any:
    from_, to = _many(source), _many(destination)
    if len(from_) != len(to):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(from_)} dims) should "
            "contain "
            f"the same number of dims as destination ({list(to)} dims)"
        )
    ndim = input._value.aval.ndim
    a, b = [wrap_dim(d, ndim) for d in from_], [wrap_dim(d, ndim) for d in to]
    for name, wrapped, given in (("source", a, from_), ("destination", b, to)):
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if not ndim:
        return permute(input, ())
    order = [d for d in range(ndim) if d not in a]
    for target, d in sorted(zip(b, a, strict=True)):
        order.insert(target, d)
    return permute(input, *order)


@composite("torch", "Tensor")
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Dimensions moved to new places, as a view."""
    return _moved(input, source, destination)


@composite("torch", "Tensor")
def moveaxis(input: Any, source: Any, destination: Any) -> Any:
    """Another name of `movedim`."""
    return _moved(input, source, destination)


@composite("torch", "Tensor")
def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """Another name of `transpose`."""
    return input.transpose(axis0, axis1)


@composite("torch", "Tensor")
def swapdims(input: Any, dim0: int, dim1: int) -> Any:
    """Another name of `transpose`."""
    return input.transpose(dim0, dim1)


@composite("torch", "Tensor")
def adjoint(input: Any) -> Any:
    """The last two dimensions swapped, conjugated if complex."""
    if input.ndim < 2 and input.ndim:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input.ndim}-D tensor."
        )
    swapped = input.transpose(-2, -1) if input.ndim else input
    return swapped.conj() if input.is_complex() else swapped


def _reversed(self: Any) -> Any:
    """All dimensions reversed, as a view."""
    return permute(self, *range(self.ndim - 1, -1, -1))


def _matrix(name: str, conjugate: bool) -> Any:
    def get(self: Any) -> Any:
        if name == "H" and self.ndim not in (0, 2):
            raise RuntimeError(
                f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor."
            )
        if self.ndim < 2:
            if self.ndim or name == "mT":
                raise RuntimeError(
                    f"tensor.{name} is only supported on matrices or batches of matrices. Got "
                    f"{self.ndim}-D tensor."
                )
            return self.conj() if self.is_complex() else self
        swapped = self.transpose(-2, -1)
        return swapped.conj() if conjugate and self.is_complex() else swapped

    return property(get, doc=f"torch's `Tensor.{name}`, a view.")


publish("Tensor", "T", property(_reversed, doc="All dimensions reversed, as a view."))
for _name in ("mT", "mH", "H"):
    publish("Tensor", _name, _matrix(_name, _name != "mT"))


@composite("torch")
def atleast_1d(*tensors: Any) -> Any:
    """0-d tensors as one element."""
    return _each("atleast_1d", tensors, lambda t: t if t.ndim else t.reshape(1))


@composite("torch")
def atleast_2d(*tensors: Any) -> Any:
    """Tensors of fewer dimensions as one row."""
    return _each("atleast_2d", tensors, lambda t: t if t.ndim > 1 else t.reshape(1, -1))


@composite("torch")
def atleast_3d(*tensors: Any) -> Any:
    """Tensors of fewer dimensions with ones round them, as NumPy puts them."""
    return _each("atleast_3d", tensors, _three)


def _three(t: Any) -> Any:
    if t.ndim < 2:
        return t.reshape(1, -1, 1)
    return t.unsqueeze(-1) if t.ndim == 2 else t


def _each(name: str, tensors: Any, f: Any) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], tuple | list):
        return f(tensors_of(name, tensors)[0])
    return tuple(f(t) for t in tensors_of(name, tensors))


@composite("torch", "torch:concat", "torch:concatenate", replace=True)
def cat(tensors: Any, dim: int = 0, *, out: Any = None, axis: Any = None) -> Any:
    """Join tensors along an existing dimension."""
    if out is not None:
        apart(out, *tensors)
    return _cat(tensors, dim if axis is None else axis, out=out)


@composite("torch")
def hstack(tensors: Any, *, out: Any = None) -> Any:
    """Join along dimension 1 (0 for vectors)."""
    found = atleast_1d(_given("hstack", tensors))
    return into("cat", out, _cat(found, 0 if found[0].ndim == 1 else 1))


@composite("torch", "torch:row_stack")
def vstack(tensors: Any, *, out: Any = None) -> Any:
    """Join along dimension 0; vectors are rows."""
    return into("cat", out, _cat(atleast_2d(_given("vstack", tensors)), 0))


@composite("torch")
def dstack(tensors: Any, *, out: Any = None) -> Any:
    """Join along dimension 2."""
    return into("cat", out, _cat(atleast_3d(_given("dstack", tensors)), 2))


@composite("torch")
def column_stack(tensors: Any, *, out: Any = None) -> Any:
    """Join along dimension 1; vectors are columns."""
    found = _given("column_stack", tensors)
    columns = [t if t.ndim > 1 else t.reshape(t.numel(), 1) for t in found]
    return into("cat", out, _cat(columns, 1))


def _given(name: str, tensors: Any) -> list[Any]:
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    found = tensors_of(name, (tensors,))
    if not found:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return found


@composite("torch")
def block_diag(*tensors: Any) -> Any:
    """Matrices along a diagonal of zeros."""
    return apply(TABLE["_block_diag"], (tensors_of("block_diag", tensors),), ())


@composite("Tensor")
def repeat(self: Any, *repeats: Any, **named: Any) -> Any:
    """Copies of the tensor side by side."""
    return apply(TABLE["repeat"], (self,), (integers("repeat", "repeats", repeats, named),))


@composite("torch", "Tensor")
def tile(input: Any, *dims: Any, **named: Any) -> Any:
    """As `repeat`; missing leading repeats are 1."""
    reps = integers("tile", "dims", dims, named)
    return apply(TABLE["repeat"], (input,), ((1,) * (input.ndim - len(reps)) + reps,))


@composite("torch", "Tensor")
def flip(input: Any, *dims: Any, **named: Any) -> Any:
    """Elements in reverse order along `dims`."""
    return apply(TABLE["flip"], (input,), (integers("flip", "dims", dims, named),))


@composite("torch")
def meshgrid(*tensors: Any, indexing: str | None = None) -> Any:
    """Coordinate grids, as views."""
    found = tensors_of("meshgrid", tensors)
    if not found:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + indexing
        )
    for t in found:
        if t.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t!r}"
            )
        if t.dtype is not found[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(found) > 1
    if swap:
        found[:2] = found[1::-1]
    shape = [t.numel() for t in found]
    grids = [
        expand(view(t, *(-1 if k == i else 1 for k in range(len(found)))), *shape)
        for i, t in enumerate(found)
    ]
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@composite("torch")
def cartesian_prod(*tensors: Any) -> Any:
    """Every combination of one element of each vector, as rows."""
    found = tensors_of("cartesian_prod", tensors)
    for t in found:
        if t.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t.shape)}")
    if len(found) == 1:
        return found[0]
    return _stack([g.flatten() for g in meshgrid(*found)], 1)
