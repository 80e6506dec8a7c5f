"""`Signature`: an op specialised to shapes, dtypes and metadata; what an instruction refers to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import dtype as _dtype
from .device import TRACED, Place, place_of
from .dtype import Promote
from .errors import broadcast_shapes, check_arguments, inference_error
from .op import Op, Role
from .saved import positions
from .value import Aval, aval

NUMBERS: dict[type, Any] = {
    bool: np.dtype(bool),
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}
Spec = tuple[Any, ...]  # per operand: Aval, a number's type, None, or a tuple of these
TABLE: list[Signature] = []
_HALVES = (_dtype.float16, _dtype.bfloat16)


class Signature:
    """One specialised op: `fn(*flat)` maps arrays and numbers to a tuple of arrays.

    `flat` lists the operands' Avals and number types in order, absent operands and sequences
    flattened away; `outs` the result Avals; `single` says that the user gets no tuple.
    """

    __slots__ = (
        "_residuals", "_vjps", "counts", "differentiable", "eager", "flat", "fn", "id", "mask",
        "name", "numbers", "op", "outs", "place", "pull_all", "saves", "single", "special",
        "static", "tracked",
    )  # fmt: skip

    def __init__(
        self, op: Op, static: Any, flat: Spec, fn: Callable[..., Any], outs: tuple[Aval, ...],
        single: bool, place: Place, name: str = "",
    ) -> None:  # fmt: skip
        self.op, self.static, self.flat, self.fn, self.outs = op, static, flat, fn, outs
        self.single, self.place, self.name = single, place, name or op.name
        self.mask = tuple(isinstance(f, Aval) for f in flat)
        self.numbers = not all(self.mask)  # whether there are numbers among the operands
        arrays = [a for a in flat if isinstance(a, Aval)]
        self.counts = (
            bool(arrays)
            and place.sharding is None
            and not place.traced
            and all(a.numel == 1 and a.dtype.is_integral for a in (*arrays, *outs))
        )  # arithmetic on single whole numbers
        self.special = self.counts or place.traced  # may be run instead of recorded
        self.tracked = tuple(op.differentiable and differentiable(a) for a in outs)
        self.differentiable = any(self.tracked)
        self.pull_all: Signature | None = None  # the vjp for all operands, of a single output
        self.saves: tuple[int, ...] = ()  # of a vjp: operands that torch would have saved
        self._vjps: dict[Any, Signature] = {}
        self._residuals: dict[Any, tuple[Signature, Any]] = {}
        self.eager: Any = None
        self.id = len(TABLE)
        TABLE.append(self)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.flat))}) -> {self.outs}"

    def vjp(self, needs: tuple[int, ...], given: tuple[int, ...]) -> Signature:
        """The reverse rule as a signature: (flat operands, cotangents given) -> grads of
        `needs`.
        """
        key = (needs, given)
        found = self._vjps.get(key)
        if found is None:
            found = _make_vjp(self, needs, given)
            if self.op.name.endswith("_vjp"):  # JAX may lack a second derivative: say so now
                _check_traceable(found)
            self._vjps[key] = found
            if not self.op.linear:
                found.saves = positions(self.op.name, self.mask, needs)
        return found

    def with_residuals(self, needs: tuple[int, ...]) -> tuple[Signature, Callable[..., Signature]]:
        """(forward that also returns what its gradient needs, maker of the pull-back's
        signature).
        """
        found = self._residuals.get(needs)
        if found is None:
            found = self._residuals[needs] = _make_residual(self, needs)
        return found


_known: dict[Any, Signature] = {}


def lookup(op: Op, static: Any, spec: Spec, place: Place | None = None) -> Signature:
    """The one signature of these arguments, made at first sight."""
    key = (op, static, spec, place)
    found = _known.get(key)
    if found is None:
        found = _known[key] = make(op, static, spec, place)
    return found


def differentiable(a: Aval) -> bool:
    """Whether a value of this kind can carry a gradient."""
    return bool(a.dtype.is_floating_point or a.dtype.is_complex)


def _make_residual(
    sig: Signature, needs: tuple[int, ...]
) -> tuple[Signature, Callable[..., Signature]]:
    tree: Any = None
    diff_outs = [i for i, a in enumerate(sig.outs) if differentiable(a)]

    def forward(*args: Any) -> tuple[Any, ...]:
        nonlocal tree

        def inner(*wanted: Any) -> Any:
            full = list(args)
            for i, w in zip(needs, wanted, strict=True):
                full[i] = w
            results = sig.fn(*full)
            return tuple(results[i] for i in diff_outs), results

        _, back, results = jax.vjp(inner, *(args[i] for i in needs), has_aux=True)
        leaves, tree = jax.tree.flatten(back)
        return (*results, *leaves)

    first = infer(
        sig.op, (sig.static, needs), sig.flat, forward, stand_ins(sig.flat), sig.place, sig.flat
    )
    kept = first.outs[len(sig.outs) :]

    def make_pull(given: tuple[int, ...]) -> Signature:
        def pull(*args: Any) -> tuple[Any, ...]:
            cts = dict(zip(given, args[len(kept) :], strict=True))
            ct = tuple(cts[i] if i in cts else jnp.zeros(sig.outs[i].shape, sig.outs[i].np) for i in diff_outs)  # fmt: skip  # noqa: E501
            back = jax.tree.unflatten(tree, args[: len(kept)])
            conj = any(a.dtype.is_complex for a in (*sig.outs, *(sig.flat[i] for i in needs)))
            if not conj:
                return tuple(back(ct))
            return tuple(jnp.conj(g) for g in back(tuple(jnp.conj(c) for c in ct)))

        flat = (*kept, *(sig.outs[i] for i in given))
        grads = tuple(sig.flat[i] for i in needs)
        static = (sig.static, needs, given)
        name = f"{sig.name}_vjp"
        return Signature(_vjp_op(sig.op), static, flat, pull, grads, False, sig.place, name)

    return first, functools.cache(make_pull)


def stand_ins(flat: Spec) -> list[Any]:
    """What JAX needs to know of flat operands to infer shapes."""
    kinds = [(a.shape, a.np) if isinstance(a, Aval) else ((), NUMBERS[a]) for a in flat]
    return [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in kinds]


def _check_traceable(sig: Signature) -> None:
    with jax.enable_x64(True):
        try:
            jax.eval_shape(sig.fn, *stand_ins(sig.flat))
        except NotImplementedError as e:
            raise NotImplementedError(
                f"the derivative of {sig.name.removesuffix('_vjp')} is not implemented ({e}): "
                "compute it without create_graph=True, or write the op with others."
            ) from None


def _make_vjp(sig: Signature, needs: tuple[int, ...], given: tuple[int, ...]) -> Signature:
    linear, flat, outs, n = sig.op.linear, sig.flat, sig.outs, len(sig.flat)
    diff_outs = [i for i, a in enumerate(outs) if differentiable(a)]
    is_complex = any(isinstance(a, Aval) and a.dtype.is_complex for a in (*flat, *outs))

    def pull(*args: Any) -> tuple[Any, ...]:
        full = list(args[:n])
        if linear:  # the saved values were not kept: any value gives the same pull-back
            full = [jnp.zeros(a.shape, a.np) if isinstance(a, Aval) else x
                    for a, x in zip(flat, full, strict=True)]  # fmt: skip
        cts = dict(zip(given, args[n:], strict=True))

        def forward(*wanted: Any) -> tuple[Any, ...]:
            inner = list(full)
            for i, w in zip(needs, wanted, strict=True):
                inner[i] = w
            results = sig.fn(*inner)
            return tuple(results[i] for i in diff_outs)

        _, back = jax.vjp(forward, *(full[i] for i in needs))
        ct = tuple(cts[i] if i in cts else jnp.zeros(outs[i].shape, outs[i].np) for i in diff_outs)
        if not is_complex:
            return tuple(back(ct))
        return tuple(jnp.conj(g) for g in back(tuple(jnp.conj(c) for c in ct)))

    if linear:
        vjp_flat = tuple(None if isinstance(a, Aval) else a for a in flat) + tuple(
            outs[i] for i in given
        )
        present = [a is not None for a in vjp_flat]

        def fn(*args: Any) -> tuple[Any, ...]:
            rest = iter(args)
            return pull(*(next(rest) if p else None for p in present))

        vjp_flat = tuple(a for a in vjp_flat if a is not None)
    else:
        fn, vjp_flat = pull, flat + tuple(outs[i] for i in given)
    results = tuple(flat[i] for i in needs)
    return Signature(_vjp_op(sig.op), (sig.static, needs), vjp_flat, fn, results, False, sig.place,
                     f"{sig.name}_vjp")  # fmt: skip


@functools.cache
def _vjp_op(op: Op) -> Op:
    # A linear op's pull-back is linear in the cotangent, and its other operands are numbers.
    return Op(f"{op.name}_vjp", op.fn, (), linear=op.linear, dynamic=op.dynamic)


def flatten(spec: Spec) -> Iterator[Any]:
    """Operand specs in order, without the absent ones and with sequences spelled out."""
    for s in spec:
        if type(s) is tuple:
            yield from s
        elif s is not None:
            yield s


def make(op: Op, static: tuple[Any, ...], spec: Spec, place: Place | None = None) -> Signature:
    """Specialise `op`: check, promote, infer.  Raises torch's errors."""
    check_arguments(op, spec, static)
    metadata = dict(zip((p.name for p in op.statics), static, strict=True))
    if op.check is not None:
        op.check(*spec, **metadata)
    flat = tuple(flatten(spec))
    if op.broadcast:
        broadcast_shapes(*(a.shape for a in flat if isinstance(a, Aval)))
    where = _join_places(op, flat, metadata, place)
    fn = _bind(op, metadata, spec)
    if op.promote is not Promote.NONE:
        fn = _promoted(op, fn, metadata, spec, flat)
    return infer(op, static, flat, fn, stand_ins(flat), where, spec)


