"""`LowRankMultivariateNormal`: a covariance of few factors and a diagonal."""

from __future__ import annotations

import math
from typing import Any

from . import constraints
from ._names import linalg, torch
from .distribution import Distribution
from .multivariate_normal import batch_mahalanobis, batch_mv, half_log_det
from .utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


def _plus_eye(matrix: Any) -> Any:
    n = matrix.shape[-1]
    return matrix + torch.eye(n, dtype=matrix.dtype, device=matrix.device)


def capacitance(w: Any, d: Any) -> Any:
    """The Cholesky factor of I + W^T D**-1 W."""
    return linalg.cholesky(_plus_eye(torch.matmul(w.mT / d.unsqueeze(-2), w)))


def log_det(w: Any, d: Any, tril: Any) -> Any:
    """The log-determinant of W W^T + D, by the matrix determinant lemma."""
    return 2 * half_log_det(tril) + d.log().sum(-1)


def mahalanobis(w: Any, d: Any, x: Any, tril: Any) -> Any:
    """x^T (W W^T + D)**-1 x, by the Woodbury identity."""
    projected = batch_mv(w.mT / d.unsqueeze(-2), x)
    return (x.pow(2) / d).sum(-1) - batch_mahalanobis(tril, projected)


class LowRankMultivariateNormal(Distribution):
    """Covariance cov_factor @ cov_factor^T + diag(cov_diag)."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _kept = ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril")

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: Any = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            columns = loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1)
            loc_, self.cov_factor, diag_ = torch.broadcast_tensors(*columns)
        except RuntimeError as e:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from e
        self.loc, self.cov_diag = loc_[..., 0], diag_[..., 0]
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = capacitance(cov_factor, cov_diag)
        super().__init__(self.loc.shape[:-1], event, validate_args=validate_args)

    @property
    def _factors(self) -> tuple[Any, Any]:
        return self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    @property
    def mean(self) -> Any:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @lazy_property
    def variance(self) -> Any:
        """The covariance's diagonal."""
        w, d = self._factors
        return (w.pow(2).sum(-1) + d).expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        w, d = self._factors
        root = d.sqrt().unsqueeze(-1)
        scaled = w / root
        return self._whole(root * linalg.cholesky(_plus_eye(torch.matmul(scaled, scaled.mT))))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        w, d = self._factors
        return self._whole(torch.matmul(w, w.mT) + torch.diag_embed(d))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        w, d = self._factors
        a = linalg.solve_triangular(self._capacitance_tril, w.mT / d.unsqueeze(-2), upper=False)
        return self._whole(torch.diag_embed(d.reciprocal()) - a.mT @ a)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        w, d = self._factors
        shape = self._extended_shape(sample_shape)
        of_factors = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        of_diagonal = standard_normal(shape, self.loc)
        return self.loc + batch_mv(w, of_factors) + d.sqrt() * of_diagonal

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        w, d = self._factors
        square = mahalanobis(w, d, self._checked(value) - self.loc, self._capacitance_tril)
        norm = log_det(w, d, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + norm + square)

    def entropy(self) -> Any:
        """In nats."""
        norm = log_det(*self._factors, self._capacitance_tril)
        entropy = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + norm)
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy
