"""`Dirichlet`: probabilities of K classes."""

from __future__ import annotations

from typing import Any

from . import constraints
from ._names import F, torch
from .exp_family import ExponentialFamily

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Points of the simplex, with concentrations along the last dimension."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Any, validate_args: Any = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        shape = self._extended_shape(sample_shape)
        return torch._sample_dirichlet(self.concentration.expand(shape))

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        value, a = self._checked(value), self.concentration
        powers = torch.xlogy(a - 1.0, value).sum(-1)
        return powers + torch.lgamma(a.sum(-1)) - torch.lgamma(a).sum(-1)

    @property
    def mean(self) -> Any:
        """Each concentration's share."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        """The likeliest point; a corner where every concentration is below 1."""
        above = (self.concentration - 1).clamp(min=0.0)
        mode = above / above.sum(-1, True)
        corner = (self.concentration < 1).all(dim=-1, keepdim=True)
        size = mode.shape[-1]
        largest = F.one_hot(torch.nan_to_num(mode, posinf=0.0).argmax(dim=-1), size).to(mode)
        return torch.where(corner, largest, mode)

    @property
    def variance(self) -> Any:
        """a (s - a) / (s**2 (s + 1)), s the sum."""
        total = self.concentration.sum(-1, True)
        spread = total.pow(2) * (total + 1)
        return self.concentration * (total - self.concentration) / spread

    def entropy(self) -> Any:
        """In nats."""
        a, k = self.concentration, self.concentration.size(-1)
        total = a.sum(-1)
        norm = torch.lgamma(a).sum(-1) - torch.lgamma(total)
        slopes = ((a - 1.0) * torch.digamma(a)).sum(-1)
        return norm - (k - total) * torch.digamma(total) - slopes

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Any) -> Any:
        return x.lgamma().sum(-1) - torch.lgamma(x.sum(-1))
