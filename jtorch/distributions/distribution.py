"""`Distribution`: what all of them share."""

from __future__ import annotations

import warnings
from typing import Any

from .._size import Size
from ..autograd import no_grad
from ..tensor import Tensor
from . import constraints
from ._names import torch
from ._validate import holds
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A batch of independent distributions over events of one shape.

    Subclasses say `arg_constraints`, `support` and formulas; `expand` follows from the first:
    parameters grow to the batch shape, what `_parts` names is expanded itself, and what `_kept`
    names stays.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _parts: tuple[str, ...] = ()
    _kept: tuple[str, ...] = ()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their parameters unless told otherwise."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: Any = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            wanted = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set "
                "`arg_constraints = {}` "
                "or initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        for name, constraint in wanted.items():
            if constraints.is_dependent(constraint):
                continue
            lazy = isinstance(getattr(type(self), name, None), lazy_property)
            if name not in self.__dict__ and lazy:
                continue
            value = getattr(self, name)
            if not holds(constraint, value):
                self._refuse(name, value, constraint)

    def _refuse(self, name: str, value: Any, constraint: Any) -> None:
        raise ValueError(
            f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
            f"distribution {self!r} to satisfy the constraint {constraint!r}, but found invalid "
            f"values:\n{value}"
        )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with a larger batch."""
        new = self._copy(_instance)
        batch_shape = Size(batch_shape)
        for name, constraint in self.arg_constraints.items():
            if name in self.__dict__ and name not in self._kept:
                value, dims = self.__dict__[name], constraint.event_dim
                event = value.shape[value.dim() - dims :] if dims else ()
                new.__dict__[name] = value.expand((*batch_shape, *event))
        for name in self._parts:
            new.__dict__[name] = self.__dict__[name].expand(self._part_shape(name, batch_shape))
        for name in self._kept:
            new.__dict__[name] = self.__dict__[name]
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _part_shape(self, name: str, batch_shape: Size) -> Any:
        """The batch shape of what `_parts` names."""
        return batch_shape

    def _copy(self, instance: Any) -> Any:
        """A new object for `expand`, of a class whose `__init__` is jtorch's own."""
        ours = next(c for c in type(self).__mro__ if c.__module__.startswith(__package__))
        return self._get_checked_instance(ours, instance)

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """For each parameter the set it lies in."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The set that draws lie in."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws that the parameters get gradients through."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """`n` draws, by its old name."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning,
            stacklevel=2,
        )  # fmt: skip
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density or probability at `value`."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of a draw up to `value`."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The quantile: the inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution, along a new first dimension."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy in nats."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """exp of the entropy."""
        return torch.exp(self.entropy())

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        """The shape of a draw of that many."""
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _constant(self, fill: float, like: Any) -> Any:
        """A number for every event."""
        return torch.full(self._extended_shape(), fill, dtype=like.dtype, device=like.device)

    def _enumerated(self, values: Any, expand: bool) -> Any:
        """Values along a new first dimension, the same for the whole batch."""
        values = values.view((-1, *(1 for _ in self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def _checked(self, value: Any) -> Any:
        """`value`, validated if this distribution validates."""
        if self._validate_args:
            self._validate_sample(value)
        return value

    def _validate_sample(self, value: Any) -> None:
        """Raise for what `log_prob` and `cdf` cannot take."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, wanted = value.shape, self._batch_shape + self._event_shape
        if shape[len(shape) - len(self._event_shape) :] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.size()} vs {self._event_shape}."
            )
        for i, j in zip(reversed(shape), reversed(wanted), strict=False):
            if 1 not in (i, j) and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {wanted}."
                )
        self._validate_support(value)

    def _validate_support(self, value: Any) -> None:
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        if not holds(support, value):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}"
            )

    def _get_checked_instance(self, cls: Any, _instance: Any = None) -> Any:
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return object.__new__(type(self)) if _instance is None else _instance

    def __repr__(self) -> str:
        given = {k: self.__dict__[k] for k in self.arg_constraints if k in self.__dict__}
        shown = (f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in given.items())
        return f"{type(self).__name__}({', '.join(shown)})"
