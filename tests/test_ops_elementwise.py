"""Elementwise functions against PyTorch: values, dtypes, errors, gradients, in place, operators."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import jtorch

INF, NAN = math.inf, math.nan


def names(module: Any) -> dict[str, Any]:
    """The variables of the expressions below: whole, float, bool, complex and special numbers."""
    special = [NAN, INF, -INF, 0.0, -0.0, -1.0, 1.5, 2.5]
    return {
        "torch": module,
        "inf": INF,
        "nan": NAN,
        "I": module.tensor([1, -2, 3]),
        "F": module.tensor([1.0, -2.0, 3.0]),
        "B": module.tensor([True, False, True]),
        "C": module.tensor([1 + 2j, -1j, 0.5 + 0j]),
        "S": module.tensor(special),
        "U": module.tensor([200, 7], dtype=module.uint8),
    }


def attempt(module: Any, expression: str) -> Any:
    """An expression's value or exception; jtorch has not computed the value yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(expression, names(module))
        except Exception as e:
            return type(e).__name__, str(e)


def outcome(module: Any, expression: str) -> Any:
    """What an expression gives, in a form that both libraries share."""
    return shown(attempt(module, expression), module)


def shown(x: Any, module: Any) -> Any:
    if isinstance(x, module.Tensor):
        return str(x.dtype), tuple(x.shape), x.numpy(force=True)
    if isinstance(x, tuple):
        return tuple(shown(i, module) for i in x)
    return str(x) if isinstance(x, module.dtype) else x


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype.kind not in "fc":
            return bool(np.array_equal(a, b))
        if not np.allclose(a, b, rtol=2e-6, atol=1e-7, equal_nan=True):
            return False
        signs = a.dtype.kind == "c" or (np.signbit(a) == np.signbit(b))[~np.isnan(a)].all()
        return bool(signs)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def parts(groups: dict[str, str], size: int) -> list[Any]:
    """The expressions of each group in portions: one test each, and one program for jtorch."""
    found = []
    for name, text in groups.items():
        expressions = [
            e.strip() for line in text.split("\n") for e in line.split(" ; ") if e.strip()
        ]
        for i in range(0, len(expressions), size):
            found.append(pytest.param(expressions[i : i + size], id=f"{name}{i}"))
    return found


