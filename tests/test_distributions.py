"""torch.distributions against PyTorch: draws, densities, moments, gradients, expansion, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from distribution_cases import CASES, make

import jtorch

NAMES = sorted(CASES)


def close(mine, theirs, tolerance: float = 1e-8) -> None:
    tolerance = max(tolerance, 2e-6) if theirs.dtype is torch.float32 else tolerance
    np.testing.assert_allclose(
        mine.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance
    )
    assert str(mine.dtype) == str(theirs.dtype) and tuple(mine.shape) == tuple(theirs.shape)


def both(name: str, dtype: str = "float64"):
    if name == "GeneralizedPareto":
        dtype = "float32"  # torch's does not take doubles
    options = {"dtype": dtype}
    return make(jtorch, name, **options)[0], make(torch, name, **options)[0]


def drawn(d, library, shape=(4,), method: str = "sample"):
    library.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's Wishart calls its own draws singular
        return getattr(d, method)(shape)


def answer(f):
    """What a call gives, or the type of what it raises."""
    try:
        return f()
    except (NotImplementedError, ValueError, AttributeError) as e:
        return type(e)


def same(mine, theirs) -> None:
    if isinstance(theirs, type):
        assert mine is theirs, (mine, theirs)
    else:
        close(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_torchs(name):
    mine, theirs = both(name)
    # sums and special functions of the drawn numbers round differently in the last digits
    close(drawn(mine, jtorch), drawn(theirs, torch), 1e-7)
    assert bool(mine.has_rsample) == bool(theirs.has_rsample)
    if theirs.has_rsample:
        close(drawn(mine, jtorch, (), "rsample"), drawn(theirs, torch, (), "rsample"), 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_moments_and_densities(name):
    mine, theirs = both(name)
    for attribute in ("mean", "mode", "variance", "stddev"):
        same(answer(lambda: getattr(mine, attribute)), answer(lambda: getattr(theirs, attribute)))  # noqa: B023
    x = drawn(theirs, torch)
    y = jtorch.tensor(x.numpy())
    for method in ("log_prob", "cdf"):
        # torch's Bessel function in VonMises is a polynomial good to seven digits
        want = answer(lambda: getattr(theirs, method)(x))  # noqa: B023
        have = answer(lambda: getattr(mine, method)(y))  # noqa: B023
        if isinstance(want, type):
            assert have is want
        else:
            close(have, want, 2e-7 if name == "VonMises" else 1e-8)
    same(answer(mine.entropy), answer(theirs.entropy))
    if isinstance(answer(lambda: theirs.cdf(x)), torch.Tensor):
        u = np.random.default_rng(1).uniform(0.05, 0.95, x.shape)
        want = answer(lambda: theirs.icdf(torch.tensor(u)))
        same(answer(lambda: mine.icdf(jtorch.tensor(u))), want)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    grads = []
    x = drawn(both(name)[1], torch).numpy()
    for library in (jtorch, torch):
        dtype = "float32" if name == "GeneralizedPareto" else "float64"
        d, params = make(library, name, grad=True, dtype=dtype)
        total = d.log_prob(library.tensor(x)).sum()
        if d.has_rsample and name != "Wishart":  # torch's own raises
            draws = drawn(d, library, (2,), "rsample")
            weights = np.random.default_rng(2).normal(size=tuple(draws.shape))
            total = total + (draws * library.tensor(weights)).sum()
        total.backward()
        grads.append([p.grad for p in params])
    # PyTorch's own gradients of gamma and Dirichlet draws are series good to a few digits
    series = {
        "Beta",
        "Chi2",
        "Dirichlet",
        "FisherSnedecor",
        "Gamma",
        "InverseGamma",
        "StudentT",
        "Wishart",
    }
    for mine, theirs in zip(*grads, strict=True):
        if theirs is None:
            assert mine is None or not mine.any()
        else:
            close(mine, theirs, 5e-3 if name in series else 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_expansion_and_text(name):
    mine, theirs = both(name)
    assert tuple(mine.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(mine.event_shape) == tuple(theirs.event_shape)
    assert repr(mine).replace("jtorch", "torch") == repr(theirs)
    shape = (2, *theirs.batch_shape)
    mine, theirs = mine.expand(shape), theirs.expand(shape)
    assert tuple(mine.batch_shape) == tuple(theirs.batch_shape) == shape
    x = drawn(theirs, torch)
    close(drawn(mine, jtorch), x, 1e-7)
    close(mine.log_prob(jtorch.tensor(x.numpy())), theirs.log_prob(x), 2e-7)
    if theirs.has_enumerate_support and not isinstance(theirs, torch.distributions.Independent):
        for expand in (True, False):
            close(mine.enumerate_support(expand), theirs.enumerate_support(expand))


@pytest.mark.parametrize("name", NAMES)
def test_support_and_constraints_agree(name):
    mine, theirs = both(name)
    x = drawn(theirs, torch)
    assert bool(mine.support.check(jtorch.tensor(x.numpy())).all())
    assert repr(mine.support).replace("IndependentConstraint", "") == repr(theirs.support).replace(
        "IndependentConstraint", ""
    )
    for key, constraint in theirs.arg_constraints.items():
        mine_constraint = mine.arg_constraints[key]
        assert mine_constraint.event_dim == constraint.event_dim
        assert bool(mine_constraint.check(getattr(mine, key)).all())


def test_single_precision_draws():
    for name in ("Normal", "Gamma", "Beta", "Poisson", "Binomial", "Laplace", "StudentT"):
        mine, theirs = both(name, dtype="float32")
        close(drawn(mine, jtorch, (50,)), drawn(theirs, torch, (50,)), 2e-6)


@pytest.mark.parametrize(
    "code",
    [
        "D.Normal(torch.tensor([0., 1.]), torch.tensor([1., -1.]))",
        "D.Categorical(probs=torch.tensor([0.5, -0.5]))",
        "D.Categorical(logits=torch.tensor(1.0))",
        "D.Categorical()",
        "D.Bernoulli(torch.tensor(1.5))",
        "D.Bernoulli(0.5, 0.5)",
        "D.Uniform(torch.tensor(2.), torch.tensor(1.))",
        "D.Normal(0., 1.).log_prob(2.0)",
        "D.Exponential(1.).log_prob(torch.tensor(-1.))",
        "D.Categorical(torch.tensor([1., 1., 1.])).log_prob(torch.tensor(3))",
        "D.Categorical(torch.ones(2, 3)).log_prob(torch.tensor([0, 1, 2]))",
        "D.Dirichlet(torch.tensor(1.))",
        "D.Independent(D.Normal(0., 1.), 1)",
        "D.MultivariateNormal(torch.zeros(2))",
        "D.MultivariateNormal(torch.zeros(2), torch.tensor([[1., 2.], [2., 1.]]))",
        "D.Geometric(torch.tensor([0.]))",
        "D.LKJCholesky(1)",
        "D.Poisson(torch.tensor(-1.))",
        "D.Multinomial(torch.tensor([1, 2]), torch.ones(2, 2))",
        "D.kl_divergence(D.Cauchy(0., 1.), D.Normal(0., 1.))",
        "D.Cauchy(0., 1.).expand((2,)).enumerate_support()",
    ],
)  # fmt: skip
def test_errors(code):
    def message(library):
        with pytest.raises((ValueError, NotImplementedError)) as e:
            eval(code, {"torch": library, "D": library.distributions})
        return type(e.value), str(e.value).replace("jtorch", "torch")

    assert message(jtorch) == message(torch)


def test_what_is_not_computed_yet_is_not_checked():
    """Validation must not make a training step run in two parts."""
    from jtorch._engine import stats

    with jtorch.no_grad():
        x = jtorch.ones(3) * 2
        before = stats.counters.runs if hasattr(stats, "counters") else None
        d = jtorch.distributions.Normal(x, x * 3)
        d.log_prob(jtorch.tensor([1.0, 2.0, 3.0]))
        assert x._value.array is None
        assert before is None or stats.counters.runs == before


def test_a_subclass_must_say_how_it_expands():
    class Mine(jtorch.distributions.Normal):
        def __init__(self, x):
            super().__init__(x, x)

    with pytest.raises(NotImplementedError, match="must also define a custom"):
        Mine(jtorch.ones(2)).expand((3, 2))


def test_modules_are_where_torch_has_them():
    missing = [n for n in torch.distributions.__all__ if not hasattr(jtorch.distributions, n)]
    assert not missing
    for name in ("categorical.Categorical", "normal.Normal", "transforms.ExpTransform",
                 "utils.broadcast_all", "kl.register_kl", "constraints.positive"):  # fmt: skip
        module, _, attribute = name.partition(".")
        assert hasattr(getattr(jtorch.distributions, module), attribute)
