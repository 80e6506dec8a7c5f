"""One case for each distribution: how it is made, from parameters that both libraries are given."""

# ruff: noqa: E501  a table reads better in whole lines
from __future__ import annotations

import numpy as np

_RNG = np.random.default_rng(7)


def _positive(*shape: int) -> np.ndarray:
    return np.exp(_RNG.normal(0, 0.5, shape))


def _real(*shape: int) -> np.ndarray:
    return _RNG.normal(0, 1, shape)


def _unit(*shape: int) -> np.ndarray:
    return _RNG.uniform(0.1, 0.9, shape)


def _tril(n: int) -> np.ndarray:
    return np.tril(_RNG.normal(0, 0.4, (n, n)), -1) + np.diag(_positive(n))


_L = _tril(3)
_SPD = _L @ _L.T

# name: (maker over `D` and the parameters, the parameters)
CASES = {
    "Bernoulli": ("D.Bernoulli(a)", [_unit(3)]),
    "Bernoulli logits": ("D.Bernoulli(logits=a)", [_real(2, 3)]),
    "Beta": ("D.Beta(a, b)", [_positive(3), _positive(3)]),
    "Binomial": ("D.Binomial(5, a)", [_unit(3)]),
    "Categorical": ("D.Categorical(logits=a)", [_real(2, 4)]),
    "Categorical probs": ("D.Categorical(a)", [_unit(4)]),
    "Cauchy": ("D.Cauchy(a, b)", [_real(3), _positive(3)]),
    "Chi2": ("D.Chi2(a)", [_positive(3)]),
    "ContinuousBernoulli": ("D.ContinuousBernoulli(a)", [np.array([0.2, 0.4999, 0.7])]),
    "Dirichlet": ("D.Dirichlet(a)", [_positive(2, 3)]),
    "Exponential": ("D.Exponential(a)", [_positive(3)]),
    "FisherSnedecor": ("D.FisherSnedecor(a, b)", [_positive(3), _positive(3) + 4]),
    "Gamma": ("D.Gamma(a, b)", [_positive(3), _positive(3)]),
    "GeneralizedPareto": ("D.GeneralizedPareto(a, b, c)", [_real(3), _positive(3), np.array([0.0, 0.2, -0.3])]),
    "Geometric": ("D.Geometric(a)", [_unit(3)]),
    "Gumbel": ("D.Gumbel(a, b)", [_real(3), _positive(3)]),
    "HalfCauchy": ("D.HalfCauchy(a)", [_positive(3)]),
    "HalfNormal": ("D.HalfNormal(a)", [_positive(3)]),
    "Independent": ("D.Independent(D.Normal(a, b), 1)", [_real(2, 3), _positive(2, 3)]),
    "InverseGamma": ("D.InverseGamma(a, b)", [_positive(3) + 2, _positive(3)]),
    "Kumaraswamy": ("D.Kumaraswamy(a, b)", [_positive(3) + 1, _positive(3) + 1]),
    "LKJCholesky": ("D.LKJCholesky(3, a)", [_positive(2)]),
    "Laplace": ("D.Laplace(a, b)", [_real(3), _positive(3)]),
    "LogNormal": ("D.LogNormal(a, b)", [_real(3), _positive(3)]),
    "LogisticNormal": ("D.LogisticNormal(a, b)", [_real(2, 3), _positive(2, 3)]),
    "LowRankMultivariateNormal": ("D.LowRankMultivariateNormal(a, b, c)", [_real(3), _real(3, 2), _positive(3)]),
    "MixtureSameFamily": ("D.MixtureSameFamily(D.Categorical(a), D.Normal(b, c))", [_unit(3), _real(3), _positive(3)]),
    "Multinomial": ("D.Multinomial(4, a)", [_unit(2, 3)]),
    "MultivariateNormal": ("D.MultivariateNormal(a, scale_tril=b)", [_real(3), _L]),
    "MultivariateNormal covariance": ("D.MultivariateNormal(a, b)", [_real(2, 3), _SPD]),
    "MultivariateNormal precision": ("D.MultivariateNormal(a, precision_matrix=b)", [_real(3), _SPD]),
    "NegativeBinomial": ("D.NegativeBinomial(5, a)", [_unit(3)]),
    "Normal": ("D.Normal(a, b)", [_real(3), _positive(3)]),
    "OneHotCategorical": ("D.OneHotCategorical(a)", [_unit(2, 4)]),
    "OneHotCategoricalStraightThrough": ("D.OneHotCategoricalStraightThrough(logits=a)", [_real(2, 4)]),
    "Pareto": ("D.Pareto(a, b)", [_positive(3), _positive(3) + 2]),
    "Poisson": ("D.Poisson(a)", [_positive(3) * 8]),
    "RelaxedBernoulli": ("D.RelaxedBernoulli(a, b)", [np.array(0.7), _unit(3)]),
    "RelaxedOneHotCategorical": ("D.RelaxedOneHotCategorical(a, b)", [np.array(0.7), _unit(2, 4)]),
    "StudentT": ("D.StudentT(a, b, c)", [np.array([0.8, 1.5, 4.0]), _real(3), _positive(3)]),
    "TransformedDistribution": (
        "D.TransformedDistribution(D.Normal(a, b), [D.AffineTransform(1.0, 2.0), D.TanhTransform()])",
        [_real(3) / 4, _positive(3) / 4],
    ),
    "Uniform": ("D.Uniform(a, b)", [_real(3), _real(3) + 5]),
    "VonMises": ("D.VonMises(a, b)", [_real(3), _positive(3)]),
    "Weibull": ("D.Weibull(a, b)", [_positive(3), _positive(3) + 1]),
    "Wishart": ("D.Wishart(a, scale_tril=b)", [np.array(5.0), _L]),
}  # fmt: skip


def make(library, name: str, *, grad: bool = False, dtype: str = "float64"):
    """(the distribution, its parameters) in `torch` or `jtorch`."""
    expression, arrays = CASES[name]
    params = [library.tensor(x.tolist(), dtype=getattr(library, dtype)) for x in arrays]
    if grad:
        for p in params:
            p.requires_grad_()
    scope = {"D": library.distributions, **dict(zip("abc", params, strict=False))}
    return eval(expression, scope), params
