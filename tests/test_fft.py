"""torch.fft, stft and istft against PyTorch: values, gradients, sizes of every parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from differential import MODULES, as_numpy, evaluate
from linalg_tools import assert_close

import jtorch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch: deprecated

_RNG = np.random.default_rng(3)
_REAL = _RNG.standard_normal((3, 4, 5))
_COMPLEX = _REAL + 1j * _RNG.standard_normal((3, 4, 5))
_SIGNAL = _RNG.standard_normal((2, 40))


def names(m: Any) -> dict[str, Any]:
    return {
        "x": m.tensor(_REAL), "z": m.tensor(_COMPLEX), "s": m.tensor(_SIGNAL), "F": m.fft,
        "i": m.arange(6), "w": m.hann_window(8, dtype=m.float64),
    }  # fmt: skip


VALUES = """
F.fft(x)
F.fft(z, 7, dim=0)
F.fft(z, 2, norm='ortho')
F.ifft(z, norm='forward')
F.ifft(x, dim=1)
F.rfft(x)
F.rfft(x, 8, dim=1, norm='forward')
F.irfft(z)
F.irfft(z, 7)
F.irfft(z, 3, norm='ortho')
F.hfft(z)
F.hfft(z, 6, dim=0, norm='ortho')
F.ihfft(x)
F.ihfft(x, 3, norm='forward')
F.fft2(z)
F.ifft2(x, s=(3, 6))
F.rfft2(x)
F.irfft2(z, norm='forward')
F.hfft2(z)
F.ihfft2(x, dim=(0, 1))
F.fftn(z)
F.fftn(z, s=(-1, 4))
F.ifftn(z, dim=(2, 0), norm='ortho')
F.rfftn(x)
F.rfftn(x, s=(2, 3), dim=(2, 1))
F.irfftn(z)
F.irfftn(z, s=(3, 4, 7))
F.hfftn(z, dim=(1,))
F.ihfftn(x, norm='ortho')
F.fft(i)
F.rfft(i > 2)
F.irfft(x)
F.fftn(x[0, 0, 0])
F.fftn(x[None])
F.fftfreq(5)
F.fftfreq(6, 0.5)
F.rfftfreq(7, d=2., dtype=m.float64)
F.fftshift(x)
F.ifftshift(x, dim=(2,))
F.ifftshift(F.fftshift(x, 1), 1)
F.fftshift(F.fftfreq(5))
m.stft(s, 8, return_complex=True)
m.stft(s, 8, 3, 6, w[:6], return_complex=True)
m.stft(s[0], 8, window=w, center=False, return_complex=True)
m.stft(s, 9, 1, pad_mode='constant', normalized=True, return_complex=True)
m.stft(s, 20, 1, return_complex=True)
m.stft(s, 8, onesided=False, return_complex=True)
m.stft(s, 8, window=w, return_complex=False)
m.stft(z[:, 0].repeat(1, 4), 8, window=w)
s.stft(8, window=w, return_complex=True)
m.istft(m.stft(s, 8, window=w, return_complex=True), 8, window=w)
m.istft(m.stft(s, 8, window=w, return_complex=True), 8, window=w, length=37)
m.istft(m.stft(s[0], 9, 2, return_complex=True), 9, 2)
m.istft(m.stft(s, 8, 2, normalized=True, return_complex=True), 8, 2, normalized=True)
m.istft(m.stft(s, 8, onesided=False, return_complex=True), 8, onesided=False)
m.istft(m.stft(s, 8, onesided=False, return_complex=True), 8, onesided=False, return_complex=True)
m.istft(m.stft(s, 20, 1, return_complex=True), 20, 1)
""".strip().split("\n")


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression: str) -> None:
    want, got = (evaluate(m, expression, **names(m)) for m in MODULES)
    assert_close(want, got, expression)


GRADIENTS = """
F.fft(x, 6)
F.fft(z, norm='ortho')
F.rfft(x)
F.irfft(z)
F.irfft(z, 7)
F.hfft(z)
F.ihfft(x, 3)
F.fft2(z)
F.irfftn(z, s=(2, 4))
F.rfftn(x)
m.stft(s, 8, window=w, return_complex=True)
m.stft(s, 20, 1, return_complex=True)
m.istft(m.stft(s, 8, window=w, return_complex=True), 8, window=w)
F.fftshift(x)
""".strip().split("\n")


@pytest.mark.parametrize("expression", GRADIENTS)
def test_gradients(expression: str) -> None:
    found = []
    for m in MODULES:
        space = names(m)
        which = next(k for k in "xzs" if f"({k}" in expression)
        leaf = space[which].requires_grad_()
        y = eval(expression, {"m": m, **space})
        y = m.view_as_real(y.resolve_conj()) if y.is_complex() else y
        weights = m.arange(y.numel(), dtype=m.float64).cos().reshape(y.shape)
        (y * weights).sum().backward()
        found.append(as_numpy(leaf.grad))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-9, err_msg=expression)


def test_float32_stays_float32() -> None:
    x = jtorch.ones(4)
    assert jtorch.fft.fft(x).dtype is jtorch.complex64
    assert jtorch.fft.irfft(jtorch.fft.rfft(x)).dtype is jtorch.float32


def test_out_and_leaf() -> None:
    for m in MODULES:
        target = m.empty(0, dtype=m.complex128)
        assert m.fft.fft(m.tensor(_REAL), out=target) is target
        assert target.shape == (3, 4, 5)
        assert m.fft.fftfreq(4, requires_grad=True).requires_grad


def test_a_filter_learns() -> None:
    """Convolution by spectra: the same loss curve as torch's."""
    losses = []
    for m in MODULES:
        kernel = m.zeros(40, dtype=m.float64, requires_grad=True)
        signal = m.tensor(_SIGNAL[0])
        goal = signal.roll(3)
        optimizer = m.optim.SGD([kernel], lr=0.002)
        for _ in range(3):
            optimizer.zero_grad()
            made = m.fft.irfft(m.fft.rfft(signal) * m.fft.rfft(kernel), 40)
            loss = ((made - goal) ** 2).sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    np.testing.assert_allclose(losses[3:], losses[:3], rtol=1e-9)
