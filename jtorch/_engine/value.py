"""`Value`: one immutable array that exists now (`array`) or will when its program runs (`slot`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtype as _dtype
from .device import Place, place_of_array


class Aval:
    """Shape, dtype and place of a value; interned, so equality is identity."""

    __slots__ = ("dtype", "ndim", "np", "numel", "place", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any, place: Place) -> None:
        self.shape, self.dtype, self.place = shape, dtype, place
        self.np = dtype.np
        self.ndim = len(shape)
        self.numel = math.prod(shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.numel * int(self.np.itemsize)

    def __repr__(self) -> str:
        name = repr(self.dtype).removeprefix("torch.")
        return f"{name}[{','.join(map(str, self.shape))}]"


_avals: dict[tuple[tuple[int, ...], Any, Place], Aval] = {}


def aval(shape: tuple[int, ...], dtype: Any, place: Place) -> Aval:
    """The one `Aval` of this shape, dtype and place."""
    key = (shape, dtype, place)
    found = _avals.get(key)
    if found is None:
        found = _avals[key] = Aval(*key)
    return found


class Value:
    """One immutable array.  Pending while `array` is None: then result `slot` of `program` fills
    it.

    A ready Value that `program` reads has the complement of a leaf's number as its `slot`.
    `array` is a `jax.Array`, a JAX tracer, or a NumPy array (host data); `moved` is host data that
    has been read often enough to be worth a copy on its device. Whoever makes a Value from a NumPy
    array gives it up: nobody may write to it afterwards.  `was` is the id of the ready Value that
    it took the place of in a storage.  `home` says whether it is still what a tensor shows: None,
    the version of the storage in which it was overwritten, or, of a view, (weak storage, version,
    newest node it may feed).  `top`: the largest of some whole numbers on the host, where known.
    """

    # defaults in the class: a Value is made for every result of every op
    moved: Any = None
    top: int | None = None
    uses = was = 0
    home: Any = None

    def __init__(self, aval: Aval, array: Any = None, program: Any = None, slot: int = -1) -> None:
        self.aval, self.array, self.program, self.slot = aval, array, program, slot

    def __repr__(self) -> str:
        return f"Value({self.aval}, {'pending' if self.array is None else 'ready'})"


_new: Any = object.__new__


def pending_values(avals: tuple[Aval, ...], program: Any, first: int) -> list[Value]:
    """`Value(aval, None, program, slot)` for each, slots from `first` on, made without a call."""
    values = []
    for kind in avals:
        v = _new(Value)
        v.aval, v.array, v.program, v.slot = kind, None, program, first
        values.append(v)
        first += 1
    return values


def from_array(array: Any, place: Place | None = None) -> Value:
    """A ready Value around a NumPy array, a `jax.Array` or a tracer."""
    where = place_of_array(array) if place is None else place
    return Value(aval(tuple(array.shape), _dtype.from_numpy(np.dtype(array.dtype)), where), array)
