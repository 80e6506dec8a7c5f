"""`Geometric`: failures before the first success."""

from __future__ import annotations

from typing import Any

from .._engine.dtype import finfo
from ..autograd import no_grad
from . import constraints
from ._binary import BinaryParameter
from ._names import F, torch
from ._validate import holds
from .distribution import Distribution
from .utils import batch_of, broadcast_all

__all__ = ["Geometric"]


class Geometric(BinaryParameter, Distribution):
    """The number of failures before the first success."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self._take(probs, logits)
        batch = batch_of(self._param, logits if probs is None else probs)
        super().__init__(batch, validate_args=validate_args)
        if (
            self._validate_args
            and probs is not None
            and not holds(constraints.positive, self.probs)
        ):
            value = self.probs
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"of distribution {self!r} to be positive but found invalid values:\n"
                f"{value.data[~(value > 0)]}"
            )

    @property
    def mean(self) -> Any:
        """1 / p - 1."""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        """0."""
        return torch.zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        """(1 / p - 1) / p."""
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws."""
        p = self.probs
        with no_grad():
            u = torch.empty(self._extended_shape(sample_shape), dtype=p.dtype, device=p.device)
            u.uniform_(finfo(p.dtype).tiny, 1)
            return (u.log() / (-p).log1p()).floor()

    def log_prob(self, value: Any) -> Any:
        """k log(1 - p) + log p."""
        value, p = broadcast_all(self._checked(value), self.probs)
        safe = p.masked_fill((p == 1) & (value == 0), 0)
        return value * (-safe).log1p() + self.probs.log()

    def entropy(self) -> Any:
        """In nats."""
        once = F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return once / self.probs
