"""torch.linalg against PyTorch: values, shapes, dtypes and the names of results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from differential import MODULES, evaluate
from linalg_tools import assert_close

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch: deprecated

_RNG = np.random.default_rng(5)
_SQUARE = _RNG.standard_normal((2, 3, 3))
_TALL = _RNG.standard_normal((4, 3))
_WIDE = np.ascontiguousarray(_TALL.T)
_RIGHT = _RNG.standard_normal((3, 2))


def names(m: Any, dtype: str) -> dict[str, Any]:
    """a: square matrices; p: positive-definite ones; t, w: tall and wide; b: right-hand sides."""
    turn = 1j if dtype.startswith("complex") else 0
    kind = np.dtype(dtype)

    def tensor(x: np.ndarray) -> Any:
        return m.tensor((x + turn * x[..., ::-1]).astype(kind))

    a = tensor(_SQUARE)
    p = a @ a.mH + m.eye(3, dtype=a.dtype)
    return {
        "a": a,
        "p": p,
        "t": tensor(_TALL),
        "w": tensor(_WIDE),
        "b": tensor(_RIGHT),
        "L": m.linalg,
    }


UNIQUE = """
L.cholesky(p)
L.cholesky(p, upper=True)
L.cholesky_ex(p)
m.cholesky(p[0])
m.cholesky_inverse(L.cholesky(p))
m.cholesky_solve(b, L.cholesky(p, upper=True), upper=True)
L.inv(a)
a.inverse()
L.inv_ex(a)
L.solve(a, b)
L.solve(a, b[:, 0])
L.solve(a, a[:, 0])
L.solve(a[0], b.mT, left=False)
L.solve_ex(a[0], b)
L.solve_triangular(a, b, upper=True)
L.solve_triangular(a, b.mT, upper=False, left=False, unitriangular=True)
m.triangular_solve(b, a, transpose=True)
L.det(a)
a.det()
L.slogdet(a)
m.slogdet(p)
m.logdet(p)
L.lu_factor(a)
L.lu_factor_ex(t)
L.lu(a)
L.lu(t)
L.lu(w)
m.lu(a, get_infos=True)
m.lu(w)
m.lu_unpack(*m.lu(t))
m.lu_unpack(*m.lu(a), unpack_pivots=False)
L.lu_solve(*L.lu_factor(a), b)
L.lu_solve(*L.lu_factor(a), b.mT, left=False, adjoint=True)
m.lu_solve(b, *m.lu(a))
L.svdvals(t)
L.svd(w).S
m.svd(t, compute_uv=False)
L.eigh(p).eigenvalues
L.eigvalsh(p)
L.eigvalsh(a, UPLO='U')
L.pinv(t)
L.pinv(p, hermitian=True)
L.pinv(t, rtol=.9)
m.pinverse(w)
L.matrix_rank(t)
L.matrix_rank(p, hermitian=True)
L.matrix_rank(a, 2.)
L.matrix_rank(a, atol=m.tensor([2., .1]))
L.lstsq(t, t[:, :2])
L.lstsq(t, t[:, :2], driver='gels')
L.lstsq(t, t[:, :2], driver='gelsd')
L.lstsq(w, b).solution
L.lstsq(a, a[:, 0]).solution
L.cond(t)
L.cond(a, -2)
L.cond(a, 1)
L.cond(a, 'nuc')
L.norm(t)
L.norm(t, 'fro')
L.norm(t, 'nuc')
L.norm(t, 2)
L.norm(t, 1, dim=1)
L.norm(a, -1, dim=(0, 2), keepdim=True)
L.matrix_norm(a)
L.matrix_norm(a, inf)
L.matrix_norm(a, -inf, keepdim=True)
L.matrix_norm(a, -2)
L.vector_norm(t)
L.vector_norm(t, 0, dim=0)
L.vector_norm(t, inf, keepdim=True)
L.vector_norm(t, -2.5, dim=(0, 1))
L.matrix_exp(a)
m.matrix_exp(a * 5)
L.matrix_power(a, 5)
a.matrix_power(-2)
L.matrix_power(a, 0)
L.multi_dot([t, b, b.mT, w])
L.multi_dot([t[0], b, b[0].conj()])
L.householder_product(*m.geqrf(t))
m.orgqr(t, t[0])
m.ormqr(t, t[0], t)
m.ormqr(t, t[0], w, left=False, transpose=True)
L.tensorinv(a[0].reshape(3, 3, 1), ind=1)
L.tensorsolve(a[0].reshape(3, 3, 1), b[:, 0])
L.vecdot(t, t.flip(0))
L.vecdot(t, t[:, 0:1], dim=0)
L.cross(a[0], a[1])
L.vander(t[0], N=5)
L.diagonal(a, offset=1)
L.ldl_factor(p)
L.ldl_factor(a + a.mT)
L.ldl_factor_ex(p, hermitian=True)
L.ldl_solve(*L.ldl_factor(a + a.mT), b)
m.dist(t, w.mT, 1)
m.nuclear_norm(t)
m.frobenius_norm(t, (0, 1))
""".strip().split("\n")
# torch refuses these for complex numbers, or they would say nothing new
REAL_ONLY = ("UPLO", "norm", "rank", "dist", "m.lu", "driver", "cond", "rcond", "orgqr", "ormqr",
             "vander", "cross", "pinverse", "rtol", "m.logdet", "ex(", "dim=0")  # fmt: skip
VALUES = [(x, "float64") for x in UNIQUE] + [
    (x, "complex128") for x in UNIQUE if not any(part in x for part in REAL_ONLY)
]


@pytest.mark.parametrize(("expression", "dtype"), VALUES)
def test_values(expression: str, dtype: str) -> None:
    want, got = (evaluate(m, expression, **names(m, dtype)) for m in MODULES)
    assert_close(want, got, f"{expression} [{dtype}]")


SMALL = """
L.cholesky(x)
L.inv(x)
L.det(x)
L.slogdet(x)
L.svdvals(x)
L.eigvalsh(x)
L.qr(x)
L.svd(x)
L.eigh(x)
L.lu(x)
L.solve(x, x)
L.pinv(x)
L.matrix_rank(x)
L.matrix_exp(x)
L.matrix_power(x, 3)
L.matrix_norm(x)
L.matrix_norm(x, 'nuc')
L.cond(x, 1)
m.geqrf(x)
m.logdet(x)
""".strip().split("\n")


@pytest.mark.parametrize("expression", SMALL)
def test_nothing_to_decompose(expression: str) -> None:
    """No matrices, and matrices without elements."""
    for shape in ((0, 0), (0, 2, 2), (2, 0, 0)):
        want, got = (evaluate(m, expression, x=m.zeros(shape), L=m.linalg) for m in MODULES)
        if isinstance(want, Exception):
            assert type(got) is type(want), (expression, shape, want, got)
        else:
            assert_close(want, got, f"{expression} of {shape}")


# Decompositions that leave signs or phases open: what they rebuild is compared instead.
REBUILT = """
(lambda q, r: (q @ r, q.mH @ q, r.tril(-1).abs()))(*L.qr(t))
(lambda q, r: (q @ r, q.mH @ q))(*L.qr(w))
(lambda q, r: (q @ r, q.mH @ q))(*L.qr(t, mode='complete'))
(lambda q, r: (q, r.mH @ r))(*L.qr(t, mode='r'))
(lambda q, r: q @ r)(*m.qr(t, some=False))
(lambda u, s, v: ((u * s) @ v, u.mH @ u, v @ v.mH))(*L.svd(t, full_matrices=False))
(lambda u, s, v: (u[:, :3] @ (s[:, None] * v), u.mH @ u))(*L.svd(t))
(lambda u, s, v: ((u * s) @ v.mH, s))(*m.svd(w))
(lambda e, v: ((v * e[..., None, :]) @ v.mH, v.mH @ v))(*L.eigh(p))
(lambda e, v: (a.to(e.dtype) @ v - v * e[..., None, :], v.abs().pow(2).sum(-2)))(*L.eig(a))
L.eigvals(a).abs().sort(-1)[0]
(lambda a, tau: (a.triu(), tau))(*m.geqrf(t))
""".strip().split("\n")


@pytest.mark.parametrize("dtype", ("float64", "complex128"))
@pytest.mark.parametrize("expression", REBUILT)
def test_rebuilt(expression: str, dtype: str) -> None:
    want, got = (evaluate(m, expression, **names(m, dtype)) for m in MODULES)
    assert_close(want, got, f"{expression} [{dtype}]")


@pytest.mark.parametrize("call", ("svd_lowrank(x, q=3)", "pca_lowrank(x, q=2)"))
def test_low_rank_draws_what_torch_draws(call: str) -> None:
    data = _RNG.standard_normal((6, 2)) @ _RNG.standard_normal((2, 5))
    found = []
    for m in MODULES:
        m.manual_seed(0)
        u, s, v = eval(f"m.{call}", {"m": m, "x": m.tensor(data)})
        found.append((u @ (s[:, None] * v.mH), s))
    np.testing.assert_allclose(found[1][1].numpy(), found[0][1].numpy(), atol=1e-7)
    np.testing.assert_allclose(found[1][0].numpy(), found[0][0].numpy(), atol=1e-7)


def test_lobpcg() -> None:
    x = _RNG.standard_normal((9, 9))
    a, b = x @ x.T, np.diag(np.arange(1.0, 10.0))
    for largest in (True, False):
        want, got = (
            m.lobpcg(m.tensor(a), k=2, B=m.tensor(b), largest=largest, niter=200) for m in MODULES
        )
        np.testing.assert_allclose(got[0].numpy(), want[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    "call",
    ("svd(x)", "qr(x)", "eigh(x)", "slogdet(x)", "lu_factor(x)", "inv_ex(x)", "cholesky_ex(x)",
     "solve_ex(x, x)", "lstsq(x, x)", "ldl_factor_ex(x)", "eig(x)", "lu(x)"),
)  # fmt: skip
def test_named_results(call: str) -> None:
    """Field names, in torch's order, under torch's name."""
    want, got = (eval(f"m.linalg.{call}", {"m": m, "x": 2 * m.eye(2)}) for m in MODULES)
    assert type(got).__name__ == type(want).__name__
    for field, part in zip(got._fields, want, strict=True):
        assert getattr(want, field) is part


def test_out() -> None:
    results = []
    for m in MODULES:
        x = m.tensor(_SQUARE[0])
        single, several = m.empty(0, dtype=x.dtype), [m.empty(0, dtype=x.dtype) for _ in range(2)]
        assert m.linalg.inv(x, out=single) is single
        found = m.linalg.slogdet(x, out=several)
        assert found.sign is several[0]
        results.append((single, several[1]))
    assert_close(*results, "out")
