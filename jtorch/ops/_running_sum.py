"""Running sums: on CPUs as products of blocks with a triangle, 4 to 15 times as fast as
XLA's scan.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax.numpy as jnp
from jax import lax

_BLOCK = 32
_WORTH = 1 << 14  # elements; below, the second compiled branch costs more than it saves


def running_sum(x: Any, axis: int) -> Any:
    """`lax.cumsum`, rounded in another order."""
    plain = functools.partial(lax.cumsum, axis=axis)
    if x.size < _WORTH or not jnp.issubdtype(x.dtype, jnp.floating):
        return plain(x)
    return lax.platform_dependent(x, cpu=functools.partial(_on_cpu, axis=axis), default=plain)


def _on_cpu(x: Any, axis: int) -> Any:
    """A product with zeros would spread inf and NaN backwards: such data take the scan."""
    finite = jnp.isfinite(jnp.sum(jnp.abs(x)))
    slow = functools.partial(lax.cumsum, axis=axis)
    return lax.cond(finite, functools.partial(_by_blocks, axis=axis), slow, x)


def _by_blocks(x: Any, axis: int) -> Any:
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return _blocks(x.reshape(before, x.shape[axis], after)).reshape(x.shape)


def _blocks(x: Any) -> Any:
    """Running sums over the middle dimension: inside of blocks, plus what the blocks
    before hold.
    """
    a, n, k = x.shape
    if n <= _BLOCK:
        return _within(x)
    m = -(-n // _BLOCK)
    padded = jnp.pad(x, ((0, 0), (0, m * _BLOCK - n), (0, 0)))
    inner = _within(padded.reshape(a * m, _BLOCK, k)).reshape(a, m, _BLOCK, k)
    totals = inner[:, :, -1]
    before = jnp.pad(_blocks(totals)[:, :-1], ((0, 0), (1, 0), (0, 0)))
    return (inner + before[:, :, None]).reshape(a, m * _BLOCK, k)[:, :n]


def _within(x: Any) -> Any:
    n = x.shape[1]
    triangle = jnp.tril(jnp.ones((n, n), x.dtype))
    if x.shape[2] == 1:
        return (x[:, :, 0] @ triangle.T)[:, :, None]
    return jnp.einsum("ij,bjk->bik", triangle, x)
