"""`Bernoulli`: 1 with probability `probs`, else 0."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from . import constraints
from ._binary import BinaryParameter
from ._names import F, torch
from .exp_family import ExponentialFamily
from .utils import batch_of, broadcast_all

__all__ = ["Bernoulli"]


class Bernoulli(BinaryParameter, ExponentialFamily):
    """1 with probability `probs` (log-odds `logits`), else 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self._take(probs, logits)
        batch = batch_of(self._param, logits if probs is None else probs)
        super().__init__(batch, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The likelier of 0 and 1; NaN for a tie."""
        p = self.probs
        return (p >= 0.5).to(p).masked_fill(p == 0.5, float("nan"))

    @property
    def variance(self) -> Any:
        """p (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws of 0 and 1."""
        with no_grad():
            return torch.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """The log-probability of 0 or 1."""
        logits, value = broadcast_all(self.logits, self._checked(value))
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        """In nats."""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        """0 and 1."""
        p = self._param
        return self._enumerated(torch.arange(2, dtype=p.dtype, device=p.device), expand)

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (torch.logit(self.probs),)

    def _log_normalizer(self, x: Any) -> Any:
        return F.softplus(x)