def infer(
    op: Op, static: Any, flat: Spec, fn: Any, inputs: Any, where: Place, spec: Any
) -> Signature:
    """Run `fn` on shapes alone and wrap what comes out."""
    single = True

    def call(*args: Any) -> tuple[Any, ...]:
        nonlocal single
        out = fn(*args)
        single = not isinstance(out, tuple | list)
        return (out,) if single else tuple(out)

    with jax.enable_x64(True):
        try:
            shapes = jax.eval_shape(call, *inputs)
        except (TypeError, ValueError, IndexError, NotImplementedError, ZeroDivisionError) as e:
            raise inference_error(op, e, spec) from None
    outs = tuple(aval(tuple(s.shape), _dtype.from_numpy(s.dtype), where) for s in shapes)

    def plain(*args: Any) -> tuple[Any, ...]:
        out = fn(*args)
        return (out,) if single else tuple(out)

    return Signature(op, static, flat, plain, outs, single, where)


def _join_places(op: Op, flat: Spec, metadata: Any, place: Place | None) -> Place:
    places = {a.place for a in flat if isinstance(a, Aval)}
    if len(places) == 1:
        return places.pop()
    if not places:
        return place if place is not None else place_of(metadata.get("device"))
    if TRACED in places:
        return TRACED
    big = {a.place for a in flat if isinstance(a, Aval) and a.ndim > 0} or places
    if len({p.device for p in big}) > 1:
        a, b = sorted(str(p.device) for p in places)[:2][::-1]
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{a} and {b}! (when checking argument in method {op.name})"
        )
    return max(big, key=lambda p: len(getattr(p.sharding, "device_set", ())))


