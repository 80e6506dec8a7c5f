"""`InverseGamma`: 1 / x with x of a Gamma."""

from __future__ import annotations

import math
from typing import Any

from . import constraints
from ._names import torch
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """1 / x with x Gamma(concentration, rate)."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: Any = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        inverse = PowerTransform(-base.rate.new_ones(()))
        super().__init__(base, inverse, validate_args=validate_args)

    @property
    def concentration(self) -> Any:
        """The base's."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Any:
        """The base's."""
        return self.base_dist.rate

    @property
    def mean(self) -> Any:
        """rate / (concentration - 1), for concentrations above 1."""
        a = self.concentration
        return torch.where(a > 1, self.rate / (a - 1), math.inf)

    @property
    def mode(self) -> Any:
        """rate / (concentration + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        """The variance, for concentrations above 2."""
        a = self.concentration
        spread = self.rate.square() / ((a - 1).square() * (a - 2))
        return torch.where(a > 2, spread, math.inf)

    def entropy(self) -> Any:
        """In nats."""
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
