"""The array side of `from_optax`: any optax transformation as an op on lists of arrays."""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import optax


def tree_of(names: tuple[str, ...] | None, leaves: list[Any]) -> Any:
    """What the transformation sees as parameters: a dict if there are names, else a list."""
    return list(leaves) if names is None else dict(zip(names, leaves, strict=True))


def leaves_of(names: tuple[str, ...] | None, tree: Any) -> list[Any]:
    """The reverse of `tree_of`."""
    return list(tree) if names is None else [tree[n] for n in names]


def _scope(arrays: list[Any]) -> Any:
    """optax writes for JAX's 32-bit mode; 64-bit parameters keep the engine's 64-bit scope."""
    wide = any(jnp.dtype(a.dtype).itemsize // (1 + jnp.iscomplexobj(a)) > 4 for a in arrays)
    return contextlib.nullcontext() if wide else jax.enable_x64(False)


def initial_state(
    tx: Any, names: tuple[str, ...] | None, params: list[Any]
) -> tuple[list[Any], Any]:
    """The transformation's state for these arrays: its leaves and their structure."""
    with jax.enable_x64(True), _scope(params):
        leaves, structure = jax.tree.flatten(tx.init(tree_of(names, params)))
        return [jnp.asarray(x) for x in leaves], structure


def optax_row(
    lr: Any, params: list[Any], grads: list[Any], state: list[Any], value: list[Any], *,
    tx: Any, structure: Any, names: tuple[str, ...] | None, missing: tuple[bool, ...],
) -> tuple[Any, ...]:  # fmt: skip
    """New parameters and state leaves.  A missing gradient is zero; `value` is [loss] or []."""
    given = iter(grads)
    full = [jnp.zeros_like(p) if m else next(given) for p, m in zip(params, missing, strict=True)]
    extra = {"value": value[0]} if value else {}
    with _scope(params):
        rate = jnp.asarray(lr).astype(jnp.finfo(params[0].dtype).dtype)
        updates, new = optax.with_extra_args_support(tx).update(
            tree_of(names, full), structure.unflatten(state), tree_of(names, params), **extra
        )
        moved = [
            (p + rate.astype(u.dtype) * u).astype(p.dtype)
            for p, u in zip(params, leaves_of(names, updates), strict=True)
        ]
        kept = [
            jnp.asarray(x).astype(s.dtype) for x, s in zip(jax.tree.leaves(new), state, strict=True)
        ]
    return *moved, *kept
