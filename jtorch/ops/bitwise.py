"""Bits and whole numbers: and, or, xor, not, shifts, gcd, lcm."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Promote, binary, unary
from ._rules import dtypes

_D: Any = Promote.DEFAULT


def _integers(kernel: str, bools: bool = True) -> Any:
    """A check that the common dtype is an integer (or bool)."""

    def check(*spec: Any) -> None:
        for d in dtypes(spec):
            if not d.is_integral or (not bools and d.name == "bool"):
                raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.scalar_name}'")
        for s in spec:
            if s in (float, complex):
                name = "Float" if s is float else "ComplexFloat"
                raise NotImplementedError(f"\"{kernel}\" not implemented for '{name}'")

    return check


def _logic(short: str, fn: Any) -> None:
    binary(f"bitwise_{short}", fn, _D, "either", dunder=(f"__{short}__", f"__r{short}__"),
           idunder=f"__i{short}__", check=_integers(f"bitwise_{short}_cpu"))  # fmt: skip


for _short, _fn in (("and", jnp.bitwise_and), ("or", jnp.bitwise_or), ("xor", jnp.bitwise_xor)):
    _logic(_short, _fn)

unary("bitwise_not", jnp.bitwise_not, _D, dunder=("__invert__",),
      check=_integers("bitwise_not_cpu"))  # fmt: skip


def _shift(fn: Any, beyond: Any) -> Any:
    """A shift where, as in torch, an amount outside [0, bits) shifts everything out."""

    def shift(a: Any, b: Any) -> Any:
        a, b = jnp.broadcast_arrays(jnp.asarray(a), jnp.asarray(b))
        bits = a.dtype.itemsize * 8
        inside = (b >= 0) & (b < bits)
        return jnp.where(inside, fn(a, jnp.where(inside, b, 0)), beyond(a))

    return shift


_left = _shift(lax.shift_left, jnp.zeros_like)
_right = _shift(
    lambda a, b: (lax.shift_right_arithmetic if _signed(a) else lax.shift_right_logical)(a, b),
    lambda a: jnp.where(a < 0, -1, 0).astype(a.dtype) if _signed(a) else jnp.zeros_like(a),
)


def _signed(a: Any) -> bool:
    return bool(jnp.issubdtype(a.dtype, jnp.signedinteger))


binary("bitwise_left_shift", _left, _D, "either", dunder=("__lshift__",), rdunder="__rlshift__",
       idunder="__ilshift__", check=_integers("lshift_cpu", bools=False))  # fmt: skip
binary("bitwise_right_shift", _right, _D, "either", dunder=("__rshift__",), rdunder="__rrshift__",
       idunder="__irshift__", check=_integers("rshift_cpu", bools=False))  # fmt: skip

binary("gcd", jnp.gcd, _D, "", check=_integers("gcd_cpu", bools=False))
binary("lcm", jnp.lcm, _D, "", check=_integers("lcm_cpu", bools=False))
