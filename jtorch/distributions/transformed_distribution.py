"""`TransformedDistribution`: draws of one distribution, mapped."""

from __future__ import annotations

from typing import Any

from .._size import Size
from ..autograd import no_grad
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """y = f(x) with x from `base_distribution` and f a transform, or several in order."""

    arg_constraints: dict[str, Any] = {}

    def __init__(self, base_distribution: Any, transforms: Any, validate_args: Any = None) -> None:
        self.transforms = _as_list(transforms)
        f = ComposeTransform(self.transforms)
        base, event_dim = base_distribution, len(base_distribution.event_shape)
        shape = base.batch_shape + base.event_shape
        if len(shape) < f.domain.event_dim:
            raise ValueError(
                "base_distribution needs to have shape with size at least "
                f"{f.domain.event_dim}, but got {shape}."
            )
        after = f.forward_shape(shape)
        wide = f.inverse_shape(after)
        if tuple(wide) != tuple(shape):
            base = base.expand(wide[: len(wide) - event_dim])
        if f.domain.event_dim > event_dim:
            base = Independent(base, f.domain.event_dim - event_dim)
        self.base_dist = base
        change = f.codomain.event_dim - f.domain.event_dim
        cut = len(after) - max(f.codomain.event_dim, event_dim + change)
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with a larger batch."""
        new = self._copy(_instance)
        batch_shape = Size(batch_shape)
        f = ComposeTransform(self.transforms)
        shape = f.inverse_shape(batch_shape + self.event_shape)
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        new.transforms = self.transforms
        for name, constraint in self.arg_constraints.items():
            if name in self.__dict__ and constraint.event_dim == 0:
                new.__dict__[name] = self.__dict__[name].expand(batch_shape)
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        """Where the last transform ends."""
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        more = len(self.event_shape) - support.event_dim
        return constraints.independent(support, more) if more > 0 else support

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """As of the base."""
        return bool(self.base_dist.has_rsample)

    def _forward(self, x: Any) -> Any:
        for f in self.transforms:
            x = f(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws."""
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws with gradients."""
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The base's at the inverse, less the Jacobians."""
        y = self._checked(value)
        event_dim, result = len(self.event_shape), 0.0
        for f in reversed(self.transforms):
            x = f.inv(y)
            event_dim += f.domain.event_dim - f.codomain.event_dim
            jacobian = f.log_abs_det_jacobian(x, y)
            result = result - sum_rightmost(jacobian, event_dim - f.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        return result + sum_rightmost(base, event_dim - len(self.base_dist.event_shape))

    def _turned(self, value: Any) -> Any:
        """Probabilities, from the other end where the transforms decrease."""
        sign = 1
        for f in self.transforms:
            sign = sign * f.sign
        return value if isinstance(sign, int) and sign == 1 else sign * (value - 0.5) + 0.5

    def cdf(self, value: Any) -> Any:
        """The probability up to `value`."""
        for f in reversed(self.transforms):
            value = f.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Any:
        """The quantile."""
        return self._forward(self.base_dist.icdf(self._turned(value)))


def _as_list(transforms: Any) -> list[Any]:
    if isinstance(transforms, Transform):
        return [transforms]
    if not isinstance(transforms, list):
        raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
    if not all(isinstance(t, Transform) for t in transforms):
        raise ValueError("transforms must be a Transform or a list of Transforms")
    return transforms
