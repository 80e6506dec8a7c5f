"""The array side of weight averaging: all parameters of a model in one op."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def average(
    count: Any, weight: Any, averaged: list[Any], current: list[Any], *, kind: str
) -> tuple[Any, ...]:
    """The new averages.

    kind: 'mean' (equal weights; the first model is simply taken over), 'lerp' (moves by `weight`)
    or 'copy'.  Integers are averaged in floating point and truncated, as torch's copy_ does.
    """
    return tuple(
        _average(count, weight, a, c, kind) for a, c in zip(averaged, current, strict=True)
    )


def _average(count: Any, weight: Any, a: Any, c: Any, kind: str) -> Any:
    if kind == "copy":
        return c.astype(a.dtype)
    inexact = jnp.issubdtype(a.dtype, jnp.inexact)
    dtype = a.dtype if inexact and a.dtype.itemsize > 2 else jnp.dtype(jnp.float32)
    real = jnp.finfo(dtype).dtype
    wide, new = a.astype(dtype), c.astype(dtype)
    if kind == "mean":
        n = jnp.asarray(count).astype(real)
        moved = jnp.where(n == 0, new, wide + (new - wide) / (n + 1))
    else:
        w = jnp.asarray(weight).astype(real)
        near = wide + w * (new - wide)
        moved = jnp.where(jnp.abs(w) < 0.5, near, new - (new - wide) * (1 - w))
    return moved.astype(a.dtype)
