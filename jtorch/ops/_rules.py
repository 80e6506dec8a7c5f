"""Helpers of elementwise rows: hand-written derivatives, and torch's refusals of dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

Factor = Callable[..., Any]


def with_grad(fn: Callable[..., Any], *factors: Factor | None) -> Callable[..., Any]:
    """`fn` with hand-written partial derivatives: factor(result, *operands), None for zero.

    Used where JAX's own derivative differs from torch's: at kinks, ties, poles and edges.
    """
    made = jax.custom_jvp(fn)

    def rule(primals: Any, tangents: Any) -> Any:
        out = made(*primals)
        total = None
        for factor, t in zip(factors, tangents, strict=True):
            if factor is None or isinstance(t, SymbolicZero):
                continue
            part = jnp.broadcast_to(t, out.shape) * factor(out, *primals)
            total = part if total is None else total + part
        return out, jnp.zeros_like(out) if total is None else total.astype(out.dtype)

    made.defjvp(rule, symbolic_zeros=True)
    return made


def flat(fn: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    """`fn` with a derivative of zero (floor, sign, ...)."""
    return with_grad(fn, *(None,) * operands)


def dtypes(spec: Any) -> list[Any]:
    """The dtypes of the tensors among the operand specs."""
    return [s.dtype for s in spec if hasattr(s, "dtype")]


def refuse(kernel: str, *kinds: str) -> Callable[..., None]:
    """A check that raises torch's `"kernel" not implemented for 'Dtype'`.

    kinds: 'bool', 'complex', 'integer' (bool included), 'float', or a dtype's name.
    """

    def check(*spec: Any, **static: Any) -> None:
        found = dtypes(spec)
        for d in found[:1]:
            if _is_kind(d, kinds):
                raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.scalar_name}'")

    return check


def _is_kind(d: Any, kinds: tuple[str, ...]) -> bool:
    return any(
        d.name == k
        or (k == "complex" and d.is_complex)
        or (k == "integer" and d.is_integral)
        or (k == "float" and d.is_floating_point)
        for k in kinds
    )


def only_tensors(name: str, check: Callable[..., None] | None = None) -> Callable[..., None]:
    """A check that the operands are tensors and not numbers, before another check."""

    def both(*spec: Any, **static: Any) -> None:
        for s, (argument, position) in zip(spec, (("input", 1), ("other", 2)), strict=False):
            if isinstance(s, type):
                raise TypeError(
                    f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
                    f"not {s.__name__}"
                )
        if check is not None:
            check(*spec, **static)

    return both


def limits(x: Any) -> Any:
    """`finfo` of an array's dtype."""
    return jnp.finfo(x.dtype)  # type: ignore[no-untyped-call]


def is_number(x: Any) -> bool:
    """Whether an operand arrived as a constant rather than as an input of the program."""
    return not isinstance(x, jax.Array | jax.core.Tracer)


def is_int(x: Any) -> bool:
    """Whether the array holds integers (bool not counted)."""
    return bool(jnp.issubdtype(x.dtype, jnp.integer))


def is_complex(x: Any) -> bool:
    """Whether the array holds complex numbers."""
    return bool(jnp.issubdtype(x.dtype, jnp.complexfloating))
