"""`Categorical`: one of K classes."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._engine.dtype import finfo
from .._size import Size
from . import constraints
from ._binary import one_of
from ._names import torch
from ._validate import holds
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Categorical"]

_weights = constraints.independent(constraints.nonnegative, 1)


class Categorical(Distribution):
    """A class index, with probabilities along the last dimension (normalised here)."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _kept = ("_given", "_num_events")

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        self._given = one_of(probs, logits)
        given = logits if probs is None else probs
        if given.dim() < 1:
            raise ValueError(f"`{self._given}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = given.size(-1)
        super().__init__(given.shape[:-1], validate_args=validate_args)
        # what is normalised is not computed yet, what was given may be known
        if self._validate_args and probs is not None and not holds(_weights, probs):
            self._refuse("probs", self.probs, constraints.simplex)

    @property
    def _param(self) -> Any:
        return getattr(self, self._given)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """0 ... K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        """Normalised log-probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        """Probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter, classes included."""
        return self._param.size()

    @property
    def mean(self) -> Any:
        """NaN: classes have no mean."""
        return self._constant(float("nan"), self.probs)

    @property
    def mode(self) -> Any:
        """The likeliest class."""
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Any:
        """NaN: classes have no variance."""
        return self._constant(float("nan"), self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Drawn class indices."""
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = torch.multinomial(rows, Size(sample_shape).numel(), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The log-probability of class indices."""
        index = self._checked(value).long().unsqueeze(-1)
        index, logits = torch.broadcast_tensors(index, self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        """In nats."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All class indices."""
        values = torch.arange(self._num_events, dtype=_dtype.int64, device=self._param.device)
        return self._enumerated(values, expand)
