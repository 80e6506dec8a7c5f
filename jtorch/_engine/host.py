"""Ops on host data in NumPy, without XLA: in DataLoader workers always, in datasets where it can
be.

A worker is forked from a process that uses JAX, whose threads a fork does not copy, so it must not
run a program. And a dataset that flips a coin for every sample would give every batch a program of
its own. Tracing an op to a jaxpr is plain Python; this module then makes a Python function over
NumPy of the jaxpr.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from . import host_linalg as host_linalg
from . import host_windows as host_windows
from .host_rules import EXACT, RULES
from .signature import NUMBERS, Signature, stand_ins
from .value import Value

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


def check_allowed(what: str) -> None:
    """Refuse what needs XLA in a worker: its threads are not there, and it would wait for ever."""
    if _process == ALWAYS:
        raise RuntimeError(
            f"{what} in a DataLoader worker: a forked process must not use JAX or an "
            "accelerator. Do "
            "this in the training loop, on the batch; or set num_workers=0."
        )


def run(sig: Signature, flat: Any) -> list[Value] | None:
    """The op in NumPy; None where it has to be left to XLA."""
    if level() == OFF:
        return None
    try:
        if sig.op.host is not None:
            args = [_array(x) if type(x) is Value else x for x in flat]
            return [Value(sig.outs[0], np.asarray(sig.op.host(*args, sig.static)))]
        return _computed(sig, flat)
    except Unsupported as e:
        if level() != ALWAYS:
            return None
        raise RuntimeError(
            f"{sig.op.name}: {e}. A DataLoader worker runs ops with NumPy, because a forked "
            "process "
            "must not use JAX. Do this step in the training loop, use NumPy for it, or set "
            "num_workers=0."
        ) from None


def _computed(sig: Signature, flat: Any) -> list[Value]:
    function = translated(sig)[0]
    arrays = [
        (x.array if type(x.array) is np.ndarray else _array(x))
        if type(x) is Value
        else np.asarray(x, NUMBERS[type(x)])
        for x in flat
    ]
    with np.errstate(all="ignore"):
        results = function(*arrays)
    if len(results) == 1:
        a, r = sig.outs[0], results[0]
        return [Value(a, r if type(r) is np.ndarray and r.dtype == a.np else np.asarray(r, a.np))]
    return [Value(a, np.asarray(r, a.np)) for a, r in zip(sig.outs, results, strict=True)]


def counted(sig: Signature, flat: Any) -> list[Value] | None:
    """Arithmetic on single whole numbers that are on the host: exact in NumPy, so nothing waits.

    `for i in torch.randint(...): data[i : i + 8]` is such arithmetic; as a program each index would
    cost a run and a sync.
    """
    if any(type(x) is Value and type(x.array) is not np.ndarray for x in flat):
        return None
    try:
        return _computed(sig, flat)
    except Unsupported:
        return None


def _array(x: Value) -> np.ndarray[Any, Any]:
    array = x.array
    if type(array) is np.ndarray:
        return array
    if array is None:
        raise Unsupported("the value of a tensor was still to be computed when the worker started")
    if x.aval.place.traced or x.aval.place.device.type != "cpu":
        raise Unsupported(f"a tensor is on {x.aval.place.device}, where a worker cannot go")
    return np.asarray(array)


Translated = tuple[Callable[..., Any], int, int]
_functions: dict[int, Translated] = {}


def translated(sig: Signature) -> Translated:
    """The op as a function on NumPy arrays; its equations and the elements they touch."""
    found = _functions.get(sig.id)
    if found is None:
        with jax.enable_x64(True):
            closed = jax.make_jaxpr(sig.fn)(*stand_ins(sig.flat))
        function = translate(closed.jaxpr, closed.consts)
        found = _functions[sig.id] = (function, *work(closed.jaxpr))
    return found


_TRIPS = 64  # of a loop whose length is not known


def work(jaxpr: Any) -> tuple[int, int]:
    """How many equations NumPy would run, and how many elements they would touch."""
    equations = elements = 0
    for eqn in jaxpr.eqns:
        inner = [j for v in eqn.params.values() for j in (v if type(v) is tuple else (v,))]
        inner = [getattr(j, "jaxpr", j) for j in inner if hasattr(getattr(j, "jaxpr", j), "eqns")]
        if inner:
            trips = eqn.params.get("length", _TRIPS if eqn.primitive.name == "while" else 1)
            for part in map(work, inner):
                equations += trips * part[0]
                elements += trips * part[1]
            continue
        equations += 1
        sizes = [math.prod(v.aval.shape) for v in (*eqn.invars, *eqn.outvars)]
        elements += max(sizes, default=0)
        if eqn.primitive.name == "dot_general":  # multiply-adds; BLAS does many at a time
            elements += _multiply_adds(eqn) // 8
        elif eqn.primitive.name == "conv_general_dilated":
            elements += sizes[1] * sizes[2] // max(1, eqn.invars[1].aval.shape[0])
    return equations, elements


def _multiply_adds(eqn: Any) -> int:
    contracted = eqn.params["dimension_numbers"][0][0]
    lhs = eqn.invars[0].aval.shape
    return int(math.prod(eqn.outvars[0].aval.shape) * math.prod(lhs[i] for i in contracted))


# --- jaxprs to Python -----------------------------------------------------------------------------


def translate(jaxpr: Any, consts: Any = ()) -> Callable[..., Any]:
    """A Python function on NumPy arrays that does what the jaxpr does, one line per equation."""
    scope: dict[str, Any] = {}
    names: dict[Any, str] = {}

    def bind(x: Any) -> str:
        name = f"c{len(scope)}"
        scope[name] = x
        return name

    def name(v: Any) -> str:
        if isinstance(v, Literal):
            aval: Any = v.aval
            return bind(np.asarray(v.val, aval.dtype))
        return names.setdefault(v, f"v{len(names)}")

    for v, value in zip(jaxpr.constvars, consts, strict=True):
        names[v] = bind(np.asarray(value))
    lines = [f"def function({', '.join(map(name, jaxpr.invars))}):"]
    for eqn in _alive(jaxpr):
        args = ", ".join(map(name, eqn.invars))
        outs = ", ".join(map(name, eqn.outvars))
        comma = "," if eqn.primitive.multiple_results else ""
        lines.append(f"    {outs}{comma} = {bind(_rule(eqn))}({args})")
    lines.append(f"    return ({' '.join(f'{name(v)},' for v in jaxpr.outvars)})")
    exec("\n".join(lines), scope)
    return scope["function"]  # type: ignore[no-any-return]


def _alive(jaxpr: Any) -> list[Any]:
    """The equations whose results somebody reads."""
    wanted = {v for v in jaxpr.outvars if not isinstance(v, Literal)}
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if not wanted.isdisjoint(eqn.outvars):
            kept.append(eqn)
            wanted.update(v for v in eqn.invars if not isinstance(v, Literal))
    return kept[::-1]


def _rule(eqn: Any) -> Callable[..., Any]:
    """The equation's primitive with its parameters, as a function of its operands."""
    primitive = eqn.primitive.name
    make = _CALLS.get(primitive)
    if make is not None:
        return make(**eqn.params)  # type: ignore[no-any-return, operator]
    rule = RULES.get(primitive)
    if rule is None:
        raise Unsupported(f"there is no NumPy rule for JAX's primitive {primitive!r}")
    if primitive in EXACT:
        return rule
    dtypes = [v.aval.dtype for v in eqn.outvars]
    params, several = eqn.params, eqn.primitive.multiple_results

    def apply(*args: Any) -> Any:
        try:
            results = rule(*args, **params)
        except (TypeError, NotImplementedError) as e:
            raise Unsupported(f"NumPy's {primitive!r} does not do this ({e})") from None
        if several:
            return [np.asarray(r, d) for r, d in zip(results, dtypes, strict=True)]
        return results if results.dtype == dtypes[0] else results.astype(dtypes[0])

    return apply


