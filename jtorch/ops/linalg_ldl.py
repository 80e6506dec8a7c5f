"""LDL factors of symmetric and Hermitian matrices with LAPACK's Bunch-Kaufman pivots."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import linalg_checks as checks
from ._define import Array, op
from .linalg_checks import mh, mt
from .linalg_cholesky import legacy_pair

_ALPHA = (1 + math.sqrt(17)) / 8  # Bunch and Kaufman's bound on the growth of elements


def _factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """One matrix: (LD, pivots, info)."""
    n = a.shape[-1]
    rows = jnp.arange(n, dtype=jnp.int32)
    flip = jnp.conj if hermitian else lambda x: x
    lower = jnp.tril(a)
    strict = jnp.tril(a, -1)
    whole = lower + (mh(strict) if hermitian else mt(strict))
    if hermitian and jnp.iscomplexobj(a):
        whole = jnp.where(rows[:, None] == rows, whole.real.astype(a.dtype), whole)

    def swapped(x: Any, i: Any, j: Any, first: Any) -> Any:
        """Rows and columns i and j exchanged within the part that is left."""
        order = jnp.where(rows == i, j, jnp.where(rows == j, i, rows))
        left = (rows[:, None] >= first) & (rows[None, :] >= first)
        return jnp.where(left, x[order][:, order], x)

    def step(state: Any) -> Any:
        k, x, pivots, info = state
        size = jnp.abs(x)
        below = jnp.where(rows > k, size[:, k], -1)
        far, top = jnp.argmax(below).astype(jnp.int32), jnp.maximum(jnp.max(below), 0)
        here = size[k, k]
        row = jnp.max(jnp.where((rows >= k) & (rows != far), size[far], 0))
        dead = (jnp.maximum(here, top) == 0) | jnp.isnan(here)
        stay = dead | (here >= _ALPHA * top) | (here * row >= _ALPHA * top * top)
        single = stay | (size[far, far] >= _ALPHA * row)
        other = jnp.where(stay, k, far)
        place = jnp.where(single, k, k + 1)
        x = swapped(x, place, other, k)
        info = jnp.where(dead & (info == 0), k + 1, info)
        changed = jnp.where(single, eliminate_one(x, k), eliminate_two(x, k))
        x = jnp.where(dead, x, changed)
        mark = jnp.where(single, other + 1, -(other + 1))
        pivots = jnp.where((rows == k) | (~single & (rows == k + 1)), mark, pivots)
        return jnp.where(single, k + 1, k + 2), x, pivots, info

    def eliminate_one(x: Any, k: Any) -> Any:
        column = x[:, k]
        scaled = column / x[k, k]
        rest = (rows[:, None] > k) & (rows[None, :] > k)
        x = jnp.where(rest, x - scaled[:, None] * flip(column)[None, :], x)
        return x.at[:, k].set(jnp.where(rows > k, scaled, column))

    def eliminate_two(x: Any, k: Any) -> Any:
        last = jnp.minimum(k + 1, n - 1)
        d = jnp.stack([jnp.stack([x[k, k], x[k, last]]), jnp.stack([x[last, k], x[last, last]])])
        columns = jnp.stack([x[:, k], x[:, last]], 1)
        determinant = d[0, 0] * d[1, 1] - d[0, 1] * d[1, 0]
        inverse = (
            jnp.stack([jnp.stack([d[1, 1], -d[0, 1]]), jnp.stack([-d[1, 0], d[0, 0]])])
            / determinant
        )
        scaled = jnp.matmul(columns, inverse, precision="highest")
        rest = (rows[:, None] > last) & (rows[None, :] > last)
        change = jnp.matmul(scaled, flip(columns).T, precision="highest")
        x = jnp.where(rest, x - change, x)
        kept = jnp.where((rows > last)[:, None], scaled, columns)
        return x.at[:, k].set(kept[:, 0]).at[:, last].set(kept[:, 1])

    start = (jnp.int32(0), whole, jnp.zeros((n,), jnp.int32), jnp.int32(0))
    _, x, pivots, info = lax.while_loop(lambda state: state[0] < n, step, start)
    return jnp.tril(x), pivots, info


def _check_factor(input: Any, *, hermitian: bool) -> None:
    checks.square(input, "torch.linalg.ldl_factor_ex")
    checks.floating(input, "torch.linalg.ldl_factor_ex")
    checks.kernel(input, "ldl_factor_cpu")


def _vectorized(fn: Any, batch: int) -> Any:
    for _ in range(batch):
        fn = jax.vmap(fn)
    return fn


@op("_ldl_factor", namespaces=(), differentiable=False, check=_check_factor,
    fields=("LD", "pivots", "info"), fields_name="linalg_ldl_factor_ex")  # fmt: skip
def _ldl_factor(input: Array, *, hermitian: bool) -> Any:
    """Packed factors, LAPACK's pivots, and the first pivot block that is zero."""
    if not input.size:
        return (input, jnp.zeros(input.shape[:-1], jnp.int32),
                jnp.zeros(input.shape[:-2], jnp.int32))  # fmt: skip
    return _vectorized(lambda a: _factor(a, hermitian), input.ndim - 2)(input)


