"""Matrix decompositions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, op


def _check_qr(A: Any, *, mode: str) -> None:
    if A.ndim < 2:
        raise RuntimeError("linalg.qr: The input tensor A must have at least 2 dimensions.")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or "
            "'complete'"
        )


@op("linalg_qr", check=_check_qr, fields=("Q", "R"), namespaces=("linalg:qr",))
def linalg_qr(A: Array, mode: str = "reduced") -> Any:
    """Q and R with A = Q R: Q has orthonormal columns, R is upper triangular."""
    if mode == "r":
        r = jnp.linalg.qr(A, mode="r")
        return jnp.zeros((0,), A.dtype), r
    q, r = jnp.linalg.qr(A, mode=mode)
    return q, r
