"""`MaskedTensor`: the same lines print the same in PyTorch and in jtorch."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import jtorch
from jtorch import overrides

MODULES = (torch, jtorch)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True, scope="module")
def _as_before():
    yield
    overrides.unwrap_functions()


def made(m):
    data = m.arange(12.0).reshape(3, 4) - 5
    mask = data % 2 == 0
    return data, mask, m.masked.masked_tensor(data, mask)


CASES = {
    "print": lambda t, d, k, x: x,
    "row": lambda t, d, k, x: (x[0], x[0, 1], x[0, 0]),
    "slice": lambda t, d, k, x: x[:, 1:3],
    "unary": lambda t, d, k, x: (-x, x.sin(), t.log(x), x**2, x.sqrt(), t.clamp(x, 0, 3)),
    "binary": lambda t, d, k, x: (x + 1, 1 + x, x - 2, x * x, x * t.ones(4), x / 0, 2 / x),
    "more": lambda t, d, k, x: (x.fmod(2), x > 0, x < 0, t.maximum(x, t.ones(4))),
    "sum": lambda t, d, k, x: (x.sum(), t.sum(x, 1), x.sum(0, keepdim=True)),
    "mean": lambda t, d, k, x: (t.mean(x), x.mean(0)),
    "extremes": lambda t, d, k, x: (x.amax(1), x.amin(0), t.argmin(x), x.argmax(1)),
    "statistics": lambda t, d, k, x: (x.std(), x.var(0), x.prod(), (x > 0).all()),
    "softmax": lambda t, d, k, x: x.softmax(0),
    "shapes": lambda t, d, k, x: (x.view(4, 3), x.t(), x.transpose(0, 1), x[:1].expand(2, 4)),
    "joined": lambda t, d, k, x: (t.cat([x, x]), t.stack([x, x]).shape, x.split(2)[1]),
    "parts": lambda t, d, k, x: (x.get_data(), x.get_mask(), x.to_tensor(-1.0)),
    "where": lambda t, d, k, x: (t.where(k, x, t.zeros(3, 4)), t.where(d > 0, x, x * 2)),
    "dtypes": lambda t, d, k, x: (x.double().dtype, x.to(t.int64)),
    "sizes": lambda t, d, k, x: (x.shape, x.dim(), x.size(0), x.numel()),
    "asked": lambda t, d, k, x: (t.masked.is_masked_tensor(x), t.masked.is_masked_tensor(d)),
    "in place": lambda t, d, k, x: (x.clone().add_(1), x.clone().abs_()),
    "item": lambda t, d, k, x: x[0, 1].item(),
    "integers": lambda t, d, k, x: t.masked.masked_tensor(
        t.arange(3), t.tensor([True, False, True])
    ),
    "masks differ": lambda t, d, k, x: x + t.masked.masked_tensor(d, ~k),
    "mask's dtype": lambda t, d, k, x: t.masked.masked_tensor(d, d),
    "mask's shape": lambda t, d, k, x: t.masked.masked_tensor(d, k[0]),
    "no tensor": lambda t, d, k, x: t.masked.masked_tensor([1], k),
}


@pytest.mark.parametrize("name", CASES)
def test_prints_as_in_torch(name):
    texts = []
    for m in MODULES:
        try:
            texts.append(repr(CASES[name](m, *made(m))).replace("torch.Size", "Size"))
        except (TypeError, ValueError) as e:
            texts.append((type(e), str(e).split("\n")[0]))
    assert texts[0] == texts[1]


def where(m):
    """Values that would overflow are on the other side of the mask."""
    x = m.tensor([-10.0, -5, 0, 5, 80, 100])
    a = m.masked.masked_tensor(x, x < 0, requires_grad=True)
    b = m.masked.masked_tensor(m.ones_like(x), x >= 0, requires_grad=True)
    y = m.where(x < 0, m.sin(a), b)
    y.sum().backward()
    return a.grad, b.grad, y


def softmax(m):
    data, mask, _ = made(m)
    x = m.masked.masked_tensor(data, mask, requires_grad=True)
    (x.softmax(1) * m.arange(4.0)).sum().backward()
    return x.grad


def product(m):
    data, mask, _ = made(m)
    x = m.masked.masked_tensor(data, mask, requires_grad=True)
    return m.autograd.grad((x * x).mean(), x)


@pytest.mark.parametrize("f", [where, softmax, product])
def test_gradients_are_masked(f):
    want, got = (repr(f(m)) for m in MODULES)
    assert want == got


def test_nan_behind_the_mask_reaches_nobody():
    grads = []
    for m in MODULES:
        a = m.tensor([1.0, 2.0, float("nan")])
        b = m.tensor(1.0, requires_grad=True)
        c = m.masked.masked_tensor(a, ~m.isnan(a)) * b
        (g,) = m.autograd.grad(m.sum(c), b)
        grads.append(g.item())
    assert grads == [3.0, 3.0]
    y = jtorch.ones(3, requires_grad=True)
    z = jtorch.masked.as_masked_tensor(y * 2, jtorch.tensor([True, False, True]))
    z.sum().backward()
    assert y.grad.tolist() == [2.0, 0.0, 2.0]


def test_what_it_does_not_know_it_refuses():
    x = made(jtorch)[2]
    with pytest.raises(TypeError, match="not implemented"):
        jtorch.cumsum(x, 0)


def test_programs_without_one_are_not_wrapped():
    code = (
        "import jtorch; assert jtorch.masked.is_masked_tensor(jtorch.ones(1)) is False\n"
        "assert not hasattr(jtorch.sin, '__wrapped__')\n"
        "jtorch.masked.MaskedTensor; assert hasattr(jtorch.sin, '__wrapped__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