# --- solving --------------------------------------------------------------------------------------


def _unpacked(ld: Any, pivots: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """(unit lower L, block diagonal D, order) of a matrix with A[order][:, order] = L D L'."""
    n = ld.shape[-1]
    rows = jnp.arange(n, dtype=jnp.int32)
    paired = pivots < 0

    # the first row of a 2 x 2 block: runs of negative pivots come in pairs
    def pair(carry: Any, negative: Any) -> Any:
        first = negative & ~carry
        return first, first

    first = lax.scan(pair, jnp.bool_(False), paired)[1]
    sub = jnp.where(first[:-1], jnp.diagonal(ld, -1), 0) if n > 1 else jnp.zeros((0,), ld.dtype)
    d = jnp.diag(jnp.diagonal(ld))
    if n > 1:
        d = d + jnp.diag(sub, -1) + jnp.diag(jnp.conj(sub) if hermitian else sub, 1)
    hidden = jnp.zeros((n, n), bool)
    if n > 1:
        hidden = jnp.diag(first[:-1], -1)
    packed = jnp.where(hidden, 0, jnp.tril(ld, -1))
    second = jnp.concatenate([jnp.zeros((1,), bool), first[:-1]])

    def swap(k: Any, state: Any) -> Any:
        lower, order = state
        skip = first[k]  # a block's exchange is of its second row
        other = jnp.where(skip, k, jnp.abs(pivots[k]) - 1)
        exchange = jnp.where(rows == k, other, jnp.where(rows == other, k, rows))
        start = k - second[k].astype(jnp.int32)  # columns before the block were packed earlier
        moved = jnp.where(rows[None, :] < start, lower[exchange], lower)
        return moved, order[exchange]

    lower, order = lax.fori_loop(0, n, swap, (packed, rows))
    return lower + jnp.eye(n, dtype=ld.dtype), d, order


def _solve_one(ld: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    lower, d, order = _unpacked(ld, pivots, hermitian)
    solve = lax.linalg.triangular_solve
    x = solve(lower, b[order], left_side=True, lower=True, unit_diagonal=True)
    x = jnp.linalg.solve(d, x)
    x = solve(lower, x, left_side=True, lower=True, unit_diagonal=True, transpose_a=True,
              conjugate_a=hermitian)  # fmt: skip
    return jnp.zeros_like(x).at[order].set(x)


def _check_solve(LD: Any, pivots: Any, B: Any, *, hermitian: bool) -> None:
    name = "torch.linalg.ldl_solve"
    checks.square(LD, name)
    if B.ndim < 2:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-B.ndim}, {B.ndim - 1}], but "
            "got -2)"
        )
    legacy_pair(B, LD, name)
    if pivots.dtype.is_floating_point or pivots.dtype.is_complex:
        raise RuntimeError(
            f"{name}: Expected pivots to be integers. Got {pivots.dtype.scalar_name}"
        )
    if pivots.shape != LD.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(pivots.shape)} instead"
        )
    checks.kernel(LD, "ldl_solve_cpu")


@op("linalg_ldl_solve", namespaces=("linalg:ldl_solve",), out=True, check=_check_solve)
def linalg_ldl_solve(LD: Array, pivots: Array, B: Array, *, hermitian: bool = False) -> Any:
    """X of A X = B from the LDL factors of A."""
    ld, b = checks.batched(lax.stop_gradient(LD), B)
    if not b.size:
        return b
    pivots = jnp.broadcast_to(pivots, ld.shape[:-1]).astype(jnp.int32)
    turned = hermitian and jnp.iscomplexobj(LD)
    run = _vectorized(lambda one, p, x: _solve_one(one, p, x, turned), ld.ndim - 2)
    return run(ld, pivots, b)
