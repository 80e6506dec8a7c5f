"""Triangles and diagonals of matrices, and what is built from them."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, op
from ._dims import checks, one
from ._rules import refuse
from .norm import magnitude, vector_norm


def _check_triangle(name: str) -> Any:
    def check(input: Any, *, diagonal: int) -> None:
        if input.ndim < 2:
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")

    return check


def _triangle(input: Any, diagonal: int, upper: bool) -> Any:
    shape = input.shape[-2:]
    rows = lax.broadcasted_iota(jnp.int32, shape, 0)
    columns = lax.broadcasted_iota(jnp.int32, shape, 1)
    keep = columns - rows >= diagonal if upper else columns - rows <= diagonal
    return jnp.where(keep, input, jnp.zeros((), input.dtype))


@op(linear=True, inplace=True, out=True, check=_check_triangle("tril"))
def tril(input: Array, diagonal: int = 0) -> Any:
    """The lower triangle; zeros above."""
    return _triangle(input, diagonal, False)


@op(linear=True, inplace=True, out=True, check=_check_triangle("triu"))
def triu(input: Array, diagonal: int = 0) -> Any:
    """The upper triangle; zeros below."""
    return _triangle(input, diagonal, True)


def embedded(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    """The last dimension on the diagonal of two new ones."""
    n = x.shape[-1] + abs(offset)
    rows = lax.broadcasted_iota(jnp.int32, (n, x.shape[-1]), 0)
    places = lax.broadcasted_iota(jnp.int32, (n, x.shape[-1]), 1)
    spread = jnp.where(rows == places + max(-offset, 0), x[..., None, :], jnp.zeros((), x.dtype))
    lead = [(0, 0)] * (spread.ndim - 1)
    spread = jnp.pad(spread, [*lead, (max(offset, 0), max(-offset, 0))])
    return jnp.moveaxis(spread, (-2, -1), (dim1, dim2))


def _check_diag(input: Any, *, diagonal: int) -> None:
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")


@op(linear=True, out=True, check=_check_diag)
def diag(input: Array, diagonal: int = 0) -> Any:
    """A vector as a diagonal matrix, or the diagonal of a matrix as a vector."""
    if input.ndim == 1:
        return embedded(input, diagonal, 0, 1)
    return _diagonal(input, diagonal, 0, 1)


def _diagonal(x: Any, offset: int, a: int, b: int) -> Any:
    if offset >= x.shape[b] or -offset >= x.shape[a]:
        rest = [n for d, n in enumerate(x.shape) if d not in (a, b)]
        return jnp.zeros((*rest, 0), x.dtype)
    return jnp.diagonal(x, offset, a, b)


def _check_diag_embed(input: Any, *, offset: int, dim1: int, dim2: int) -> None:
    a, b = one(dim1, input.ndim + 1), one(dim2, input.ndim + 1)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")


@op(linear=True, check=_check_diag_embed)
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The last dimension on the diagonal of matrices of zeros."""
    return embedded(input, offset, one(dim1, input.ndim + 1), one(dim2, input.ndim + 1))


@op(linear=True)
def diagflat(input: Array, offset: int = 0) -> Any:
    """All elements on the diagonal of a matrix."""
    return embedded(input.ravel(), offset, 0, 1)


def _check_trace(input: Any) -> None:
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix")


@op(linear=True, promote=Promote.BOOL_TO_LONG, check=checks(_check_trace, refuse("trace", "bool")))
def trace(input: Array) -> Any:
    """The sum of the diagonal."""
    return jnp.trace(input)


def _check_cross(input: Any, other: Any, *, dim: Any) -> None:
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    for d, (a, b) in enumerate(zip(input.shape, other.shape, strict=True)):
        if a != b and 1 not in (a, b):
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                "non-singleton "
                f"dimension {d}"
            )
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError("no dimension of size 3 in input")
        return
    d = one(dim, input.ndim)
    if input.shape[d] != 3 or other.shape[d] != 3:
        a = input.shape[d] if input.shape[d] != 1 else other.shape[d]
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[d]} and "
            f"{other.shape[d]}"
        )


