"""`TensorBase` and `apply`: the one gate that joins the op table to the machine.

A tensor is a cell (`_storage`), a chain of view steps to it (`_chain`, None for the whole cell),
and its place in the graph: `_edge_` of a result, `_req` of a leaf. A differentiable view also knows
the tensor it is a view of (`_base`, `_base_chain`), and re-reads value and edge when the base has
moved on.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine import recorder
from ._engine.backward import Dual, OpNode, call, modes, tracked_call
from ._engine.device import TRACED
from ._engine.errors import broadcast_shapes, wrong_argument, wrong_element, wrong_out
from ._engine.op import Op, Role
from ._engine.saved import at_home, note_result, written_by
from ._engine.signature import _known, differentiable, lookup
from ._engine.storage import Apart, Storage, count_apart, read, replaced, write, write_all
from ._engine.value import Value, from_array
from .ops import TABLE
from .ops._derive import Gate

_NUMBERS = (float, int, bool, complex)
_new: Any = object.__new__  # tensors and storages are made for every result: without `__init__`


_tensor_classes: set[type] = set()  # known at a glance to be tensors


class TensorBase:
    """Storage, view chain and graph position; `Tensor` adds what users see."""

    __slots__ = (
        "__dict__", "__weakref__", "_base", "_base_chain", "_cached", "_chain", "_cver", "_edge_",
        "_gen", "_grad", "_hooks", "_req", "_storage",
    )  # fmt: skip

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _tensor_classes.add(cls)

    @property
    def _value(self) -> Value:
        """The value now; a view whose storage was written since re-reads it."""
        s = self._storage
        if self._chain is None:
            return s.value
        if self._cver != s.version:
            self._refresh()
        return self._cached

    @property
    def _aval(self) -> Any:
        """Shape, dtype and place, without reading a stale view again."""
        return self._storage.value.aval if self._chain is None else self._cached.aval

    def _refresh(self) -> None:
        s = self._storage
        if self._base is not None:
            # also after a write outside the graph: as in torch the view has a new node then
            base = self._root()
            whole, before = (base._value, base._edge()), self._edge_
            self._cached, self._edge_ = read(self._base_chain, whole)
            self._gen = base._gen
            retain_at(before, self, self._edge_)
        else:
            self._cached = read(self._chain, (s.value, None))[0]
        self._cver = s.version
        at_home(self._cached, s)

    def _root(self) -> Any:
        """The tensor this one is a view of; another one once that has turned itself into a view."""
        base = self._base
        while base._base is not None:
            base = self._base = base._base
        return base

    def _edge(self) -> Any:
        """Where a gradient of this tensor goes: (node, output), this leaf, or None."""
        base = self._base
        if base is not None and (self._gen != base._gen or self._cver != self._storage.version):
            self._refresh()
        return self._edge_ if self._edge_ is not None else (self if self._req else None)

    def _accumulate(self, ct: Dual, create_graph: bool) -> None:
        raise NotImplementedError

    def _assign(self, value: Value, edge: Any, track: bool) -> None:
        """Write a value of this tensor's shape and dtype, through to everything that shares it."""
        s, base = self._storage, self._base
        if base is None:
            before = self._edge_
            if type(before) is tuple:
                note_result(before, s)
            self._write_storage(value)
            if track:
                self._edge_, self._gen = edge, self._gen + 1
                retain_at(before, self, edge)
            return
        base = self._root()
        whole = (base._value, base._edge() if track else None)
        new, new_edge = write(self._base_chain, whole, (value, edge))
        base._assign(new, new_edge, track)
        if new_edge is not None if track else base._edge() is not None:
            self._gen = -1  # its edge now leads through the base's write, or to a new read of it
        self._cached, self._cver = value, s.version

    def _write_storage(self, value: Value) -> None:
        """Write what is no differentiable view: all of its storage, or a detached part of it."""
        s, chain = self._storage, self._chain
        if chain is None:
            s.write(value)
            return
        old = s.value
        s.write(write(chain, (old, None), (value, None))[0])
        if type(chain) is Apart:
            old.home = None
            count_apart(chain, s)
        self._cached, self._cver = value, s.version


