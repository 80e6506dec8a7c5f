"""Dual tensors, `Function.jvp` and `functorch`: the same code in PyTorch and in jtorch."""

from __future__ import annotations

import functorch
import numpy as np
import pytest
import torch
from differential import assert_same

import jtorch
import jtorch._functorch
import jtorch.autograd.forward_ad

MODULES = (torch, jtorch)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
X = np.array([[-1.0, -0.4, 0.2], [0.8, 1.4, 2.0]], "f")
T = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], "f")


def unpacked(m, o):
    return m.autograd.forward_ad.unpack_dual(o)


def both(f, where=""):
    """`f(module, dual)` inside a level: its result's primal and tangent are the same."""
    results = []
    for m in MODULES:
        with m.autograd.forward_ad.dual_level():
            dual = m.autograd.forward_ad.make_dual(m.tensor(X), m.tensor(T))
            results.append(tuple(unpacked(m, f(m, dual))))
    assert_same(*results, where)


def written(m, d):
    z = m.zeros(2, 3)
    z[0] = d[1]
    z[:, 1:].mul_(d[:, :2])
    return z


def quietly(m, d):
    with m.no_grad():
        return d * d


OPS = {
    "sin": lambda m, d: d.sin(),
    "matmul": lambda m, d: d @ d.T,
    "softmax": lambda m, d: m.softmax(d, 0),
    "views": lambda m, d: d.view(3, 2)[1:].t(),
    "cat": lambda m, d: m.cat([d, m.ones(1, 3)]),
    "max": lambda m, d: d.max(0)[0],
    "indices": lambda m, d: d.max(0)[1],
    "comparison": lambda m, d: d > 0,
    "std": lambda m, d: d.std(),
    "copy_": lambda m, d: m.zeros(2, 3).copy_(d),
    "half": lambda m, d: d.half(),
    "complex": lambda m, d: m.complex(d, d * 2).abs(),
    "batch_norm": lambda m, d: m.nn.functional.batch_norm(d * 3, None, None, training=True),
    "det": lambda m, d: (d @ d.T).det(),
    "detach": lambda m, d: d.detach() * 2,
    "data": lambda m, d: d.data,
    "zero_": lambda m, d: d.clone().mul_(0.5),
    "written": written,
    "no_grad": quietly,
}


@pytest.mark.parametrize("name", OPS)
def test_ops_carry_tangents(name):
    both(OPS[name], name)


def test_unpacked_tangent_is_the_one_given_unless_it_lies_otherwise():
    for m in MODULES:
        fw = m.autograd.forward_ad
        x, t = m.tensor(X), m.tensor(T)
        with fw.dual_level():
            assert fw.unpack_dual(fw.make_dual(x, t)).tangent is t
            turned = m.tensor(T.T.copy()).T
            assert fw.unpack_dual(fw.make_dual(x, turned)).tangent is not turned
            dual = fw.make_dual(x, t)
            assert not dual.requires_grad and dual._is_view()
            assert fw.unpack_dual(x).tangent is None
        assert fw.unpack_dual(dual).tangent is None
        with fw.dual_level():  # a level of its own
            assert fw.unpack_dual(dual).tangent is None


def test_a_dual_prints_its_tangent():
    texts = []
    for m in MODULES:
        with m.autograd.forward_ad.dual_level():
            texts.append(repr(m.autograd.forward_ad.make_dual(m.tensor(X)[0], m.tensor(T)[0])))
    assert texts[0] == texts[1]


def test_backward_through_a_tangent_and_tangents_of_gradients():
    results = []
    for m in MODULES:
        fw, t = m.autograd.forward_ad, m.tensor(T)
        p = m.tensor(X, requires_grad=True)
        with fw.dual_level():
            tangent = fw.unpack_dual((fw.make_dual(p, t) ** 3).sum()).tangent
            tangent.backward()
            d = fw.make_dual(p, t)
            (g,) = m.autograd.grad((d**3).sum(), d)
            results.append((tangent.detach(), p.grad, *fw.unpack_dual(g)))
    assert_same(*results, "second derivatives")


