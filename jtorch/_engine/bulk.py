"""Loops over many objects that run in C: an optimizer reads and writes hundreds at every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import is_
from typing import Any


def each(fn: Callable[..., Any], *columns: Iterable[Any]) -> None:
    """Call `fn` on each row of the columns, for what it does."""
    deque(map(fn, *columns), 0)


def set_each(objects: Iterable[Any], name: str, values: Iterable[Any]) -> None:
    """Set one attribute of each object."""
    deque(map(setattr, objects, repeat(name), values), 0)


def has(things: Iterable[Any], thing: Any) -> bool:
    """Whether `thing` itself is among them (`in` would ask for equality)."""
    return any(map(is_, things, repeat(thing)))


def all_different(things: Sequence[Any]) -> bool:
    """Whether no two of them are the same object."""
    return len(set(map(id, things))) == len(things)


def same_objects(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two sequences hold the same objects."""
    return len(a) == len(b) and all(map(is_, a, b))
