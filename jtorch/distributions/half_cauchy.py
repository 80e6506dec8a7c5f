"""`HalfCauchy`: a Cauchy around 0, folded."""

from __future__ import annotations

import math
from typing import Any

from ..creation import as_tensor
from ._half import Half
from .cauchy import Cauchy

__all__ = ["HalfCauchy"]


class HalfCauchy(Half):
    """|x| with x Cauchy(0, scale)."""

    _base = Cauchy

    @property
    def mean(self) -> Any:
        """Infinite."""
        return self._constant(math.inf, self.scale)

    @property
    def variance(self) -> Any:
        """Infinite."""
        return self.base_dist.variance

    def log_prob(self, value: Any) -> Any:
        """The base's, doubled; -inf below 0."""
        scale = self.scale
        return super().log_prob(as_tensor(value, dtype=scale.dtype, device=scale.device))
