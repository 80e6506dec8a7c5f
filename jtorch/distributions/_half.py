"""What the half distributions share: a symmetric one around 0, folded."""

from __future__ import annotations

import math
from typing import Any

from . import constraints
from ._names import torch
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform


class Half(TransformedDistribution):
    """|x| with x symmetric around 0; a subclass names the base's class."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True  # type: ignore[assignment]
    _base: Any

    def __init__(self, scale: Any, validate_args: Any = None) -> None:
        base = self._base(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    @property
    def scale(self) -> Any:
        """The base's."""
        return self.base_dist.scale

    @property
    def mode(self) -> Any:
        """0."""
        return torch.zeros_like(self.scale)

    def log_prob(self, value: Any) -> Any:
        """The base's, doubled; -inf below 0."""
        doubled = self.base_dist.log_prob(self._checked(value)) + math.log(2)
        return torch.where(value >= 0, doubled, -math.inf)

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, prob: Any) -> Any:
        """The quantile."""
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self) -> Any:
        """In nats."""
        return self.base_dist.entropy() - math.log(2)
