"""Statistics of samples: variance, covariance, quantiles, histograms."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Arrays, Operand, Promote, op
from ._dims import one, several
from ._rules import refuse
from .norm import root


def _check_spread(name: str) -> Any:
    def check(input: Any, *, dim: Any, correction: Any, keepdim: bool) -> None:
        if not (input.dtype.is_floating_point or input.dtype.is_complex):
            raise RuntimeError(f"{name} only support floating point and complex dtypes")
        several(dim, input.ndim)

    return check


def _moments(x: Any, dim: Any, correction: Any, keepdim: bool) -> tuple[Any, Any]:
    """(variance, mean); halves are computed in float32."""
    wide = x.astype(jnp.float32) if x.dtype.itemsize == 2 else x
    dims = several(dim, x.ndim)
    n = math.prod(x.shape[d] for d in dims)
    mean = jnp.sum(wide, dims, keepdims=True) / wide.real.dtype.type(n)
    off = wide - mean
    squares = off.real * off.real + off.imag * off.imag if jnp.iscomplexobj(x) else off * off
    total = jnp.sum(squares, dims, keepdims=keepdim)
    free = total.dtype.type(max(0.0, n - correction))
    variance = total / free
    return variance, (mean if keepdim else mean.squeeze(dims))


_SPREAD: Any = {"check": _check_spread("std and var"), "namespaces": ()}


@op("_var", grad_name="Var", **_SPREAD)
def _var(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variance."""
    return _moments(input, dim, correction, keepdim)[0].astype(input.real.dtype)


@op("_std", grad_name="Std", **_SPREAD)
def _std(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Standard deviation; no gradient where it is zero."""
    return root(_moments(input, dim, correction, keepdim)[0]).astype(input.real.dtype)


@op("_var_mean", grad_name="VarMean", check=_check_spread("var_mean"), namespaces=())
def _var_mean(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Variance and mean."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return variance.astype(input.real.dtype), mean.astype(input.dtype)


@op("_std_mean", grad_name="StdMean", check=_check_spread("std_mean"), namespaces=())
def _std_mean(input: Array, dim: Any, correction: Any, keepdim: bool) -> Any:
    """Standard deviation and mean."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return root(variance).astype(input.real.dtype), mean.astype(input.dtype)


def _check_cov(input: Any, fweights: Any, aweights: Any, *, correction: int) -> None:
    if input.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} "
            "dimensions"
        )
    if input.dtype.name == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    n = input.numel if input.ndim < 2 else input.shape[1]
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is None:
            continue
        if w.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{w.ndim} "
                "dimensions"
            )
        if w.numel != n:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {w.numel} != {n}"
            )
    if fweights is not None and not fweights.dtype.is_integral:
        raise RuntimeError(f"cov(): expected fweights to have integral dtype but got fweights with "
                           f"{fweights.dtype.scalar_name} dtype")  # fmt: skip
    if aweights is not None and aweights.dtype.is_integral:
        raise RuntimeError("cov(): expected aweights to have floating point dtype but got aweights "
                           f"with {aweights.dtype.scalar_name} dtype")  # fmt: skip


@op(promote=Promote.INT_TO_FLOAT, promotes=("input",), check=_check_cov)
def cov(
    input: Array, *, correction: int = 1, fweights: Array | None = None,
    aweights: Array | None = None,
) -> Any:  # fmt: skip
    """Covariance matrix of the rows."""
    x = input.reshape((1, -1)) if input.ndim < 2 else input
    n = x.shape[1]
    w = None
    if fweights is not None:
        w = fweights.reshape(-1).astype(x.real.dtype)
    if aweights is not None:
        a = aweights.reshape(-1).astype(x.real.dtype)
        w = a if w is None else w * a
    total = jnp.asarray(n, x.real.dtype) if w is None else jnp.sum(w)
    mean = jnp.sum(x if w is None else x * w, 1, keepdims=True) / total
    if w is not None and aweights is not None and correction:
        free = total - correction * jnp.sum(w * aweights.reshape(-1).astype(w.dtype)) / total
    else:
        free = total - correction
    off = x - mean
    scaled = off if w is None else off * w
    found = jnp.matmul(scaled, off.T.conj()) / jnp.maximum(free, 0)
    return found.reshape(()) if x.shape[0] == 1 else found


