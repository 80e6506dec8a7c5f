"""The array side of L-BFGS: gathering, moving, and the two-loop recursion over rings."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

LEAST_CURVATURE = 1e-10  # torch's: pairs with less are not remembered


def _dot(a: Any, b: Any) -> Any:
    return jnp.dot(a, b, precision=jax.lax.Precision.HIGHEST)


def _flat(x: Any) -> Any:
    return (jnp.stack([x.real, x.imag], -1) if jnp.iscomplexobj(x) else x).ravel()


def gather(grads: list[Any], direction: list[Any], *, missing: tuple[int, ...], dtype: Any) -> Any:
    """All gradients in one vector, and [its largest size, sum of sizes, slope along direction].

    missing: per parameter, the number of zeros that stand for a missing gradient, or 0.
    """
    given = iter(grads)
    parts = [jnp.zeros(n, dtype.np) if n else _flat(next(given)) for n in missing]
    flat = jnp.concatenate(parts)
    sizes = jnp.abs(flat)
    slope = _dot(flat, direction[0]) if direction else jnp.zeros((), flat.dtype)
    return flat, jnp.stack([jnp.max(sizes, initial=0), jnp.sum(sizes), slope])


def move(params: list[Any], direction: Any, t: Any) -> tuple[Any, ...]:
    """Parameters moved by t along the direction."""
    moved, at = [], 0
    for p in params:
        pair = jnp.iscomplexobj(p)
        n = math.prod(p.shape) * (2 if pair else 1)
        step = direction[at : at + n] * jnp.asarray(t).astype(direction.dtype)
        at += n
        if pair:
            halves = step.reshape(*p.shape, 2)
            moved.append(p + jax.lax.complex(halves[..., 0], halves[..., 1]))
        else:
            moved.append((p + step.reshape(p.shape)).astype(p.dtype))
    return tuple(moved)


def start(grad: Any) -> tuple[Any, Any]:
    """The first direction: steepest descent; and [curvature, slope, largest component]."""
    d = -grad
    return d, jnp.stack([jnp.zeros((), d.dtype), _dot(grad, d), jnp.max(jnp.abs(d), initial=0)])


def direction(
    grad: Any, before: Any, d: Any, steps: Any, changes: Any, ro: Any, scale: Any,
    t: Any, count: Any, head: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Remember the last step if its curvature is positive; then -(inverse Hessian) grad.

    steps, changes (room, n) and ro (room) are rings: `count` entries, the oldest at `head`.
    """
    room = steps.shape[0]
    y, s = grad - before, d * jnp.asarray(t).astype(d.dtype)
    curvature = _dot(y, s)
    keep = curvature > LEAST_CURVATURE
    full = count >= room
    slot = jnp.where(full, head, (head + count) % room)
    steps = steps.at[slot].set(jnp.where(keep, s, steps[slot]))
    changes = changes.at[slot].set(jnp.where(keep, y, changes[slot]))
    ro = ro.at[slot].set(jnp.where(keep, 1.0 / curvature, ro[slot]))
    scale = jnp.where(keep, curvature / _dot(y, y), scale)
    head = jnp.where(keep & full, (head + 1) % room, head)
    count = jnp.where(keep & ~full, count + 1, count)
    d = _two_loop(grad, steps, changes, ro, scale, count, head)
    stats = jnp.stack([curvature, _dot(grad, d), jnp.max(jnp.abs(d), initial=0)])
    return d, steps, changes, ro, scale, stats


def _two_loop(
    grad: Any, steps: Any, changes: Any, ro: Any, scale: Any, count: Any, head: Any
) -> Any:
    room = steps.shape[0]

    def newest_first(i: Any, carry: Any) -> Any:
        q, alphas = carry
        slot = (head + count - 1 - i) % room
        alpha = _dot(steps[slot], q) * ro[slot]
        return q - alpha * changes[slot], alphas.at[slot].set(alpha)

    def oldest_first(i: Any, r: Any) -> Any:
        slot = (head + i) % room
        beta = _dot(changes[slot], r) * ro[slot]
        return r + (alphas[slot] - beta) * steps[slot]

    q, alphas = jax.lax.fori_loop(0, count, newest_first, (-grad, jnp.zeros_like(ro)))
    return jax.lax.fori_loop(0, count, oldest_first, q * scale)


def grow(steps: Any, changes: Any, ro: Any, *, room: int) -> tuple[Any, ...]:
    """Rings with more room; the entries keep their places (the oldest is at 0 until then)."""
    more = room - steps.shape[0]
    return tuple(
        jnp.concatenate([x, jnp.zeros((more, *x.shape[1:]), x.dtype)]) for x in (steps, changes, ro)
    )


def stack(steps: list[Any], changes: list[Any], ro: list[Any]) -> tuple[Any, ...]:
    """Rings from lists of vectors and numbers, oldest first."""
    flat = [jnp.asarray(r).astype(steps[0].dtype).reshape(()) for r in ro]
    return jnp.stack(steps), jnp.stack(changes), jnp.stack(flat)
