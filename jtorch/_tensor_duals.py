"""Forward mode while a program runs: values that carry a tangent, and every recorded op's jvp
beside the op.

Outside of a level nothing here is called: entering one puts the functions below in the place of
those that record. A tangent belongs to a `Value`, so views, in-place writes and gradients that
are computed inside a level have one, too. A region is pushed through as a whole, as one op.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

from . import _gate, _tensor_autograd
from ._engine import backward, recorder
from ._engine.backward import Dual, OpNode, modes
from ._engine.op import Op
from ._engine.signature import Signature, differentiable, infer, stand_ins
from ._engine.value import Value
from ._gate import wrap

_plain_record, _plain_tracked = recorder.record, backward.tracked_call
_plain_alias, _plain_host = _gate.alias, _gate._on_host
forward_regions = 0  # functions being recorded for `func.jvp`
level: Any = None  # a new object for each level: tangents of earlier ones count no more
_paused = 0


def tangent_of(value: Any) -> Any:
    """The tangent (a tensor) of a Value at the level that is open, or None."""
    held = value.__dict__.get("tangent") if type(value) is Value else None
    return held[1] if held is not None and held[0] is level and level is not None else None


def check_size(tensor: Any, tangent: Any) -> None:
    """torch's error of a tangent that has another shape than its tensor."""
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}."
        )


def attach(value: Value, tangent: Any) -> None:
    """Give a Value its tangent, for as long as the level is open and the Value lives."""
    value.__dict__["tangent"] = (level, tangent)


def any_of(args: Any) -> bool:
    """Whether some of a call's arguments carry a tangent that is to be carried on."""
    if level is None or _paused:
        return False
    return any(tangent_of(getattr(a, "_value", None)) is not None for a in args)


@contextlib.contextmanager
def forward_region() -> Iterator[None]:
    """A function is being recorded for `func.jvp`: a Function's `jvp` is asked for, not its
    `backward`.
    """
    global forward_regions
    forward_regions += 1
    try:
        yield
    finally:
        forward_regions -= 1


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Ops of this block carry no tangents on."""
    global _paused
    _paused += 1
    try:
        yield
    finally:
        _paused -= 1


def enter() -> None:
    """Open a level: from now on tangents are carried on."""
    global level, _plain_record
    if level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _plain_record = recorder.record  # a profiler's, perhaps
    level = object()
    _put_in(_record, _tracked, _alias, _on_host)


def leave() -> None:
    """Close the level: its tangents are gone."""
    global level
    level = None
    _put_in(_plain_record, _plain_tracked, _plain_alias, _plain_host)


def _put_in(record: Any, tracked: Any, alias: Any, on_host: Any) -> None:
    recorder.record = record
    backward.tracked_call = _gate.tracked_call = tracked
    _tensor_autograd.alias = alias  # `detach` and `data`
    _gate._on_host = on_host


def _moving(sig: Signature, flat: Any) -> dict[int, Any]:
    """The operands that have a tangent, if the op carries it on."""
    if _paused or not sig.differentiable or recorder.in_region():
        return {}
    found = ((i, tangent_of(x)) for i, x in enumerate(flat))
    return {i: t for i, t in found if t is not None and differentiable(flat[i].aval)}


def _record(sig: Signature, flat: Any, grad: bool = False) -> list[Value]:
    results = _plain_record(sig, flat, grad)
    moving = _moving(sig, flat)
    if moving:
        _push(sig, flat, moving, results, None)
    return results


def _tracked(sig: Signature, flat: Any, edges: tuple[Any, ...]) -> list[Dual]:
    """As the engine's, but no op leaves residuals behind: its gradient shall have a tangent."""
    moving = _moving(sig, flat)
    if not moving:
        return _plain_tracked(sig, flat, edges)
    results = _plain_record(sig, flat, True)
    node = OpNode(sig, flat, edges)
    _push(sig, flat, moving, results, edges)
    return [
        (v, (node, i) if tracked else None)
        for i, (v, tracked) in enumerate(zip(results, sig.tracked, strict=True))
    ]


def _on_host(sig: Any, flat: list[Any]) -> list[Value] | None:
    """Ops on data of the host are recorded, too, where there is a tangent."""
    return None if _moving(sig, flat) else _plain_host(sig, flat)


def _push(sig: Signature, flat: Any, moving: dict[int, Any], results: Any, edges: Any) -> None:
    at = tuple(moving)
    with paused():
        dots = [_as(t, flat[i].aval.dtype) for i, t in moving.items()]
        operands = [*flat, *(t._value for t in dots)]
        own = edges if edges is not None and not sig.op.linear else (None,) * len(flat)
        more = [t._edge() if modes.grad else None for t in dots]
        pushed = iter(backward.call(_jvp(sig, at), operands, (*own, *more)))
    for value, tracked in zip(results, sig.tracked, strict=True):
        if tracked:
            attach(value, wrap(*next(pushed)))


def _as(t: Any, dtype: Any) -> Any:
    return t if t.dtype is dtype else t.to(dtype)


_signatures: dict[tuple[Signature, tuple[int, ...]], Signature] = {}


def _jvp(sig: Signature, at: tuple[int, ...]) -> Signature:
    """(operands, tangents of those `at`) -> tangents of the results that can have one."""
    found = _signatures.get((sig, at))
    if found is not None:
        return found
    n, smooth = len(sig.flat), [i for i, t in enumerate(sig.tracked) if t]

    def push(*args: Any) -> tuple[Any, ...]:
        def f(*given: Any) -> tuple[Any, ...]:
            full = list(args[:n])
            for i, x in zip(at, given, strict=True):
                full[i] = x
            results = sig.fn(*full)
            return tuple(results[i] for i in smooth)

        return tuple(jax.jvp(f, tuple(args[i] for i in at), args[n:])[1])

    kinds = (*sig.flat, *(sig.flat[i] for i in at))
    op = Op(f"{sig.op.name}_jvp", sig.op.fn, (), linear=sig.op.linear, dynamic=sig.op.dynamic)
    made = infer(op, (sig.static, at), kinds, push, stand_ins(kinds), sig.place, kinds)
    _signatures[sig, at] = made
    return made


def bare(t: Any) -> Any:
    """A view of a tensor, with its history, that has no tangent."""
    with paused():
        return t.view_as(t)


def _alias(t: Any, cls: type | None = None) -> Any:
    """`detach` inside a level: the same storage, and no tangent."""
    new = _plain_alias(t, cls)
    if tangent_of(new._value) is not None:
        new._cached, new._cver = bare(t)._value, t._storage.version
        new._chain = new._chain or ()
    return new
