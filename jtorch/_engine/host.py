"""Ops on host data in NumPy, without XLA: in DataLoader workers always, in datasets where it can be.

A worker is forked from a process that uses JAX, whose threads a fork does not copy, so it must not run
a program. And a dataset that flips a coin for every sample would give every batch a program of its own.
Tracing an op to a jaxpr is plain Python; this module then evaluates the jaxpr with NumPy.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from . import host_windows as host_windows
from .host_rules import RULES
from .signature import NUMBERS, Signature
from .value import Aval, Value

OFF, PREFER, ALWAYS = 0, 1, 2


class _Mode(threading.local):
    now = OFF


_mode = _Mode()
_process = OFF  # of the whole process: a worker's threads are in the worker, too
users = 0  # how many threads (or processes, in a worker) want NumPy: the recorder asks only then


class Unsupported(Exception):
    """A primitive that has no NumPy rule, or data that is not on the host."""


@contextlib.contextmanager
def preferred() -> Iterator[None]:
    """In this block, ops on host data run in NumPy at once, where they can."""
    global users
    before, _mode.now = _mode.now, PREFER
    users += 1
    try:
        yield
    finally:
        users -= 1
        _mode.now = before


def only() -> None:
    """From now on this process runs every op in NumPy (a worker begins)."""
    global _process, users
    _process, users = ALWAYS, users + 1


def level() -> int:
    """OFF, PREFER or ALWAYS, for the calling thread."""
    return max(_mode.now, _process)


def run(sig: Signature, flat: Any) -> list[Value] | None:
    """The op in NumPy; None where it has to be left to XLA."""
    if level() == OFF:
        return None
    try:
        arrays = [_array(x, kind) for x, kind in zip(flat, sig.flat, strict=True)]
        results = _evaluate(sig, arrays)
    except Unsupported as e:
        if level() != ALWAYS:
            return None
        raise RuntimeError(
            f"{sig.op.name}: {e}. A DataLoader worker runs ops with NumPy, because a forked process "
            "must not use JAX. Do this step in the training loop, use NumPy for it, or set num_workers=0."
        ) from None
    return [Value(a, r) for a, r in zip(sig.outs, results, strict=True)]


def counted(sig: Signature, flat: Any) -> list[Value] | None:
    """Arithmetic on single whole numbers that are on the host: exact in NumPy, so nothing waits.

    `for i in torch.randint(...): data[i : i + 8]` is such arithmetic; as a program each index would
    cost a run and a sync.
    """
    if any(type(x) is Value and type(x.array) is not np.ndarray for x in flat):
        return None
    try:
        arrays = [_array(x, kind) for x, kind in zip(flat, sig.flat, strict=True)]
        return [Value(a, r) for a, r in zip(sig.outs, _evaluate(sig, arrays), strict=True)]
    except Unsupported:
        return None


def _array(x: Any, kind: Any) -> np.ndarray[Any, Any]:
    if type(x) is not Value:
        return np.asarray(x, NUMBERS[kind])
    array = x.array
    if type(array) is np.ndarray:
        return array
    if array is None:
        raise Unsupported("the value of a tensor was still to be computed when the worker started")
    if x.aval.place.traced or x.aval.place.device.type != "cpu":
        raise Unsupported(f"a tensor is on {x.aval.place.device}, where a worker cannot go")
    return np.asarray(array)


_jaxprs: dict[int, Any] = {}


def _evaluate(sig: Signature, arrays: list[Any]) -> list[np.ndarray[Any, Any]]:
    closed = _jaxprs.get(sig.id)
    if closed is None:
        stand_ins = [
            jax.ShapeDtypeStruct(a.shape, a.np) if isinstance(a, Aval)
            else jax.ShapeDtypeStruct((), NUMBERS[a])
            for a in sig.flat
        ]  # fmt: skip
        with jax.enable_x64(True):
            closed = _jaxprs[sig.id] = jax.make_jaxpr(sig.fn)(*stand_ins)
    with np.errstate(all="ignore"):
        results = interpret(closed.jaxpr, closed.consts, arrays)
    return [np.asarray(r, a.np) for r, a in zip(results, sig.outs, strict=True)]


def interpret(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    """The results of a jaxpr on NumPy arrays."""
    env: dict[Any, Any] = {}

    def read(v: Any) -> Any:
        return np.asarray(v.val, v.aval.dtype) if isinstance(v, Literal) else env[v]

    env.update(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        results = _apply(eqn, [read(v) for v in eqn.invars])
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _apply(eqn: Any, args: list[Any]) -> Any:
    name = eqn.primitive.name
    own = _CALLS.get(name)
    if own is not None:
        return own(args, **eqn.params)
    rule = RULES.get(name)
    if rule is None:
        raise Unsupported(f"there is no NumPy rule for JAX's primitive {name!r}")
    try:
        results = rule(*args, **eqn.params)
    except (TypeError, NotImplementedError) as e:
        raise Unsupported(f"NumPy's {name!r} does not do this ({e})") from None
    results = results if eqn.primitive.multiple_results else (results,)
    return [
        r if isinstance(r, np.ndarray) and r.dtype == v.aval.dtype else np.asarray(r, v.aval.dtype)
        for r, v in zip(results, eqn.outvars, strict=True)
    ]


# --- primitives that hold jaxprs -------------------------------------------------------------------


def _call(args: Any, **params: Any) -> Any:
    closed = params.get("jaxpr") or params.get("call_jaxpr")
    if hasattr(closed, "consts"):
        return interpret(closed.jaxpr, closed.consts, args)
    return interpret(closed, (), args)


def _while(args: Any, *, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int) -> Any:
    cond_consts, args = args[:cond_nconsts], args[cond_nconsts:]
    body_consts, carry = args[:body_nconsts], args[body_nconsts:]
    while interpret(cond_jaxpr.jaxpr, cond_jaxpr.consts, [*cond_consts, *carry])[0]:
        carry = interpret(body_jaxpr.jaxpr, body_jaxpr.consts, [*body_consts, *carry])
    return carry


def _cond(args: Any, *, branches: Any, **params: Any) -> Any:
    which = min(max(int(args[0]), 0), len(branches) - 1)
    return interpret(branches[which].jaxpr, branches[which].consts, args[1:])


def _scan(
    args: Any, *, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **params: Any
) -> Any:
    consts, rest = args[:num_consts], args[num_consts:]
    carry, xs = rest[:num_carry], rest[num_carry:]
    ys: list[Any] = []
    for i in reversed(range(length)) if reverse else range(length):
        out = interpret(jaxpr.jaxpr, jaxpr.consts, [*consts, *carry, *(x[i] for x in xs)])
        carry = out[:num_carry]
        ys.append(out[num_carry:])
    ys = ys[::-1] if reverse else ys
    avals = [v.aval for v in jaxpr.jaxpr.outvars[num_carry:]]
    stacked = [
        np.stack([y[k] for y in ys]) if ys else np.empty((0, *a.shape), a.dtype)
        for k, a in enumerate(avals)
    ]
    return [*carry, *stacked]


_CALLS = {
    **dict.fromkeys(
        ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call",
         "custom_vjp_call_jaxpr", "checkpoint", "remat", "remat2", "custom_lin"),
        _call,
    ),
    "while": _while, "cond": _cond, "scan": _scan,
}  # fmt: skip
