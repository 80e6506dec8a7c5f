"""Limit gradients by their total norm or by value; nothing here waits for a number."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any

from ..._functions import NAMESPACES
from ...autograd import no_grad
from ...creation import tensor as _tensor
from ...tensor import Tensor

_NONFINITE = (
    "The total norm of order {} for gradients from `parameters` is non-finite, so it cannot be "
    "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
    "`error_if_nonfinite=False`"
)


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors as if they were one vector.

    `foreach` chooses between two sets of kernels in torch; here every tensor's norm is an
    instruction of one program either way, so all three values mean the same.
    """
    norm_type = float(norm_type)
    listed = _listed(tensors)
    if not listed:
        return _tensor(0.0)
    with no_grad():
        norms = [g.norm(norm_type).to(listed[0].device) for g in listed]
        total = NAMESPACES["torch"]["stack"](norms).norm(norm_type)
        if error_if_nonfinite and (total.isnan() | total.isinf()):
            raise RuntimeError(_NONFINITE.format(norm_type))
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale the gradients, in place, so that a total norm of `total_norm` becomes `max_norm`.

    `foreach`: see `get_total_norm`.
    """
    grads = _grads(parameters)
    if not grads:
        return
    with no_grad():
        # scaling by one where nothing is to be clipped needs no look at the norm
        scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(scale.to(grad.device))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that their total norm is at most `max_norm`.

    Returns the total norm before, which waits for nothing until it is looked at; only
    `error_if_nonfinite` does. `foreach`: see `get_total_norm`.
    """
    from_generator = isinstance(parameters, types.GeneratorType)
    parameters = _listed(parameters)
    if from_generator and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """Deprecated: use `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp every gradient element to [-clip_value, clip_value], in place.

    `foreach`: see `get_total_norm`.
    """
    limit = float(clip_value)
    with no_grad():
        for grad in _grads(parameters):
            grad.clamp_(min=-limit, max=limit)


# torch's own names of the two
_get_total_norm = get_total_norm
_clip_grads_with_norm_ = clip_grads_with_norm_
