"""Syncs in odd places, several graphs and optimizers: right gradients and a bounded number of
programs.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch as pytorch
from engine_tools import counted, fresh_engine

import jtorch


@pytest.fixture(autouse=True)
def _fresh():
    with fresh_engine():
        yield


def both(f, rtol: float = 1e-5):
    """Run f(torch) under both libraries and compare the lists of arrays it returns."""
    want, got = f(pytorch), f(jtorch)
    assert len(want) == len(got)
    for i, (a, b) in enumerate(zip(want, got, strict=True)):
        np.testing.assert_allclose(
            np.asarray(b), np.asarray(a), rtol=rtol, atol=1e-6, err_msg=str(i)
        )


def arrays(tensors):
    return [t.detach().numpy() for t in tensors]


def data(torch, *shape, seed=0, grad=False):
    x = np.random.default_rng(seed).normal(size=shape).astype("f")
    return torch.tensor(x, requires_grad=grad)


def test_item_between_forward_and_backward():
    def f(torch):
        w = data(torch, 4, 3, grad=True)
        out = []
        for i in range(4):
            loss = torch.tanh(data(torch, 5, 4, seed=i) @ w).pow(2).sum()
            out.append(loss.item())
            loss.backward()
        return [np.array(out), w.grad.numpy()]

    both(f)
    w = data(jtorch, 4, 3, grad=True)
    with counted() as c:
        for i in range(6):
            w.grad = None
            loss = jtorch.tanh(data(jtorch, 5, 4, seed=i) @ w).pow(2).sum()
            loss.item()
            loss.backward()
            w.grad.tolist()
    assert c.compiles <= 2


def test_print_in_forward(capsys):
    def f(torch):
        w = data(torch, 3, 3, grad=True)
        h = data(torch, 2, 3) @ w
        print(h)
        (h * h).sum().backward()
        return arrays([w.grad])

    both(f)
    assert "grad_fn=" in capsys.readouterr().out


def test_two_backward_passes_through_one_graph():
    def f(torch):
        w = data(torch, 3, 3, grad=True)
        loss = (w @ w).exp().sum()
        loss.backward(retain_graph=True)
        first = w.grad.clone()
        loss.backward()
        return arrays([first, w.grad])

    both(f)
    w = data(jtorch, 3, grad=True)
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


def test_gradient_penalty():
    def f(torch):
        w = data(torch, 4, 4, grad=True)
        x = data(torch, 5, 4, seed=1, grad=True)
        score = torch.tanh(x @ w).sum()
        (g,) = torch.autograd.grad(score, x, create_graph=True)
        penalty = ((g.pow(2).sum(1) + 1e-6).sqrt() - 1).pow(2).mean()
        (score + 10 * penalty).backward()
        return arrays([g, w.grad, x.grad])

    both(f, rtol=1e-4)


def test_second_derivatives_of_a_scalar_chain():
    def f(torch):
        x = torch.tensor(0.7, requires_grad=True)
        y = x.sin() * x.exp() / (x + 2)
        out = [y]
        for _ in range(3):
            (y,) = torch.autograd.grad(y, x, create_graph=True)
            out.append(y)
        return arrays(out)

    both(f, rtol=1e-4)


def test_gan_style_alternation():
    def f(torch):
        torch.manual_seed(0)
        nn = torch.nn
        gen = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
        dis = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        og = torch.optim.Adam(gen.parameters(), lr=1e-2)
        od = torch.optim.Adam(dis.parameters(), lr=1e-2)
        bce = nn.BCEWithLogitsLoss()
        out = []
        for i in range(6):
            real, z = data(torch, 4, 3, seed=i), data(torch, 4, 2, seed=50 + i)
            fake = gen(z)
            od.zero_grad()
            loss_d = bce(dis(real), torch.ones(4, 1)) + bce(dis(fake.detach()), torch.zeros(4, 1))
            loss_d.backward()
            od.step()
            og.zero_grad()
            loss_g = bce(dis(fake), torch.ones(4, 1))
            loss_g.backward()
            og.step()
            out += [loss_d.item(), loss_g.item()]
        return [np.array(out)]

    both(f, rtol=1e-3)
    with counted() as c:
        f(jtorch)
    assert c.compiles == 0, "the second run is the same programs"


def test_hidden_state_carried_with_detach():
    def f(torch):
        w = data(torch, 4, 4, grad=True)
        h = torch.zeros(2, 4)
        out = []
        for i in range(5):
            h = torch.tanh(data(torch, 2, 4, seed=i) + h.detach() @ w)
            loss = h.pow(2).mean()
            w.grad = None
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            out.append(loss.item())
        return [np.array(out), *arrays([w, h])]

    both(f)


def test_manual_sgd_compiles_once():
    w = data(jtorch, 4, 3, grad=True)
    x = data(jtorch, 5, 4, seed=2)
    with counted() as c:
        for _ in range(6):
            loss = (x @ w).pow(2).mean()
            loss.backward()
            with jtorch.no_grad():
                w -= 0.1 * w.grad
                w.grad = None
            loss.item()
    assert c.compiles == 1


def test_in_place_and_views_in_the_graph():
    def f(torch):
        w = data(torch, 3, 4, grad=True)
        y = w * 2
        y[0] = 5.0
        y[:, 1] *= 3
        v = y.t()[2]
        v.add_(1.0)
        y.view(-1)[5:7].mul_(w[0, :2])
        y.pow(2).sum().backward()
        return arrays([y, w.grad])

    both(f)


def test_in_place_on_a_leaf_is_refused():
    for torch in (pytorch, jtorch):
        w = torch.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            w.add_(1)
        with pytest.raises(RuntimeError, match="view of a leaf Variable that requires grad"):
            w[0] = 1.0
        with pytest.raises(RuntimeError, match="view of a leaf Variable that requires grad"):
            w[:1].add_(1)


def test_hooks_see_and_change_gradients():
    def f(torch):
        w = data(torch, 3, grad=True)
        seen = []
        h = w * 2
        h.register_hook(lambda g: seen.append(g.clone()) or g * 3)
        h.retain_grad()
        w.register_hook(lambda g: g + 1)
        w.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
        (h * h).sum().backward()
        return arrays([w.grad, h.grad, *seen])

    both(f)
