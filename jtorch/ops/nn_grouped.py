"""Products of matrices in groups whose borders are numbers in a tensor (mixtures of experts)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, op


def _check(mat_a: Any, mat_b: Any, offs: Any) -> None:
    for name, m in (("mat_a", mat_a), ("mat_b", mat_b)):
        if m.ndim not in (2, 3):
            raise RuntimeError(f"{name} has to be 2 or 3d")
    if (offs is None) != (mat_a.ndim == mat_b.ndim == 3):
        raise RuntimeError(
            "Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d"
        )
    if mat_a.shape[-1] != mat_b.shape[-2]:
        raise RuntimeError("contraction dimension of mat_a and mat_b must match")
    if offs is not None and offs.dtype.name != "int32":
        raise RuntimeError("Offsets have to be int32")


def _members(offs: Any, size: int, dtype: Any) -> Any:
    """(groups, size): 1 where an element is of the group; after the last border it is of none."""
    place = jnp.arange(size, dtype=offs.dtype)
    first = jnp.concatenate([jnp.zeros((1,), offs.dtype), offs[:-1]])
    return ((place >= first[:, None]) & (place < offs[:, None])).astype(dtype)


@op("_grouped_mm", namespaces=(), check=_check)
def _grouped_mm(mat_a: Array, mat_b: Array, offs: Array | None = None) -> Any:
    """Each group's product: of rows, of columns, of a part of the contraction, or of batches."""
    if offs is None:
        return jnp.matmul(mat_a, mat_b)
    if mat_b.ndim == 3:
        sizes = jnp.diff(offs, prepend=jnp.zeros((1,), offs.dtype))
        return lax.ragged_dot(mat_a, mat_b, sizes)
    if mat_a.ndim == 3:
        member = _members(offs, mat_b.shape[1], mat_b.dtype)
        return jnp.einsum("gmk,kn,gn->mn", mat_a, mat_b, member)
    member = _members(offs, mat_b.shape[0], mat_b.dtype)
    return jnp.einsum("mk,gk,kn->gmn", mat_a, member, mat_b)
