"""Arithmetic and comparison, one row each."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Operand, Promote, Scalar, binary, op, unary

_D: Any = Promote.DEFAULT


@op(promote=_D, broadcast=True, inplace=True, out=True, dunder=("__add__", "__radd__"),
    idunder="__iadd__", linear=True)  # fmt: skip
def add(input: Array, other: Operand, *, alpha: Scalar = 1) -> Any:
    """input + alpha * other."""
    return _scaled(input, other, alpha, jnp.add, jnp.logical_or)


@op(promote=_D, broadcast=True, inplace=True, out=True, dunder=("__sub__",), rdunder="__rsub__",
    idunder="__isub__", linear=True, aliases=("subtract",))  # fmt: skip
def sub(input: Array, other: Operand, *, alpha: Scalar = 1) -> Any:
    """input - alpha * other."""
    return _scaled(input, other, alpha, jnp.subtract, None)


def _scaled(input: Any, other: Any, alpha: Any, f: Any, on_bool: Any) -> Any:
    if input.dtype == bool:
        if on_bool is None:
            raise NotImplementedError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
                "or `logical_xor()` operator instead."
            )
        return on_bool(input, other)
    return f(input, other if _is_one(alpha) else other * alpha)


def _is_one(x: Any) -> bool:
    return not hasattr(x, "aval") and x == 1


binary("mul", lambda a, b: jnp.logical_and(a, b) if a.dtype == bool else jnp.multiply(a, b), _D,
       dunder=("__mul__", "__rmul__"), idunder="__imul__", aliases=("multiply",))  # fmt: skip
binary("true_divide", jnp.true_divide, Promote.INT_TO_FLOAT, grad_name="Div",
       dunder=("__truediv__",), rdunder="__rtruediv__", idunder="__itruediv__")  # fmt: skip
binary("eq", jnp.equal, Promote.ALWAYS_BOOL, dunder=("__eq__",))
binary("ne", jnp.not_equal, Promote.ALWAYS_BOOL, dunder=("__ne__",), aliases=("not_equal",))
binary("lt", jnp.less, Promote.ALWAYS_BOOL, dunder=("__lt__",), aliases=("less",))
binary("le", jnp.less_equal, Promote.ALWAYS_BOOL, dunder=("__le__",), aliases=("less_equal",))
binary("gt", jnp.greater, Promote.ALWAYS_BOOL, dunder=("__gt__",), aliases=("greater",))
binary("ge", jnp.greater_equal, Promote.ALWAYS_BOOL, dunder=("__ge__",), aliases=("greater_equal",))
unary("neg", jnp.negative, _D, dunder=("__neg__",), aliases=("negative",), linear=True)
unary("exp", jnp.exp)
unary("log", jnp.log)
unary("sqrt", jnp.sqrt)
unary("rsqrt", lax.rsqrt)
unary("tanh", jnp.tanh)
unary("clone", lambda x: x + 0 if False else x, _D, linear=True, inplace=False, out=False)
