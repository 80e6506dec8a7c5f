"""`Wishart`: covariances of normal samples."""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

from .._engine.dtype import finfo
from ..creation import tensor
from . import constraints
from ._names import linalg, torch
from ._validate import holds
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import _FORMS, factor, half_log_det
from .utils import lazy_property

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """`df` degrees of freedom; covariance, precision or the covariance's Cholesky factor."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _kept = ("_unbroadcasted_scale_tril",)
    _parts = ("_dist_chi2",)

    def __init__(
        self, df: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
        scale_tril: Any = None, validate_args: Any = None,
    ) -> None:  # fmt: skip
        values = (covariance_matrix, precision_matrix, scale_tril)
        given = {f: m for f, m in zip(_FORMS, values, strict=True) if m is not None}
        if len(given) != 1:
            raise AssertionError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        ((form, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if isinstance(df, Number):
            batch = matrix.shape[:-2]
            self.df = tensor(df, dtype=matrix.dtype, device=matrix.device)
        else:
            batch = torch.broadcast_shapes(matrix.shape[:-2], df.shape)
            self.df = df.expand(batch)
        p = matrix.shape[-1]
        if not holds(constraints.greater_than(p - 1), self.df):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        setattr(self, form, matrix.expand((*batch, -1, -1)))
        if not holds(constraints.greater_than_eq(p), self.df):
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor(form, matrix)
        steps = torch.arange(p, dtype=matrix.dtype, device=matrix.device)
        self._dist_chi2 = Chi2(df=self.df.unsqueeze(-1) - steps.expand((*batch, -1)))

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """df above the dimension less 1."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def _part_shape(self, name: str, batch_shape: Any) -> Any:
        return (*batch_shape, self.event_shape[-1])

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        tril = self._unbroadcasted_scale_tril
        return self._whole(tril @ tril.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        return self._whole(torch.cholesky_inverse(self._unbroadcasted_scale_tril))

    def _df(self, shift: float = 0.0) -> Any:
        return (self.df + shift).view((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Any:
        """df times the covariance."""
        return self._df() * self.covariance_matrix

    @property
    def mode(self) -> Any:
        """The likeliest matrix, for df above the dimension plus 1."""
        times = self._df(-self._event_shape[-1] - 1)
        return times.masked_fill(times <= 0, math.nan) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        """Of each entry."""
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self._df() * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett(self, sample_shape: Any) -> Any:
        p = self._event_shape[-1]
        roots = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = roots.clamp(min=finfo(roots.dtype).eps).diag_embed(dim1=-2, dim2=-1)
        below = (*sample_shape, *self._batch_shape, p * (p - 1) // 2)
        i, j = torch.tril_indices(p, p, offset=-1)
        noise[..., i, j] = torch.randn(below, dtype=noise.dtype, device=noise.device)
        tril = self._unbroadcasted_scale_tril @ noise
        return tril @ tril.mT

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """Draws with gradients: Bartlett (1933).

        torch 2.13 takes every draw for singular, warns, and draws again: the second draw is what it
        returns, and what is returned here, without the warning.
        """
        if max_try_correction is not None:
            raise NotImplementedError("Wishart.rsample(max_try_correction=...): leave it out.")
        self._bartlett(tuple(sample_shape))
        return self._bartlett(tuple(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        value, nu, p = self._checked(value), self.df, self._event_shape[-1]
        tril = self._unbroadcasted_scale_tril
        traces = torch.cholesky_solve(value, tril).diagonal(dim1=-2, dim2=-1).sum(-1)
        norm = nu * (p * math.log(2) / 2 + half_log_det(tril)) + torch.mvlgamma(nu / 2, p=p)
        return (nu - p - 1) / 2 * linalg.slogdet(value)[1] - traces / 2 - norm

    def entropy(self) -> Any:
        """In nats."""
        nu, p = self.df, self._event_shape[-1]
        scale = p * math.log(2) / 2 + half_log_det(self._unbroadcasted_scale_tril)
        steps = torch.arange(p, dtype=nu.dtype, device=nu.device) / 2
        digammas = torch.digamma((nu / 2).unsqueeze(-1) - steps).sum(-1)
        rest = torch.mvlgamma(nu / 2, p=p) - (nu - p - 1) / 2 * digammas + nu * p / 2
        return (p + 1) * scale + rest

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        p = self._event_shape[-1]
        return (-self.precision_matrix / 2, (self.df - p - 1) / 2)

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        p = self._event_shape[-1]
        degrees = y + (p + 1) / 2
        spread = math.log(2) * p - linalg.slogdet(-2 * x)[1]
        return degrees * spread + torch.mvlgamma(degrees, p=p)
