"""The JAX side of an optimizer's op: runs a rule's transformation over runs of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._rules import Rule

_HALVES = (jnp.float16, jnp.bfloat16)


def make_row(rule: Rule) -> Callable[..., tuple[Any, ...]]:
    """The row of a rule.

    Parameters come in runs of one dtype, `runs` = ((parameters, state leaves), ...), each with
    numbers of its own.  Where `skip` is not 0 (gradients that overflowed) everything stays.
    """

    def row(
        numbers: list[Any], params: list[Any], grads: list[Any], state: list[Any],
        skip: Any = None, *,
        runs: tuple[tuple[int, int], ...], counts: int | None, flags: tuple[tuple[str, Any], ...],
    ) -> tuple[Any, ...]:  # fmt: skip
        options = dict(flags)
        width = len(numbers) // len(runs)
        new_params: list[Any] = []
        new_state: list[Any] = []
        for i, (size, leaves) in enumerate(runs):
            own = numbers[i * width : (i + 1) * width]
            if counts is not None:  # an option is a tensor: the numbers are made here
                own = rule.numbers(tuple(own[:counts]), *own[counts:], **options)
            a, b = len(new_params), len(new_state)
            moved, kept = _run(
                rule, own, options, params[a : a + size], grads[a : a + size], state[b : b + leaves]
            )
            new_params += moved
            new_state += kept
        if skip is None:
            return *new_params, *new_state
        pairs = zip((*new_params, *new_state), (*params, *state), strict=True)
        return tuple(jnp.where(skip != 0, old, new) for new, old in pairs)

    return row


def _run(
    rule: Rule, numbers: Any, options: Any, params: list[Any], grads: list[Any], state: list[Any]
) -> tuple[list[Any], list[Any]]:
    """New parameters and state leaves of one run."""
    wide = [_widen(p) for p in params]
    dtype = wide[0].dtype
    tx = rule.build(*(jnp.asarray(n).astype(dtype) for n in numbers), **options)
    structure = jax.tree.structure(jax.eval_shape(tx.init, wide))
    updates, new = tx.update(
        [_widen(g) for g in grads], structure.unflatten([_widen(s) for s in state]), wide
    )
    moved = optax.apply_updates(wide, updates)
    return _narrow(moved, params), _narrow(jax.tree.leaves(new), state)


def _widen(x: Any) -> Any:
    """What the arithmetic runs on: halves in float32, complex numbers as pairs, as in torch."""
    if jnp.iscomplexobj(x):
        return jnp.stack([x.real, x.imag], -1)
    return x.astype(jnp.float32) if x.dtype in _HALVES else x


def _narrow(new: Any, old: list[Any]) -> list[Any]:
    """Results in the dtypes of what they replace."""
    return [
        jax.lax.complex(x[..., 0], x[..., 1]) if jnp.iscomplexobj(o) else x.astype(o.dtype)
        for x, o in zip(new, old, strict=True)
    ]


def zeros_row(grads: list[Any]) -> tuple[Any, ...]:
    """Zeros in the place of each gradient."""
    return tuple(jnp.zeros(g.shape, g.dtype) for g in grads)
