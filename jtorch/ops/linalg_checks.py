"""torch's refusals of matrices, and the small matrix vocabulary that the rows of linalg share."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from .._engine.errors import broadcast_shapes
from .nn_common import not_implemented

# --- vocabulary -----------------------------------------------------------------------------------


def mm(a: Any, b: Any) -> Any:
    """Matrix product in full precision: decompositions cannot live with TF32."""
    return jnp.matmul(a, b, precision="highest")


def mt(x: Any) -> Any:
    """The transpose of the last two dimensions."""
    return jnp.swapaxes(x, -1, -2)


def mh(x: Any) -> Any:
    """The conjugate transpose of the last two dimensions."""
    return jnp.conj(mt(x)) if jnp.iscomplexobj(x) else mt(x)


def diagonal(x: Any) -> Any:
    """The diagonals of matrices."""
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def eye_like(x: Any) -> Any:
    """Identity matrices of the shape of square matrices."""
    return jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)


def inverse_or_zero(x: Any) -> Any:
    """1 / x, and 0 where x is 0: an unused gradient (0) stays 0 at repeated spectral values."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


# --- checks ---------------------------------------------------------------------------------------


def matrices(x: Any, function: str, argument: str = "A") -> None:
    """Refuse what is not a matrix or a batch of matrices."""
    if x.ndim < 2:
        raise RuntimeError(
            f"{function}: The input tensor {argument} must have at least 2 dimensions."
        )


def square(x: Any, function: str, argument: str = "A") -> None:
    """Refuse what is not square."""
    matrices(x, function, argument)
    prefix = f"{function}: " if function else ""
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{prefix}{argument} must be batches of square matrices, but they are {x.shape[-2]} by "
            f"{x.shape[-1]} matrices"
        )


def floating(x: Any, function: str, low: bool = True) -> None:
    """Refuse integers, and (unless low) half precision."""
    d = x.dtype
    if not (d.is_floating_point or d.is_complex):
        raise RuntimeError(
            f"{function}: Expected a floating point or complex tensor as input. Got {d.scalar_name}"
        )
    if not low and is_half(d):
        raise RuntimeError(f"{function}: Low precision dtypes not supported. Got {d.scalar_name}")


def is_half(d: Any) -> bool:
    """Whether a dtype has less precision than float32."""
    return bool(d.itemsize < (8 if d.is_complex else 4))


def kernel(x: Any, name: str) -> None:
    """Refuse what LAPACK has no routine for, in the words of torch's kernel."""
    d = x.dtype
    if not (d.is_floating_point or d.is_complex) or is_half(d):
        raise not_implemented(name, d)


def same_dtype(a: Any, b: Any, function: str, names: tuple[str, str] = ("A", "B")) -> None:
    """Refuse two dtypes."""
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{function}: Expected {names[0]} and {names[1]} to have the same dtype, but found "
            f"{names[0]} of type {a.dtype.scalar_name} and {names[1]} of type "
            f"{b.dtype.scalar_name} instead"
        )


def is_vector_rhs(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether the right-hand sides of `solve` are vectors."""
    return len(b) == 1 or (len(a) - 1 == len(b) and a[:-1] == b)


def fits(a: tuple[int, ...], b: tuple[int, ...], left: bool, function: str) -> None:
    """Refuse a right-hand side whose size does not fit, or whose batch does not broadcast."""
    if a[-2] != b[-2 if left else -1]:
        raise RuntimeError(
            f"{function}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})"
        )
    broadcast_shapes(b[:-2], a[:-2])


def batched(a: Any, b: Any) -> tuple[Any, Any]:
    """Two arrays of matrices with their batch dimensions broadcast."""
    lead = broadcast_shapes(b.shape[:-2], a.shape[:-2])
    return (
        jnp.broadcast_to(a, (*lead, *a.shape[-2:])),
        jnp.broadcast_to(b, (*lead, *b.shape[-2:])),
    )
