"""Views of the whole storage, views a tensor turns itself into (`squeeze_`), copies of views."""

from __future__ import annotations

import math
import weakref
from typing import Any

from .._engine.storage import Apart, count_apart
from .._functions import composite, derived, publish
from .._gate import StandIn, alias, apply, check_writable, retain_at, wrap
from ..ops import TABLE
from ..tensor import Tensor
from ._arguments import integers, into
from .splitting import sliced


def _whole_storage(t: Any) -> Any:
    """A tensor that shows all of the storage t lies in, in t's graph."""
    if t._chain is None:
        return t
    if t._base is not None and t._base._chain is None:
        return t._base
    whole = alias(t)
    whole._chain = None
    root = (t if t._base is None else t._base)._chain
    if type(root) is Apart:
        whole._chain, whole._cver = Apart((), root.writes), -1
    return whole


@composite("torch", "Tensor")
def as_strided(input: Any, size: Any, stride: Any, storage_offset: Any = None) -> Any:
    """The elements of the storage at these strides, as a view."""
    sizes = integers("as_strided", "size", (size,), {})
    strides = integers("as_strided", "stride", (stride,), {})
    offset = input.storage_offset() if storage_offset is None else int(storage_offset)
    whole = _whole_storage(input)
    if whole.dtype is not input.dtype:  # `x.real`: strides count its elements, not those of x
        whole = whole.reshape(-1).view(input.dtype)
    return apply(TABLE["as_strided"], (whole,), (sizes, strides, offset))


def _become(t: Any, viewed: Any) -> Any:
    """Make t the view of itself that was just taken."""
    root = t._base
    if root is None:  # the view's base was t itself: let a stand-in take its place
        root = wrap(t._value, t._edge_, StandIn)
        root._storage, root._chain, root._gen = t._storage, t._chain, t._gen + 1
        root.owner = weakref.ref(t)
        root._cached, root._cver = t._cached, t._cver
    before = t._edge_
    t._storage, t._chain, t._base_chain = viewed._storage, viewed._chain, viewed._base_chain
    # Views of t compare generations with it: they find that they have to look for the stand-in.
    t._cached, t._gen, t._base, t._edge_ = viewed._cached, -2, root, viewed._edge_
    t._storage.version += 1  # torch counts it as a write
    if type(root._chain) is Apart:
        count_apart(root._chain, t._storage)
    t._cver = t._storage.version
    retain_at(before, t, t._edge_)
    return t


def _in_place(name: str) -> None:
    def method(self: Any, *args: Any, **named: Any) -> Any:
        check_writable(self, TABLE["clone"])
        return _become(self, getattr(self, name)(*args, **named))

    method.__name__ = method.__qualname__ = name + "_"
    method.__doc__ = f"`{name}`, changing this tensor's own shape."
    publish("Tensor", name + "_", method)


for _name in ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims", "as_strided"):
    _in_place(_name)


@composite("Tensor")
def resize_(self: Any, *sizes: Any, memory_format: Any = None, **named: Any) -> Any:
    """Another shape in place; new elements are zero.  Differs from torch, where they are random."""
    size = integers("resize_", "size", sizes, named)
    n, have = math.prod(size), self.numel()
    flat = self.detach().reshape(-1)
    if n <= have:
        new = sliced(flat, 0, 0, n)
    else:
        new = derived["cat"]([flat, flat.new_zeros(n - have)])
    self.data = new.reshape(size).clone()
    return self


@composite("torch", "Tensor")
def resize_as_(input: Any, the_template: Any, *, memory_format: Any = None) -> Any:
    """`resize_` to the shape of another tensor."""
    return resize_(input, *the_template.shape)


def _slice(input: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    index = [slice(None)] * input.ndim
    index[dim] = slice(start, end, step)
    return input[tuple(index)]


def _copied(result: Any) -> Any:
    return tuple(r.clone() for r in result) if isinstance(result, tuple) else result.clone()


def _check_narrow(input: Any, dim: int, *_: Any, **__: Any) -> None:
    if dim >= input.ndim:
        raise RuntimeError(
            "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  "
            "(Could this error message be improved?  If so, please report an enhancement request "
            "to PyTorch.)"
        )


def _copy_of(name: str, view: Any) -> None:
    def f(input: Any, *args: Any, out: Any = None, **named: Any) -> Any:
        if name == "narrow":
            _check_narrow(input, *args, **named)
        result = _copied(view(input, *args, **named))
        if out is not None and isinstance(result, tuple):
            for target, r in zip(out, result, strict=True):
                into("clone", target, r)
            return None
        return into("clone", out, result)

    f.__name__ = f.__qualname__ = f"{name}_copy"
    f.__doc__ = f"`{name}` as a copy instead of a view."
    publish("torch", f"{name}_copy", f)
    if name == "narrow":
        publish("Tensor", "narrow_copy", f)


for _name in (
    "view", "expand", "permute", "squeeze", "unsqueeze", "transpose", "t", "narrow", "split",
    "split_with_sizes", "unbind", "unfold", "as_strided", "diagonal", "detach", "select",
):  # fmt: skip
    _copy_of(_name, getattr(Tensor, _name))
_copy_of("slice", _slice)
_copy_of("alias", lambda x: x)
