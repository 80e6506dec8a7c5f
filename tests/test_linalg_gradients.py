"""Gradients of matrix functions against PyTorch: first and second, real and complex, at ties."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from differential import MODULES

import jtorch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch: deprecated

_RNG = np.random.default_rng(7)
_A, _B, _T = (_RNG.standard_normal(s) for s in ((3, 3), (3, 2), (4, 3)))
_C = _RNG.standard_normal((3, 3))


def _leaf(m: Any, x: np.ndarray, dtype: str) -> Any:
    turn = 1j if dtype.startswith("complex") else 0
    return m.tensor((x + turn * x[::-1]).astype(dtype), requires_grad=True)


def _weighted(m: Any, y: Any) -> Any:
    y = y.abs() ** 2 if y.is_complex() else y
    weights = m.arange(1.0, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
    return (y * weights).sum()


def _gradients(m: Any, expression: str, dtype: str, second: bool) -> list[np.ndarray]:
    leaves = {k: _leaf(m, v, dtype) for k, v in (("a", _A), ("b", _B), ("t", _T), ("c", _C))}
    space = dict(leaves, m=m, L=m.linalg, eye=m.eye(3, dtype=leaves["a"].dtype), inf=float("inf"))
    total = _weighted(m, eval(expression, space))
    used = [x for k, x in leaves.items() if f"{k}" in _letters(expression)]
    grads = m.autograd.grad(total, used, create_graph=second)
    if second:
        length = functools.reduce(lambda x, y: x + y, [(g.abs() ** 2).sum() for g in grads])
        grads = [*grads, *m.autograd.grad(length, used, allow_unused=True)]
    return [np.zeros(1) if g is None else _host(g) for g in [total, *grads]]


def _letters(expression: str) -> set[str]:
    import re

    return set(re.findall(r"\b[abtc]\b", expression))


def _host(g: Any) -> np.ndarray:
    g = g.detach()
    return g.numpy() if isinstance(g, jtorch.Tensor) else g.resolve_conj().numpy()


BOTH = """
L.cholesky(a @ a.mH + 2 * eye)
L.cholesky(a + a.mH + 9 * eye, upper=True)
m.cholesky_solve(b, L.cholesky(a @ a.mH + 2 * eye))
m.cholesky_inverse(L.cholesky(a @ a.mH + 2 * eye))
L.inv(a)
L.solve(a, b)
L.solve(a, b.mT, left=False)
L.det(a)
L.slogdet(a)[1]
m.logdet(a @ a.mH + eye)
L.lu_solve(*L.lu_factor(a), b)
L.solve_triangular(a, b, upper=True)
L.qr(t)[1]
L.qr(t.mT)[0]
L.svdvals(t)
L.svd(t, full_matrices=False)[0].abs()
L.svd(t.mT)[2][:3].abs()
L.eigvalsh(a)
L.eigh(a)[1].abs()
L.eigvals(a).abs().sum()
L.pinv(t)
L.lstsq(t, t[:, :2] * 2 + 1)[0]
L.matrix_exp(a)
L.matrix_power(a, -2)
L.householder_product(t, c[0])
m.ormqr(t, c[0], t)
L.matrix_norm(t, 'nuc')
L.matrix_norm(a, 2)
L.cond(a)
""".strip().split("\n")


@pytest.mark.parametrize("dtype", ("float64", "complex128"))
@pytest.mark.parametrize("expression", BOTH)
def test_gradients(expression: str, dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want, got = (_gradients(m, expression, dtype, False) for m in MODULES)
    for w, g in zip(want, got, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-8, atol=1e-9, err_msg=expression)


SECOND = """
L.inv(a)
L.solve(a, b)
L.det(a)
L.cholesky(a @ a.mH + 2 * eye)
m.cholesky_solve(b, L.cholesky(a @ a.mH + 2 * eye))
L.eigvalsh(a)
L.svdvals(t)
L.matrix_exp(a)
""".strip().split("\n")


@pytest.mark.parametrize("expression", SECOND)
def test_second_gradients(expression: str) -> None:
    want, got = (_gradients(m, expression, "float64", True) for m in MODULES)
    for w, g in zip(want, got, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-7, atol=1e-8, err_msg=expression)


@pytest.mark.parametrize(
    "expression",
    ("L.svdvals(x).sum()", "L.eigvalsh(x).sum()", "L.matrix_norm(x, 'nuc')", "L.svd(x)[1].sum()",
     "L.eigh(x)[0].sum()", "L.vector_norm(x - x)", "L.matrix_norm(x - x)"),
)  # fmt: skip
def test_repeated_values_and_zeros(expression: str) -> None:
    """Functions of the values alone have gradients where the vectors have none."""
    grads = []
    for m in MODULES:
        x = m.eye(3, dtype=m.float64).requires_grad_()
        eval(expression, {"x": x, "L": m.linalg}).backward()
        grads.append(_host(x.grad))
    np.testing.assert_allclose(grads[1], grads[0], atol=1e-12)


@pytest.mark.parametrize(
    ("expression", "words"),
    (
        ("L.qr(x, 'r')[1]", "depends on Q"),
        ("L.qr(x, 'complete')[0]", "not differentiable when mode='complete'"),
    ),
)
def test_no_gradient(expression: str, words: str) -> None:
    for m in MODULES:
        x = m.tensor(_T, requires_grad=True)
        y = eval(expression, {"x": x, "L": m.linalg}).sum()
        with pytest.raises(RuntimeError, match=words):
            y.backward()


def test_training_through_a_decomposition() -> None:
    """A loss with a solve and a log-determinant goes down as it does in torch."""
    losses = []
    for m in MODULES:
        w = m.tensor(_A, requires_grad=True)
        optimizer = m.optim.SGD([w], lr=0.01)
        for _ in range(4):
            optimizer.zero_grad()
            k = w @ w.mT + m.eye(3, dtype=w.dtype)
            y = m.tensor(_B[:, 0])
            loss = y @ m.linalg.solve(k, y) + m.logdet(k)
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-10)