def _bind(op: Op, metadata: dict[str, Any], spec: Spec) -> Callable[..., Any]:
    """`op.fn` as a function of the flat operands alone."""
    names = [p.name for p in op.operands]

    def fn(*flat: Any) -> Any:
        rest = iter(flat)
        args: dict[str, Any] = {}
        for name, s in zip(names, spec, strict=True):
            if type(s) is tuple:
                args[name] = [next(rest) if x is not None else None for x in s]
            else:
                args[name] = None if s is None else next(rest)
        return op.fn(**args, **metadata)

    return fn


def _promoted(
    op: Op, fn: Callable[..., Any], metadata: Any, spec: Spec, flat: Spec
) -> Callable[..., Any]:
    """`fn` with its operands cast to the compute dtype, and its result to the result dtype."""
    takes_part: list[bool] = []
    for p, s in zip(op.operands, spec, strict=True):
        joins = p.role is not Role.SCALAR if op.promotes is None else p.name in op.promotes
        takes_part += [joins] * len(tuple(flatten((s,))))
    items = [_item(a) for a, joins in zip(flat, takes_part, strict=True) if joins]
    asked = metadata.get("dtype")
    compute, result = (
        (asked, asked) if asked is not None else _dtype.promote(op.promote, tuple(items))
    )
    if op.result_dtype is not None:
        result = op.result_dtype(result, **metadata)
    wide = compute.np
    if compute in _HALVES and op.promote in (Promote.INT_TO_FLOAT, Promote.BOOL_TO_LONG):
        wide = np.dtype(np.float32)  # torch's opmath: halves are computed in float32
    scalar_too = [
        joins or (not isinstance(a, Aval) and op.promotes is None)
        for a, joins in zip(flat, takes_part, strict=True)
    ]  # fmt: skip

    def cast(x: Any) -> Any:
        if isinstance(x, int | float | complex):
            return _number(x, wide)
        return x.astype(wide) if x.dtype != wide else x

    def promoted(*args: Any) -> Any:
        out = fn(*(cast(x) if joins else x for x, joins in zip(args, scalar_too, strict=True)))
        if isinstance(out, tuple):
            return tuple(
                o.astype(result.np) if i == 0 or o.dtype == wide else o for i, o in enumerate(out)
            )
        return out.astype(result.np) if out.dtype != result.np else out

    return promoted


def _number(x: Any, to: np.dtype[Any]) -> Any:
    """A Python number as a NumPy scalar of the compute dtype (wrapping, as C does)."""
    with np.errstate(all="ignore"):
        if to.kind in "iu" and isinstance(x, int):
            return np.array(x % (1 << 64), np.uint64).astype(to)[()]
        if isinstance(x, complex) and to.kind != "c":
            x = x.real
        return np.asarray(x).astype(to)[()]


def _item(a: Any) -> tuple[Any, str]:
    if isinstance(a, Aval):
        return a.dtype, "dim" if a.ndim else "zero"
    return _NUMBER_DTYPE[a], "number"


_NUMBER_DTYPE = {
    bool: _dtype.bool_,
    int: _dtype.int64,
    float: _dtype.float64,
    complex: _dtype.complex128,
}
