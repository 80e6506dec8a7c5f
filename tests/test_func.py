"""`torch.func`: the same transformation of the same function in PyTorch and in jtorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import assert_same

import jtorch

MODULES = (torch, jtorch)
pytestmark = pytest.mark.filterwarnings(  # PyTorch's own, in jvp and linearize
    "ignore::DeprecationWarning", "ignore:Attempted to insert:UserWarning"
)
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], "f")
W = np.array([[1.0, -0.5, 0.5], [2.0, 1.0, -1.0], [0.25, 0.5, 1.0]], "f")


def both(f, where=""):
    want, got = (f(m, m.tensor(X), m.tensor(W)) for m in MODULES)
    assert_same(want, got, where)


def refused(f):
    errors = []
    for m in MODULES:
        with pytest.raises(Exception) as e:
            f(m, m.tensor(X), m.tensor(W))
        errors.append((type(e.value), str(e.value).split("\n")[0]))
    assert errors[0] == errors[1]


CASES = {
    # gradients
    "grad": lambda m, x, w: m.func.grad(lambda x: (x.sin() * x).sum())(x),
    "grad of the second": lambda m, x, w: m.func.grad(lambda a, b: (a @ b).tanh().sum(), 1)(x, w),
    "grad of both": lambda m, x, w: m.func.grad(lambda a, b: (a @ b).tanh().sum(), (0, 1))(x, w),
    "grad of a dict": lambda m, x, w: list(
        m.func.grad(lambda p: (p["a"] @ p["b"]).tanh().sum())({"a": x, "b": w}).values()
    ),
    "grad of grad": lambda m, x, w: m.func.grad(
        lambda y: m.func.grad(lambda x: (x**3).sum())(y).sum()
    )(x),
    "grad that is not there": lambda m, x, w: m.func.grad(lambda a, b: (b * 2).sum())(x, w),
    "grad_and_value": lambda m, x, w: m.func.grad_and_value(lambda x: (x.exp()).sum())(x),
    "grad with aux": lambda m, x, w: m.func.grad(lambda x: ((x**2).sum(), x + 1), has_aux=True)(x),
    "grad needs no grad": lambda m, x, w: m.func.grad(lambda x: x.sum())(x).requires_grad,
    "vjp": lambda m, x, w: m.func.vjp(lambda x: x @ w, x)[1](m.ones(2, 3)),
    "vjp of two": lambda m, x, w: m.func.vjp(lambda a, b: (a @ b, a.sum()), x, w)[1](
        (m.ones(2, 3), m.tensor(2.0))
    ),
    "jvp": lambda m, x, w: m.func.jvp(lambda x: (x @ w).tanh(), (x,), (m.ones(2, 3),)),
    "jvp of two": lambda m, x, w: m.func.jvp(lambda a, b: a @ b, (x, w), (x * 2, w + 1)),
    "jvp of grad": lambda m, x, w: m.func.jvp(
        m.func.grad(lambda x: (x.sin() * x).sum()), (x,), (m.ones(2, 3),)
    ),
    "linearize": lambda m, x, w: m.func.linearize(lambda x: x.sin(), x)[1](m.ones(2, 3)),
    # Jacobians
    "jacrev": lambda m, x, w: m.func.jacrev(lambda x: (x @ w).sin())(x),
    "jacrev of the second": lambda m, x, w: m.func.jacrev(lambda a, b: (a @ b).sin(), 1)(x, w),
    "jacrev of both": lambda m, x, w: m.func.jacrev(lambda a, b: (a @ b).sin(), (0, 1))(x, w),
    "jacrev of two results": lambda m, x, w: m.func.jacrev(lambda a: (a.sin(), a.sum(1)))(x),
    "jacrev in chunks": lambda m, x, w: m.func.jacrev(lambda x: x.sin(), chunk_size=4)(x),
    "jacrev with aux": lambda m, x, w: m.func.jacrev(lambda x: (x.sin(), x), has_aux=True)(x),
    "jacfwd": lambda m, x, w: m.func.jacfwd(lambda x: (x @ w).sin())(x),
    "jacfwd of both": lambda m, x, w: m.func.jacfwd(lambda a, b: (a @ b).sin(), (0, 1))(x, w),
    "jacfwd of two results": lambda m, x, w: m.func.jacfwd(lambda a: (a.sin(), a.sum(1)))(x),
    "hessian": lambda m, x, w: m.func.hessian(lambda x: (x[0] ** 3).sum() * x[1].sum())(x),
    "hessian of both": lambda m, x, w: m.func.hessian(
        lambda a, b: (a * b).sin().sum(), (0, 1)
    )(x[0], w[0]),
    # vmap
    "vmap": lambda m, x, w: m.vmap(lambda row: row.softmax(0))(x),
    "vmap of two": lambda m, x, w: m.vmap(m.dot)(x, x * 2),
    "vmap in_dims": lambda m, x, w: m.vmap(lambda a, b: a * b, in_dims=(None, 1))(x[0], w),
    "vmap in_dims of a dict": lambda m, x, w: m.vmap(
        lambda d, b: d["a"] * d["b"] + b, in_dims=({"a": 0, "b": None}, -1)
    )({"a": w, "b": w[0]}, w),
    "vmap out_dims": lambda m, x, w: m.vmap(lambda r: (r, r.sum()), out_dims=(1, 0))(x),
    "vmap out_dims negative": lambda m, x, w: m.vmap(lambda r: r.expand(4, 3), out_dims=-2)(x),
    "vmap of a constant": lambda m, x, w: m.vmap(lambda r: w.sum())(x),
    "vmap of a dict": lambda m, x, w: list(m.vmap(lambda r: {"a": r, "b": r.max()})(x).values()),
    "vmap of numbers": lambda m, x, w: m.vmap(lambda r, k: r * k, in_dims=(0, None))(x, 3),
    "vmap of keywords": lambda m, x, w: m.vmap(lambda r, k: r * k)(x, k=2),
    "vmap in chunks": lambda m, x, w: m.vmap(lambda r: r @ w, chunk_size=2)(w),
    "vmap of vmap": lambda m, x, w: m.vmap(m.vmap(lambda a, b: a * b, (0, None)), (None, 0))(x, x),
    "vmap of grad": lambda m, x, w: m.vmap(m.func.grad(lambda r: (r @ w).tanh().sum()))(x),
    "per-sample gradients": lambda m, x, w: m.vmap(
        m.func.grad(lambda p, r: (r @ p).tanh().sum()), in_dims=(None, 0)
    )(w, x),
    "vmap with a write inside": lambda m, x, w: m.vmap(lambda r: r.clone().add_(w[0]))(x),
    "vmap over the last": lambda m, x, w: m.func.vmap(lambda c: c.sum(), in_dims=-1)(x),
    "grad of vmap": lambda m, x, w: m.func.grad(lambda x: m.vmap(lambda r: (r @ w).sin())(x).sum())(
        x
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_transformation(name):
    both(CASES[name], name)


REFUSED = {
    "grad of no scalar": lambda m, x, w: m.func.grad(lambda x: x * 2)(x),
    "grad of a number": lambda m, x, w: m.func.grad(lambda x: 2)(x),
    "argnums too large": lambda m, x, w: m.func.grad(lambda x: x.sum(), 2)(x),
    "argnums twice": lambda m, x, w: m.func.jacrev(lambda x: x, (0, 0))(x),
    "no aux": lambda m, x, w: m.func.grad(lambda x: x.sum(), has_aux=True)(x),
    "sizes differ": lambda m, x, w: m.vmap(lambda a, b: a)(x, w),
    "nothing to map": lambda m, x, w: m.vmap(lambda a: a, in_dims=None)(x),
    "no inputs": lambda m, x, w: m.vmap(lambda: x)(),
    "nothing mapped": lambda m, x, w: m.vmap(lambda a: a, in_dims=(None,))(x),
    "a number mapped": lambda m, x, w: m.vmap(lambda a, b: a)(x, 2),
    "dim out of range": lambda m, x, w: m.vmap(lambda a: a, in_dims=2)(x),
    "a number returned": lambda m, x, w: m.vmap(lambda a: 2)(x),
    "random numbers": lambda m, x, w: m.vmap(lambda a: a + m.rand(3))(x),
    "unknown randomness": lambda m, x, w: m.vmap(lambda a: a, randomness="no")(x),
    "batched where it cannot be": lambda m, x, w: m.vmap(lambda a: a, out_dims=None)(x),
    "primals no tuple": lambda m, x, w: m.func.jvp(lambda a: a, x, x),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    refused(REFUSED[name])


def test_gradients_go_through_a_vmapped_function():
    def f(m, x, w):
        x.requires_grad_()
        w.requires_grad_()
        m.vmap(lambda row: (row @ w).tanh())(x).sum().backward()
        return x.grad, w.grad

    both(f)


def test_gradients_of_gradients_reach_the_outer_graph():
    def f(m, x, w):
        w.requires_grad_()
        g = m.func.grad(lambda x: (x @ w).tanh().sum())(x)
        g.pow(2).sum().backward()
        return g, w.grad

    both(f)


def test_a_jacobian_reaches_the_outer_graph():
    def f(m, x, w):
        w.requires_grad_()
        m.func.jacrev(lambda r: (r @ w).tanh())(x[0]).sum().backward()
        return w.grad

    both(f)


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_randomness(randomness):
    def f(m, x, w):
        m.manual_seed(3)
        return m.vmap(lambda row: row + m.rand(3), randomness=randomness)(x)

    both(f)


def test_a_written_input_is_written_outside():
    def f(m, x, w):
        m.vmap(lambda row: row.mul_(2).sum())(x)
        return x

    both(f)


def test_an_ensemble():
    def f(m, x, w):
        m.manual_seed(0)
        nets = [m.nn.Linear(3, 2) for _ in range(4)]
        parameters, buffers = m.func.stack_module_state(nets)

        def one(p, b, x):
            return m.func.functional_call(nets[0], (p, b), (x,))

        out = m.vmap(one, in_dims=(0, 0, None))(parameters, buffers, x)
        out.sum().backward()
        return out, parameters["weight"].grad

    both(f)


def test_per_sample_gradients_of_a_module():
    def f(m, x, w):
        m.manual_seed(0)
        net = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.Tanh(), m.nn.Linear(4, 1))
        parameters = {k: v.detach() for k, v in net.named_parameters()}

        def loss(p, row):
            return m.func.functional_call(net, p, (row,)).sum()

        return list(m.vmap(m.func.grad(loss), in_dims=(None, 0))(parameters, x).values())

    both(f)


def test_a_transformation_compiles_once():
    from engine_tools import counted, fresh_engine

    w = jtorch.tensor(W)
    with fresh_engine(), counted() as c:
        for k in range(4):
            x = jtorch.tensor(X) + k
            jtorch.vmap(jtorch.func.grad(lambda r: (r @ w).tanh().sum()))(x).sum().item()
    assert c.compiles <= 2


PATTERNS = [
    "a b c -> c b a", "a b c -> (a b) c", "a (b d) c -> d a (c b)", "... c -> c ...",
    "a ... -> a (...)", "a b c -> a 1 b c 1", "(a d) b ... -> a b (... d)", "a b c -> c (b a) ()",
    "(...) b -> b ...", "a a b -> b a", "a 2 b -> a b 2", "a b c -> a b (c", "a (b (c)) -> a",
    "a_ b c -> c b a_", "a b c", "a b c -> c ... b a", "a b c -> c % a b", "a b -> b a",
    "a b c -> a b", ". a b -> a b", "a b c) -> a b c", "a b ... c d -> a b c d ...",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_rearrange(pattern):
    outcomes = []
    for m in MODULES:
        lengths = {"d": 2} if " d" in pattern else {}
        x = m.arange(24).reshape(2, 4, 3)
        try:
            y = m.func.rearrange([*x] if "..." in pattern else x, pattern, **lengths)
            outcomes.append((tuple(y.shape), y.tolist()))
        except ValueError as e:
            outcomes.append(str(e))
    assert outcomes[0] == outcomes[1]


def test_lengths_that_do_not_fit():
    x = jtorch.ones(4, 3)
    for pattern, lengths in (("(a b) c -> a b c", {"a": 3}), ("(a b) c -> a b c", {}),
                             ("(a b) c -> a b c", {"a": 2, "b": 3})):  # fmt: skip
        for m, t in ((torch, torch.ones(4, 3)), (jtorch, x)):
            with pytest.raises(Exception, match=r"infer|split|match"):
                m.func.rearrange(t, pattern, **lengths)
