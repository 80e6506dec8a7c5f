"""`VonMises`: angles."""

from __future__ import annotations

import math
from typing import Any

from .._engine import dtype as _dtype
from ..autograd import no_grad
from . import constraints
from ._names import special, torch
from .distribution import Distribution
from .utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


def _log_i0(x: Any) -> Any:
    return special.i0e(x).log() + x


class VonMises(Distribution):
    """Density on the circle proportional to exp(concentration cos(x - loc))."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: Any, concentration: Any, validate_args: Any = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, (), validate_args)

    def log_prob(self, value: Any) -> Any:
        """The log-density."""
        swing = self.concentration * torch.cos(self._checked(value) - self.loc)
        return swing - math.log(2 * math.pi) - _log_i0(self.concentration)

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
        """The circular variance, 1 - I1 / I0."""
        return 1 - special.i1e(self.concentration) / special.i0e(self.concentration)

    def _proposal(self, kappa: Any) -> Any:
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return torch.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws: Best and Fisher (1979), in double precision, until all are accepted."""
        with no_grad():
            loc = self.loc.to(_dtype.float64)
            kappa = self.concentration.to(_dtype.float64)
            r, shape = self._proposal(kappa), self._extended_shape(sample_shape)
            x = torch.zeros(shape, dtype=loc.dtype, device=loc.device)
            done = x != 0
            while not done.all():
                u1, u2, u3 = torch.rand((3, *shape), dtype=loc.dtype, device=loc.device).unbind()
                z = torch.cos(math.pi * u1)
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = torch.where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
            turned = (x + math.pi + loc) % (2 * math.pi) - math.pi
            return turned.to(self.loc.dtype)
