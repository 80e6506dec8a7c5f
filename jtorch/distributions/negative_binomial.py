"""`NegativeBinomial`: successes before a number of failures."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from . import constraints
from ._binary import BinaryParameter
from ._names import F, torch
from .distribution import Distribution
from .gamma import Gamma

__all__ = ["NegativeBinomial"]


class NegativeBinomial(BinaryParameter, Distribution):
    """The number of successes before `total_count` failures."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: Any = None
    ) -> None:
        (count,) = self._take(probs, logits, total_count)
        self.total_count = count.type_as(self._param)
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """n p / (1 - p)."""
        return self.total_count * torch.exp(self.logits)

    @property
    def mode(self) -> Any:
        """The likeliest count."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        """n p / (1 - p)**2."""
        return self.mean / torch.sigmoid(-self.logits)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws: a Poisson at a Gamma's rate."""
        with no_grad():
            odds = torch.exp(-self.logits)
            rates = Gamma(self.total_count, odds, validate_args=False)
            return torch.poisson(rates.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The log-probability."""
        k, n = self._checked(value), self.total_count
        powers = n * F.logsigmoid(-self.logits) + k * F.logsigmoid(self.logits)
        norm = -torch.lgamma(n + k) + torch.lgamma(1.0 + k) + torch.lgamma(n)
        return powers - norm.masked_fill(n + k == 0.0, 0.0)
