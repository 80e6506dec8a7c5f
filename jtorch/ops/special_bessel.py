"""Bessel and Airy functions of `torch.special`, by Cephes' approximations as torch uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.scipy import special as jsp

from . import _bessel_tables as tables
from ._define import Promote, unary
from ._rules import only_tensors

_PI_4, _3PI_4 = 0.785398163397448309615660845819875721, 2.356194490192344928846982537459627163
_TWO_OVER_PI, _ROOT_2_OVER_PI = (
    0.636619772367581343075535053490057448,
    0.797884560802865355879892119868763737,
)
_ONE_OVER_ROOT_PI = 5.64189583547756286948e-01


def _poly(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's rule, highest power first."""
    total = jnp.zeros_like(x)
    for c in coefficients:
        total = total * x + c
    return total


def _chebyshev(x: Any, coefficients: Sequence[float]) -> Any:
    """Clenshaw's rule of a Chebyshev series whose argument is already doubled and shifted."""
    before = last = jnp.zeros_like(x)
    total = jnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        before, last = last, total
        total = x * last - before + c
    return 0.5 * (total - before)


# --- first and second kind ------------------------------------------------------------------------


def _waves(x: Any, kind: str) -> tuple[Any, Any]:
    """Amplitudes of the two waves far from zero."""
    w = 25.0 / (x * x)
    pp, pq, qp, qq = (getattr(tables, f"{kind}_{n}") for n in ("PP", "PQ", "QP", "QQ"))
    return _poly(w, pp) / _poly(w, pq), 5.0 / x * (_poly(w, qp) / _poly(w, qq))


def _far_first(x: Any, kind: str, phase: float) -> Any:
    p, q = _waves(x, kind)
    return (p * jnp.cos(x - phase) - q * jnp.sin(x - phase)) * _ROOT_2_OVER_PI / jnp.sqrt(x)


def _far_second(x: Any, kind: str, phase: float) -> Any:
    p, q = _waves(x, kind)
    return (p * jnp.sin(x - phase) + q * jnp.cos(x - phase)) * _ROOT_2_OVER_PI / jnp.sqrt(x)


def _split(x: Any, near: Callable[[Any], Any], far: Callable[[Any], Any]) -> Any:
    """near(x) up to 5, far(x) beyond; each sees only arguments of its own range."""
    small = x <= 5.0
    return jnp.where(small, near(jnp.where(small, x, 1.0)), far(jnp.where(small, 10.0, x)))


def _j0_near(x: Any) -> Any:
    w = x * x
    zeros = (w - 5.78318596294678452118) * (w - 30.4712623436620863991)
    value = zeros * _poly(w, tables.J0_RP) / _poly(w, tables.J0_RQ)
    return jnp.where(x < 0.00001, 1.0 - w / 4.0, value)


def _j1_near(x: Any) -> Any:
    w = x * x
    zeros = (w - 14.6819706421238932572) * (w - 49.2184563216946036703)
    return _poly(w, tables.J1_RP) / _poly(w, tables.J1_RQ) * x * zeros


def _j0(x: Any) -> Any:
    return _split(jnp.abs(x), _j0_near, lambda v: _far_first(v, "J0", _PI_4))


def _j1(x: Any) -> Any:
    value = _split(jnp.abs(x), _j1_near, lambda v: _far_first(v, "J1", _3PI_4))
    return jnp.where(x < 0, -value, value)


def _domain(x: Any, value: Any, at_zero: float) -> Any:
    """Functions of positive numbers only."""
    return jnp.where(x == 0, at_zero, jnp.where(x < 0, jnp.nan, value))


def _y0(x: Any) -> Any:
    def near(v: Any) -> Any:
        w = v * v
        return _poly(w, tables.Y0_YP) / _poly(w, tables.Y0_YQ) + _TWO_OVER_PI * jnp.log(v) * _j0(v)

    return _domain(x, _split(x, near, lambda v: _far_second(v, "J0", _PI_4)), -jnp.inf)


def _y1(x: Any) -> Any:
    def near(v: Any) -> Any:
        w = v * v
        rational = v * (_poly(w, tables.Y1_YP) / _poly(w, tables.Y1_YQ))
        return rational + _TWO_OVER_PI * (_j1(v) * jnp.log(v) - 1.0 / v)

    return _domain(x, _split(x, near, lambda v: _far_second(v, "J1", _3PI_4)), -jnp.inf)


# --- modified, second kind ------------------------------------------------------------------------


