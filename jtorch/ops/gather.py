"""Reading and writing by index tensors along a dimension: gather, scatter, index_add and their kin.

Indices out of range are not errors here (their values are known only later): reads give NaN, and
writes are dropped.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, Operand, op
from ._dims import at_least_1d, one
from ._rules import refuse


def _shape1(shape: Any) -> tuple[int, ...]:
    return tuple(shape) or (1,)


def _check_gather(input: Any, index: Any, *, dim: int, sparse_grad: bool) -> None:
    d = one(dim, input.ndim)
    if not index.numel:
        return
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    a, b = _shape1(input.shape), _shape1(index.shape)
    if len(a) != len(b):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for k, (n, m) in enumerate(zip(a, b, strict=True)):
        if k != d and m > n:
            raise RuntimeError(
                f"Size does not match at dimension {k} expected index {list(index.shape)} to be no "
                f"larger than self {list(input.shape)} apart from dimension {d}"
            )


def _cropped(x: Any, shape: Any, d: int) -> Any:
    """x cut down to `shape` everywhere but in dimension d."""
    limits = [n if k == d else m for k, (n, m) in enumerate(zip(x.shape, shape, strict=True))]
    return x if tuple(limits) == x.shape else lax.slice(x, [0] * x.ndim, limits)


def take_along(x: Any, index: Any, d: int) -> Any:
    """gather on arrays of one or more dimensions."""
    return jnp.take_along_axis(_cropped(x, index.shape, d), index, d, mode="fill")


@op(out=True, check=_check_gather)
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Any:
    """out[i][j][k] = input[index[i][j][k]][j][k] for dim 0."""
    if not index.size:
        return jnp.zeros(index.shape, input.dtype)
    d = one(dim, input.ndim)
    found = take_along(at_least_1d(input), at_least_1d(index), d)
    return found.reshape(index.shape)


def _check_scatter(input: Any, index: Any, src: Any = None, *, dim: int, **_: Any) -> None:
    d = one(dim, input.ndim)
    if not index.numel:
        return
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    a, b = _shape1(input.shape), _shape1(index.shape)
    if len(a) != len(b):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    source = src if hasattr(src, "shape") else None
    wide = any(k != d and m > n for k, (n, m) in enumerate(zip(a, b, strict=True)))
    if source is None:
        if wide:
            raise RuntimeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
                f"apart from dimension {d}"
            )
        return
    if source.dtype is not input.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    c = _shape1(source.shape)
    if len(c) != len(b):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    if wide or any(m > n for m, n in zip(b, c, strict=True)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
            "apart "
            f"from dimension {d} and to be no larger size than src {list(source.shape)}"
        )


def _places(index: Any, d: int) -> tuple[Any, ...]:
    """The full index of a scatter along d."""
    return tuple(
        index if k == d else lax.broadcasted_iota(jnp.int64, index.shape, k)
        for k in range(index.ndim)
    )


def scatter_sum(x: Any, index: Any, src: Any, d: int) -> Any:
    """x with src added at index along d: the transpose of a gather."""
    pull = jax.linear_transpose(lambda v: take_along(v, index, d), x)
    return x + pull(src)[0]


def _values(src: Any, index: Any, dtype: Any) -> Any:
    """The source of a scatter in the index's shape."""
    if not isinstance(src, int | float | complex) and src.ndim == index.ndim and index.ndim:
        return _cropped(src, index.shape, -1).astype(dtype)
    return jnp.broadcast_to(jnp.asarray(src).astype(dtype).reshape(()), index.shape)


@op("_scatter", namespaces=(), check=_check_scatter, grad_name="Scatter")
def _scatter(input: Array, index: Array, src: Operand, *, dim: int, reduce: Any) -> Any:
    """input with src written at index along dim; reduce 'add' or 'multiply' joins the old value."""
    if not index.size:
        return input
    d = one(dim, input.ndim)
    if input.dtype == bool and reduce is not None:  # add is or, multiply is and
        reduce, wide = {"add": "sum", "multiply": "prod"}[reduce], at_least_1d(input)
        index = at_least_1d(index)
        return reduced(wide, index, _values(src, index, bool), d, reduce, True).reshape(input.shape)
    x, i = at_least_1d(input), at_least_1d(index)
    values = _values(src if isinstance(src, int | float | complex) else
                     at_least_1d(src) if src.ndim == index.ndim else src, i, x.dtype)  # fmt: skip
    if reduce == "add":
        return scatter_sum(x, i, values, d).reshape(input.shape)
    at = x.at[_places(i, d)]
    done = at.multiply(values, mode="drop") if reduce == "multiply" else at.set(values, mode="drop")
    return done.reshape(input.shape)


@op("scatter_add", out=True, inplace=True, check=_check_scatter)
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Any:
    """input with src added at index along dim; equal places add up."""
    if not index.size:
        return input
    d = one(dim, input.ndim)
    x, i = at_least_1d(input), at_least_1d(index)
    values = _cropped(at_least_1d(src), i.shape, -1)
    if x.dtype == bool:
        return x.at[_places(i, d)].max(values, mode="drop").reshape(input.shape)
    return scatter_sum(x, i, values, d).reshape(input.shape)


