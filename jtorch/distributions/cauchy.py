"""`Cauchy`: the ratio of two normals, without a mean."""

from __future__ import annotations

import math
from typing import Any

from . import constraints
from ._names import torch
from .distribution import Distribution
from .utils import batch_of, broadcast_all

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """Median `loc`, half width at half maximum `scale`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(batch_of(self.loc, loc, scale), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """NaN."""
        return self._constant(math.nan, self.loc)

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Any:
        """Infinite."""
        return self._constant(math.inf, self.loc)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        eps = torch.empty(shape, dtype=self.loc.dtype, device=self.loc.device).cauchy_()
        return self.loc + eps * self.scale

    def _z(self, value: Any) -> Any:
        return (value - self.loc) / self.scale

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        return -math.log(math.pi) - self.scale.log() - (self._z(self._checked(value)) ** 2).log1p()

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        return torch.atan(self._z(self._checked(value))) / math.pi + 0.5

    def icdf(self, value: Any) -> Any:
        """The quantile."""
        return torch.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Any:
        """In nats."""
        return math.log(4 * math.pi) + self.scale.log()
