"""Reductions: sums, products, extremes, any and all, and the indices of extremes."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, Dims, Promote, op
from ._dims import at_least_1d, one, several
from ._rules import refuse

_HALVES = ("float16", "bfloat16")


def axes(dim: Dims | None) -> Any:
    """torch's `dim` (None, int, tuple, empty tuple = all) as JAX's `axis`."""
    if dim is None or dim == ():
        return None
    return dim


@op(promote=Promote.BOOL_TO_LONG, out=True, linear=True)
def sum(input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum over `dim` (all dimensions by default)."""
    return jnp.sum(input, axis=several(dim, input.ndim), keepdims=keepdim)


@op(promote=Promote.BOOL_TO_LONG, out=True, linear=False)
def nansum(
    input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Sum over `dim`, NaN counting as zero."""
    if jnp.iscomplexobj(input):
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return jnp.nansum(input, axis=several(dim, input.ndim), keepdims=keepdim)


def _check_mean(input: Any, *, dim: Dims | None, keepdim: bool, dtype: Any) -> None:
    kind = dtype if dtype is not None else input.dtype
    if kind.is_floating_point or kind.is_complex:
        return
    what = "Input dtype" if dtype is None else "Optional dtype"
    raise RuntimeError(
        f"mean(): could not infer output dtype. {what} must be either a floating point or complex "
        f"dtype. Got: {kind.scalar_name}"
    )


@op(promote=Promote.DEFAULT, out=True, linear=True, check=_check_mean)
def mean(input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Mean over `dim` (all dimensions by default)."""
    dims = several(dim, input.ndim)
    wide = input.astype(jnp.float32) if input.dtype.name in _HALVES else input
    n = math.prod(input.shape[d] for d in dims)
    total = jnp.sum(wide, axis=dims, keepdims=keepdim)
    return (total / total.dtype.type(n)).astype(input.dtype)


def _check_nanmean(input: Any, *, dtype: Any, **_: Any) -> None:
    if input.dtype.is_complex:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype.scalar_name}"
        )