def test_gradient_of_a_recurrent_layer_has_a_tangent():
    results = []
    for m in MODULES:
        fw, cell = m.autograd.forward_ad, m.nn.LSTM(3, 2, dtype=m.float64)
        for i, p in enumerate(cell.parameters()):
            m.nn.init.constant_(p, 0.1 * i + 0.1)
        with fw.dual_level():
            x = m.tensor(X.astype("d"), requires_grad=True)
            d = fw.make_dual(x, m.tensor(T.astype("d")))
            out = cell(d)[0]
            (g,) = m.autograd.grad(out.sum(), d)
            results.append([*fw.unpack_dual(out), *fw.unpack_dual(g)])
    assert_same(*([t.detach() for t in r] for r in results), "LSTM")


REFUSALS = {
    "twice": lambda fw, d, m: fw.make_dual(d, m.tensor(T)),
    "kind": lambda fw, d, m: fw.make_dual(m.tensor([1]), m.tensor(T)),
    "tangent": lambda fw, d, m: fw.make_dual(m.tensor(X), m.tensor([1])),
    "nested": lambda fw, d, m: fw.enter_dual_level(),
    "level": lambda fw, d, m: fw.exit_dual_level(level=3),
}


def error(f):
    with pytest.raises(Exception) as e:
        f()
    return type(e.value).__name__, str(e.value).split("\n")[0]


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_inside_a_level(name):
    found = []
    for m in MODULES:
        fw = m.autograd.forward_ad
        with fw.dual_level():
            d = fw.make_dual(m.tensor(X), m.tensor(T))
            found.append(error(lambda m=m, fw=fw, d=d: REFUSALS[name](fw, d, m)))
    assert found[0] == found[1]


def test_refusals_outside_a_level():
    found = []
    for m in MODULES:
        fw = m.autograd.forward_ad
        found.append((error(lambda m=m, fw=fw: fw.make_dual(m.tensor(X), m.tensor(T))),
                      error(fw.exit_dual_level)))  # fmt: skip
    assert found[0] == found[1]


def test_an_error_inside_a_level_closes_it():
    fw = jtorch.autograd.forward_ad
    with pytest.raises(ValueError), fw.dual_level():
        raise ValueError
    with fw.dual_level():
        pass


def functions(m):
    """Functions whose jvp and backward disagree on purpose, so that one sees who was asked."""

    class Product(m.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, k, y):
            return x * y * k, x + 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.k, y = inputs
            ctx.save_for_forward(x, y)
            ctx.save_for_backward(y)

        @staticmethod
        def jvp(ctx, a, k, b):
            x, y = ctx.saved_tensors
            return 10 * (a * y + (0 if b is None else b * x)) * ctx.k, a * 1.0

        @staticmethod
        def backward(ctx, g, h):
            (y,) = ctx.saved_tensors
            return 100 * g * y * ctx.k + h, None, None

    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.kept = x * 2
            return ctx.kept.clone()

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Attribute(Double):
        @staticmethod
        def jvp(ctx, a):
            out = a * ctx.kept
            del ctx.kept
            return out

    class TooMany(Double):
        @staticmethod
        def jvp(ctx, a):
            return a, a

    class TooSmall(Double):
        @staticmethod
        def jvp(ctx, a):
            return a[:1]

    return Product, Double, Attribute, TooMany, TooSmall


