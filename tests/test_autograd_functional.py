"""`torch.autograd.functional`, batched gradients, gradcheck, anomaly detection,
saved-tensor hooks.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from differential import assert_same

import jtorch

MODULES = (torch, jtorch)
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def both(f, where=""):
    want, got = (f(m, m.tensor(X)) for m in MODULES)
    assert_same(want, got, where)


def F(m):
    return m.autograd.functional


CASES = {
    "vjp": lambda m, x: F(m).vjp(lambda x: x.sin(), x, x * 2),
    "vjp of a scalar": lambda m, x: F(m).vjp(lambda x: (x**3).sum(), x),
    "vjp of two": lambda m, x: F(m).vjp(
        lambda a, b: (a * b, a.sum()), (x, x + 1), (x, m.tensor(2.0, dtype=m.float64))
    ),
    "jvp": lambda m, x: F(m).jvp(lambda x: x.sin(), x, x * 2),
    "jvp of two": lambda m, x: F(m).jvp(lambda a, b: a * b, (x, x + 1), (x, x)),
    "jacobian": lambda m, x: F(m).jacobian(lambda x: (x @ x.t()).tanh(), x),
    "jacobian of two": lambda m, x: F(m).jacobian(lambda a, b: (a * b.sum(), b), (x, x[0])),
    "jacobian vectorized": lambda m, x: F(m).jacobian(lambda x: x.sin(), x, vectorize=True),
    "jacobian of a constant": lambda m, x: F(m).jacobian(lambda x: m.ones(2, dtype=m.float64), x),
    "hessian": lambda m, x: F(m).hessian(lambda x: (x**3).sum() * x[0, 0], x),
    "hessian of two": lambda m, x: F(m).hessian(lambda a, b: (a * b).sin().sum(), (x[0], x[1])),
    "hvp": lambda m, x: F(m).hvp(lambda x: (x**3).sum() * x[0, 0], x, x),
    "vhp": lambda m, x: F(m).vhp(lambda a, b: (a * b).sin().sum(), (x[0], x[1]), (x[1], x[0])),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_product(name):
    both(CASES[name], name)


REFUSED = {
    "no tensor": lambda m, x: F(m).vjp(lambda x: x, 2),
    "no vector": lambda m, x: F(m).vjp(lambda x: x, x),
    "wrong vector": lambda m, x: F(m).vjp(lambda x: x, x, x[0]),
    "no scalar": lambda m, x: F(m).hessian(lambda x: x, x),
    "independent": lambda m, x: F(m).vjp(
        lambda x: m.ones(1, requires_grad=True).sum(), x, strict=True
    ),
    "constant": lambda m, x: F(m).jacobian(lambda x: m.ones(1), x, strict=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    errors = []
    for m in MODULES:
        with pytest.raises((TypeError, RuntimeError)) as e:
            REFUSED[name](m, m.tensor(X))
        errors.append((type(e.value), str(e.value)))
    assert errors[0][0] is errors[1][0]
    assert errors[0][1].replace("torch.", "") == errors[1][1].replace("torch.", "")


def test_a_jacobian_can_be_differentiated():
    def f(m, x):
        x.requires_grad_()
        F(m).jacobian(lambda x: (x @ x.t()).tanh(), x, create_graph=True).pow(2).sum().backward()
        return x.grad

    both(f)


def test_batched_gradients():
    def f(m, x):
        x.requires_grad_()
        y = x[0] ** 2
        eye = m.eye(3, dtype=m.float64)
        inputs = [x, x.detach().requires_grad_()]
        return m.autograd.grad(y, inputs, eye, is_grads_batched=True, allow_unused=True)[0]

    both(f)


@pytest.mark.parametrize("m", MODULES, ids=["torch", "jtorch"])
def test_gradcheck(m):
    x = m.tensor(X, requires_grad=True)
    assert m.autograd.gradcheck(lambda x: x.sin() * x.sum(), (x,))
    assert m.autograd.gradgradcheck(lambda x: x.sin(), (x,))
    z = m.tensor(X[0] + 1j * X[1], requires_grad=True)
    assert m.autograd.gradcheck(lambda z: z * z.conj() + z, (z,))

    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    with pytest.raises(
        RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"
    ):
        m.autograd.gradcheck(Wrong.apply, (x,))
    assert not m.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor"):
        m.autograd.gradcheck(lambda x: x, (x.detach(),))


@pytest.mark.parametrize("m", MODULES, ids=["torch", "jtorch"])
def test_anomaly_mode_names_the_line(m):
    x = m.tensor([-1.0], requires_grad=True)
    with (
        pytest.warns(UserWarning, match="Anomaly Detection has been enabled"),
        m.autograd.detect_anomaly(),
    ):
        y = x.sqrt() * 0  # the line
    assert not m.is_anomaly_enabled()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with m.autograd.set_detect_anomaly(True):
            y = x.sqrt() * 0  # this line
            with pytest.raises(
                RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output"
            ):
                y.sum().backward()
    text = "".join(str(w.message) for w in seen)
    assert "Error detected in SqrtBackward0" in text
    assert "y = x.sqrt() * 0" in text


@pytest.mark.parametrize("m", MODULES, ids=["torch", "jtorch"])
def test_saved_tensors_hooks(m):
    seen = []

    def pack(t):
        seen.append("pack")
        return t * 4

    def unpack(t):
        seen.append("unpack")
        return t / 2

    a, b = (m.tensor([k], requires_grad=True) for k in (3.0, 5.0))
    with m.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = a * b
    assert seen == ["pack"] * 2
    y.sum().backward()
    assert seen == ["pack"] * 2 + ["unpack"] * 2
    assert (a.grad.item(), b.grad.item()) == (10.0, 6.0)
    with m.autograd.graph.save_on_cpu():
        z = (a * b).sum()
    z.backward()
    assert a.grad.item() == 15.0
    disabled = m.autograd.graph.disable_saved_tensors_hooks("not here")
    hooks = m.autograd.graph.saved_tensors_hooks(pack, unpack)
    with disabled, pytest.raises(RuntimeError, match="not here"), hooks:
        pass


@pytest.mark.parametrize("m", MODULES, ids=["torch", "jtorch"])
def test_multi_grad_hook(m):
    seen = []
    x = m.tensor([1.0, 2.0], requires_grad=True)
    a, b = x * 2, x * 3
    handle = m.autograd.graph.register_multi_grad_hook([a, b], lambda gs: seen.append(len(gs)))
    (a + b).sum().backward(retain_graph=True)
    assert seen == [2]
    handle.remove()
    (a + b).sum().backward()
    assert seen == [2]


def test_gradient_edges():
    for m in MODULES:
        x = m.tensor([1.0], requires_grad=True)
        y = x * 2
        edge = m.autograd.graph.get_gradient_edge(y)
        assert edge.output_nr == 0
        assert edge.node == y.grad_fn
        with pytest.raises(RuntimeError, match="does not require gradients"):
            m.autograd.graph.get_gradient_edge(x.detach())


KEPT = []  # jtorch notices a write to a base only while somebody holds the base


def of_a_view(y):
    KEPT.append(y)
    squares = y[0] * y[0]
    y.add_(1)
    return squares


MODIFIED = {
    "operand": lambda m, x: (lambda y: (y * y, y.add_(1))[0])(x * 2),
    "result": lambda m, x: x.exp().mul_(2),
    "part of it": lambda m, x: (lambda y: (y.sin(), y[0].zero_())[0])(x * 2),
    "the base of a view": lambda m, x: of_a_view(x * 2),
    "a constant": lambda m, x: (lambda c: (x * c, c.add_(1))[0])(m.ones(2, 3, dtype=m.float64)),
    "under no_grad": lambda m, x: (lambda y: (y * y, m.no_grad()(y.add_)(1))[0])(x * 2),
    "not by .data": lambda m, x: (lambda y: (y * y, y.data.add_(1))[0])(x * 2),
    "not what is not saved": lambda m, x: (lambda y: (y + y, y.add_(1))[0])(x * 2),
    "not by the op itself": lambda m, x: (x * 2).tanh_(),
    "not the copy": lambda m, x: (lambda c, y: (x * c, y.copy_(c), y.add_(1))[0])(
        m.ones(2, 3, dtype=m.float64), m.zeros(2, 3, dtype=m.float64)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODIFIED)
def test_saved_tensors_that_were_written(name):
    errors = []
    for m in MODULES:
        x = m.tensor(X, requires_grad=True)
        try:
            MODIFIED[name](m, x).sum().backward()
            errors.append("")
        except RuntimeError as e:
            errors.append(str(e).split(" [")[0])
    assert errors[0] == errors[1]
    assert bool(errors[0]) is not name.startswith("not")


def test_a_step_between_forward_and_backward_is_seen():
    errors = []
    for m in MODULES:
        net = m.nn.Sequential(m.nn.Linear(3, 3), m.nn.Linear(3, 1)).double()
        loss = net(m.tensor(X)).sum()
        optimizer = m.optim.SGD(net.parameters(), lr=0.1)
        loss.backward(retain_graph=True)
        optimizer.step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation") as e:
            loss.backward()
        errors.append(str(e.value).split("[torch.DoubleTensor")[0])
    assert errors[0] == errors[1]
