"""`LKJCholesky`: Cholesky factors of random correlation matrices."""

from __future__ import annotations

import math
from typing import Any

from .._engine.dtype import finfo
from ..autograd import no_grad
from . import constraints
from ._names import torch
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lewandowski, Kurowicka and Joe (2009), by the onion method."""

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _parts = ("_beta",)
    _kept = ("dim",)

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: Any = None) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        c = self.concentration
        steps = torch.arange(dim - 1, dtype=c.dtype, device=c.device)
        offset = torch.cat([steps.new_zeros((1,)), steps])
        marginal = c + 0.5 * (dim - 2)
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)
        super().__init__(c.size(), (dim, dim), validate_args)

    def _part_shape(self, name: str, batch_shape: Any) -> Any:
        return (*batch_shape, self.dim)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws."""
        with no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = self._extended_shape(sample_shape)
            normal = torch.randn(shape, dtype=y.dtype, device=y.device).tril(-1)
            sphere = normal / normal.norm(dim=-1, keepdim=True)
            sphere[..., 0, :].fill_(0.0)
            w = torch.sqrt(y) * sphere
            rest = torch.clamp(1 - (w**2).sum(-1), min=finfo(w.dtype).tiny).sqrt()
            return w + torch.diag_embed(rest)

    def log_prob(self, value: Any) -> Any:
        """The log-density of a factor."""
        value, n = self._checked(value), self.dim
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        rows = torch.arange(2, n + 1, device=value.device)
        powers = 2 * (self.concentration - 1).unsqueeze(-1) + n - rows
        alpha = self.concentration + 0.5 * (n - 1)
        norm = 0.5 * (n - 1) * math.log(math.pi) + torch.mvlgamma(alpha - 0.5, n - 1)
        return (powers * diagonal.log()).sum(-1) - norm + torch.lgamma(alpha) * (n - 1)