def retain_at(before: Any, t: Any, edge: Any) -> None:
    """`retain_grad` of a tensor goes with it when it is written, or turned, in place."""
    if type(before) is not tuple or before[0].hooks is None:
        return
    ref = before[0].hooks.retained.get(before[1])
    if ref is not None and ref() is t and type(edge) is tuple:
        del before[0].hooks.retained[before[1]]
        edge[0].hooked().retained[edge[1]] = ref


def values_of(tensors: Sequence[Any]) -> list[Value]:
    """The value of each tensor, in one loop: optimizers ask for hundreds."""
    return [t._storage.value if t._chain is None else t._value for t in tensors]


def write_values(tensors: Sequence[Any], values: list[Value]) -> None:
    """Write each tensor whole, outside the graph, as optimizers do."""
    cells = [t._storage for t in tensors if t._chain is None]
    if len(cells) == len(tensors):
        write_all(cells, values)
        return
    for t, value in zip(tensors, values, strict=True):
        t._assign(value, None, False)


subclass_hooks: list[Any] = []  # called with every class that extends Tensor
_tensor_class: type = TensorBase


def set_tensor_class(cls: type) -> None:
    """`Tensor`, the class of every result (called once, by tensor.py)."""
    global _tensor_class
    _tensor_class = cls


def wrap(value: Value, edge: Any = None, cls: type | None = None) -> Any:
    """A new tensor with storage of its own."""
    t, s = _new(cls or _tensor_class), _new(Storage)
    s.value, s.version = value, 0
    t._storage = s
    t._chain = t._base = t._base_chain = t._cached = t._grad = t._hooks = None
    t._cver = t._gen = 0
    t._edge_, t._req = edge, False
    return t


def alias(t: Any, cls: type | None = None) -> Any:
    """A tensor on the same storage, outside the graph (`detach`)."""
    value = t._value
    new = wrap(value, None, cls)
    new._storage, new._chain = t._storage, t._chain
    if t._chain is not None:
        new._cached, new._cver = value, t._storage.version
        if t._base is not None and type(t._base._chain) is Apart:
            new._chain = Apart(t._chain, t._base._chain.writes)  # it counts where `.data` does
    return new


class StandIn(TensorBase):
    """What takes the place of a tensor that has turned itself into a view (`t.squeeze_()`)."""

    __slots__ = ("owner",)


def _view(t: Any, step: Any, value: Value, edge: Any) -> Any:
    root = t if t._base is None else t._base
    new = wrap(value, edge)
    new._storage = s = t._storage
    new._chain = (step,) if t._chain is None else (*t._chain, step)
    new._base = root
    new._base_chain = (step,) if t._base is None else (*t._base_chain, step)
    new._cached, new._cver, new._gen = value, s.version, root._gen
    at_home(value, s)
    return new


def unread_view(t: Any, op: Op, numbers: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
    """A view that is about to be written: nothing is recorded to read it."""
    sig = lookup(op, static, (t._aval, tuple(map(type, numbers))))
    new = _view(t, (op, static, numbers), Value(sig.outs[0]), None)
    new._cver = new._gen = -1
    return new


def _operand(op: Op, index: int, a: Any, element: int | None = None) -> Any:
    """What `apply` takes for an argument that is neither tensor, number nor None."""
    if isinstance(a, np.ndarray):
        return wrap(from_array(np.array(a)))
    if isinstance(a, np.generic):
        return a.item()
    if isinstance(a, _NUMBERS):
        return a.__class__.__mro__[-2](a)
    if hasattr(a, "__jax_array__"):
        return wrap(from_array(a.__jax_array__()))
    import jax

    if isinstance(a, jax.Array):
        return wrap(from_array(a))
    kind = type(a).__name__
    if element is not None:
        raise wrong_element(op, op.operands[index], element, kind)
    raise wrong_argument(op, op.operands[index], kind)


def _freeze(x: Any) -> Any:
    """A metadata argument in hashable form; tensors that stand for ints become ints."""
    if isinstance(x, TensorBase):
        return x.item()  # type: ignore[attr-defined]
    if isinstance(x, list | tuple):
        return tuple(_freeze(i) for i in x)
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, np.ndarray):
        return tuple(_freeze(i) for i in x.tolist())
    if isinstance(x, slice):
        return ("slice", _freeze(x.start), _freeze(x.stop), _freeze(x.step))
    return x