def test_function_jvp_of_duals():
    results = []
    for m in MODULES:
        fw = m.autograd.forward_ad
        Product, _, Attribute, *_ = functions(m)
        with fw.dual_level():
            x, y = m.tensor(X, requires_grad=True), m.full((2, 3), 3.0)
            d = fw.make_dual(x, m.tensor(T))
            a, b = Product.apply(d, 2, y)
            (g,) = m.autograd.grad(a.sum() + b.sum(), d)
            c = Attribute.apply(fw.make_dual(m.tensor(X), m.tensor(T)))
            results.append([*(fw.unpack_dual(o).tangent for o in (a, b, c)), g])
    assert_same(*([t.detach() for t in r] for r in results), "Function.jvp")


def test_function_without_a_good_jvp():
    found = []
    for m in MODULES:
        fw, mine = m.autograd.forward_ad, []
        _, Double, _, TooMany, TooSmall = functions(m)
        with fw.dual_level():
            d = fw.make_dual(m.tensor(X), m.tensor(T))
            for F in (Double, TooMany, TooSmall):
                mine.append(error(lambda F=F, d=d: F.apply(d)))
        found.append(mine)
    assert found[0] == found[1]


def test_function_jvp_inside_func_jvp():
    results = []
    for m in MODULES:
        Product, x, t, y = functions(m)[0], m.tensor(X), m.tensor(T), m.full((2, 3), 3.0)
        first = m.func.jvp(lambda x, F=Product, y=y: F.apply(x, 2, y), (x,), (t,))
        second = m.func.jvp(lambda x, y, F=Product: F.apply(x.sin(), 2, y)[0].cos(), (x, y), (t, t))
        forward = m.func.jacfwd(lambda x, F=Product, y=y: F.apply(x, 2, y[0])[0].sum())(x[0])
        reverse = m.func.jacrev(lambda x, F=Product, y=y: F.apply(x, 2, y[0])[0].sum())(x[0])
        results.append([*first[0], *first[1], *second, forward, reverse])
    assert_same(*results, "func.jvp")


def test_gradcheck_in_forward_mode():
    for m in MODULES:
        check, again = m.autograd.gradcheck, m.autograd.gradgradcheck
        x = m.tensor(X[:1].astype("d"), requires_grad=True)
        assert check(lambda x: x.sin() * x, (x,), check_forward_ad=True)
        assert again(lambda x: x.sin() * x, (x,), check_fwd_over_rev=True)
        Attribute = functions(m)[2]
        assert check(Attribute.apply, (x,))
    found = []
    for m in MODULES:
        F, x = functions(m)[2], m.tensor(X[:1].astype("d"), requires_grad=True)
        options = {"check_forward_ad": True, "check_backward_ad": False}
        found.append(
            error(lambda m=m, F=F, x=x, o=options: m.autograd.gradcheck(F.apply, (x,), **o))
        )
        found[-1] += (error(
            lambda m=m, F=F, x=x: m.autograd.gradcheck(F.apply, (x,), check_backward_ad=False)
        ),)  # fmt: skip
    assert found[0] == found[1]


def test_functorch():
    results = []
    for m, ft in ((torch, functorch), (jtorch, jtorch._functorch)):
        models = [m.nn.Linear(3, 2), m.nn.Linear(3, 2)]
        for i, p in enumerate([*models[0].parameters(), *models[1].parameters()]):
            m.nn.init.constant_(p, 0.5 - 0.25 * i)
        x = m.tensor(X)
        f, params = ft.make_functional(models[0])
        tangents = tuple(p * 2 for p in params)
        one = ft.jvp(lambda p, f=f, x=x: f(p, x), (params,), (tangents,))
        g, params, buffers = ft.make_functional_with_buffers(m.nn.BatchNorm1d(3).eval())
        two = g(params, buffers, x)
        h, params, buffers = ft.combine_state_for_ensemble(models)
        three = ft.vmap(h, in_dims=(0, 0, None))(params, buffers, x)
        fixed = ft.make_functional(models[0], disable_autograd_tracking=True)[1]
        results.append([*one, two, three, m.tensor([p.requires_grad for p in fixed])])
    assert_same(*([t.detach() for t in r] for r in results), "functorch")
