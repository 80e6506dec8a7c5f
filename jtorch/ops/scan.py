"""Running sums, products and extremes along a dimension; differences and integrals."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Operand, Promote, op
from ._dims import at_least_1d, one
from ._rules import refuse
from ._running_sum import running_sum
from .reduce import pick


def _along(f: Any, input: Any, dim: int) -> Any:
    """A scan over one dimension; a 0-d tensor is a single element."""
    d = one(dim, input.ndim)
    return f(at_least_1d(input), axis=d).reshape(input.shape)


@op(promote=Promote.BOOL_TO_LONG, inplace=True, out=True, linear=True)
def cumsum(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running sum."""
    return _along(running_sum, input, dim)


@op(promote=Promote.BOOL_TO_LONG, inplace=True, out=True)
def cumprod(input: Array, dim: int, *, dtype: Any = None) -> Any:
    """Running product."""
    return _along(lax.cumprod, input, dim)


@op(out=True, check=refuse("logcumsumexp_out_cpu", "integer"))
def logcumsumexp(input: Array, dim: int) -> Any:
    """log of the running sum of exp(x), without overflow."""
    if jnp.iscomplexobj(input):
        return _along(_log_cumulative_complex, input, dim)
    return _along(lax.cumlogsumexp, input, dim)


def _log_cumulative_complex(x: Any, axis: int) -> Any:
    return lax.associative_scan(_log_add_complex, x, axis=axis)


def _log_add_complex(a: Any, b: Any) -> Any:
    top = lax.stop_gradient(jnp.maximum(a.real, b.real))
    top = jnp.where(jnp.isfinite(top), top, 0)
    return jnp.log(jnp.exp(a - top) + jnp.exp(b - top)) + top


_PAIR: Any = {"fields": ("values", "indices")}


def _running(input: Any, dim: int, beats: Any) -> tuple[Any, Any]:
    """Running extreme and the last place where it was met; NaN beats everything."""
    d = one(dim, input.ndim)
    x = at_least_1d(input)

    def later(a: Any, b: Any) -> Any:
        take = beats(b[0], a[0])
        if jnp.issubdtype(x.dtype, jnp.floating):
            take = jnp.isnan(b[0]) | (take & ~jnp.isnan(a[0]))
        return jnp.where(take, b[0], a[0]), jnp.where(take, b[1], a[1])

    place = lax.broadcasted_iota(jnp.int64, x.shape, d)
    fixed = lax.stop_gradient(x)
    index = lax.associative_scan(later, (fixed, place), axis=d)[1]
    return pick(x, index, d).reshape(input.shape), index.reshape(input.shape)


@op(out=True, check=refuse("cummax_cpu", "complex"), **_PAIR)
def cummax(input: Array, dim: int) -> Any:
    """Running maximum and its place."""
    return _running(input, dim, jnp.greater_equal)


@op(out=True, check=refuse("cummin_cpu", "complex"), **_PAIR)
def cummin(input: Array, dim: int) -> Any:
    """Running minimum and its place."""
    return _running(input, dim, jnp.less_equal)


@op("_diff", linear=True, out=False, namespaces=(), promote=Promote.NONE)
def _diff(input: Array, n: int, dim: int) -> Any:
    """n-th differences of neighbours."""
    d = one(dim, input.ndim)
    if input.dtype != bool:
        return jnp.diff(input, n, d)
    for _ in range(n):
        size = input.shape[d]
        a = lax.slice_in_dim(input, 0, max(size - 1, 0), axis=d)
        b = lax.slice_in_dim(input, min(1, size), size, axis=d)
        input = a != b
    return input


def _trapezoids(y: Any, x: Any, dx: Any, dim: int) -> Any:
    d = one(dim, y.ndim)
    left = lax.slice_in_dim(y, 0, max(y.shape[d] - 1, 0), axis=d)
    right = lax.slice_in_dim(y, min(1, y.shape[d]), y.shape[d], axis=d)
    if x is None:
        return (left + right) * jnp.asarray(dx).astype(y.dtype) / 2, d
    if x.ndim == 1:
        if x.shape[0] != y.shape[d]:
            raise RuntimeError("trapezoid: There must be one `x` value for each sample point")
        steps = jnp.diff(x).reshape([-1 if k == d else 1 for k in range(y.ndim)])
    else:
        steps = jnp.diff(x, axis=d - y.ndim + x.ndim if x.ndim < y.ndim else d)
    return (left + right) * steps / 2, d


def _check_trapezoid(name: str) -> Any:
    def check(y: Any, x: Any, *_: Any, dim: int) -> None:
        one(dim, y.ndim)
        given = "`y`" if x is None else "`x` or `y`"
        if "bool" in (y.dtype.name, "" if x is None else x.dtype.name):
            raise RuntimeError(
                f"{name}: received a bool input for {given}, but bool is not supported"
            )

    return check


@op("_trapezoid", promote=Promote.INT_TO_FLOAT, namespaces=(), check=_check_trapezoid("trapezoid"))
def _trapezoid(y: Array, x: Array | None, dx: Operand, *, dim: int) -> Any:
    """Integral by the trapezoidal rule."""
    parts, d = _trapezoids(y, x, dx, dim)
    return jnp.sum(parts, d)


@op("_cumulative_trapezoid", promote=Promote.INT_TO_FLOAT, namespaces=(),
    check=_check_trapezoid("cumulative_trapezoid"))  # fmt: skip
def _cumulative_trapezoid(y: Array, x: Array | None, dx: Operand, *, dim: int) -> Any:
    """Running integral by the trapezoidal rule."""
    parts, d = _trapezoids(y, x, dx, dim)
    return running_sum(parts, d)
