"""`Gamma`: sums of waiting times."""

from __future__ import annotations

from typing import Any

from .._engine.dtype import finfo
from ..creation import as_tensor
from . import constraints
from ._names import special, torch
from .exp_family import ExponentialFamily
from .utils import batch_of, broadcast_all

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """Density proportional to x**(concentration - 1) exp(-rate x)."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration: Any, rate: Any, validate_args: Any = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        batch = batch_of(self.rate, concentration, rate)
        super().__init__(batch, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """concentration / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        """(concentration - 1) / rate, at least 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        """concentration / rate**2."""
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        value = torch._standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=finfo(value.dtype).tiny)  # keeps the gradient of the clamped
        return value

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        value = as_tensor(value, dtype=self.rate.dtype, device=self.rate.device)
        value, a = self._checked(value), self.concentration
        powers = torch.xlogy(a, self.rate) + torch.xlogy(a - 1, value)
        return powers - self.rate * value - torch.lgamma(a)

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        return special.gammainc(self.concentration, self.rate * self._checked(value))

    def entropy(self) -> Any:
        """In nats."""
        a = self.concentration
        return a - torch.log(self.rate) + torch.lgamma(a) + (1.0 - a) * torch.digamma(a)

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration - 1, -self.rate)

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return torch.lgamma(x + 1) + (x + 1) * torch.log(-y.reciprocal())
