"""Overlapping frames of a signal, and their sum back into one: what short-time transforms need."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, op

_MANY = 16  # more overlaps than this: gather and scatter in place of shifted sums


def _places(size: int, hop: int, count: int) -> Any:
    start = hop * jnp.arange(count, dtype=jnp.int32)
    return start[:, None] + jnp.arange(size, dtype=jnp.int32)


@op("_frames", namespaces=(), linear=True, grad_name="AsStrided")
def _frames(input: Array, *, size: int, hop: int) -> Any:
    """(..., n) to (..., frames, size): every `hop` elements a frame."""
    count = 1 + (input.shape[-1] - size) // hop
    overlaps = -(-size // hop)
    if overlaps > _MANY:
        return input[..., _places(size, hop, count)]
    whole = (count + overlaps - 1) * hop
    lead = [(0, 0)] * (input.ndim - 1)
    padded = jnp.pad(input[..., :whole], [*lead, (0, max(0, whole - input.shape[-1]))])
    pieces = padded.reshape(*input.shape[:-1], count + overlaps - 1, hop)
    shifted = [pieces[..., r : r + count, :] for r in range(overlaps)]
    return jnp.concatenate(shifted, -1)[..., :size]


@op("_overlap_add", namespaces=(), linear=True, grad_name="UnfoldBackward")
def _overlap_add(input: Array, *, hop: int) -> Any:
    """(..., frames, size) to (..., n): the frames added where they belong."""
    count, size = input.shape[-2:]
    overlaps = -(-size // hop)
    n = size + hop * (count - 1)
    if overlaps > _MANY:
        start = jnp.zeros((*input.shape[:-2], n), input.dtype)
        return start.at[..., _places(size, hop, count)].add(input)
    lead = [(0, 0)] * (input.ndim - 2)
    padded = jnp.pad(input, [*lead, (0, 0), (0, overlaps * hop - size)])
    pieces = padded.reshape(*input.shape[:-1], overlaps, hop)
    total = sum(
        jnp.pad(pieces[..., r, :], [*lead, (r, overlaps - 1 - r), (0, 0)]) for r in range(overlaps)
    )
    return jnp.asarray(total).reshape(*input.shape[:-2], -1)[..., :n]
