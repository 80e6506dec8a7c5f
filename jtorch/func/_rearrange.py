"""`torch.func.rearrange`: the patterns of einops, as reshape, permute and reshape."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from math import prod
from typing import Any

from .._functions import NAMESPACES
from ..tensor import Tensor

_REST, _PACKED = "...", "(...)"  # the same dimensions, on their own or joined with others
_TOKEN = re.compile(r"\s*(\.\.\.|\(|\)|\w+|\S)")
Group = tuple[str, ...]  # the axes that one dimension is made of; (_REST,) for those of `...`


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """The tensor with its dimensions reordered, joined and split: rearrange(x, "b c h -> b (c h)").

    A sequence of tensors is stacked first.  Source: torch.func.rearrange.
    """
    if not isinstance(tensor, Tensor):
        tensor = NAMESPACES["torch"]["stack"](tensor)
    left, right = _parsed(pattern, tuple(axes_lengths))
    for length in axes_lengths.values():
        if type(length) is not int:
            raise TypeError(f"rearrange axis lengths must be integers, got: {type(length)}")
    left = _with_rest(left, tensor.ndim)
    rest = tuple(g[0] for g in left if g and g[0].startswith(_REST))
    sizes = _sizes(left, tensor.shape, axes_lengths)
    order = [name for group in left for name in group]
    wanted = [_expanded(group, rest) for group in right]
    names = [name for group in wanted for name in group]
    split = tensor.reshape([sizes[name] for name in order])
    moved = split.permute([order.index(name) for name in names])
    shape: list[int] = []
    for group, written in zip(wanted, right, strict=True):
        if written == (_REST,):
            shape += [sizes[name] for name in group]
        else:
            shape.append(prod(sizes[name] for name in group))
    return moved.reshape(shape)


@functools.lru_cache(256)
def _parsed(pattern: str, given: Group) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Both sides of a pattern, checked against each other."""
    if pattern.count("->") != 1:
        raise ValueError("Pattern must contain a single '->' separator")
    left, right = (_side(text) for text in pattern.split("->"))
    before, after = ({name for group in side for name in group} for side in (left, right))
    if _PACKED in before:
        raise ValueError(f"Ellipsis is parenthesis in the left side is not allowed: {pattern}")
    after = {_REST if name == _PACKED else name for name in after}
    if _REST in after and _REST not in before:
        raise ValueError(f"Ellipsis found in right side, but not left side of a pattern {pattern}")
    if any(name.isdecimal() for name in before | after):
        raise ValueError("rearrange only supports unnamed axes of size 1")
    if before != after:
        raise ValueError(
            "Identifiers only on one side of rearrange expression (should be on both): "
            f"{before ^ after}"
        )
    if set(given) - before:
        raise ValueError(f"Identifiers not found in rearrange expression: {set(given) - before}")
    return left, right


def _side(text: str) -> tuple[Group, ...]:
    """One side of a pattern as groups of axes; an axis `1` is a group of none."""
    groups: list[Group] = []
    inside: list[str] | None = None
    seen: set[str] = set()
    for token in _TOKEN.findall(text):
        if token == "(":
            if inside is not None:
                raise ValueError(
                    "Axis composition is one-level (brackets inside brackets not allowed)"
                )
            inside = []
        elif token == ")":
            if inside is None:
                raise ValueError("Brackets are not balanced")
            groups.append(tuple(inside))
            inside = None
        else:
            name = _axis(token, seen)
            if inside is None:
                groups.append(name)
            else:
                inside += [_PACKED] if name == (_REST,) else name
    if inside is not None:
        raise ValueError(f"Imbalanced parentheses in expression: '{text}'")
    return tuple(groups)


def _axis(token: str, seen: set[str]) -> Group:
    if token == "1":
        return ()
    if token in seen:
        raise ValueError(f"Indexing expression contains duplicate dimension '{token}'")
    seen.add(token)
    if token == ".":
        raise ValueError("Expression may contain dots only inside ellipsis (...)")
    if token != _REST and not (token.isidentifier() or token.isdecimal()):
        if not token.isalnum():
            raise ValueError(f"Unknown character '{token}'")
        raise ValueError(f"Invalid axis identifier: {token}\nnot a valid python identifier")
    if token[0] == "_" or token[-1] == "_":
        raise ValueError(
            f"Invalid axis identifier: {token}\n"
            "axis name should should not start or end with underscore"
        )
    return (token,)


def _with_rest(left: tuple[Group, ...], ndim: int) -> list[Group]:
    """The left side with a group for every dimension that `...` stands for."""
    if (_REST,) not in left:
        if len(left) != ndim:
            raise ValueError(
                f"Number of dimensions in pattern ({len(left)}) must be equal to the number of "
                f"dimensions in the tensor ({ndim})"
            )
        return list(left)
    if len(left) - 1 > ndim:
        raise ValueError(
            f"Number of dimensions in pattern ({len(left) - 1}) must be less than or equal to the "
            f"number of dimensions in the tensor ({ndim})"
        )
    at = left.index((_REST,))
    rest = [(f"{_REST}{i}",) for i in range(ndim - len(left) + 1)]
    return [*left[:at], *rest, *left[at + 1 :]]


def _expanded(group: Group, rest: Group) -> Group:
    return tuple(n for name in group for n in (rest if name in (_REST, _PACKED) else (name,)))


def _sizes(
    left: Sequence[Group], shape: Sequence[int], given: dict[str, int]
) -> dict[str, int]:  # fmt: skip
    """The length of every axis; at most one of a dimension's is left to be found."""
    sizes: dict[str, int] = {}
    for group, size in zip(left, shape, strict=True):
        unknown = [name for name in group if name not in given]
        known = prod(given[name] for name in group if name in given)
        sizes |= {name: given[name] for name in group if name in given}
        if len(unknown) > 1:
            raise ValueError(f"cannot infer the size of two dimensions at once {tuple(unknown)}")
        if (unknown and (not known or size % known)) or (not unknown and known != size):
            raise ValueError(
                f"a dimension of size {size} cannot be split into {group} of lengths "
                f"{[given.get(name, '?') for name in group]}"
            )
        if unknown:
            sizes[unknown[0]] = size // known
    return sizes
