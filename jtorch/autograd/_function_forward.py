"""A user's `Function` in forward mode: its `jvp` for dual tensors, and inside `func.jvp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .. import _tensor_duals as _duals
from .._engine import region
from .._engine.signature import differentiable
from .._engine.value import Value
from .._gate import TensorBase, wrap
from ..creation import zeros_like
from . import _function_region


def apply(cls: Any, ctx: Any, args: Any, kwargs: Any) -> Any:
    """Forward without tangents, then the user's jvp for those of the results."""
    with _duals.paused():
        given = [_given(a, ctx._materialize) for a in args]
        result = cls._applied(ctx, args, kwargs)
        outputs = list(result) if isinstance(result, tuple) else [result]
        ctx._in_jvp = True
        tangents = _tuple(cls.jvp(ctx, *given))
        ctx._in_jvp, ctx._saved_for_forward = False, ()
        _check_count(outputs, tangents)
        own = {id(a._value) for a in args if isinstance(a, TensorBase)}
        dirty = {id(t) for t in ctx._dirty}
        for i, (o, t) in enumerate(zip(outputs, tangents, strict=True)):
            if t is None or not isinstance(o, TensorBase):
                continue
            _duals.check_size(o, t)
            if id(o._value) in own and id(o) not in dirty:  # an input, returned as it is
                outputs[i] = o = o.view_as(o)
            _duals.attach(o._value, t)
    return tuple(outputs) if isinstance(result, tuple) else outputs[0]


def _given(a: Any, materialize: bool) -> Any:
    if not isinstance(a, TensorBase):
        return None
    tangent = _duals.tangent_of(a._value)
    return zeros_like(a) if tangent is None and materialize else tangent


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def _check_count(outputs: Any, tangents: Any) -> None:
    if len(tangents) != len(outputs):
        raise RuntimeError(
            "Function's jvp returned an invalid number of forward gradients (expected "
            f"{len(outputs)} but got {len(tangents)})"
        )


class Recorded(_function_region.Recorded):
    """Forward and jvp of one call, each a region of its own: JAX is given the user's jvp."""

    def _rule(self, cls: Any, avals: list[Any]) -> region.Recorded:
        saved = self.ctx._saved_for_forward
        self.moving = [i for i, v in enumerate(self.values) if differentiable(v.aval)]
        inputs = [*avals[len(self.shown) :], *(self.values[i].aval for i in self.moving)]
        return region.record(lambda given: self._jvp(cls, saved, given), inputs, self.place)

    def _kept(self) -> tuple[Any, ...]:
        return (*self.ctx._saved, *self.ctx._saved_for_forward)

    def _jvp(self, cls: Any, saved: tuple[Any, ...], given: list[Value]) -> list[Value]:
        ctx, tensors = self.ctx, iter([wrap(v) for v in given])

        def inside(kept: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(next(tensors) if isinstance(t, TensorBase) else t for t in kept)

        ctx._saved, ctx._saved_for_forward = inside(ctx._saved), inside(saved)
        ctx._versions = (0,) * len(ctx._saved)
        for name in self.named:
            setattr(ctx, name, next(tensors))
        moving: list[Any] = [None] * len(self.args)
        for i in self.moving:
            moving[self.at[i]] = next(tensors)
        ctx._in_jvp = True
        pushed = _tuple(cls.jvp(ctx, *moving))
        _check_count(self.outputs, pushed)
        places = [t for o, t in zip(self.outputs, pushed, strict=True) if isinstance(o, TensorBase)]
        self.given = [t is not None for t in places]
        return [t._value for t in places if t is not None]

    def key(self) -> Any:
        """Equal keys mean the same JAX function."""
        return (*super().key(), tuple(self.moving))

    def function(self) -> Callable[..., Any]:
        """The call as JAX sees it: forward, with jvp as its forward rule."""
        forward, rule = self.first.function(), self.second.function()
        ends = len(self.values) + len(self.first.captured) + len(self.first.numbers)
        n, kept = len(self.shown), len(self.first.results)
        moving, given = list(self.moving), list(self.given)

        @jax.custom_jvp
        def f(*flat: Any) -> Any:
            outs = forward(*flat[:ends])
            return (*outs[:n], *outs[kept:])

        def push(flat: Any, dots: Any) -> Any:
            outs = forward(*flat[:ends])
            pushed = iter(rule(*outs[n:kept], *(dots[i] for i in moving), *flat[ends:]))
            found = [
                next(pushed).astype(o.dtype) if g else _zero(o)
                for g, o in zip(given, outs, strict=False)
            ]
            results = (*outs[:n], *outs[kept:])
            return results, (*found, *map(_zero, outs[kept:]))

        f.defjvp(push)
        return f


def _zero(x: Any) -> Any:
    """The tangent of a result that has none."""
    smooth = jax.dtypes.issubdtype(x.dtype, np.inexact)
    return np.zeros(x.shape, x.dtype if smooth else jax.dtypes.float0)
