"""A user's `Function` inside a region: JAX, which differentiates the region, is given its
backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from .._engine import region
from .._engine.backward import call as record_call
from .._engine.op import Op
from .._engine.signature import Signature, differentiable, infer, stand_ins
from .._engine.value import Value
from .._gate import TensorBase, wrap

_signatures: dict[Any, Signature] = {}


class Recorded:
    """Forward and backward of one call, each a region of its own."""

    def __init__(self, cls: Any, ctx: Any, forward: Callable[..., Any], args: Any) -> None:
        self.ctx, self.args = ctx, args
        self.at = [i for i, a in enumerate(args) if isinstance(a, TensorBase)]
        values = [args[i]._value for i in self.at]
        self.values, self.place = values, values[0].aval.place
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.single = False
        self.first = region.record(
            lambda given: self._forward(forward, given), [v.aval for v in values], self.place
        )
        rough = {id(t) for t in ctx._non_differentiable}
        self.smooth = [
            i for i, o in enumerate(self.shown)
            if id(o) not in rough and differentiable(o._value.aval)
        ]  # fmt: skip
        avals = [v.aval for v in self.first.results]
        self.given: list[bool] = []
        self.second = self._rule(cls, avals)

    def _rule(self, cls: Any, avals: list[Any]) -> region.Recorded:
        """The user's gradient, of what forward kept and the cotangents."""
        inputs = [*avals[len(self.shown) :], *(avals[i] for i in self.smooth)]
        return region.record(lambda given: self._backward(cls, given), inputs, self.place)

    def _forward(self, forward: Callable[..., Any], given: list[Value]) -> list[Value]:
        full = list(self.args)
        for i, v in zip(self.at, given, strict=True):
            full[i] = wrap(v)
        self.inputs = full
        result = forward(*full)
        self.single = not isinstance(result, tuple)
        self.outputs = [result] if self.single else list(result)
        self.shown = [o for o in self.outputs if isinstance(o, TensorBase)]
        kept = [t for t in self._kept() if isinstance(t, TensorBase)]
        self.named = {k: t for k, t in vars(self.ctx).items() if isinstance(t, TensorBase)}
        return [t._value for t in (*self.shown, *kept, *self.named.values())]

    def _kept(self) -> tuple[Any, ...]:
        """What forward saved for the user's rule."""
        return self.ctx._saved  # type: ignore[no-any-return]

    def _backward(self, cls: Any, given: list[Value]) -> list[Value]:
        ctx, tensors = self.ctx, iter([wrap(v) for v in given])
        ctx._saved = tuple(next(tensors) if isinstance(t, TensorBase) else t for t in ctx._saved)
        ctx._versions = (0,) * len(ctx._saved)
        for name in self.named:
            setattr(ctx, name, next(tensors))
        cts = [next(tensors) if i in self.smooth else None for i in range(len(self.shown))]
        grads = cls.backward(ctx, *cts)
        grads = grads if isinstance(grads, tuple | list) else (grads,)
        found = [grads[i] for i in self.at]
        self.given = [g is not None for g in found]
        return [g._value for g in found if g is not None]

    def key(self) -> Any:
        """Equal keys mean the same JAX function."""
        return (self.first.key(), self.second.key(), tuple(self.given), tuple(self.smooth), len(self.shown))  # fmt: skip  # noqa: E501

    def operands(self) -> list[Any]:
        """Arguments, then what forward and backward read beside them."""
        a, b = self.first, self.second
        return [*self.values, *a.captured, *a.numbers, *b.captured, *b.numbers]

    def function(self) -> Callable[..., Any]:
        """The call as JAX sees it: forward, with backward as its reverse rule."""
        forward, backward = self.first.function(), self.second.function()
        count = len(self.values)
        ends = count + len(self.first.captured) + len(self.first.numbers)
        n, kept = len(self.shown), len(self.first.results)
        smooth, given = list(self.smooth), list(self.given)

        @jax.custom_vjp
        def f(*flat: Any) -> Any:
            outs = forward(*flat[:ends])
            return (*outs[:n], *outs[kept:])

        def ahead(*flat: Any) -> Any:
            outs = forward(*flat[:ends])
            return (*outs[:n], *outs[kept:]), (outs[n:kept], flat[ends:], flat)

        def back(saved: Any, cts: Any) -> Any:
            tensors, rest, flat = saved
            grads = iter(backward(*tensors, *(cts[i] for i in smooth), *rest))
            found = [
                next(grads).astype(x.dtype) if g else None
                for g, x in zip(given, flat, strict=False)
            ]
            return (*found, *(None,) * (len(flat) - count))

        f.defvjp(ahead, back)
        return f


def apply(
    kind: type[Recorded], cls: Any, ctx: Any, forward: Callable[..., Any], args: Any,
    edges: list[Any],
) -> Any:  # fmt: skip
    """Record one call of a user's Function as one op of the region that is being recorded."""
    r = kind(cls, ctx, forward, args)
    flat = r.operands()
    key = (kind, cls, r.key(), r.place)
    sig = _signatures.get(key)
    if sig is None:
        kinds = tuple(x.aval if type(x) is Value else type(x) for x in flat)
        f = r.function()
        op = Op(f"{cls.__name__}", f, (), namespaces=())
        sig = _signatures[key] = infer(op, (), kinds, f, stand_ins(kinds), r.place, kinds)
    own = [edges[i] for i in r.at]
    duals = record_call(sig, flat, (*own, *(None,) * (len(flat) - len(own))))
    n = len(r.shown)
    for (storage, _), (value, _) in zip(r.first.effects, duals[n:], strict=True):
        storage.write(value)
    return _results(r, duals[:n])


def _results(r: Recorded, duals: list[Any]) -> Any:
    dirty = {id(t) for t in r.ctx._dirty}
    mine = {id(t): i for i, t in enumerate(r.inputs) if isinstance(t, TensorBase)}
    results, index = [], 0
    for o in r.outputs:
        if not isinstance(o, TensorBase):
            results.append(o)
            continue
        value, edge = duals[index]
        edge = edge if index in r.smooth else None
        index += 1
        if id(o) in dirty and id(o) in mine:
            target = r.args[mine[id(o)]]
            target._assign(value, edge, True)
            results.append(target)
        else:
            results.append(wrap(value, edge))
    return results[0] if r.single else tuple(results)
