"""Matrix products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from . import matmul_checks as checks
from ._define import Array, Promote, Scalar, op


@op(out=True, dunder=("__matmul__",), rdunder="__rmatmul__", check=checks.matmul,
    namespaces=("torch", "Tensor", "linalg"))  # fmt: skip
def matmul(input: Array, other: Array) -> Any:
    """Matrix product with torch's broadcasting rules."""
    return jnp.matmul(input, other)


@op(out=True, check=checks.mm)
def mm(input: Array, mat2: Array) -> Any:
    """Product of two matrices."""
    return jnp.matmul(input, mat2)


@op(out=True, check=checks.bmm)
def bmm(input: Array, mat2: Array) -> Any:
    """Products of two batches of matrices."""
    return jnp.matmul(input, mat2)


@op(out=True, check=checks.mv)
def mv(input: Array, vec: Array) -> Any:
    """Product of a matrix and a vector."""
    return jnp.matmul(input, vec)


@op(out=True, check=checks.dot)
def dot(input: Array, tensor: Array) -> Any:
    """Sum of the products of two vectors."""
    return jnp.dot(input, tensor)


@op(out=True, check=checks.dot)
def vdot(input: Array, other: Array) -> Any:
    """Sum of the products of two vectors, the first conjugated."""
    return jnp.vdot(input, other)


@op(out=True, check=checks.inner)
def inner(input: Array, other: Array) -> Any:
    """Sums of products over the last dimensions."""
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    return jnp.tensordot(input, other, axes=((-1,), (-1,)))


@op(out=True, promote=Promote.DEFAULT, check=checks.outer, aliases=("ger",), grad_name="Mul")
def outer(input: Array, vec2: Array) -> Any:
    """All products of two vectors."""
    return jnp.logical_and(input[:, None], vec2) if input.dtype == bool else input[:, None] * vec2


def times(x: Any, number: Any) -> Any:
    """x * number in x's dtype; nothing to do for the Python number 1."""
    if not hasattr(number, "aval") and number == 1:
        return x
    return x * jnp.asarray(number).astype(x.dtype)


def plus(input: Any, beta: Any, product: Any, alpha: Any) -> Any:
    """beta * input + alpha * product; a beta of 0 ignores NaN and infinity in the input."""
    known = not hasattr(beta, "aval")
    if known and beta == 0:
        return jnp.broadcast_to(times(product, alpha), product.shape)
    left = times(input, beta)
    if not known:
        left = jnp.where(jnp.asarray(beta) == 0, jnp.zeros_like(left), left)
    return left + times(product, alpha)


@op(out=True, inplace=True, check=checks.addmm)
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2)."""
    return plus(input, beta, jnp.matmul(mat1, mat2), alpha)


@op(out=True, inplace=True, check=checks.addmv)
def addmv(input: Array, mat: Array, vec: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Any:
    """beta * input + alpha * (mat @ vec)."""
    return plus(input, beta, jnp.matmul(mat, vec), alpha)


@op(out=True, inplace=True, promote=Promote.DEFAULT, promotes=("input", "vec1", "vec2"),
    check=checks.addr)  # fmt: skip
def addr(input: Array, vec1: Array, vec2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Any:
    """beta * input + alpha * outer(vec1, vec2)."""
    if input.dtype == bool:
        both = jnp.logical_and(vec1[:, None], vec2)
        both = jnp.logical_and(both, jnp.asarray(alpha).astype(bool))
        return jnp.logical_or(jnp.logical_and(input, jnp.asarray(beta).astype(bool)), both)
    return plus(input, beta, vec1[:, None] * vec2, alpha)


@op(out=True, inplace=True, check=checks.baddbmm)
def baddbmm(
    input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Any:
    """beta * input + alpha * (batch1 @ batch2)."""
    return plus(input, beta, jnp.matmul(batch1, batch2), alpha)


@op(out=True, inplace=True, check=checks.addbmm)
def addbmm(
    input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Any:
    """beta * input + alpha * the sum of the products batch1[i] @ batch2[i]."""
    product = lax.dot_general(batch1, batch2, (((0, 2), (0, 1)), ((), ())))
    return plus(input, beta, product, alpha)


@op(out=True, check=checks.linear, namespaces=("nn.functional",), grad_name="Addmm")
def linear(input: Array, weight: Array, bias: Array | None = None) -> Any:
    """input @ weight.T + bias."""
    contract = ((input.ndim - 1,), (weight.ndim - 1,))
    product = lax.dot_general(input, weight, (contract, ((), ())))
    return product if bias is None else product + bias


@op(check=checks.bilinear, namespaces=("torch", "nn.functional"))
def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Any:
    """input1 @ weight[k] @ input2 for every output feature k, plus bias."""
    left = jnp.einsum("...i,kij->...kj", input1, weight)
    product = jnp.einsum("...kj,...j->...k", left, input2)
    return product if bias is None else product + bias
