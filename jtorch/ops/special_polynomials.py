"""Orthogonal polynomials of `torch.special`: Chebyshev, Hermite, Laguerre, Legendre."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Operand, Promote, op

Step = Callable[[Any, Any, Any], Any]  # (k, P[k-1], P[k]) -> P[k+1]


def _recurrence(n: Any, first: Any, step: Step) -> Any:
    """P[n] from P[0] = 1, P[1] = first; an element stops at its own n, or at NaN."""

    def active(k: Any, q: Any) -> Any:
        return (k < n) & (q == q)

    def body(state: Any) -> Any:
        k, p, q = state
        go = active(k, q)
        return k + 1, jnp.where(go, q, p), jnp.where(go, step(k.astype(q.dtype), p, q), q)

    start = (jnp.ones((), jnp.int64), jnp.ones_like(first), first)
    _, _, last = lax.while_loop(lambda s: jnp.any(active(s[0], s[2])), body, start)
    return jnp.where(n == 0, jnp.ones_like(first), last)


def _degree(n: Any) -> Any:
    """The degree as C++ casts it; what is not finite counts as negative."""
    return jnp.where(jnp.isfinite(n), n, -1).astype(jnp.int64)


def _polynomial(name: str, value: Callable[[Any, Any, Any], Any]) -> None:
    """Publish `value(x, n, n as a float)`; negative degrees give 0."""

    @op(f"special_{name}", promote=Promote.INT_TO_FLOAT, broadcast=True, out=True,
        differentiable=False, namespaces=(f"special:{name}",))  # fmt: skip
    def polynomial(input: Operand, n: Operand) -> Any:
        x, degree = jnp.broadcast_arrays(input, n)
        whole = _degree(degree)
        return jnp.where(whole < 0, 0, value(x, whole, whole.astype(x.dtype))).astype(x.dtype)


# --- Chebyshev ------------------------------------------------------------------------------------


def _even(n: Any) -> Any:
    return n % 2 == 0


def _alternating(n: Any, size: Any) -> Any:
    return jnp.where(_even(n), size, -size)


# Per kind: P[1], the value at 1 and at -1, and inside (-1, 1) the closed form of angle and degree.
_KINDS: dict[str, Any] = {
    "t": (lambda x: x, lambda n: 1.0 + 0 * n, lambda n: 1.0 + 0 * n, lambda a, n: jnp.cos(n * a)),
    "u": (
        lambda x: x + x,
        lambda n: n + 1,
        lambda n: n + 1,
        lambda a, n: jnp.sin((n + 1) * a) / jnp.sin(a),
    ),
    "v": (
        lambda x: x + x - 1,
        lambda n: 1.0 + 0 * n,
        lambda n: n + n + 1,
        lambda a, n: jnp.cos((n + 0.5) * a) / jnp.cos(a / 2),
    ),
    "w": (
        lambda x: x + x + 1,
        lambda n: n + n + 1,
        lambda n: 1.0 + 0 * n,
        lambda a, n: jnp.sin((n + 0.5) * a) / jnp.sin(a / 2),
    ),
}


def _chebyshev(kind: str, closed_from: int, shifted: bool) -> Callable[[Any, Any, Any], Any]:
    first, at_one, at_minus_one, closed = _KINDS[kind]

    def value(x: Any, n: Any, real: Any) -> Any:
        y = x + x - 1 if shifted else x
        inside = (n > closed_from) & (jnp.abs(y) < 1)
        steps = jnp.where(inside | (jnp.abs(y) == 1), 0, n)  # those need no recurrence
        result = _recurrence(steps, first(y), lambda k, p, q: (y + y) * q - p)
        angle = jnp.arccos(jnp.where(inside, y, 0.5))
        result = jnp.where(inside, closed(angle, real), result)
        result = jnp.where(y == 1, at_one(real), result)
        return jnp.where(y == -1, _alternating(n, at_minus_one(real)), result)

    return value


for _kind, _from, _shifted_from in (("t", 6, 6), ("u", 8, 6), ("v", 8, 6), ("w", 8, 4)):
    _polynomial(f"chebyshev_polynomial_{_kind}", _chebyshev(_kind, _from, False))
    _polynomial(f"shifted_chebyshev_polynomial_{_kind}", _chebyshev(_kind, _shifted_from, True))


# --- the others -----------------------------------------------------------------------------------


def _hermite(first: float) -> Callable[[Any, Any, Any], Any]:
    def value(x: Any, n: Any, real: Any) -> Any:
        limit = 512 if x.dtype == jnp.float64 else 128
        y = first * x
        result = _recurrence(jnp.minimum(n, limit), y, lambda k, p, q: y * q - first * k * p)
        return jnp.where(n > limit, jnp.nan, result)

    return value


def _laguerre(x: Any, n: Any, real: Any) -> Any:
    return _recurrence(n, 1 - x, lambda k, p, q: ((k + k + (1 - x)) * q - k * p) / (k + 1))


def _legendre(x: Any, n: Any, real: Any) -> Any:
    steps = jnp.where(jnp.abs(x) == 1, 0, n)
    result = _recurrence(steps, x, lambda k, p, q: ((k + k + 1) * x * q - k * p) / (k + 1))
    return jnp.where(x == 1, 1, jnp.where(x == -1, _alternating(n, jnp.ones_like(x)), result))


_polynomial("hermite_polynomial_h", _hermite(2.0))
_polynomial("hermite_polynomial_he", _hermite(1.0))
_polynomial("laguerre_polynomial_l", _laguerre)
_polynomial("legendre_polynomial_p", _legendre)