ARITHMETIC = """
torch.add(I, F, alpha=2) ; torch.add(I, I, alpha=0.5) ; torch.add(I, I, alpha=True) ; F + [1]
torch.add(F, F, alpha=1j) ; B + 1 ; B + B ; B - B ; B - 1 ; 1 - B ; -B ; +B
torch.rsub(F, I, alpha=2) ; F - 2 ; 2 - F ; 2 * F ; F / 2 ; 2 / F ; I / I ; I * 2.5 ; B * 2.5
U + 100 ; U * 2 ; -I ; I / 0 ; F // 2 ; F // 0 ; I // 2 ; 5 // I ; I // 0 ; I % 0
torch.fmod(I, 0) ; F % 2.5 ; 5 % I ; 7.5 % F ; torch.div(S, 2, rounding_mode='floor')
torch.div(S, 0, rounding_mode='floor') ; torch.div(I, 2, rounding_mode='trunc')
torch.div(I, 2, rounding_mode='x') ; torch.div(I, 0, rounding_mode='floor')
torch.floor_divide(torch.tensor([5., -5, 5, -5, inf, 1]), torch.tensor([3., 3, -3, -3, 2, inf]))
torch.remainder(torch.tensor([5., -5, 5, -5, inf, 1]), torch.tensor([3., 3, -3, -3, 2, -inf]))
torch.fmod(torch.tensor([-7.5, 7.5]), 2) ; torch.fmod(torch.tensor([-7, 7]), 3) ; B // B ; B % B
C % C ; I ** 2 ; I ** -1 ; I ** -1.0 ; I ** I ; I ** 70 ; 2 ** I ; 2 ** F ; B ** 2 ; B ** B
F ** 0 ; F ** 0.5 ; F ** -3
torch.pow(torch.tensor([1, -1, 2, 0]), torch.tensor([-1, -1, -1, -1]))
I ** torch.tensor([70, 71, 72]) ; torch.pow(F, torch.tensor(2)) ; 0 ** F ; C ** 3 ; C ** 0.5
C ** -1 ; F ** 2j ; torch.float_power(I, 2) ; torch.float_power(C, 2) ; F.float_power_(2)
torch.square(B) ; torch.addcmul(I, I, I, value=2.5) ; torch.addcdiv(I, I, I)
torch.addcdiv(F, F, F, value=.5) ; torch.lerp(F, F + 1, 0.5) ; torch.lerp(I, I, 0.5)
torch.lerp(F, F.double(), 0.5) ; torch.lerp(F, F + 1, F) ; torch.reciprocal(I)
torch.add(F, torch.ones(2))
"""
PARTS = """
torch.sign(S) ; torch.sgn(S) ; torch.sign(C) ; torch.sgn(C) ; torch.sign(B) ; torch.signbit(S)
torch.abs(C) ; torch.abs(B) ; abs(torch.tensor([-128], dtype=torch.int8)) ; torch.floor(I)
torch.floor(B) ; torch.floor(C) ; torch.round(torch.tensor([0.5, 1.5, 2.5, -0.5]))
torch.round(F / 7, decimals=2) ; torch.round(I, decimals=1)
torch.round(torch.tensor(123456.), decimals=-3) ; torch.trunc(S) ; torch.frac(S) ; torch.frac(I)
torch.fix(F / 4) ; torch.copysign(S, -1.) ; torch.copysign(I, -1)
torch.nextafter(F, torch.tensor(0.)) ; torch.frexp(S) ; torch.frexp(I) ; torch.angle(S)
torch.angle(C) ; torch.real(C) ; torch.imag(C) ; torch.imag(F) ; C.real ; F.real ; F.imag
torch.view_as_real(C) ; torch.view_as_real(F) ; torch.view_as_complex(torch.ones(3, 2))
torch.view_as_complex(torch.ones(3, 3)) ; torch.complex(F, F) ; torch.complex(F, F.double())
torch.polar(F, F) ; torch.conj(C) ; C.conj() * C ; torch.nan_to_num(S)
torch.nan_to_num(S, 1, 2, 3) ; torch.nan_to_num(I) ; torch.nan_to_num(S.half())
torch.heaviside(S, S) ; torch.heaviside(F, I) ; torch.signbit(I) ; torch.real(F) is not None
"""
CHOICES = """
torch.clamp(F) ; torch.clamp(F, 0) ; torch.clamp(F, min=0, max=1) ; torch.clamp(I, 0.5)
torch.clamp(S, 0, 1) ; torch.clamp(F, torch.tensor([0., 0, 0]), torch.tensor(1.))
torch.clamp(F, 2, 1) ; torch.clamp(F, nan) ; torch.clamp(C, 0, 1) ; torch.clip(F, 0, 1)
torch.clamp_min(I, 0.5) ; torch.clamp_max(F, torch.tensor([0])) ; torch.clamp(B, 0, 1)
torch.maximum(F, I) ; torch.maximum(F, 1) ; torch.maximum(C, C) ; torch.fmax(S, F[0])
torch.fmin(S, F[0]) ; torch.minimum(S, F[0]) ; torch.where(B, F, 0) ; torch.where(B, 1., 0)
torch.where(B, 1, 0) ; torch.where(B, F, I) ; torch.where(F, F, I)
torch.where(B, F, torch.ones(2)) ; F.where(B, 0) ; torch.where(B, C, F)
torch.isin(I, torch.tensor([1, 5])) ; torch.isin(2, I)
"""
COMPARISON = """
F == None ; F != None ; F == [1] ; torch.eq(F, 1) ; F < 2 ; 2 < F ; I >= F ; C < C ; C == C
B < B ; U == 300 ; torch.logical_not(F) ; torch.logical_and(F, I) ; torch.logical_xor(S, S)
torch.logical_not(F, out=torch.zeros(3)) ; torch.isnan(S) ; torch.isinf(S) ; torch.isfinite(C)
torch.isreal(C) ; torch.isposinf(S) ; torch.isposinf(C) ; torch.isclose(F, F + 1e-9)
torch.isclose(F, I) ; torch.isclose(S, S, equal_nan=True) ; torch.isclose(F, F, rtol=-1)
torch.isclose(I, I + 1, atol=2) ; torch.allclose(F, F) ; torch.allclose(S, S)
torch.equal(F, torch.tensor([1.])) ; torch.equal(F, F) ; I & I ; I & F ; I & 1 ; I & 1.5
B | True ; 5 & I ; 7 ^ I ; F << 1 ; I << 1 ; I << 64 ; I << -1 ; I >> 1 ; ~I ; ~B ; B ^ B
torch.tensor([-4]) >> 70 ; U << 7 ; 5 << torch.tensor([1, 2]) ; torch.bitwise_not(F)
torch.gcd(F, F) ; torch.gcd(I, torch.tensor([4, 4, 0])) ; torch.lcm(I, torch.tensor([4, 4, 0]))
torch.result_type(I, 1.5)
"""
FUNCTIONS = """
torch.xlogy(S, S) ; torch.xlogy(2, F) ; torch.special.xlog1py(F, 2)
torch.logit(torch.tensor([0., .5, 1, 2])) ; torch.logit(torch.tensor([0., .5, 1, 2]), eps=.1)
torch.logaddexp(F, F) ; torch.logaddexp(I, I) ; torch.hypot(I, I)
torch.logaddexp(torch.tensor([-inf, inf, nan]), torch.tensor([-inf, inf, 0]))
torch.ldexp(I, I) ; torch.exp2(F * 30) ; torch.ldexp(F, torch.tensor([100, -100, 3]))
torch.polygamma(1, F) ; torch.polygamma(-1, F) ; F.polygamma(2) ; torch.digamma(S)
torch.lgamma(S) ; torch.erfinv(S) ; torch.sigmoid(I) ; torch.sinc(F / 3) ; torch.deg2rad(I)
torch.atan2(torch.tensor([0., -0.]), torch.tensor([-1., -1.])) ; torch.special.i1e(F)
torch.special.ndtri(torch.tensor([.1, .9]))
torch.special.zeta(torch.tensor([3., 3]), torch.tensor([2., -5.5]))
torch.special.erfcx(torch.tensor([-2., 3, 30])) ; torch.special.bessel_j0(S)
torch.special.bessel_y1(torch.tensor([.5, 7, 0, -1])) ; torch.special.airy_ai(F * 2)
torch.special.modified_bessel_k1(torch.tensor([.5, 7]))
torch.special.chebyshev_polynomial_t(torch.tensor([.3, 2.]), 9)
torch.special.legendre_polynomial_p(torch.tensor([.3, 2., -1.]), torch.tensor([5., 3., 7.]))
torch.igamma(F.abs(), F.abs() + 1) ; torch.sqrt(C) ; torch.log(C) ; torch.sin(C) ; torch.tanh(C)
torch.asin(C) ; torch.acosh(C) ; torch.sigmoid(C) ; torch.expm1(C)
"""
INPLACE = """
I.div_(2) ; I.add_(1.5) ; B.sub_(True) ; F.add_(torch.ones(4, 1))
I.div_(2, rounding_mode='floor') ; F.lerp_(F, 0.5) ; F.clamp_(0) ; I.eq_(1) ; F.not_equal_(1)
F.round_(decimals=1) ; F.nan_to_num_() ; F.fill_(torch.tensor(7)) ; F.fill_(torch.ones(2))
F.zero_() ; torch.abs_(F) ; torch.clamp_(F, min=0) ; F.copysign_(-1) ; F.xlogy_(F.abs())
I.floor_divide_(2) ; torch.add(F, F, out=torch.zeros(3, dtype=torch.float64))
torch.add(F, F, out=torch.zeros(3, dtype=torch.int64)) ; torch.sin(I, out=torch.zeros(3))
torch.div(F, 2, out=torch.zeros(3)) ; torch.add(F, F, out=torch.zeros(0))
"""
CASTS = """
F.float() is F ; F.half() ; F.bfloat16().float() ; C.float() ; F.long() ; S.bool()
torch.tensor([300., -1.]).byte() ; I.double() ; I.char() ; I.short() ; I.int() ; F.cfloat()
F.cdouble() ; C.bool() ; isinstance(F, torch.FloatTensor) ; torch.LongTensor([1, 2])
"""
GROUPS = {
    "arithmetic": ARITHMETIC, "parts": PARTS, "choices": CHOICES, "comparison": COMPARISON,
    "functions": FUNCTIONS, "inplace": INPLACE, "casts": CASTS,
}  # fmt: skip