@op(
    "cross",
    promote=Promote.DEFAULT,
    out=True,
    check=checks(_check_cross, refuse("cross", "bool")),
    grad_name="LinalgCross",
)
def cross(input: Array, other: Array, dim: Any = None) -> Any:
    """Cross product of 3-vectors along `dim` (the first dimension of size 3 by default)."""
    d = input.shape.index(3) if dim is None else one(dim, input.ndim)
    return jnp.cross(input, other, axis=d)


def _check_kron(input: Any, other: Any) -> None:
    for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
        if isinstance(x, type):
            raise TypeError(
                f"kron(): argument '{name}' (position {position}) must be Tensor, not {x.__name__}"
            )


@op("kron", promote=Promote.DEFAULT, out=True, check=_check_kron)
def kron(input: Array, other: Array) -> Any:
    """Kronecker product."""
    n = max(input.ndim, other.ndim)
    a = input.reshape((1,) * (n - input.ndim) + input.shape)
    b = other.reshape((1,) * (n - other.ndim) + other.shape)
    wide = a.reshape([m for k in a.shape for m in (k, 1)]) * b.reshape(
        [m for k in b.shape for m in (1, k)]
    )
    return wide.reshape([i * j for i, j in zip(a.shape, b.shape, strict=True)])


@op("_vander", namespaces=(), promote=Promote.BOOL_TO_LONG, grad_name="Cumprod")
def _vander(x: Array, *, n: int, increasing: bool) -> Any:
    """Columns of powers."""
    columns = jnp.concatenate([jnp.ones((*x.shape, 1), x.dtype)] + [x[..., None]] * (n - 1), -1)[
        ..., :n
    ]
    powers = lax.cumprod(columns, axis=x.ndim)
    return powers if increasing else jnp.flip(powers, -1)


def _distance(x1: Any, x2: Any, p: float) -> Any:
    gap = x1[..., :, None, :] - x2[..., None, :, :]
    if not gap.shape[-1]:
        return jnp.zeros(gap.shape[:-1], gap.dtype)
    if math.isinf(p):  # every one of equal largest gaps has the whole gradient
        size = magnitude(gap)
        fixed = lax.stop_gradient(size)
        top = jnp.max(fixed, -1)
        return top + jnp.sum(jnp.where(fixed == top[..., None], size - fixed, 0), -1)
    return vector_norm(gap, p, (gap.ndim - 1,), False)


def _check_cdist(x1: Any, x2: Any, *, p: float, compute_mode: Any) -> None:
    for i, x in ((1, x1), (2, x2)):
        if not x.dtype.is_floating_point:
            raise RuntimeError(f"cdist only supports floating-point dtypes, X{i} got: "
                               f"{x.dtype.scalar_name}")  # fmt: skip
        if x.ndim < 2:
            raise RuntimeError("cdist only supports at least 2D tensors, "
                               f"X{i} got: {x.ndim}D")  # fmt: skip
        refuse("cdist", "float16", "bfloat16")(x)
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
          "donot_use_mm_for_euclid_dist")  # fmt: skip


@op("cdist", promote=Promote.DEFAULT, check=_check_cdist, namespaces=("torch",))
def cdist(x1: Array, x2: Array, p: float = 2.0, compute_mode: Any = _MODES[0]) -> Any:
    """p-norm distances of every row of x1 to every row of x2."""
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    many = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p != 2 or compute_mode == _MODES[2] or (compute_mode == _MODES[0] and not many):
        return _distance(x1, x2, float(p))
    return _euclidean(x1, x2)


def _euclidean(x1: Any, x2: Any) -> Any:
    """Distances through a matrix product, as torch computes the big ones; 0 has gradient 0."""
    squares = (
        jnp.sum(x1 * x1, -1)[..., :, None] + jnp.sum(x2 * x2, -1)[..., None, :]
        - 2 * jnp.matmul(x1, jnp.swapaxes(x2, -1, -2))
    )  # fmt: skip
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
