"""`biject_to` and `transform_to`: for each constraint a map from all real numbers."""

from __future__ import annotations

from numbers import Number
from typing import Any

from . import constraints, transforms
from ._sequence_transforms import CatTransform, StackTransform

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Makers of transforms by class of constraint."""

    def __init__(self) -> None:
        self._registry: dict[type, Any] = {}

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Use `factory` for constraints of that class; without it, a decorator."""
        if factory is None:
            return lambda f: self.register(constraint, f)
        cls = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not isinstance(cls, type) or not issubclass(cls, constraints.Constraint):
            raise TypeError(
                "Expected constraint to be either a Constraint subclass or instance, but got "
                f"{constraint}"
            )
        self._registry[cls] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(
                f"Cannot transform {type(constraint).__name__} constraints"
            ) from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _above(c: Any) -> Any:
    up = transforms.AffineTransform(c.lower_bound, 1)
    return transforms.ComposeTransform([transforms.ExpTransform(), up])


def _below(c: Any) -> Any:
    down = transforms.AffineTransform(c.upper_bound, -1)
    return transforms.ComposeTransform([transforms.ExpTransform(), down])


def _between(c: Any) -> Any:
    low, high = c.lower_bound, c.upper_bound
    numbers = isinstance(low, Number) and isinstance(high, Number)
    if numbers and low == 0 and high == 1:
        return transforms.SigmoidTransform()
    affine = transforms.AffineTransform(low, high - low)
    return transforms.ComposeTransform([transforms.SigmoidTransform(), affine])


_BOTH = {
    constraints.real: lambda c: transforms.identity_transform,
    constraints.positive: lambda c: transforms.ExpTransform(),
    constraints.nonnegative: lambda c: transforms.ExpTransform(),
    constraints.greater_than: _above,
    constraints.greater_than_eq: _above,
    constraints.less_than: _below,
    constraints.interval: _between,
    constraints.half_open_interval: _between,
    constraints.corr_cholesky: lambda c: transforms.CorrCholeskyTransform(),
}
_PARTS = {
    constraints.independent: lambda find: (
        lambda c: transforms.IndependentTransform(
            find(c.base_constraint), c.reinterpreted_batch_ndims
        )
    ),
    constraints.cat: lambda find: (
        lambda c: CatTransform([find(part) for part in c.cseq], c.dim, c.lengths)
    ),
    constraints.stack: lambda find: (
        lambda c: StackTransform([find(part) for part in c.cseq], c.dim)
    ),
}
for _registry in (biject_to, transform_to):
    for _constraint, _factory in _BOTH.items():
        # as in torch: positive is a greater_than, and the later registration is the one that counts
        _registry.register(_constraint, _factory)
    for _constraint, _maker in _PARTS.items():
        _registry.register(_constraint, _maker(_registry))
biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
for _constraint in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_constraint, lambda c: transforms.PositiveDefiniteTransform())