@pytest.mark.parametrize("expressions", parts(GROUPS, 12))
def test_same_as_torch(expressions: list[str]) -> None:
    ours = [attempt(jtorch, e) for e in expressions]  # recorded all, then run as one program
    for expression, result in zip(expressions, ours, strict=True):
        theirs, mine = outcome(torch, expression), shown(result, jtorch)
        assert same(theirs, mine), f"{expression}\ntorch: {theirs}\njtorch: {mine}"


def test_the_comparison_can_fail() -> None:
    assert not same(outcome(torch, "F + 1"), outcome(jtorch, "F + 2"))
    assert not same(outcome(torch, "F * 0"), outcome(jtorch, "F.abs() * 0"))  # signs of zeros
    assert not same(outcome(torch, "I + 1"), outcome(jtorch, "F + 1"))
    assert not same(outcome(torch, "F + [1]"), outcome(jtorch, "F + 'a'"))


# --- gradients ------------------------------------------------------------------------------------

_KINKS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
_POSITIVE = [0.3, 0.5, 1.0, 1.7, 2.0, 3.5]
_UNIT = [-0.9, -0.3, 0.1, 0.5, 0.8]
_COMPLEX = [1 + 2j, -0.3 - 1j, 0.5 + 0.1j]
GRADIENTS: list[tuple[str, list[Any]]] = [
    *((f"{f}(x)", _KINKS) for f in (
        "abs", "sign", "floor", "round", "frac", "exp", "exp2", "expm1", "sin", "cos", "tan",
        "atan", "sinh", "cosh", "tanh", "asinh", "sigmoid", "erf", "erfc", "sinc", "square",
        "sgn", "neg",
        "deg2rad", "i0", "special.i0e", "special.i1", "special.i1e", "special.ndtr", "angle",
        "special.log_ndtr", "special.erfcx", "nan_to_num", "trunc", "logical_not", "clone",
    )),
    *((f"{f}(x)", _POSITIVE) for f in (
        "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "lgamma", "digamma", "reciprocal",
        "special.entr",
    )),
    *((f"{f}(x)", _UNIT) for f in ("asin", "acos", "atanh", "erfinv")),
    ("logit(x.abs())", _UNIT),
    ("acosh(x + 1)", _POSITIVE),
    *((e, _KINKS) for e in (
        "clamp(x, -1, 1)", "clamp(x, min=-1)", "clamp(x, max=1.)", "clamp(x, x * 0.5, x.flip(0))",
        "clamp_min(x, 0)", "clamp_max(x, 0)", "maximum(x, -x)", "minimum(x, x.flip(0))",
        "fmax(x, x.abs())", "fmin(x, x.abs())", "where(x > 0, x, x * x)", "where(x > 0, x, 0.)",
        "pow(x, 2)", "pow(x, 3)", "pow(x, 0)", "pow(x, 1)", "pow(x, 5.)", "pow(2, x)", "pow(0, x)",
        "pow(x, torch.tensor(2.))", "remainder(x, 1.5)", "fmod(x, -1.5)",
        "div(x, 3, rounding_mode='floor')", "true_divide(3, x + 5)",
        "lerp(x, x * 3, 0.7)", "lerp(x, x * 3, x)", "addcmul(x, x, x, value=2)",
        "addcdiv(x, x, x + 4, value=2)", "add(x, x, alpha=3)", "sub(x, x * x, alpha=3)",
        "rsub(x, x * x)", "atan2(x, x + 5)", "hypot(x, x + 0.25)", "copysign(x, -x)",
        "copysign(x, -1.)", "xlogy(x, x + 3)", "special.xlog1py(x, x + 3)", "logaddexp(x, x * 2)",
        "logaddexp2(x, x * 2)", "ldexp(x, torch.tensor(3))", "ldexp(x, x)", "nextafter(x, x + 1)",
        "frexp(x + 4)[0]", "mul(x, x)", "logit(x, eps=0.2)",
        "heaviside(x.detach(), x.detach()) + x",
        "round(x, decimals=1)", "float_power(x + 5, 1.5)", "complex(x, x * 2).abs()",
        "polar(x.abs() + 1, x).real", "view_as_complex(torch.stack([x, x * x], -1)).angle()",
    )),
    *((e, _POSITIVE) for e in (
        "pow(x, x)", "pow(x, 0.5)", "pow(x, -0.5)", "pow(x, -2)", "pow(x, 1.7)", "polygamma(1, x)",
        "polygamma(2, x)", "mvlgamma(x + 2, 2)", "igamma(torch.tensor(1.5), x)",
        "igammac(torch.tensor(1.5), x)", "special.zeta(torch.tensor(2.5), x)",
        "special.ndtri(x / 4)",
    )),
    *((f"{f}(x)", _COMPLEX) for f in (
        "abs", "angle", "real", "imag", "sgn", "conj", "exp", "log", "sqrt", "sin", "tanh",
        "sigmoid", "reciprocal", "square", "view_as_real", "log1p", "atan", "conj_physical",
        "rsqrt", "cosh",
    )),
    *((e, _COMPLEX) for e in (
        "pow(x, 2)", "pow(x, 3.5)", "pow(x, x)", "mul(x, x.conj())", "true_divide(x, x + 3)",
        "add(x, x, alpha=2j)", "pow(2, x)", "lerp(x, x * 2j, 0.3)", "add(x, x.real)",
    )),
]  # fmt: skip


