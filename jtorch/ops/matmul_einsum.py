"""Contractions by name or by dimension: einsum and tensordot."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, Arrays, op
from .nn_common import wrap

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ELLIPSIS = "."


def _subscripts(equation: str) -> tuple[list[list[str]], list[str] | None]:
    """The operands' and the output's subscripts; '.' stands for an ellipsis."""
    left, arrow, right = equation.partition("->")
    groups: list[list[str]] = [[]]
    i = 0
    while i < len(left):
        c = left[i]
        if c == ",":
            groups.append([])
        elif c == ".":
            i = _take_ellipsis(left, i, groups[-1], f"for operand {len(groups) - 1}")
        elif c != " ":
            groups[-1].append(_letter(c, i))
        i += 1
    return groups, _output(right, len(left) + 2) if arrow else None


def _letter(c: str, i: int) -> str:
    if c not in _LETTERS:
        raise RuntimeError(
            f"einsum(): invalid subscript given at index {i} in the equation string, "
            "subscripts must "
            "be in [a-zA-Z]"
        )
    return c


def _take_ellipsis(text: str, i: int, into: list[str], where: str) -> int:
    if _ELLIPSIS in into:
        raise RuntimeError(f"einsum(): found '.' {where} for which an ellipsis was already found")
    if text[i : i + 3] != "...":
        raise RuntimeError(f"einsum(): found '.' {where} that is not part of any ellipsis")
    into.append(_ELLIPSIS)
    return i + 2


def _output(right: str, offset: int) -> list[str]:
    found: list[str] = []
    i = 0
    while i < len(right):
        c = right[i]
        if c == ".":
            if _ELLIPSIS in found:
                raise RuntimeError(
                    "einsum(): found '.' for output but an ellipsis (...) was already found"
                )
            i = _take_ellipsis(right, i, found, "for output")
        elif c != " ":
            if _letter(c, offset + i) in found:
                raise RuntimeError(
                    f"einsum(): output subscript {c} appears more than once in the output"
                )
            found.append(c)
        i += 1
    return found


def _sized(
    groups: list[list[str]], shapes: list[tuple[int, ...]]
) -> tuple[dict[str, int], list[dict[str, int]], int]:
    """Sizes of all subscripts, of each operand's own, and how many dimensions ellipses stand
    for.
    """
    sizes: dict[str, int] = {}
    covered, owns = 0, []
    for n, (group, shape) in enumerate(zip(groups, shapes, strict=True)):
        letters = [c for c in group if c != _ELLIPSIS]
        dots = _ELLIPSIS in group
        if (len(letters) > len(shape)) or (not dots and len(letters) != len(shape)):
            more = "more subscripts" if dots else ""
            raise RuntimeError(_rank_error(len(letters), len(shape), n, more))
        covered = max(covered, len(shape) - len(letters)) if dots else covered
        owns.append(_own_sizes(n, group, shape, len(shape) - len(letters)))
        for letter, size in owns[-1].items():
            known = sizes.get(letter, 1)
            if size != 1 and known not in (1, size):
                raise RuntimeError(
                    f"einsum(): subscript {letter} has size {size} for operand {n} which does not "
                    f"broadcast with previously seen size {known}"
                )
            sizes[letter] = size if known == 1 else known
    return sizes, owns, covered


def _rank_error(letters: int, ndim: int, n: int, more: str) -> str:
    if more:
        return (
            f"einsum(): the number of subscripts in the equation ({letters}) is more than the "
            "number "
            f"of dimensions ({ndim}) for operand {n}"
        )
    return (
        f"einsum(): the number of subscripts in the equation ({letters}) does not match the "
        "number of "
        f"dimensions ({ndim}) for operand {n} and no ellipsis was given"
    )


def _own_sizes(n: int, group: list[str], shape: tuple[int, ...], dots: int) -> dict[str, int]:
    sizes: dict[str, int] = {}
    at = 0
    for c in group:
        if c == _ELLIPSIS:
            at += dots
            continue
        if sizes.setdefault(c, shape[at]) != shape[at]:
            raise RuntimeError(
                f"einsum(): subscript {c} is repeated for operand {n} but the sizes don't match, "
                f"{shape[at]} != {sizes[c]}"
            )
        at += 1
    return sizes


def _plan(
    equation: str, shapes: list[tuple[int, ...]]
) -> tuple[list[list[int]], list[int], dict[int, int]]:
    """Axis numbers of every operand and of the output; sizes by number.  Checks as torch does."""
    groups, out = _subscripts(equation)
    if len(groups) != len(shapes):
        few = "fewer" if len(shapes) < len(groups) else "more"
        raise RuntimeError(f"einsum(): {few} operands were provided than specified in the equation")
    sizes, _, covered = _sized(groups, shapes)
    if out is None:
        seen = [c for g in groups for c in g if c != _ELLIPSIS]
        out = [_ELLIPSIS] + [c for c in _LETTERS if seen.count(c) == 1]
    missing = [c for c in out if c != _ELLIPSIS and c not in sizes]
    if missing:
        raise RuntimeError(
            f"einsum(): output subscript {missing[0]} does not appear in the equation for any "
            "input "
            "operand"
        )
    number = {c: i for i, c in enumerate(_LETTERS)}
    dots = [len(_LETTERS) + i for i in range(covered)]
    axes = []
    for group, shape in zip(groups, shapes, strict=True):
        own = len(shape) - sum(c != _ELLIPSIS for c in group)
        axes.append(
            [a for c in group for a in (dots[covered - own :] if c == _ELLIPSIS else [number[c]])]
        )
    target = [a for c in out for a in (dots if c == _ELLIPSIS else [number[c]])]
    full = {number[c]: s for c, s in sizes.items()}
    for numbers, shape in zip(axes, shapes, strict=True):
        for a, s in zip(numbers, shape, strict=True):
            if a >= len(_LETTERS):
                _join_dots(full, a, s)
    return axes, target, full


def _join_dots(full: dict[int, int], axis: int, size: int) -> None:
    known = full.get(axis, 1)
    if size != 1 and known not in (1, size):
        raise RuntimeError(
            f"einsum(): subscript ... has size {size} which does not broadcast with "
            "previously seen "
            f"size {known}"
        )
    full[axis] = size if known == 1 else known


def _einsum_check(operands: Any, *, equation: str) -> None:
    _plan(equation, [x.shape for x in operands])
    first = operands[0].dtype
    for x in operands[1:]:
        if x.dtype is not first:
            raise RuntimeError(
                f"expected scalar type {first.scalar_name} but found {x.dtype.scalar_name}"
            )


@op("_einsum", check=_einsum_check, namespaces=(), grad_name="Bmm")
def _einsum(operands: Arrays, equation: str) -> Any:
    """Products summed over the subscripts that the output lacks; sizes of 1 broadcast."""
    axes, target, full = _plan(equation, [x.shape for x in operands])
    arguments: list[Any] = []
    seen: set[int] = set()
    for x, group in zip(operands, axes, strict=True):
        thin = [i for i, a in enumerate(group) if x.shape[i] == 1 and full[a] != 1]
        arguments += [jnp.squeeze(x, thin), [a for i, a in enumerate(group) if i not in thin]]
        seen |= set(arguments[-1])
    result = jnp.einsum(*arguments, [a for a in target if a in seen])
    return result.astype(operands[0].dtype)


def _tensordot_check(a: Any, b: Any, *, dims: Any) -> None:
    if a.dtype is not b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    left, right = dims
    if len(left) != len(right):
        raise RuntimeError("both dimension lists should have same length")
    for x, mine in ((a, left), (b, right)):
        seen = set()
        for d in mine:
            at = wrap(d, x.ndim)
            if at in seen:
                raise RuntimeError(f"dim {at} appears multiple times in the list of dims")
            seen.add(at)
    for i, j in zip(left, right, strict=True):
        m, n = a.shape[i], b.shape[j]
        if m != n and 1 not in (m, n):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {i} and "
                "second "
                f"has size {n} in dim {j}"
            )


@op("_tensordot", check=_tensordot_check, namespaces=(), grad_name="View")
def _tensordot(a: Array, b: Array, dims: Any) -> Any:
    """Sum of products over pairs of dimensions; a size of 1 is summed against the other's sum."""
    left = [d % a.ndim for d in dims[0]]
    right = [d % b.ndim for d in dims[1]]
    for i, j in zip(left, right, strict=True):
        if a.shape[i] != b.shape[j]:
            a = jnp.sum(a, axis=i, keepdims=True) if b.shape[j] == 1 else a
            b = jnp.sum(b, axis=j, keepdims=True) if a.shape[i] == 1 else b
    return jnp.tensordot(a, b, axes=(left, right)).astype(a.dtype)
