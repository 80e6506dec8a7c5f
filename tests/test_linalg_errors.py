"""What torch.linalg and torch.fft refuse, in torch's words; and matrices that have no answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from differential import MODULES, evaluate

import jtorch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch: deprecated


def names(m: Any) -> dict[str, Any]:
    s = m.eye(3)
    return {
        "L": m.linalg, "F": m.fft, "v": m.ones(3), "r": m.ones(2, 3), "s": s, "z": m.zeros(3, 3),
        "i": m.eye(3, dtype=m.int64), "h": m.eye(3, dtype=m.float16), "d": s.double(),
        "bad": m.stack([s, m.zeros(3, 3)]), "no": m.full((3, 3), float("nan")),
        "q": m.ones(2, 3, 3),
        "c": m.complex(s, s), "p": m.ones(3, dtype=m.int32),
    }  # fmt: skip


ERRORS = """
L.cholesky(v)
L.cholesky(r)
L.cholesky(i)
L.cholesky(h)
L.cholesky(z)
L.cholesky(-s)
L.cholesky(bad)
L.cholesky(no)
m.cholesky(bad)
L.cholesky_ex(z, check_errors=True)
L.inv(v)
L.inv(i)
L.inv(h)
L.inv(z)
L.inv(bad)
m.inverse(z)
L.inv_ex(z, check_errors=True)
L.solve(r, v)
L.solve(s, m.ones(4, 2))
L.solve(s, m.ones(2, 4), left=False)
L.solve(z, v)
L.solve(bad, m.ones(2, 3))
L.solve(s, d)
L.solve(q, m.ones(5, 3, 1))
L.solve_ex(z, v, check_errors=True)
L.lu_factor(v)
L.lu_factor(z)
L.lu_factor(bad)
L.lu_factor(i)
L.lu_factor_ex(z, check_errors=True)
L.lu(s, pivot=False)
L.lu_solve(s, v, s)
L.lu_solve(s, p[:2], s)
L.lu_solve(s, p, m.ones(4, 2))
m.lu_unpack(s, v)
m.lu_unpack(s, p * 9)
L.qr(v)
L.qr(i)
L.qr(s, 'x')
L.svd(v)
L.svd(h)
L.svd(no)
L.svd(s, driver='gesvd')
m.svd(v)
L.eigh(r)
L.eigh(i)
L.eigh(s, 'x')
L.eigh(no)
L.eig(r)
L.eig(i)
L.eig(no)
L.det(r)
L.det(i)
m.logdet(r)
L.matrix_exp(i)
L.matrix_power(r, 2)
L.matrix_power(z, -1)
L.matrix_power(s, 2.)
L.matrix_rank(v)
L.matrix_rank(i)
L.matrix_norm(v)
L.matrix_norm(s, 'x')
L.matrix_norm(s, 3)
L.matrix_norm(i, 3)
L.matrix_norm(m.ones(0, 3), -inf)
L.matrix_norm(m.ones(0, 3), -2)
L.norm(m.tensor(1.), 'fro')
L.norm(q, 'x')
L.norm(v, 'x')
L.matrix_norm(s, dim=(0,))
L.matrix_norm(s, dim=(0, -2))
L.matrix_norm(h, 'nuc')
L.vector_norm(i)
L.vector_norm(s, 'fro')
L.vector_norm(m.ones(0), inf)
L.vector_norm(m.ones(0, 2), -1, dim=0)
L.vector_norm(d, dtype=m.float32)
L.vector_norm(c, dtype=m.float32)
L.norm(q, 2)
L.norm(q, 2, dim=(0, 1, 2))
L.cond(r, 1)
L.cond(s, 3)
L.pinv(v)
L.pinv(r, hermitian=True)
L.multi_dot([s])
L.multi_dot([s, q, s])
L.multi_dot([s, r])
L.multi_dot([s, d])
L.tensorinv(s, 0)
L.tensorinv(m.ones(4, 6, 8, 4))
L.tensorsolve(m.ones(2, 3, 6), m.ones(2, 2))
L.householder_product(r, v)
L.householder_product(m.ones(3, 2), v)
m.ormqr(s, m.ones(4), s)
m.ormqr(s, v, m.ones(4, 4))
m.geqrf(v)
L.lstsq(s, m.ones(4))
L.lstsq(s, d)
L.lstsq(s, v, driver='x')
L.vander(v, N=1)
L.vecdot(v, m.ones(4))
L.vecdot(v, d[0])
L.cross(v, m.ones(2))
L.solve_triangular(s, v, upper=True)
L.solve_triangular(s, m.ones(4, 2), upper=True)
m.triangular_solve(s, r)
m.triangular_solve(s, d)
m.cholesky_solve(s, r)
m.cholesky_inverse(z)
L.ldl_factor(r)
L.ldl_solve(s, p, m.ones(4, 2))
m.pca_lowrank(s, q=4)
m.lobpcg(s, k=2)
m.matrix_rank(s)
m.symeig(s)
m.dist(i, i)
F.fft(h)
F.fft(v, n=0)
F.fft(v, dim=2)
F.fft(v, norm='bad')
F.fft(m.tensor(1.))
F.rfft(c)
F.irfft(m.ones(1))
F.fftn(s, s=(2, 2, 2))
F.fftn(s, s=(2,), dim=(0, 1))
F.fftn(s, dim=(0, 0))
F.rfftn(m.tensor(1.))
F.fftfreq(4, dtype=m.int64)
F.fftshift(s, dim=3)
m.stft(m.ones(16), 4)
m.stft(q, 4, return_complex=True)
m.stft(m.ones(16), 4, hop_length=0, return_complex=True)
m.stft(m.ones(16), 4, window=m.ones(5), return_complex=True)
m.stft(m.ones(16), 40, center=False, return_complex=True)
m.istft(m.ones(3, 5), 4)
m.istft(m.ones(3, 5) + 0j, 4, window=m.zeros(4))
m.istft(m.ones(3, 5) + 0j, 4, hop_length=5)
m.istft(m.ones(3, 5) + 0j, 4, onesided=False)
""".strip().split("\n")


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression: str) -> None:
    """The same kind of exception with the same first line."""
    want, got = (evaluate(m, expression, **names(m)) for m in MODULES)
    assert isinstance(want, Exception), f"torch accepts {expression}: {want!r}"
    if isinstance(want, torch.linalg.LinAlgError):
        assert type(got) is jtorch.linalg.LinAlgError, repr(got)
    else:
        assert type(got) is type(want), f"torch raised {want!r}, jtorch gave {got!r}"
    assert str(got).split("\n")[0] == str(want).split("\n")[0]


def test_codes_without_errors() -> None:
    """The _ex functions hand LAPACK's code out instead."""
    for call in ("cholesky_ex(x)", "inv_ex(x)", "solve_ex(x, x)", "lu_factor_ex(x)"):
        want, got = (
            eval(f"m.linalg.{call}.info", {"m": m, "x": m.tensor([[1.0, 2.0], [2.0, 4.0]])})
            for m in MODULES
        )
        assert (got.item(), str(got.dtype)) == (want.item(), str(want.dtype)), call
    deep = [m.linalg.cholesky_ex(m.diag(m.tensor([1.0, 2.0, -1.0, 3.0]))).info for m in MODULES]
    assert deep[1].item() == deep[0].item() == 3


def test_errors_are_runtime_errors() -> None:
    """Scripts that fall back to jitter catch RuntimeError or LinAlgError."""
    assert issubclass(jtorch.linalg.LinAlgError, RuntimeError)
    k, jitter = jtorch.ones(3, 3), 0.0
    for _ in range(5):
        try:
            factor = jtorch.linalg.cholesky(k + jitter * jtorch.eye(3))
            break
        except RuntimeError:
            jitter = max(1e-6, jitter * 10)
    assert jitter and bool(factor.isfinite().all())


def test_no_error_inside_a_region() -> None:
    """Inside a compiled function no value is looked at: a failure is NaN there."""
    from jtorch.utils.checkpoint import checkpoint

    x = jtorch.eye(2).requires_grad_()
    y = checkpoint(lambda x: jtorch.linalg.cholesky(x).sum() + jtorch.linalg.inv(x).sum(), x,
                   use_reentrant=False)  # fmt: skip
    y.backward()
    assert bool(x.grad.isfinite().all())