def dual_call(
    op: Op, operands: tuple[Any, ...], static: tuple[Any, ...]
) -> tuple[Any, list[Dual], Any]:
    """Record one op on tensors and numbers; returns its signature, result duals and
    flat operands.
    """
    # loops spelled out: a comprehension costs as much as ten turns of one
    tensors: Any = operands
    flat: list[Any] = []
    kinds: list[Any] = []
    for t in operands:
        if type(t) not in _tensor_classes:
            if t is None:
                tensors = None
                kinds.append(None)
                continue
            flat, spec, tensors = _sorted_out(op, operands)
            break
        v = t._storage.value if t._chain is None else t._value
        flat.append(v)
        kinds.append(v.aval)
    else:
        spec = tuple(kinds)
        if tensors is None:
            tensors = [t for t in operands if t is not None]
    try:
        sig = _known.get((op, static, spec, None))
    except TypeError:  # a list among the metadata
        sig = None
    if sig is None:
        static = _freeze(static)
        sig = lookup(op, static, spec)
    if sig.differentiable and modes.grad:
        tracked, edges = False, []
        for t in tensors:
            e = None
            if t is not None:
                e = t._edge_ if t._base is None else t._edge()
                if e is None and t._req:
                    e = t
                if e is not None:
                    tracked = True
            edges.append(e)
        if tracked:
            return sig, tracked_call(sig, flat, tuple(edges)), flat
    values = None if op.host is None or sig.place is TRACED else _on_host(sig, flat)
    if values is None:
        values = recorder.record(sig, flat)
    if len(values) == 1:
        return sig, [(values[0], None)], flat
    return sig, [(v, None) for v in values], flat


def _sorted_out(op: Op, operands: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...], list[Any]]:
    """Operands of all kinds as flat values and numbers, their spec, and the tensors
    (None: a number).
    """
    flat: list[Any] = []
    spec: list[Any] = []
    tensors: list[Any] = []
    for a in operands:
        if isinstance(a, TensorBase):
            v = a._storage.value if a._chain is None else a._value
            flat.append(v)
            spec.append(v.aval)
            tensors.append(a)
            continue
        t = type(a)
        if t is float or t is int or t is bool or t is complex:
            flat.append(a)
            spec.append(t)
            tensors.append(None)
        elif a is None:
            spec.append(None)
        else:
            _take(op, len(spec), a, flat, spec, tensors)
    return flat, tuple(spec), tensors


def _take(op: Op, i: int, a: Any, flat: list[Any], spec: list[Any], tensors: list[Any]) -> None:
    """An operand that is a sequence of tensors, or something that stands for a tensor or number."""
    sequence = op.operands[i].role is Role.ARRAYS
    kinds: list[Any] = []
    for n, b in enumerate(a if sequence else (a,)):
        if b is None:
            kinds.append(None)
            continue
        b = b if isinstance(b, TensorBase) else _operand(op, i, b, n if sequence else None)
        number = not isinstance(b, TensorBase)
        flat.append(b if number else b._value)
        kinds.append(type(b) if number else flat[-1].aval)
        tensors.append(None if number else b)
    spec.append(tuple(kinds) if sequence else kinds[0])


def _on_host(sig: Any, flat: list[Any]) -> list[Value] | None:
    """The op on NumPy data, when every operand still is host data (datasets, collation)."""
    for x in flat:
        if type(x) is Value and type(x.array) is not np.ndarray:
            return None
    result = sig.op.host(*(x.array if type(x) is Value else x for x in flat), sig.static)
    return [Value(sig.outs[0], np.asarray(result))]


autocast: Any = None  # jtorch/amp's cast of operands, while some thread is in an autocast region


