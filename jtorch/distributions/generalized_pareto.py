"""`GeneralizedPareto`: what exceeds a threshold."""

from __future__ import annotations

import math
from typing import Any

from . import constraints
from ._names import torch
from .distribution import Distribution
from .utils import batch_of, broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Exceedances over `loc`; concentration 0 is the exponential."""

    arg_constraints = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real,
    }  # fmt: skip
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: Any = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        batch = batch_of(self.loc, loc, scale, concentration)
        super().__init__(batch, validate_args=validate_args)

    def _shape(self) -> tuple[Any, Any]:
        """(whether the concentration is 0, the concentration or 1 there)."""
        c = self.concentration
        zero = torch.isclose(c, torch.zeros_like(c))
        return zero, torch.where(zero, 1.0, c)

    def _z(self, value: Any) -> Any:
        return (value - self.loc) / self.scale

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        z = self._z(self._checked(value))
        zero, c = self._shape()
        y = 1 / c + torch.ones_like(z)
        curved = torch.where(y == 0, y, y * torch.log1p(c * z))
        return -self.scale.log() - torch.where(zero, z, curved)

    def log_survival_function(self, value: Any) -> Any:
        """log(1 - cdf)."""
        z = self._z(self._checked(value))
        zero, c = self._shape()
        return torch.where(zero, -z, -torch.log1p(c * z) / c)

    def log_cdf(self, value: Any) -> Any:
        """log cdf."""
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        return torch.exp(self.log_cdf(value))

    def icdf(self, value: Any) -> Any:
        """The quantile."""
        zero, c = self._shape()
        rest = torch.log1p(-value)
        curved = self.loc + self.scale / c * torch.expm1(-c * rest)
        return torch.where(zero, self.loc - self.scale * rest, curved)

    @property
    def mean(self) -> Any:
        """The mean, for concentrations below 1."""
        valid = self.concentration < 1
        c = torch.where(valid, self.concentration, 0.5)
        return torch.where(valid, self.loc + self.scale / (1 - c), math.nan)

    @property
    def variance(self) -> Any:
        """The variance, for concentrations below 1/2."""
        valid = self.concentration < 0.5
        c = torch.where(valid, self.concentration, 0.25)
        spread = self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c))
        return torch.where(valid, spread, math.nan)

    def entropy(self) -> Any:
        """In nats."""
        return (torch.log(self.scale) + self.concentration + 1).expand(self._batch_shape)

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From loc to the end of the tail."""
        c = self.concentration
        end = torch.where(c < 0, self.loc - self.scale / c, math.inf)
        return constraints.interval(self.loc, end)