@op(promote=Promote.DEFAULT, out=True, check=_check_nanmean)
def nanmean(
    input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Mean over `dim` of what is not NaN."""
    dims = several(dim, input.ndim)
    return jnp.nanmean(input, axis=dims, keepdims=keepdim).astype(input.dtype)


@op(promote=Promote.BOOL_TO_LONG, out=True)
def prod(input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Product over `dim` (all dimensions by default)."""
    return jnp.prod(input, axis=several(dim, input.ndim), keepdims=keepdim)


_KERNELS = {"amax": "max_values_cpu", "amin": "min_values_cpu", "aminmax": "aminmax_cpu",
            "median": "median_out", "nanmedian": "median_out", "mode": "mode_cpu"}  # fmt: skip


def _refuse_order(name: str, dtype: Any) -> None:
    """torch's words for dtypes that a reduction has no order for."""
    is_bool = dtype.name == "bool"
    if not dtype.is_complex and not (is_bool and ("arg" in name or "median" in name)):
        return
    if name in _KERNELS:
        raise NotImplementedError(f"\"{_KERNELS[name]}\" not implemented for '{dtype.scalar_name}'")
    raise RuntimeError(f"{name}(): does not support {'bool' if is_bool else 'complex'} input")


def needs_elements(name: str) -> Any:
    """A check that what is reduced is not empty, and has an order."""

    def check(input: Any, *, dim: Any, **_: Any) -> None:
        _refuse_order(name, input.dtype)
        dims = several(dim, input.ndim)
        if input.numel:
            return
        if dim is None or dim == ():
            text = f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
            if name.startswith("arg"):
                raise IndexError(text)
            raise RuntimeError(f"{text} Specify the reduction dim with the 'dim' argument.")
        for d in dims:
            if input.shape[d] == 0:
                raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")

    return check


@functools.cache
def _extreme(largest: bool, dims: tuple[int, ...], nan_counts: bool) -> Any:
    """max or min whose gradient is shared by ties; that of a NaN goes to NaNs, or is NaN."""

    @jax.custom_jvp
    def f(x: Any) -> Any:
        return (jnp.max if largest else jnp.min)(x, dims, keepdims=True)

    @f.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        out = f(x)
        hit = x == out
        if nan_counts:
            hit |= jnp.isnan(x) & jnp.isnan(out)
        share = hit.astype(x.dtype)
        n = jnp.sum(share, dims, keepdims=True)
        share = jnp.where(n > 0, share / n, jnp.nan)  # XLA would make 0 / 0 of a mask 0
        return out, jnp.sum(share * dx, dims, keepdims=True)

    return f


def extreme(
    input: Any, dim: Dims | None, keepdim: bool, largest: bool, nan_counts: bool = False
) -> Any:
    """amax and amin."""
    dims = several(dim, input.ndim)
    if not jnp.issubdtype(input.dtype, jnp.floating):
        return (jnp.max if largest else jnp.min)(input, dims, keepdims=keepdim)
    found = _extreme(largest, dims, nan_counts)(input)
    return found if keepdim else found.squeeze(dims)


@op(out=True, check=needs_elements("amax"))
def amax(input: Array, dim: Dims | None = (), keepdim: bool = False) -> Any:
    """Largest element over `dim`; ties share the gradient."""
    return extreme(input, dim, keepdim, True)


@op(out=True, check=needs_elements("amin"))
def amin(input: Array, dim: Dims | None = (), keepdim: bool = False) -> Any:
    """Smallest element over `dim`; ties share the gradient."""
    return extreme(input, dim, keepdim, False)


@op("_max_all", namespaces=(), check=refuse("max_all", "complex"), grad_name="Max")
def _max_all(input: Array) -> Any:
    """Largest element."""
    return extreme(input, None, False, True, nan_counts=True)


@op("_min_all", namespaces=(), check=refuse("min_all", "complex"), grad_name="Min")
def _min_all(input: Array) -> Any:
    """Smallest element."""
    return extreme(input, None, False, False, nan_counts=True)


def pick(input: Any, index: Any, dim: int) -> Any:
    """Elements at `index` (of keepdim shape) along `dim`: the gradient goes to them alone."""
    return jnp.take_along_axis(input, index, axis=dim, mode="clip")


def selected(input: Any, dim: int, keepdim: bool, argument: Any) -> tuple[Any, Any]:
    """(values, indices) of a reduction that picks one element per row."""
    x = at_least_1d(input)
    d = one(dim, x.ndim)
    index = lax.expand_dims(argument(x, d), (d,))
    values = pick(x, index, d)
    if input.ndim == 0:
        return values.reshape(()), index.reshape(())
    return (values, index) if keepdim else (values.squeeze(d), index.squeeze(d))


def _argmax(x: Any, d: int) -> Any:
    return lax.argmax(x.astype(jnp.uint8) if x.dtype == bool else x, d, jnp.int64)


def _argmin(x: Any, d: int) -> Any:
    return lax.argmin(x.astype(jnp.uint8) if x.dtype == bool else x, d, jnp.int64)


_PAIR: Any = {"fields": ("values", "indices"), "namespaces": ()}


@op("_max_dim", check=needs_elements("max"), grad_name="Max", fields_name="max", **_PAIR)
def _max_dim(input: Array, dim: int, keepdim: bool = False) -> Any:
    """Largest element of a dimension and its place (the first of equals)."""
    return selected(input, dim, keepdim, _argmax)


@op("_min_dim", check=needs_elements("min"), grad_name="Min", fields_name="min", **_PAIR)
def _min_dim(input: Array, dim: int, keepdim: bool = False) -> Any:
    """Smallest element of a dimension and its place (the first of equals)."""
    return selected(input, dim, keepdim, _argmin)


def _located(input: Any, dim: Dims | None, keepdim: bool, argument: Any) -> Any:
    if dim is None:
        where = argument(input.ravel(), 0)
        return where.reshape((1,) * input.ndim) if keepdim else where
    x = at_least_1d(input)
    d = one(dim, x.ndim)
    where = argument(x, d)
    if input.ndim == 0:
        return where.reshape(())
    return lax.expand_dims(where, (d,)) if keepdim else where


@op(out=True, check=needs_elements("argmax"))
def argmax(input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Place of the largest element (the first of equals)."""
    return _located(input, dim, keepdim, _argmax)


@op(out=True, check=needs_elements("argmin"))
def argmin(input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Place of the smallest element (the first of equals)."""
    return _located(input, dim, keepdim, _argmin)


@op(fields=("min", "max"), fields_name="aminmax", out=True, check=needs_elements("aminmax"))
def aminmax(input: Array, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Smallest and largest element."""
    return extreme(input, dim, keepdim, False), extreme(input, dim, keepdim, True)


def _truth(input: Any, found: Any) -> Any:
    """torch's any and all of uint8 are uint8."""
    return found.astype(jnp.uint8) if input.dtype == jnp.uint8 else found


@op(out=True)
def any(input: Array, dim: Dims | None = None, keepdim: bool = False) -> Any:
    """Whether an element is not zero."""
    return _truth(input, jnp.any(input, several(dim, input.ndim), keepdims=keepdim))


@op(out=True)
def all(input: Array, dim: Dims | None = None, keepdim: bool = False) -> Any:
    """Whether no element is zero."""
    return _truth(input, jnp.all(input, several(dim, input.ndim), keepdims=keepdim))


@op()
def count_nonzero(input: Array, dim: Dims | None = None) -> Any:
    """How many elements are not zero."""
    return jnp.sum(input != 0, axis=several(dim, input.ndim), dtype=jnp.int64)


@op(promote=Promote.INT_TO_FLOAT, out=True, namespaces=("torch", "Tensor", "special"))
def logsumexp(input: Array, dim: Dims, keepdim: bool = False) -> Any:
    """log(sum(exp(x))) over `dim`, without overflow."""
    return log_sum_exp(input, several(dim, input.ndim), keepdim)


def log_sum_exp(x: Any, dims: Any, keepdim: bool) -> Any:
    """The same on wrapped dimensions."""
    if not math.prod(x.shape):
        return jnp.log(jnp.sum(jnp.exp(x), dims, keepdims=keepdim))
    top = lax.stop_gradient(jnp.max(x.real, dims, keepdims=True))
    top = jnp.where(jnp.isfinite(top), top, 0)
    total = jnp.sum(jnp.exp(x - top), dims, keepdims=keepdim)
    return jnp.log(total) + (top if keepdim else top.squeeze(dims)).astype(total.dtype)


def _check_hash(input: Any, *, dim: Any, keepdim: bool) -> None:
    if input.dtype.is_complex:
        raise NotImplementedError(
            f"\"xor_sum_cpu\" not implemented for '{input.dtype.scalar_name}'"
        )
    if not input.numel and dim in (None, ()):
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify "
            "the reduction dim with the 'dim' argument."
        )


@op("_hash", namespaces=(), check=_check_hash, differentiable=False)
def _hash(input: Array, dim: Dims | None, keepdim: bool) -> Any:
    """Exclusive or of the elements as 64 bits: floats as doubles, integers sign-extended."""
    floats = jnp.issubdtype(input.dtype, jnp.floating)
    wide = input.astype(jnp.float64 if floats else jnp.int64)
    bits = lax.bitcast_convert_type(wide, jnp.uint64)
    dims = several(dim, input.ndim)
    found = lax.reduce(bits, jnp.uint64(0), lax.bitwise_xor, dims)
    return lax.expand_dims(found, dims) if keepdim else found