def _second(x: Any, near: Callable[[Any], Any], series: Sequence[float], scaled: bool) -> Any:
    """near(x) up to 2; beyond, an exponential times a Chebyshev series."""
    small = x <= 2.0
    a, b = jnp.where(small, x, 1.0), jnp.where(small, 3.0, x)
    far = _chebyshev(8.0 / b - 2.0, series) / jnp.sqrt(b)
    inner = near(a) * jnp.exp(a) if scaled else near(a)
    value = jnp.where(small, inner, far if scaled else far * jnp.exp(-b))
    return _domain(x, value, jnp.inf)


def _k0_near(x: Any) -> Any:
    return _chebyshev(x * x - 2.0, tables.K0_A) - jnp.log(0.5 * x) * jsp.i0(x)


def _k1_near(x: Any) -> Any:
    return jnp.log(0.5 * x) * jsp.i1(x) + _chebyshev(x * x - 2.0, tables.K1_A) / x


# --- Airy and spherical ---------------------------------------------------------------------------


def _airy_left(x: Any) -> Any:
    """x < -2.09."""
    root = jnp.sqrt(-x)
    phase = -2.0 * x * root / 3.0
    w = 1.0 / (phase * phase)
    f = 1.0 + w * _poly(w, tables.AIRY_AFN) / _poly(w, tables.AIRY_AFD)
    g = _poly(w, tables.AIRY_AGN) / _poly(w, tables.AIRY_AGD) / phase
    t = phase + _PI_4
    return _ONE_OVER_ROOT_PI / jnp.sqrt(root) * (jnp.sin(t) * f - jnp.cos(t) * g)


def _airy_right(x: Any) -> Any:
    """x >= 2.09."""
    root = jnp.sqrt(x)
    phase = 2.0 * x * root / 3.0
    w = 1.0 / phase
    ratio = _poly(w, tables.AIRY_AN) / _poly(w, tables.AIRY_AD)
    return _ONE_OVER_ROOT_PI * ratio / (2.0 * jnp.sqrt(root) * jnp.exp(phase))


def _airy_middle(x: Any) -> Any:
    """The Maclaurin series; twenty terms are enough up to 2.09."""
    z, m, n = x * x * x, jnp.ones_like(x), x
    f, g, k = m, n, 1.0
    for _ in range(20):
        m, n = m * z / ((k + 1) * (k + 2)), n * z / ((k + 2) * (k + 3))
        f, g, k = f + m, g + n, k + 3
    return 0.355028053887817239260 * f - 0.258819403792806798405 * g


def _airy_ai(x: Any) -> Any:
    left, right = x < -2.09, x >= 2.09
    value = jnp.where(
        left,
        _airy_left(jnp.where(left, x, -3.0)),
        jnp.where(
            right,
            _airy_right(jnp.where(right, x, 3.0)),
            _airy_middle(jnp.where(left | right, 0.0, x)),
        ),
    )
    value = jnp.where(x > 103.892, 0.0, value)
    return jnp.where(jnp.isinf(x), jnp.nan, value)


def _spherical_j0(x: Any) -> Any:
    w = x * x
    series = _poly(w, (1 / 6227020800, -1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0))
    small = jnp.abs(x) < 0.5
    value = jnp.where(small, series, jnp.sin(x) / jnp.where(small, 1.0, x))
    return jnp.where(jnp.isinf(x), 0.0, value)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "airy_ai": _airy_ai,
    "bessel_j0": _j0,
    "bessel_j1": _j1,
    "bessel_y0": _y0,
    "bessel_y1": _y1,
    "modified_bessel_i0": jsp.i0,
    "modified_bessel_i1": jsp.i1,
    "modified_bessel_k0": lambda x: _second(x, _k0_near, tables.K0_B, False),
    "modified_bessel_k1": lambda x: _second(x, _k1_near, tables.K1_B, False),
    "scaled_modified_bessel_k0": lambda x: _second(x, _k0_near, tables.K0_B, True),
    "scaled_modified_bessel_k1": lambda x: _second(x, _k1_near, tables.K1_B, True),
    "spherical_bessel_j0": _spherical_j0,
}

for _name, _fn in _FUNCTIONS.items():
    unary(f"special_{_name}", _fn, Promote.INT_TO_FLOAT, inplace=False, differentiable=False,
          namespaces=(f"special:{_name}",), check=only_tensors(f"special_{_name}"))  # fmt: skip
