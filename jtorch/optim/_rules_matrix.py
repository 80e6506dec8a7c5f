"""The rules that look at whole matrices or at single rows: Adafactor, Muon, SparseAdam."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._rules import Rule, around, decay_amount, leafwise, lerp

# --- Adafactor --------------------------------------------------------------------------


def adafactor_numbers(
    counts: Any, lr: Any, beta2_decay: Any, eps1: Any, eps2: Any, d: Any, weight_decay: Any,
    **flags: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The relative step size is the smaller of lr and 1/sqrt(t)."""
    (step,) = counts
    limit = 1 / step**0.5
    if isinstance(lr, int | float) and isinstance(limit, float):
        rho = min(lr, limit)
    else:
        rho = jnp.minimum(lr, limit)
    return step**beta2_decay, rho, eps1, eps2, d, decay_amount("decoupled", lr, weight_decay)


def adafactor(
    weight: Any, rho: Any, eps1: Any, eps2: Any, d: Any, amount: Any, *, maximize: bool, decay: str
) -> optax.GradientTransformation:
    """Second moments of matrices as a row times a column; steps relative to the parameter's size.

    State: row and column factors (matrices), full second moments (vectors); None where not used.
    """

    def init(params: Any) -> Any:
        def zeros(axis: int) -> Any:
            return [
                jnp.zeros_like(jnp.sum(p, axis, keepdims=True)) if p.ndim > 1 else None
                for p in params
            ]

        vectors = [None if p.ndim > 1 else jnp.zeros_like(p) for p in params]
        return zeros(-1), zeros(-2), vectors

    def leaf(p: Any, g: Any, row: Any, col: Any, full: Any) -> tuple[Any, ...]:
        alpha = jnp.maximum(eps2, _norm(p) / p.size**0.5) * rho
        if g.ndim > 1:
            row = lerp(row, _norm(g, -1) ** 2 / g.shape[-1], weight)
            col = lerp(col, _norm(g, -2) ** 2 / g.shape[-2], weight)
            v = jnp.matmul(row, col, precision=jax.lax.Precision.HIGHEST)
            v = v / jnp.maximum(row.mean(-2, keepdims=True), eps1)
        else:
            v = full = lerp(full, g * g, weight)
        u = jax.lax.rsqrt(jnp.maximum(v, eps1 * eps1)) * g
        scale = -alpha / jnp.maximum(1.0, _norm(u) / (u.size**0.5 * d))
        return scale * u, row, col, full

    def update(grads: Any, state: Any, params: Any = None) -> Any:
        rows = [leaf(*own) for own in zip(params, grads, *state, strict=True)]
        updates, *new = (list(column) for column in zip(*rows, strict=True))
        return updates, tuple(new)

    return around(optax.GradientTransformation(init, update), maximize, decay, amount)


def _norm(x: Any, axis: int | None = None) -> Any:
    return jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=axis is not None))


# --- Muon -------------------------------------------------------------------------------


