"""`FisherSnedecor`: the ratio of two scaled chi-squares."""

from __future__ import annotations

import math
from typing import Any

from .._engine.dtype import finfo
from . import constraints
from ._names import torch
from .distribution import Distribution
from .gamma import Gamma
from .utils import batch_of, broadcast_all

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """F with `df1` and `df2` degrees of freedom."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parts = ("_gamma1", "_gamma2")

    def __init__(self, df1: Any, df2: Any, validate_args: Any = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(batch_of(self.df1, df1, df2), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """df2 / (df2 - 2), where that is more than 0."""
        return torch.where(self.df2 <= 2, math.nan, self.df2 / (self.df2 - 2))

    @property
    def mode(self) -> Any:
        """The likeliest value, for df1 above 2."""
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return torch.where(self.df1 <= 2, math.nan, mode)

    @property
    def variance(self) -> Any:
        """The variance, for df2 above 4."""
        a, b = self.df1, self.df2
        spread = 2 * b.pow(2) * (a + b - 2) / (a * (b - 2).pow(2) * (b - 4))
        return torch.where(b <= 4, math.nan, spread)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        top = self._gamma1.rsample(sample_shape).view(shape)
        tiny = finfo(top.dtype).tiny
        bottom = self._gamma2.rsample(sample_shape).view(shape).clamp(min=tiny)
        return (top / bottom).clamp(min=tiny)

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        value = self._checked(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        norm = (a + b).lgamma() - a.lgamma() - b.lgamma()
        rise = a * ratio.log() + (a - 1) * torch.log(value)
        return norm + rise - (a + b) * torch.log1p(ratio * value)