_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def _check_reduce(
    input: Any, index: Any, src: Any, *, dim: int, reduce: str, include_self: bool
) -> None:
    if reduce not in _REDUCTIONS:
        raise RuntimeError(
            "reduce argument must be either sum, prod, mean, amax or amin, got " + reduce
        )
    _check_scatter(input, index, src, dim=dim)
    if reduce in ("amax", "amin"):
        refuse(f"scatter_gather_tensor_cpu_reduce_{reduce}", "complex")(input)


@op("scatter_reduce", out=True, inplace=True, check=_check_reduce)
def scatter_reduce(
    input: Array, dim: int, index: Array, src: Array, reduce: str, *, include_self: bool = True
) -> Any:
    """input reduced at index along dim with the elements of src that go there."""
    if not index.size:
        return input
    d = one(dim, input.ndim)
    x, i = at_least_1d(input), at_least_1d(index)
    done = reduced(x, i, _cropped(at_least_1d(src), i.shape, -1), d, reduce, include_self)
    return done.reshape(input.shape)


def reduced(x: Any, index: Any, src: Any, d: int, reduce: str, include_self: bool) -> Any:
    """scatter_reduce on arrays of one or more dimensions."""
    if x.dtype == bool:
        wide = reduced(x.astype(jnp.int32), index, src.astype(jnp.int32), d, reduce, include_self)
        return wide.astype(bool)
    if reduce == "sum":
        return scatter_sum(_start(x, index, d, 0, include_self), index, src, d)
    if reduce == "mean":
        base = _start(x, index, d, 0, include_self)
        ones = jnp.full(x.shape, int(include_self), x.dtype)
        n = _counted(ones, index, d)
        total = scatter_sum(base, index, src, d)
        n = jnp.maximum(n, 1)
        return total / n if jnp.issubdtype(x.dtype, jnp.inexact) else total // n
    join = _joined(reduce, include_self, d)
    return (
        join(x, index, src)
        if jnp.issubdtype(x.dtype, jnp.floating)
        else _join(x, index, src, d, reduce, include_self)
    )


def _counted(start: Any, index: Any, d: int) -> Any:
    return start.at[_places(index, d)].add(jnp.ones(index.shape, start.dtype), mode="drop")


def _start(x: Any, index: Any, d: int, neutral: Any, include_self: bool) -> Any:
    """The values that the reduction starts from: the neutral element where self is left out."""
    if include_self:
        return x
    return x.at[_places(index, d)].set(jnp.asarray(neutral, x.dtype), mode="drop")


def _neutral(dtype: Any, reduce: str) -> Any:
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    if jnp.issubdtype(dtype, jnp.floating):
        return -jnp.inf if reduce == "amax" else jnp.inf
    info = np.iinfo(dtype)
    return info.min if reduce == "amax" else info.max


def _join(x: Any, index: Any, src: Any, d: int, reduce: str, include_self: bool) -> Any:
    base = _start(x, index, d, _neutral(x.dtype, reduce), include_self).at[_places(index, d)]
    join = {"prod": base.multiply, "amax": base.max, "amin": base.min}[reduce]
    return join(src, mode="drop")


@functools.cache
def _joined(reduce: str, include_self: bool, d: int) -> Any:
    """prod, amax and amin with torch's gradients: ties share, zeros of a product are handled."""

    @jax.custom_jvp
    def f(x: Any, index: Any, src: Any) -> Any:
        return _join(x, index, src, d, reduce, include_self)

    @f.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        x, index, src = primals
        dx, _, dsrc = tangents
        out = f(x, index, src)
        rule = _prod_jvp if reduce == "prod" else _extreme_jvp
        return out, rule(x, index, src, dx, dsrc, out, d, include_self)

    return f


def _touched(x: Any, index: Any, d: int) -> Any:
    return jnp.zeros(x.shape, bool).at[_places(index, d)].set(True, mode="drop")


def _extreme_jvp(
    x: Any, index: Any, src: Any, dx: Any, dsrc: Any, out: Any, d: int, include_self: bool
) -> Any:
    chosen = (src == take_along(out, index, d)).astype(x.dtype)
    own = (x == out).astype(x.dtype)
    n = scatter_sum(own, index, chosen, d)  # torch counts self even where it is left out
    if not include_self:
        own = jnp.where(_touched(x, index, d), 0, own)
    n = jnp.where(n > 0, n, jnp.nan)  # nothing equals a NaN
    return scatter_sum(own * dx, index, chosen * dsrc, d) / n


def _prod_jvp(
    x: Any, index: Any, src: Any, dx: Any, dsrc: Any, out: Any, d: int, include_self: bool
) -> Any:
    """Sum over factors of (its tangent times the product of the others).

    With one zero among the factors only that zero's term stays; with two, none.
    """
    base = _start(x, index, d, 1, include_self)
    dbase = dx if include_self else jnp.where(_touched(x, index, d), 0, dx)
    zeros = scatter_sum((base == 0).astype(x.dtype), index, (src == 0).astype(x.dtype), d)
    whole = (
        jnp.where(base == 0, 1, base)
        .at[_places(index, d)]
        .multiply(jnp.where(src == 0, 1, src), mode="drop")
    )

    def term(factor: Any, tangent: Any, rest: Any, count: Any) -> Any:
        alone = count == (factor == 0).astype(x.dtype)
        return jnp.where(alone, tangent * rest / jnp.where(factor == 0, 1, factor), 0)

    own = term(base, dbase, whole, zeros)
    others = term(src, dsrc, take_along(whole, index, d), take_along(zeros, index, d))
    return scatter_sum(own, index, others, d)
