"""`MixtureSameFamily`: one of several distributions of a kind, by chance."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from . import constraints
from ._names import torch
from .categorical import Categorical
from .constraints import MixtureSameFamilyConstraint
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """Components along the last batch dimension of one distribution, weighted by a Categorical."""

    arg_constraints: dict[str, Any] = {}
    has_rsample = False

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: Any = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of "
                "torch.distributions.Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution needs to be an instance of "
                "torch.distributions.Distribution"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        batch, event = component_distribution.batch_shape, component_distribution.event_shape
        self._check_shapes(mixture_distribution, batch)
        self._num_component, self._event_ndims = mixture_distribution.logits.shape[-1], len(event)
        super().__init__(batch[:-1], event, validate_args=validate_args)

    @staticmethod
    def _check_shapes(mixture: Any, batch: Any) -> None:
        pairs = zip(reversed(mixture.batch_shape), reversed(batch[:-1]), strict=False)
        if any(1 not in (a, b) and a != b for a, b in pairs):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({mixture.batch_shape}) is not compatible "
                f"with `component_distribution.batch_shape`({batch[:-1]})"
            )
        if mixture._num_events != batch[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({mixture._num_events}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({batch[-1]})"
            )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with a larger batch."""
        new = self._copy(_instance)
        components = (*batch_shape, self._num_component)
        new._component_distribution = self._component_distribution.expand(components)
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        """What all components can draw."""
        return MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Any:
        """Which component."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Any:
        """The components."""
        return self._component_distribution

    def _pad(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._event_ndims)

    def _weights(self) -> Any:
        """Probabilities of the components, with dimensions for the event."""
        p = self._mixture_distribution.probs
        missing = len(self.batch_shape) - len(self._mixture_distribution.batch_shape)
        if len(self._mixture_distribution.batch_shape) == 1:
            missing = 0
        shape = (*p.shape[:-1], *[1] * missing, p.shape[-1], *[1] * self._event_ndims)
        return p.reshape(shape)

    def _average(self, x: Any) -> Any:
        return (self._weights() * x).sum(-1 - self._event_ndims)

    @property
    def mean(self) -> Any:
        """The weighted mean."""
        return self._average(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        """The mean variance and the variance of the means."""
        parts = self._component_distribution
        return self._average(parts.variance) + self._average(
            (parts.mean - self._pad(self.mean)).pow(2.0)
        )

    def cdf(self, x: Any) -> Any:
        """The probability up to `x`."""
        cdf = self._component_distribution.cdf(self._pad(x))
        return (cdf * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Any) -> Any:
        """The log-density."""
        parts = self._component_distribution.log_prob(self._pad(self._checked(x)))
        weights = torch.log_softmax(self._mixture_distribution.logits, dim=-1)
        return torch.logsumexp(parts + weights, dim=-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws: a component, and one value of each."""
        with no_grad():
            dim = len(sample_shape) + len(self.batch_shape)
            which = self._mixture_distribution.sample(sample_shape)
            values = self._component_distribution.sample(sample_shape)
            index = which.reshape((*which.shape, *[1] * (self._event_ndims + 1)))
            shape = (*values.shape[:dim], 1, *self.event_shape)
            return torch.gather(values, dim, index.expand(shape)).squeeze(dim)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
        )
