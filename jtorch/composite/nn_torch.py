"""torch.* names of functions whose nn.functional form differs: reductions as numbers, modes as
numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._functions import NAMESPACES, composite, derived
from .nn_misc import ctc_loss as _ctc

_F = NAMESPACES["nn.functional"]
_REDUCTIONS = ("none", "mean", "sum")


def _named(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise RuntimeError(f"{reduction} is not a valid value for reduction: use 0, 1 or 2")
    return _REDUCTIONS[reduction]


def _publish(f: Callable[..., Any]) -> Callable[..., Any]:
    f.__doc__ = f"nn.functional.{f.__name__} with the reduction as a number: 0 none, 1 mean, 2 sum."
    return composite("torch")(f)  # type: ignore[no-any-return]


@_publish
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Any:
    f = _F["binary_cross_entropy_with_logits"]
    return f(input, target, weight, pos_weight=pos_weight, reduction=_named(reduction))


@_publish
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 1
) -> Any:
    return _F["cosine_embedding_loss"](input1, input2, target, margin, reduction=_named(reduction))


@_publish
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: int = 1) -> Any:
    return _F["hinge_embedding_loss"](input, target, margin, reduction=_named(reduction))


@_publish
def kl_div(input: Any, target: Any, reduction: int = 1, *, log_target: bool = False) -> Any:
    return derived["_kl_div"](input, target, log_target, _named(reduction))


@_publish
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: int = 1
) -> Any:
    return derived["_margin_ranking_loss"](input1, input2, target, float(margin), _named(reduction))


@_publish
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool, full: bool, eps: float, reduction: int
) -> Any:
    return derived["_poisson_nll_loss"](input, target, eps, log_input, full, _named(reduction))


@_publish
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, reduction: int = 1,
) -> Any:  # fmt: skip
    f = _F["triplet_margin_loss"]
    return f(anchor, positive, negative, margin, p, eps, swap, reduction=_named(reduction))


@_publish
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 1, zero_infinity: bool = False,
) -> Any:  # fmt: skip
    chosen = _named(reduction)
    return _ctc(log_probs, targets, input_lengths, target_lengths, blank, chosen, zero_infinity)


@composite("torch")
def constant_pad_nd(input: Any, pad: Any, value: Any = 0) -> Any:
    """nn.functional.pad with a constant."""
    return derived["pad"](input, pad, "constant", value)


@composite("torch")
def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """nn.functional.affine_grid."""
    return _F["affine_grid"](theta, size, align_corners)


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@composite("torch", "torch:grid_sampler_2d", "torch:grid_sampler_3d")
def grid_sampler(
    input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Any:
    """nn.functional.grid_sample with modes as numbers: 0 bilinear, 1 nearest, 2 bicubic."""
    mode, padding = _MODES[interpolation_mode], _PADDINGS[padding_mode]
    return derived["_grid_sample"](input, grid, mode, padding, align_corners)