Pair = tuple[Any, Any]


def gradients(module: Any, expression: str, points: list[Any]) -> Pair:
    """The first and, where there is one, the second derivative of a weighted sum."""
    x = module.tensor(points, requires_grad=True)
    y = eval(f"torch.{expression}", {"torch": module, "x": x})
    if not y.requires_grad:
        return None, None
    y = module.view_as_real(y.resolve_conj()) if y.is_complex() else y
    weight = module.tensor(np.linspace(0.5, 1.5, int(np.prod(y.shape)), dtype=np.float32))
    total = (y.reshape(-1).float() * weight).sum()
    (g,) = module.autograd.grad(total, x, create_graph=True)
    if not g.requires_grad:
        return g, None
    again = (module.view_as_real(g.resolve_conj()) if g.is_complex() else g).sum()
    return g, module.autograd.grad(again, x, allow_unused=True)[0]


def numbers(g: Any) -> Any:
    return None if g is None else g.numpy(force=True)


def check(expression: str, theirs: Pair, ours: Pair) -> None:
    (first, second), (mine, mine2) = map(numbers, theirs), map(numbers, ours)
    assert (first is None) == (mine is None), expression
    if first is None:
        return
    np.testing.assert_allclose(mine, first, rtol=2e-4, atol=2e-5, err_msg=expression)
    second, mine2 = (np.zeros_like(first) if g is None else g for g in (second, mine2))
    known = np.isfinite(second)  # at poles torch's second derivatives are often NaN, ours not
    np.testing.assert_allclose(
        mine2[known], second[known], rtol=2e-4, atol=2e-5, err_msg=f"{expression}, second"
    )


def chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


@pytest.mark.parametrize("cases", chunks(GRADIENTS, 12), ids=lambda cases: cases[0][0])
def test_gradients(cases: list[tuple[str, list[Any]]]) -> None:
    ours = [gradients(jtorch, e, points) for e, points in cases]  # one program
    for (expression, points), mine in zip(cases, ours, strict=True):
        check(expression, gradients(torch, expression, points), mine)


def test_the_gradient_check_can_fail() -> None:
    right, wrong = gradients(torch, "sin(x)", _KINKS), gradients(jtorch, "tan(x)", _KINKS)
    with pytest.raises(AssertionError):
        check("wrong first", right, wrong)
    with pytest.raises(AssertionError):
        check("wrong second", right, (gradients(jtorch, "sin(x)", _KINKS)[0], wrong[1]))


# --- what makes arithmetic cheap ------------------------------------------------------------------


def test_a_varying_number_costs_one_compile() -> None:
    from jtorch._engine import stats

    x = jtorch.tensor([1.0, 2.0])
    results = []
    for step in range(5):
        results.append(((x * (step + 0.5)) ** 2).tolist())
        if step == 1:
            before = stats.counts["compiles"]
    assert stats.counts["compiles"] == before
    assert results[4] == [20.25, 81.0]


def test_a_constant_square_is_a_product() -> None:
    from jtorch._engine import executor

    x = jtorch.tensor([1.25, 2.0, 0.125])
    assert (x**2).tolist() == [1.5625, 4.0, 0.015625]
    text = executor.hlo(executor.entries()[-1])
    assert "multiply" in text
    assert "power(" not in text


def test_views_of_complex_numbers_share_storage() -> None:
    for module in (torch, jtorch):
        z = module.tensor([1 + 2j, 3 - 1j])
        module.view_as_real(z)[0, 1] = 7
        z.real.mul_(10)
        z.imag[1] = 0
        z.conj().add_(1j)
        assert z.tolist() == [10 + 6j, 30 - 1j]
        pairs = module.zeros(2, 2)
        module.view_as_complex(pairs).fill_(1 + 2j)
        assert pairs.tolist() == [[1, 2], [1, 2]]


def test_gradients_through_views_of_complex_numbers() -> None:
    found = []
    for module in (torch, jtorch):
        x = module.tensor([1.0, 2.0], requires_grad=True)
        z = module.complex(x, x * x)
        z.imag.mul_(3)
        (z.abs() ** 2).sum().backward()
        found.append(x.grad.tolist())
    assert found[1] == pytest.approx(found[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "rsqrt", "log1p", "erf", "sqrt"])
def test_halves_round_once(name: str, dtype: str) -> None:
    values = np.linspace(0.01, 4, 101, dtype=np.float32)
    results = []
    for module in (torch, jtorch):
        x = module.tensor(values).to(getattr(module, dtype))
        results.append(getattr(module, name)(x).float().numpy())
    exact = results[0]
    step = 2.0**-10 if dtype == "float16" else 2.0**-7
    assert np.abs(results[1] - exact).max() <= step * np.abs(exact).max()
    assert (results[1] == exact).mean() > 0.95