# --- primitives that hold jaxprs: functions of their operands -------------------------------------


def _inner(closed: Any) -> Callable[..., Any]:
    return (
        translate(closed.jaxpr, closed.consts) if hasattr(closed, "consts") else translate(closed)
    )


def _call(**params: Any) -> Callable[..., Any]:
    return _inner(params.get("jaxpr") or params["call_jaxpr"])


def _while(*, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int) -> Any:
    condition, body = _inner(cond_jaxpr), _inner(body_jaxpr)

    def loop(*args: Any) -> Any:
        condition_consts, args = args[:cond_nconsts], args[cond_nconsts:]
        consts, carry = args[:body_nconsts], args[body_nconsts:]
        while np.any(go := condition(*condition_consts, *carry)[0]):
            new = body(*consts, *carry)
            carry = new if not np.ndim(go) else tuple(map(_chosen(go), new, carry))
        return carry

    return loop


def _chosen(go: Any) -> Callable[[Any, Any], Any]:
    """Of a batch of loops, which XLA runs together, the finished ones stay as they are."""

    def choose(new: Any, old: Any) -> Any:
        return np.where(go.reshape(go.shape + (1,) * (np.ndim(new) - go.ndim)), new, old)

    return choose


def _cond(*, branches: Any, **params: Any) -> Any:
    functions = [_inner(b) for b in branches]
    return lambda which, *args: functions[min(max(int(which), 0), len(functions) - 1)](*args)


def _scan(
    *, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **params: Any
) -> Any:
    body = _inner(jaxpr)
    avals = [v.aval for v in jaxpr.jaxpr.outvars[num_carry:]]

    def scan(*args: Any) -> Any:
        consts, rest = args[:num_consts], args[num_consts:]
        carry, xs = rest[:num_carry], rest[num_carry:]
        ys = [np.empty((length, *a.shape), a.dtype) for a in avals]
        for i in reversed(range(length)) if reverse else range(length):
            out = body(*consts, *carry, *(x[i] for x in xs))
            carry = out[:num_carry]
            for y, new in zip(ys, out[num_carry:], strict=True):
                y[i] = new
        return (*carry, *ys)

    return scan


def _linear_solve(*, const_lengths: Any, jaxprs: Any) -> Any:
    solve = _inner(jaxprs.solve)
    before = const_lengths.matvec + const_lengths.vecmat
    mine, every = const_lengths.solve, sum(const_lengths)
    return lambda *args: solve(*args[before : before + mine], *args[every:])


_CALLS = {
    **dict.fromkeys(
        ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call",
         "custom_vjp_call_jaxpr", "checkpoint", "remat", "remat2", "custom_lin"),
        _call,
    ),
    "while": _while, "cond": _cond, "scan": _scan, "custom_linear_solve": _linear_solve,
}  # fmt: skip