def _check_corrcoef(input: Any) -> None:
    if input.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    _check_cov(input, None, None, correction=1)


@op(promote=Promote.INT_TO_FLOAT, check=_check_corrcoef)
def corrcoef(input: Array) -> Any:
    """Correlation matrix of the rows."""
    c = cov(input)
    if not c.ndim:
        return c / c
    spread = jnp.sqrt(jnp.diagonal(c).real)
    c = c / spread[:, None] / spread[None, :]
    if jnp.iscomplexobj(c):
        return lax.complex(jnp.clip(c.real, -1, 1), jnp.clip(c.imag, -1, 1))
    return jnp.clip(c, -1, 1)


def _bins(x: Any, weight: Any, bins: int, low: Any, high: Any) -> Any:
    """Histogram over equal bins of [low, high]; the last bin holds its right edge."""
    wide = x.astype(jnp.float64) if x.dtype == jnp.float64 else x.astype(jnp.float32)
    place = ((wide - low) / (high - low) * bins).astype(jnp.int64)
    place = jnp.where((x >= low) & (x <= high), jnp.minimum(place, bins - 1), bins)
    amount = jnp.ones(x.shape, x.dtype) if weight is None else weight
    return jnp.zeros(bins, amount.dtype).at[place].add(amount, mode="drop")


def _check_histc(input: Any, *, bins: int, min: float, max: float) -> None:
    if input.dtype.name == "uint8" and (min < 0 or max < 0):
        raise RuntimeError("value cannot be converted to type uint8_t without overflow")
    refuse("histogram_cpu", "integer", "complex")(input)


