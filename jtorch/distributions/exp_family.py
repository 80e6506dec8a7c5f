"""`ExponentialFamily`: entropy and divergence from the log-normalizer, by differentiating it."""

from __future__ import annotations

from typing import Any

from ..autograd import enable_grad, grad
from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Densities exp(t(x) . theta - F(theta) + k(x))."""

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Any:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> float:
        raise NotImplementedError

    def entropy(self) -> Any:
        """F(theta) - theta . F'(theta) - E[k(x)]."""
        thetas, normalizer, gradients = bregman(self)
        result = normalizer - self._mean_carrier_measure
        for theta, gradient in zip(thetas, gradients, strict=True):
            result = result - (theta * gradient).reshape((*self._batch_shape, -1)).sum(-1)
        return result


def bregman(p: ExponentialFamily) -> tuple[list[Any], Any, tuple[Any, ...]]:
    """(natural parameters, log-normalizer, its gradients)."""
    with enable_grad():
        thetas = [theta.detach().requires_grad_() for theta in p._natural_params]
        normalizer = p._log_normalizer(*thetas)
        return thetas, normalizer, grad(normalizer.sum(), thetas, create_graph=True)
