"""Complex numbers: their parts as views, conjugates, angles, construction from parts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, View, op, unary
from ._rules import is_complex

_D: Any = Promote.DEFAULT


# --- parts as views -------------------------------------------------------------------------------


def _part(sizes: Any, strides: Any, offset: int, shift: int) -> Any:
    return sizes, tuple(2 * s for s in strides), 2 * offset + shift


def _write_real(base: Any, new: Any) -> Any:
    return new + 1j * base.imag if is_complex(base) else new


def _write_imag(base: Any, new: Any) -> Any:
    return (base.real + 1j * new).astype(base.dtype)


@op("_real", namespaces=(), linear=True, grad_name="Real",
    view=View(lambda sizes, strides, offset: _part(sizes, strides, offset, 0),
              _write_real))  # fmt: skip
def _real(input: Array) -> Any:
    """The real parts, as a view of complex numbers."""
    return input.real


@op("_imag", namespaces=(), linear=True, grad_name="Imag",
    view=View(lambda sizes, strides, offset: _part(sizes, strides, offset, 1),
              _write_imag))  # fmt: skip
def _imag(input: Array) -> Any:
    """The imaginary parts, as a view of complex numbers."""
    return input.imag


def _check_as_real(input: Any) -> None:
    if not input.dtype.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")


def _pairs(sizes: Any, strides: Any, offset: int) -> Any:
    return (*sizes, 2), (*(2 * s for s in strides), 1), 2 * offset


def _join(pairs: Any) -> Any:
    return pairs[..., 0] + 1j * pairs[..., 1]


@op(linear=True, namespaces=("torch",), check=_check_as_real,
    view=View(_pairs, lambda base, new: _join(new).astype(base.dtype)))  # fmt: skip
def view_as_real(input: Array) -> Any:
    """Complex numbers as pairs along a new last dimension, as a view."""
    return jnp.stack([input.real, input.imag], axis=-1)


def _check_as_complex(input: Any) -> None:
    if input.dtype.name not in ("float16", "float32", "float64"):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {input.dtype.scalar_name}"
        )
    if input.dtype.name == "float16":
        raise NotImplementedError(
            "view_as_complex of float16: JAX has no half-precision complex numbers; call .float() "
            "first."
        )
    if input.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")


def _halved(sizes: Any, strides: Any, offset: int) -> Any:
    return sizes[:-1], tuple(s // 2 for s in strides[:-1]), offset // 2


@op(linear=True, namespaces=("torch",), check=_check_as_complex,
    view=View(_halved, lambda base, new: jnp.stack([new.real, new.imag], axis=-1)))  # fmt: skip
def view_as_complex(input: Array) -> Any:
    """Pairs along the last dimension as complex numbers, as a view."""
    return _join(input)


# --- conjugates and angles ------------------------------------------------------------------------


@op("_conj", namespaces=(), linear=True, grad_name="Conj",
    view=View(lambda sizes, strides, offset: (sizes, strides, offset),
              lambda base, new: jnp.conj(new)))  # fmt: skip
def _conj(input: Array) -> Any:
    """The conjugate, as a view."""
    return jnp.conj(input)


unary("conj_physical", jnp.conj, _D, linear=True)


def _angle(x: Any) -> Any:
    if is_complex(x):
        zero = x == 0
        safe = jnp.where(zero, 1, x)  # torch's gradient at 0 is 0
        return jnp.where(zero, 0, jnp.arctan2(safe.imag, safe.real))
    return jnp.where(x != x, x, jnp.where(x < 0, jnp.pi, 0)).astype(x.dtype)


def _angle_dtype(d: Any) -> Any:
    return d.to_real()


unary("angle", _angle, Promote.INT_TO_FLOAT, inplace=False, result_dtype=_angle_dtype)  # fmt: skip


# --- from parts -----------------------------------------------------------------------------------


def _check_parts(input: Any, other: Any) -> None:
    for d in (input.dtype, other.dtype):
        if d.name not in ("float16", "float32", "float64"):
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{input.dtype.scalar_name} and {other.dtype.scalar_name}"
            )
    if input.dtype is not other.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {input.dtype.scalar_name} but got scalar type "
            f"{other.dtype.scalar_name} for second argument"
        )


@op("complex", namespaces=("torch",), broadcast=True, out=True,
    check=_check_parts)  # fmt: skip
def complex_(real: Array, imag: Array) -> Any:
    """real + 1j * imag."""
    return _complex(real, imag)


@op(namespaces=("torch",), broadcast=True, out=True, check=_check_parts)
def polar(abs: Array, angle: Array) -> Any:
    """abs * (cos(angle) + 1j * sin(angle))."""
    return _complex(abs * jnp.cos(angle), abs * jnp.sin(angle))


def _complex(a: Any, b: Any) -> Any:
    return lax.complex(*jnp.broadcast_arrays(a, b))
