"""`ContinuousBernoulli`: Loaiza-Ganem and Cunningham (2019), on [0, 1]."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import no_grad
from . import constraints
from ._binary import BinaryParameter
from ._names import F, torch
from .exp_family import ExponentialFamily
from .utils import batch_of, broadcast_all, clamp_probs, lazy_property, logits_to_probs

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(BinaryParameter, ExponentialFamily):
    """Density proportional to p**x (1 - p)**(1 - x).

    Within `lims` the formulas lose their digits, and series around p = 1/2 take over.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    _mean_carrier_measure = 0
    has_rsample = True
    _kept = ("_given", "_lims")

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501),
        validate_args: Any = None,
    ) -> None:  # fmt: skip
        self._take(probs, logits)
        if probs is not None:
            if validate_args is not None and not constraints.unit_interval.check(self.probs).all():
                raise ValueError("The parameter probs has invalid values")
            self.probs = clamp_probs(self.probs)
        self._lims = lims
        batch = batch_of(self._param, logits if probs is None else probs)
        super().__init__(batch, validate_args=validate_args)

    @lazy_property
    def probs(self) -> Any:
        """The probability, kept away from 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _stable(self) -> Any:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Any:
        """probs, with a harmless value where the series is used."""
        return torch.where(self._stable(), self.probs, self._lims[0])

    def _cont_bern_log_norm(self) -> Any:
        cut = self._cut()
        below = cut <= 0.5
        low = torch.log1p(-2.0 * torch.where(below, cut, 0.0))
        high = torch.log(2.0 * torch.where(below, 1.0, cut) - 1.0)
        exact = (torch.log1p(-cut) - torch.log(cut)).abs().log() - torch.where(below, low, high)
        x = (self.probs - 0.5).pow(2)
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return torch.where(self._stable(), exact, series)

    @property
    def mean(self) -> Any:
        """The mean."""
        cut, x = self._cut(), self.probs - 0.5
        exact = cut / (2.0 * cut - 1.0) + 1.0 / (torch.log1p(-cut) - torch.log(cut))
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x
        return torch.where(self._stable(), exact, series)

    @property
    def variance(self) -> Any:
        """The variance."""
        cut, x = self._cut(), (self.probs - 0.5).pow(2)
        spread = (torch.log1p(-cut) - torch.log(cut)).pow(2)
        exact = cut * (cut - 1.0) / (1.0 - 2.0 * cut).pow(2) + 1.0 / spread
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return torch.where(self._stable(), exact, series)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand(shape, dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        logits, value = broadcast_all(self.logits, self._checked(value))
        cross = F.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return self._cont_bern_log_norm() - cross

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        value, cut = self._checked(value), self._cut()
        grown = cut.pow(value) * (1.0 - cut).pow(1.0 - value) + cut - 1.0
        inside = torch.where(self._stable(), grown / (2.0 * cut - 1.0), value)
        return torch.where(value <= 0.0, 0.0, torch.where(value >= 1.0, 1.0, inside))

    def icdf(self, value: Any) -> Any:
        """The quantile."""
        cut = self._cut()
        rest = torch.log1p(-cut)
        exact = (torch.log1p(-cut + value * (2.0 * cut - 1.0)) - rest) / (torch.log(cut) - rest)
        return torch.where(self._stable(), exact, value)

    def entropy(self) -> Any:
        """In nats."""
        no, yes = torch.log1p(-self.probs), torch.log(self.probs)
        return self.mean * (no - yes) - self._cont_bern_log_norm() - no

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        low, high = self._lims[0] - 0.5, self._lims[1] - 0.5
        stable = (x <= low) | (x > high)
        cut = torch.where(stable, x, low)
        exact = torch.expm1(cut).abs().log() - cut.abs().log()
        series = 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0
        return torch.where(stable, exact, series)