@op(differentiable=False, out=True, check=_check_histc)
def histc(input: Array, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Counts of elements in equal bins between min and max (of the data, when both are equal)."""
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if max < min:
        raise RuntimeError("max must be larger than min")
    x = input.ravel()
    low, high = jnp.asarray(min, jnp.float64), jnp.asarray(max, jnp.float64)
    if min == max and x.size:
        low, high = jnp.min(x).astype(jnp.float64), jnp.max(x).astype(jnp.float64)
    same = low == high
    low, high = jnp.where(same, low - 1, low), jnp.where(same, high + 1, high)
    kind = x.dtype if x.dtype.kind == "f" else jnp.float64
    return _bins(x, None, bins, low.astype(kind), high.astype(kind))


def _check_histogram(input: Any, edges: Any, weight: Any, *, density: bool) -> None:
    if input.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(
            f"\"histogramdd\" not implemented for '{input.dtype.scalar_name}'"
        )
    for i, e in enumerate(edges if type(edges) is tuple else (edges,)):
        if e.dtype is not input.dtype:
            raise RuntimeError(
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but "
                "got "
                f"input with dtype {_C_NAMES[input.dtype.name]} and bins for dimension {i} with "
                "dtype "
                f"{_C_NAMES.get(e.dtype.name, e.dtype.name)}"
            )


_C_NAMES = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int"}


@op("_histogram", namespaces=(), differentiable=False, check=_check_histogram)
def _histogram(input: Array, edges: Array, weight: Array | None, *, density: bool) -> Any:
    """Counts (or densities) of flat samples between bin edges."""
    found = _count_between((input.ravel(),), (edges,), weight)
    return _density(found, (edges,)) if density else found


@op("_histogramdd", namespaces=(), differentiable=False, check=_check_histogram)
def _histogramdd(input: Array, edges: Arrays, weight: Array | None, *, density: bool) -> Any:
    """Counts (or densities) of N-dimensional samples between bin edges."""
    points = input.reshape((-1, input.shape[-1]))
    found = _count_between(tuple(points[:, i] for i in range(len(edges))), tuple(edges), weight)
    return _density(found, tuple(edges)) if density else found


def _count_between(points: Any, edges: Any, weight: Any) -> Any:
    places, inside = [], True
    for x, e in zip(points, edges, strict=True):
        at = jnp.searchsorted(e, x, side="right") - 1
        places.append(jnp.where(x == e[-1], e.shape[0] - 2, at))
        inside = inside & (x >= e[0]) & (x <= e[-1])
    amount = jnp.ones(points[0].shape, points[0].dtype) if weight is None else weight.ravel()
    amount = jnp.where(inside, amount, 0)
    sizes = [e.shape[0] - 1 for e in edges]
    return jnp.zeros(sizes, amount.dtype).at[tuple(places)].add(amount, mode="drop")


def _density(found: Any, edges: Any) -> Any:
    found = found / jnp.sum(found)
    for d, e in enumerate(edges):
        shape = [1] * found.ndim
        shape[d] = -1
        found = found / jnp.diff(e).reshape(shape)
    return found


@op("_bincount", namespaces=(), differentiable=False)
def _bincount(input: Array, weights: Array | None, *, length: int) -> Any:
    """How often each of 0 .. length-1 occurs, or the sum of its weights."""
    kind = (
        jnp.int64
        if weights is None
        else (weights.dtype if weights.dtype == jnp.float32 else jnp.float64)
    )
    amount = jnp.ones(input.shape, kind) if weights is None else weights.astype(kind)
    return jnp.zeros(length, kind).at[input.astype(jnp.int64)].add(amount, mode="drop")


def _check_gradient(input: Any, *_: Any, **__: Any) -> None:
    if input.dtype.name == "uint8":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if input.dtype.name == "bool":
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )


@op("_gradient", namespaces=(), promote=Promote.INT_TO_FLOAT, check=_check_gradient)
def _gradient(
    input: Array, spacing: Array | None, step: Operand, *, dim: int, edge_order: int
) -> Any:
    """Central differences along one dimension, one-sided at its ends."""
    d = one(dim, input.ndim)
    x = jnp.moveaxis(input, d, -1)
    if spacing is None:
        inner = (x[..., 2:] - x[..., :-2]) / (2 * step)
        first, last = _one_sided(x, step, edge_order)
    else:
        gaps = jnp.diff(spacing)
        a, b = gaps[:-1], gaps[1:]
        inner = (x[..., 2:] * a * a - x[..., :-2] * b * b + x[..., 1:-1] * (b * b - a * a)) / (
            a * b * (a + b)
        )
        first, last = _one_sided_uneven(x, gaps, edge_order)
    return jnp.moveaxis(jnp.concatenate([first, inner, last], -1), -1, d)


def _one_sided(x: Any, step: Any, edge_order: int) -> tuple[Any, Any]:
    if edge_order == 1:
        return (x[..., 1:2] - x[..., :1]) / step, (x[..., -1:] - x[..., -2:-1]) / step
    first = (-1.5 * x[..., :1] + 2 * x[..., 1:2] - 0.5 * x[..., 2:3]) / step
    last = (1.5 * x[..., -1:] - 2 * x[..., -2:-1] + 0.5 * x[..., -3:-2]) / step
    return first, last


def _one_sided_uneven(x: Any, gaps: Any, edge_order: int) -> tuple[Any, Any]:
    if edge_order == 1:
        return (x[..., 1:2] - x[..., :1]) / gaps[0], (x[..., -1:] - x[..., -2:-1]) / gaps[-1]
    a, b = gaps[0], gaps[1]
    first = (-(2 * a + b) / (a * (a + b)) * x[..., :1] + (a + b) / (a * b) * x[..., 1:2]
             - a / (b * (a + b)) * x[..., 2:3])  # fmt: skip
    a, b = gaps[-2], gaps[-1]
    last = (b / (a * (a + b)) * x[..., -3:-2] - (a + b) / (a * b) * x[..., -2:-1]
            + (2 * b + a) / (b * (a + b)) * x[..., -1:])  # fmt: skip
    return first, last