def apply(op: Op, operands: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
    """Call an op: the way in for every function, method and operator."""
    if autocast is not None:
        operands = autocast(op, operands, static)
    sig, duals, flat = dual_call(op, operands, static)
    if op.view is not None:
        numbers = tuple(x for x in flat if type(x) is not Value)
        (value, edge), t = duals[0], operands[0]
        return _view(t, (op, sig.static, numbers), value, edge)
    if sig.single:
        return wrap(*duals[0])
    results = tuple(wrap(v, e) for v, e in duals)
    return _fields(op)(*results) if op.fields else results


_tuples: dict[str, Any] = {}


def _fields(op: Op) -> Any:
    name = op.fields_name or op.name
    found = _tuples.get(name)
    if found is None:
        found = _tuples[name] = named_tuple(name, op.fields)
    return found


def named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    """torch.return_types: a tuple with names and torch's repr."""
    cls = collections.namedtuple(name, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        rows = ",\n".join(f"{f}={v!r}" for f, v in zip(fields, self, strict=True))
        return f"torch.return_types.{name}(\n{rows})"

    cls.__repr__ = text  # type: ignore[assignment]
    cls.__module__ = "torch.return_types"
    return cls


def check_writable(t: Any, op: Op) -> None:
    """torch's refusals of an in-place write."""
    if not modes.grad:
        return
    if t._req and t._edge_ is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    base = t._base
    if type(base) is StandIn and base.owner() is not t:
        base = base.owner()
    if base is not None and base._req and base._edge_ is None:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )


def inplace(op: Op, operands: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
    """The op's result written into its first operand."""
    t = operands[0]
    check_writable(t, op)
    _, duals, flat = dual_call(op, operands, static)
    put(t, duals[0], f"result type {duals[0][0].aval.dtype.scalar_name}")
    if duals[0][1] is not None:
        written_by(flat[0], duals[0][1][0])
    return t


def put(t: Any, new: Dual, what: str = "") -> None:
    """Write a dual into a tensor after torch's checks: castable dtype, exact shape."""
    value = new[0]
    mine = t._aval
    if value.aval.dtype is not mine.dtype:
        if not _dtype.can_cast(value.aval.dtype, mine.dtype):
            raise RuntimeError(
                f"{what} can't be cast to the desired output type {mine.dtype.scalar_name}"
            )
        new = cast(new, mine.dtype)
    if value.aval.shape != mine.shape:
        common = broadcast_shapes(mine.shape, value.aval.shape)
        if common != mine.shape:
            raise RuntimeError(
                f"output with shape {list(mine.shape)} doesn't match the broadcast shape "
                f"{list(common)}"
            )
        new = expand(new, mine.shape)
    tracked = modes.grad and (new[1] is not None or _has_history(t))
    if tracked and new[1] is None and t._base is None:
        new = replaced((t._value, t._edge_), new)
    t._assign(new[0], new[1], tracked)


def _has_history(t: Any) -> bool:
    return t._edge_ is not None or (t._base is not None and t._base._edge() is not None)


def cast(new: Dual, dtype: Any) -> Dual:
    """A dual in another dtype."""
    return call(lookup(TABLE["_to_dtype"], (dtype,), (new[0].aval,)), (new[0],), (new[1],))[0]


def expand(new: Dual, shape: tuple[int, ...]) -> Dual:
    """A dual broadcast to a shape."""
    return call(lookup(TABLE["_broadcast"], (shape,), (new[0].aval,)), (new[0],), (new[1],))[0]


def out(op: Op, target: Any, result: Any) -> Any:
    """`out=`: the result written into the given tensor(s), resized if empty or of another shape."""
    if isinstance(result, tuple):
        for t, r in zip(target, result, strict=True):
            out(op, t, r)
        return _fields(op)(*target) if op.fields else target
    if (result.requires_grad or target.requires_grad) and modes.grad:
        raise RuntimeError(
            f"{op.name}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad."
        )
    if getattr(op, "promote", None) is _dtype.Promote.NONE and result.dtype is not target.dtype:
        raise wrong_out(result.dtype, target.dtype)
    if not _dtype.can_cast(result.dtype, target.dtype):
        raise RuntimeError(
            f"result type {result.dtype.scalar_name} can't be cast to the desired output type "
            f"{target.dtype.scalar_name}"
        )
    new = (result._value, None)
    if result.dtype is not target.dtype:
        new = cast(new, target.dtype)
    if target.shape != result.shape:
        target._storage.write(new[0])
        target._chain = target._base = None
    else:
        target._assign(new[0], None, False)
    return target


gate = Gate(apply, inplace, out)
__all__ = ["OpNode", "TensorBase", "alias", "apply", "differentiable", "gate", "inplace", "out",
           "put", "wrap"]  # fmt: skip
