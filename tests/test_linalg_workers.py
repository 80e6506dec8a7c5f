"""Matrix functions and Fourier transforms in DataLoader workers, where NumPy computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jtorch as torch
from jtorch.utils.data import DataLoader, Dataset

CALLS = """
fft.fft(x)
fft.irfft(fft.rfft(s), 40)
fft.hfft(x, dim=0)
fft.ifftn(z)
stft(s, 8, window=torch.hann_window(8), return_complex=True)
linalg.inv(x)
linalg.solve(y, x)
linalg.solve(x, b, left=False)
linalg.det(y)
linalg.cholesky(p)
linalg.cholesky(p, upper=True)
cholesky_solve(x, p)
linalg.solve_triangular(x, b.mT, upper=False)
linalg.solve_triangular(x, b, upper=True, left=False, unitriangular=True)
linalg.lu_solve(*linalg.lu_factor(z), z, adjoint=True)
linalg.svd(b)[1]
linalg.svdvals(b)
linalg.eigvalsh(p)
linalg.eigvals(z).abs().sort()[0]
linalg.qr(b)[1]
linalg.householder_product(x, x[0])
linalg.pinv(b)
linalg.lstsq(b.mT, x)[0]
linalg.matrix_exp(x)
linalg.cholesky_ex(-p).info
linalg.eigh(p)[1].abs()
linalg.ldl_factor(torch.stack([x + x.mT, p]))[0]
linalg.inv(y[:0]) @ y[:0]
""".strip().split("\n")


def results() -> list[Any]:
    rng = np.random.default_rng(2)
    x, b, s = (torch.tensor(rng.standard_normal(n)) for n in ((3, 3), (2, 3), (2, 40)))
    y, z = torch.stack([x, x.mT]), torch.complex(x, x.mT)
    p = x @ x.mT + torch.eye(3, dtype=x.dtype)
    space = {"fft": torch.fft, "linalg": torch.linalg, "torch": torch, "stft": torch.stft,
             "cholesky_solve": torch.cholesky_solve, "x": x, "y": y, "z": z, "p": p, "b": b,
             "s": s.float()}  # fmt: skip
    return [eval(call, space) for call in CALLS]


class Computing(Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, i: int) -> list[Any]:
        return results()


class Failing(Computing):
    def __getitem__(self, i: int) -> Any:
        return torch.linalg.cholesky(torch.stack([torch.eye(2), -torch.eye(2)]))


def test_same_values_in_a_worker() -> None:
    (found,) = DataLoader(Computing(), batch_size=None, num_workers=1)
    for call, there, here in zip(CALLS, found, results(), strict=True):
        assert (there.shape, there.dtype) == (here.shape, here.dtype), call
        tolerance = 1e-5 if here.dtype in (torch.float32, torch.complex64) else 1e-9
        np.testing.assert_allclose(there.numpy(), here.numpy(), tolerance, tolerance, err_msg=call)


def test_a_worker_raises_what_torch_raises() -> None:
    with pytest.raises(RuntimeError, match=r"Batch element 1.*not positive-definite"):
        next(iter(DataLoader(Failing(), batch_size=None, num_workers=1)))