def muon_numbers(
    counts: Any, lr: Any, momentum: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """Nothing depends on the step."""
    return lr, momentum, 1 - momentum, decay_amount("decoupled", lr, weight_decay)


def muon(
    lr: Any, momentum: Any, weight: Any, amount: Any, *, nesterov: bool, eps: float,
    coefficients: tuple[float, float, float], ns_steps: int, adjust: str | None,
) -> optax.GradientTransformation:  # fmt: skip
    """Momentum whose matrix is brought near an orthogonal one before the step."""

    def average(p: Any, g: Any, buffer: Any) -> tuple[Any, Any]:
        buffer = lerp(buffer, g, weight)
        return lerp(g, buffer, momentum) if nesterov else buffer, buffer

    def orthogonalise(updates: Any, state: Any, params: Any = None) -> Any:
        leaves, tree = jax.tree.flatten(updates)
        moved = [
            -(lr * lr_ratio(adjust, u.shape)) * o.astype(u.dtype)
            for u, o in zip(
                leaves, all_orthogonal(leaves, coefficients, ns_steps, eps), strict=True
            )
        ]
        return tree.unflatten(moved), state

    last = optax.GradientTransformation(lambda params: optax.EmptyState(), orthogonalise)
    return around(optax.chain(leafwise(average, 1), last), False, "decoupled", amount)


def lr_ratio(adjust: str | None, shape: tuple[int, ...]) -> float:
    """What the learning rate is multiplied by, so that steps have one size whatever the shape."""
    a, b = shape[:2]
    if adjust is None or adjust == "original":
        return math.sqrt(max(1, a / b))
    return 0.2 * math.sqrt(max(a, b)) if adjust == "match_rms_adamw" else 1.0


def all_orthogonal(
    matrices: list[Any], coefficients: tuple[float, float, float], steps: int, eps: float
) -> list[Any]:
    """`orthogonal` of each; matrices of one shape are one batch, however many there are."""
    shapes: dict[Any, list[int]] = {}
    for i, m in enumerate(matrices):
        shapes.setdefault(m.shape, []).append(i)
    found: dict[int, Any] = {}
    for run in shapes.values():
        batch = orthogonal(jnp.stack([matrices[i] for i in run]), coefficients, steps, eps)
        found.update(zip(run, batch, strict=True))
    return [found[i] for i in range(len(matrices))]


def orthogonal(x: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Newton-Schulz iteration in bfloat16: singular values near 1, in `steps` matrix polynomials.

    x: (batch, rows, columns). Products accumulate in float32 and every result is rounded to
    bfloat16, as torch rounds them.
    """
    a, b, c = coefficients
    tall = x.shape[-2] > x.shape[-1]
    x = _bf16(x.mT if tall else x)
    norm = _bf16(jnp.sqrt(jnp.sum(_f32(x) ** 2, (-2, -1), keepdims=True)))
    x = _bf16(_f32(x) / jnp.maximum(_f32(norm), eps))

    def polynomial(_: Any, x: Any) -> Any:
        gram = _bf16(_product(x, x.mT))
        factor = _bf16(b * _f32(gram) + c * _product(gram, gram))
        return _bf16(a * _f32(x) + _product(factor, x))

    x = jax.lax.fori_loop(0, steps, polynomial, x)
    return x.mT if tall else x


def _f32(x: Any) -> Any:
    return x.astype(jnp.float32)


def _bf16(x: Any) -> Any:
    """Rounded for certain: XLA may otherwise keep the excess precision."""
    return jax.lax.reduce_precision(_f32(x), 8, 7).astype(jnp.bfloat16)


def _product(a: Any, b: Any) -> Any:
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


# --- SparseAdam -------------------------------------------------------------------------


def sparse_adam_numbers(
    step: float, lr: float, beta1: float, beta2: float, eps: float
) -> tuple[float, ...]:
    """The bias-corrected step size, and the averaging weights."""
    size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    return -size, 1 - beta1, 1 - beta2, eps


def sparse_adam_row(
    numbers: list[Any], params: list[Any], indices: list[Any], values: list[Any],
    exp_avgs: list[Any], exp_avg_sqs: list[Any], *, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Adam on the rows that the sparse gradients name; all other rows and moments rest."""
    rows = [
        _sparse_adam(numbers[4 * i : 4 * i + 4], *own, maximize)
        for i, own in enumerate(zip(params, indices, values, exp_avgs, exp_avg_sqs, strict=True))
    ]
    return tuple(x for column in zip(*rows, strict=True) for x in column)


def _sparse_adam(
    numbers: Any, p: Any, index: Any, value: Any, m: Any, v: Any, maximize: bool
) -> tuple[Any, ...]:
    shape, n = p.shape, index.shape[0]
    lead = shape[:n]
    p, m, v = (x.reshape(math.prod(lead), *shape[n:]) for x in (p, m, v))
    size, weight1, weight2, eps = (jnp.asarray(c).astype(p.dtype) for c in numbers)
    at, g = _coalesce(index, value.astype(p.dtype), lead)
    g = -g if maximize else g
    old_m, old_v = (x.at[at].get(mode="clip") for x in (m, v))
    move_m, move_v = (g - old_m) * weight1, (g * g - old_v) * weight2
    step = size * ((move_m + old_m) / (jnp.sqrt(move_v + old_v) + eps))
    new = (
        p.at[at].add(step, mode="drop"),
        m.at[at].add(move_m, mode="drop"),
        v.at[at].add(move_v, mode="drop"),
    )
    return tuple(x.reshape(shape) for x in new)


def _coalesce(index: Any, value: Any, lead: tuple[int, ...]) -> tuple[Any, Any]:
    """Row numbers, each once, and the sums of their values; left-over places point past the end."""
    count = index.shape[1]
    rows = jnp.zeros(count, jnp.int64)
    for i, extent in zip(index, lead, strict=True):
        rows = rows * extent + i.astype(jnp.int64)
    order = jnp.argsort(rows)
    rows, value = rows[order], value[order]
    first = jnp.concatenate([jnp.ones(min(count, 1), bool), rows[1:] != rows[:-1]])
    group = jnp.cumsum(first.astype(jnp.int64)) - 1
    at = jnp.full(count, math.prod(lead), jnp.int64).at[group].set(rows)
    return at, jnp.zeros_like(value).at[group].add(value)


ADAFACTOR = Rule("adafactor", adafactor_numbers, adafactor)
MUON = Rule("muon", muon_numbers, muon)
