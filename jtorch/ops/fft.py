"""Discrete Fourier transforms: of complex and real signals, in one and more dimensions."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from .._engine.errors import wrap_dim
from ._define import Array, Promote, op

_NORMS = ("forward", "backward", "ortho")


def _bad_norm(norm: Any) -> None:
    if norm is not None and norm not in _NORMS:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')


def _no_half(input: Any) -> None:
    d = input.dtype
    if d.is_floating_point and d.itemsize < 4:
        raise RuntimeError(f"Unsupported dtype {d.scalar_name}")


def _points(n: int) -> None:
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")


def _dim(dim: int, ndim: int) -> int:
    if not ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, ndim)


def _check_one(name: str, kind: str) -> Any:
    def check(input: Any, *, n: Any, dim: int, norm: Any) -> None:
        if kind == "r2c" and input.dtype.is_complex:
            raise RuntimeError(
                f"{name} expects a real input tensor, but got {input.dtype.scalar_name}"
            )
        _no_half(input)
        size = input.shape[_dim(dim, input.ndim)]
        _points((2 * (size - 1) if kind == "c2r" else size) if n is None else n)
        _bad_norm(norm)

    return check


def _transformed(
    input: Any, s: Any, dim: Any, last_is_half: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions of an n-dimensional transform and the lengths of its signals."""
    ndim = input.ndim
    if dim is not None:
        dims = tuple(_dim(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim))
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
    if s is None:
        dims = dims if dim is not None else tuple(range(ndim))
        sizes = [-1] * len(dims)
    else:
        sizes = [s] if isinstance(s, int) else list(s)
        if dim is not None and len(dims) != len(sizes):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
        if len(sizes) > ndim:
            raise RuntimeError(
                f"Got shape with {len(sizes)} values but input tensor only has {ndim} dimensions."
            )
        dims = dims if dim is not None else tuple(range(ndim - len(sizes), ndim))
    for i, d in enumerate(dims):
        half = last_is_half and i == len(dims) - 1
        if sizes[i] == -1:
            sizes[i] = 2 * (input.shape[d] - 1) if half else input.shape[d]
        _points(sizes[i])
    return dims, tuple(sizes)


def _check_many(name: str, kind: str) -> Any:
    def check(input: Any, *, s: Any, dim: Any, norm: Any) -> None:
        if kind == "r2c" and input.dtype.is_complex:
            raise RuntimeError(
                f"{name} expects a real-valued input tensor, but got {input.dtype.scalar_name}"
            )
        _no_half(input)
        dims, _ = _transformed(input, s, dim, kind == "c2r")
        if kind != "c2c" and not dims:
            raise RuntimeError(f"{name} must transform at least one axis")
        _bad_norm(norm)

    return check


# --- arithmetic -----------------------------------------------------------------------------------


