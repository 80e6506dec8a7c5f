"""KL divergences between different families."""

from __future__ import annotations

import math
from typing import Any

from ._names import torch
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .continuous_bernoulli import ContinuousBernoulli
from .exponential import Exponential
from .gamma import Gamma
from .gumbel import Gumbel
from .kl import register_kl
from .laplace import Laplace
from .normal import Normal
from .pareto import Pareto
from .poisson import Poisson
from .uniform import Uniform
from .utils import euler_constant

inf = math.inf
_LOG_2PI = math.log(2 * math.pi)

# p puts weight where q has none: always infinite
_INFINITE = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}


def _infinite(p: Any, q: Any) -> Any:
    name = next(n for n in p.arg_constraints if n != "logits")
    return torch.full_like(getattr(p, name), inf)


for _p, _qs in _INFINITE.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite)


def _against_normal(entropy: Any, mean: Any, square: Any, q: Any) -> Any:
    """-H(p) - E[log q] from p's first two moments, q normal."""
    variance = q.scale.pow(2)
    away = square - 2 * q.loc * mean + q.loc.pow(2)
    return -entropy + 0.5 * _LOG_2PI + 0.5 * variance.log() + 0.5 * away / variance


def _against_gamma(entropy: Any, mean: Any, mean_log: Any, q: Any) -> Any:
    """-H(p) - E[log q] from E[x] and E[log x], q a Gamma."""
    norm = q.concentration.lgamma() - q.concentration * q.rate.log()
    return -entropy + norm - (q.concentration - 1) * mean_log + q.rate * mean


def _against_exponential(entropy: Any, mean: Any, q: Any) -> Any:
    return -entropy - q.rate.log() + q.rate * mean


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


def _against_continuous_bernoulli(p: Any, q: Any) -> Any:
    norm = torch.log1p(-q.probs) + q._cont_bern_log_norm()
    return -p.entropy() - p.mean * q.logits - norm


register_kl(Beta, ContinuousBernoulli)(_against_continuous_bernoulli)


@register_kl(Beta, Exponential)
def _beta_exponential(p: Any, q: Any) -> Any:
    return _against_exponential(p.entropy(), p.mean, q)


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration1, p.concentration0
    return _against_gamma(p.entropy(), p.mean, a.digamma() - (a + b).digamma(), q)


@register_kl(Beta, Normal)
def _beta_normal(p: Any, q: Any) -> Any:
    mean = p.mean
    square = mean * (1 - mean) / (p.concentration1 + p.concentration0 + 1) + mean.pow(2)
    return _against_normal(p.entropy(), mean, square, q)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low > 0) | (q.high < 1), inf)


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_bernoulli_exponential(p: Any, q: Any) -> Any:
    return _against_exponential(p.entropy(), p.mean, q)


@register_kl(ContinuousBernoulli, Normal)
def _continuous_bernoulli_normal(p: Any, q: Any) -> Any:
    return _against_normal(p.entropy(), p.mean, p.variance + p.mean.square(), q)


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Any:
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low >= 0) | (q.high <= 1), inf)  # as torch has it


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    shape = q.concentration
    rest = shape.lgamma() + shape * euler_constant - (1 + euler_constant)
    return ratio - shape * torch.log(ratio) + rest


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    both, shift = p.rate * q.scale, q.loc / q.scale
    return both.log() - 1 - shift + torch.exp(shift) * both / (both + 1) + both.reciprocal()


@register_kl(Exponential, Normal)
def _exponential_normal(p: Any, q: Any) -> Any:
    mean = p.rate.reciprocal()
    return _against_normal(p.entropy(), mean, 2 * mean.pow(2), q)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return _against_exponential(p.entropy(), p.mean, q)


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    a, both, shift = p.concentration, p.rate * q.scale, q.loc / q.scale
    head = (a - 1) * a.digamma() - a.lgamma() - a + both.log() + a / both
    return head + torch.exp(shift) * (1 + both.reciprocal()).pow(-a) - shift


@register_kl(Gamma, Normal)
def _gamma_normal(p: Any, q: Any) -> Any:
    square = (p.concentration.pow(2) + p.concentration) / p.rate.pow(2)
    return _against_normal(p.entropy(), p.mean, square, q)


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Any, q: Any) -> Any:
    return _against_normal(p.entropy(), p.mean, p.variance + p.mean.pow(2), q)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    return _against_normal(p.entropy(), p.loc, p.variance + p.loc.pow(2), q)


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    shift, ratio = (p.loc - q.loc) / q.scale, (p.scale / q.scale).pow(2)
    tail = torch.exp(0.5 * ratio - shift)
    return shift + tail - 0.5 * ratio.log() - 0.5 * (1 + _LOG_2PI)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    away = p.loc - q.loc
    z = away / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * z.pow(2))
    far = away * torch.erf(math.sqrt(0.5) * z)
    ratio = torch.log(p.scale / q.scale)
    return (near + far) / q.scale - ratio - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    both = p.scale * q.rate
    result = (p.alpha / both).log() - p.alpha.reciprocal() + p.alpha * both / (p.alpha - 1) - 1
    return result.masked_fill(p.alpha <= 1, inf)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    mean_log = p.scale.log() + p.alpha.reciprocal()
    mean = p.alpha * p.scale / (p.alpha - 1)
    return _against_gamma(p.entropy(), mean, mean_log, q).masked_fill(p.alpha <= 1, inf)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    mean = p.alpha * p.scale / (p.alpha - 1)
    square = p.alpha * p.scale.pow(2) / (p.alpha - 2)
    return _against_normal(p.entropy(), mean, square, q).masked_fill(p.alpha <= 2, inf)


def _mean_log(low: Any, high: Any) -> Any:
    """E[log x] of a uniform x."""
    return (torch.xlogy(high, high) - torch.xlogy(low, low)) / (high - low) - 1


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    a, b = q.concentration1, q.concentration0
    norm = a.lgamma() + b.lgamma() - (a + b).lgamma()
    up, down = _mean_log(p.low, p.high), _mean_log(1 - p.high, 1 - p.low)
    result = norm - (a - 1) * up - (b - 1) * down - p.entropy()
    return result.masked_fill((p.high > 1) | (p.low < 0), inf)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    result = _against_continuous_bernoulli(p, q)
    return result.masked_fill((p.high >= 1) | (p.low <= 0), inf)  # as torch has it


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    return _against_exponential(p.entropy(), p.mean, q).masked_fill(p.low < 0, inf)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    result = _against_gamma(p.entropy(), p.mean, _mean_log(p.low, p.high), q)
    return result.masked_fill(p.low < 0, inf)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    width = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    tails = torch.exp(-high) - torch.exp(-low)
    return width.log() + 0.5 * (high + low) - width * tails


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    return _against_normal(p.entropy(), p.mean, p.variance + p.mean.pow(2), q)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    norm = (q.alpha * q.scale.pow(q.alpha)).log() + p.entropy()
    result = _mean_log(p.low, p.high) * (q.alpha + 1) - norm
    return result.masked_fill(p.low < q.scale, inf)
