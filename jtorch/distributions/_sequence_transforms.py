"""Transforms of parts: side by side, stacked, and by a distribution."""

from __future__ import annotations

from typing import Any

from . import constraints
from ._names import torch
from ._transform_base import Transform
from .utils import lazy_property, sum_rightmost


def _transforms(tseq: Any, cache_size: int) -> list[Transform]:
    if not all(isinstance(t, Transform) for t in tseq):
        raise AssertionError("All elements of tseq must be Transform instances")
    return [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)


class _Parts(Transform):
    """A map of each part; a subclass says how a tensor is taken apart and joined."""

    transforms: list[Transform]
    dim: int

    def _apart(self, x: Any, name: str) -> Any:
        raise NotImplementedError

    def _join(self, parts: list[Any], dim: int) -> Any:
        raise NotImplementedError

    def _in_range(self, x: Any, name: str, size: int) -> None:
        if not -x.dim() <= self.dim < x.dim():
            raise AssertionError(
                f"dim {self.dim} out of range for {name} with {x.dim()} dimensions"
            )
        if x.size(self.dim) != size:
            raise AssertionError(f"x.size({self.dim}) = {x.size(self.dim)} must equal {size}")

    def _call(self, x: Any) -> Any:
        parts = zip(self.transforms, self._apart(x, "tensor"), strict=True)
        return self._join([t(v) for t, v in parts], self.dim)

    def _inverse(self, y: Any) -> Any:
        parts = zip(self.transforms, self._apart(y, "tensor"), strict=True)
        return self._join([t.inv(v) for t, v in parts], self.dim)

    def _jacobians(self, x: Any, y: Any) -> list[tuple[Transform, Any]]:
        parts = zip(self.transforms, self._apart(x, "x"), self._apart(y, "y"), strict=True)
        return [(t, t.log_abs_det_jacobian(a, b)) for t, a, b in parts]

    @property
    def bijective(self) -> Any:  # type: ignore[override]
        """Whether all are."""
        return all(t.bijective for t in self.transforms)


class CatTransform(_Parts):
    """Maps of parts that lie side by side along `dim`."""

    _settings = ("transforms", "dim", "lengths")

    def __init__(self, tseq: Any, dim: int = 0, lengths: Any = None, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.transforms, self.dim = _transforms(tseq, cache_size), dim
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(
                f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})"
            )

    @lazy_property
    def event_dim(self) -> Any:
        """The largest."""
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> Any:
        """All together."""
        return sum(self.lengths)

    def _apart(self, x: Any, name: str) -> Any:
        self._in_range(x, name, self.length)
        return x.split(self.lengths, self.dim)

    def _join(self, parts: list[Any], dim: int) -> Any:
        return torch.cat(parts, dim=dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Each part's, side by side; their sum where `dim` belongs to the value."""
        found = [
            sum_rightmost(j, max(0, self.event_dim - t.event_dim)) for t, j in self._jacobians(x, y)
        ]
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + self.event_dim
        return torch.cat(found, dim=dim) if dim < 0 else sum(found)

    @constraints.dependent_property
    def domain(self) -> Any:
        """Theirs."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        """Theirs."""
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Parts):
    """Maps of parts that are stacked along `dim`."""

    _settings = ("transforms", "dim")

    def __init__(self, tseq: Any, dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.transforms, self.dim = _transforms(tseq, cache_size), dim

    def _apart(self, x: Any, name: str) -> Any:
        self._in_range(x, name, len(self.transforms))
        return x.unbind(self.dim)

    def _join(self, parts: list[Any], dim: int) -> Any:
        return torch.stack(parts, dim=dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Each part's, stacked."""
        return torch.stack([j for _, j in self._jacobians(x, y)], dim=self.dim)

    @constraints.dependent_property
    def domain(self) -> Any:
        """Theirs."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        """Theirs."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


class CumulativeDistributionTransform(Transform):
    """A distribution's cdf: its draws to uniform numbers."""

    bijective, codomain, sign = True, constraints.unit_interval, +1  # type: ignore[assignment]
    _settings = ("distribution",)

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:  # type: ignore[override]
        """The distribution's support."""
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """The log-density."""
        return self.distribution.log_prob(x)