def _resized(x: Any, dims: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """Cut or filled up with zeros at the end of each dimension."""
    cut = [slice(None)] * x.ndim
    pad = [(0, 0)] * x.ndim
    for d, n in zip(dims, sizes, strict=True):
        cut[d] = slice(0, n)
        pad[d] = (0, max(0, n - x.shape[d]))
    return jnp.pad(x[tuple(cut)], pad)


def _complex(x: Any) -> Any:
    return x if jnp.iscomplexobj(x) else lax.complex(x, jnp.zeros_like(x))


def _scale(sizes: tuple[int, ...], norm: Any, inverse: bool) -> float:
    """What the sum is multiplied with."""
    n = math.prod(sizes)
    if norm == "ortho":
        return 1 / math.sqrt(n)
    divided = norm == "forward" if not inverse else norm in (None, "backward")
    return 1 / n if divided else 1.0


def _c2c(x: Any, dims: tuple[int, ...], inverse: bool) -> Any:
    """The plain sum (no scale) over some dimensions, at most three at a time."""
    for start in range(0, len(dims), 3):
        some = dims[start : start + 3]
        last = tuple(range(x.ndim - len(some), x.ndim))
        moved = jnp.moveaxis(x, some, last)
        sizes = tuple(moved.shape[d] for d in last)
        if moved.size:
            moved = lax.fft(moved, "IFFT" if inverse else "FFT", sizes)
        x = jnp.moveaxis(moved, last, some)
        if inverse:
            x = x * math.prod(sizes)  # XLA divides
    return x


def _transform_c2c(
    x: Any, dims: tuple[int, ...], sizes: tuple[int, ...], norm: Any, inverse: bool
) -> Any:
    x = _complex(x)
    if not dims:
        return x
    x = _c2c(_resized(x, dims, sizes), dims, inverse)
    scale = _scale(sizes, norm, inverse)
    return x if scale == 1 else x * x.real.dtype.type(scale)


def _transform_r2c(x: Any, dims: tuple[int, ...], sizes: tuple[int, ...], norm: Any,
                   inverse: bool) -> Any:  # fmt: skip
    """Half a spectrum along the last of the dimensions; `inverse` conjugates it."""
    x = jnp.moveaxis(_resized(x, dims, sizes), dims[-1], -1)
    if x.size:
        x = lax.fft(x, "RFFT", (sizes[-1],))
    else:
        x = _complex(x)[..., : sizes[-1] // 2 + 1]
    x = jnp.moveaxis(jnp.conj(x) if inverse else x, -1, dims[-1])
    x = _c2c(x, dims[:-1], inverse)
    scale = _scale(sizes, norm, inverse)
    return x if scale == 1 else x * x.real.dtype.type(scale)


def _transform_c2r(x: Any, dims: tuple[int, ...], sizes: tuple[int, ...], norm: Any,
                   inverse: bool) -> Any:  # fmt: skip
    """The real signal of half a spectrum; not `inverse` means that it is conjugated first."""
    halves = (*sizes[:-1], sizes[-1] // 2 + 1)
    x = _c2c(_resized(_complex(x), dims, halves), dims[:-1], inverse)
    x = jnp.moveaxis(x if inverse else jnp.conj(x), dims[-1], -1)
    n = sizes[-1]
    x = lax.fft(x, "IRFFT", (n,)) * n if x.size else jnp.zeros((*x.shape[:-1], n), x.real.dtype)
    return jnp.moveaxis(x, -1, dims[-1]) * x.dtype.type(_scale(sizes, norm, inverse))


_TRANSFORM = {"c2c": _transform_c2c, "r2c": _transform_r2c, "c2r": _transform_c2r}


def _to_complex(result: Any, **_: Any) -> Any:
    return result if result.is_complex else result.to_complex()


def _to_real(result: Any, **_: Any) -> Any:
    return result.to_real() if result.is_complex else result


def _result(kind: str) -> Any:
    return _to_real if kind == "c2r" else _to_complex


# --- rows -----------------------------------------------------------------------------------------


def _one(name: str, kind: str, inverse: bool) -> None:
    transform = _TRANSFORM[kind]

    @op(f"fft_{name}", namespaces=(f"fft:{name}",), promote=Promote.INT_TO_FLOAT, out=True,
        linear=True, check=_check_one(name, kind), result_dtype=_result(kind),
        doc=f"torch.fft.{name}: along one dimension.", grad_name=f"Fft{kind.title()}")  # fmt: skip
    def _(input: Array, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
        d = _dim(dim, input.ndim)
        size = input.shape[d]
        length = n if n is not None else 2 * (size - 1) if kind == "c2r" else size
        return transform(input, (d,), (length,), norm, inverse)


def _many(name: str, kind: str, inverse: bool) -> None:
    transform = _TRANSFORM[kind]
    meta: Any = {
        "promote": Promote.INT_TO_FLOAT, "out": True, "linear": True,
        "result_dtype": _result(kind), "check": _check_many(f"{name}n", kind),
        "grad_name": f"Fft{kind.title()}",
    }  # fmt: skip

    def run(input: Any, s: Any, dim: Any, norm: Any) -> Any:
        dims, sizes = _transformed(input, s, dim, kind == "c2r")
        return transform(input, dims, sizes, norm, inverse)

    @op(f"fft_{name}n", namespaces=(f"fft:{name}n",),
        doc=f"torch.fft.{name}n: along several dimensions.", **meta)  # fmt: skip
    def _(input: Array, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
        return run(input, s, dim, norm)

    @op(f"fft_{name}2", namespaces=(f"fft:{name}2",),
        doc=f"torch.fft.{name}2: along two dimensions.", **meta)  # fmt: skip
    def _(input: Array, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Any:
        return run(input, s, dim, norm)


for _name, _kind, _inverse in (
    ("fft", "c2c", False), ("ifft", "c2c", True), ("rfft", "r2c", False), ("ihfft", "r2c", True),
    ("irfft", "c2r", True), ("hfft", "c2r", False),
):  # fmt: skip
    _one(_name, _kind, _inverse)
    _many(_name, _kind, _inverse)
