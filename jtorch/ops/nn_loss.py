"""Losses of tensors of one shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, Scalar, op
from .nn_common import floats_only, not_implemented
from .nn_math import (
    absolute,
    at_least_zero,
    log_sigmoid_of,
    norm_of,
    reduced,
)

_F: Any = Promote.INT_TO_FLOAT


def _row(name: str, kernel: str = "", **meta: Any) -> Callable[..., Any]:
    """A hidden row; the public function with torch's legacy arguments is a composite."""
    if kernel:
        meta["check"] = floats_only(kernel)
    return op(name, promote=_F, namespaces=(), grad_name=_camel(name), **meta)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.strip("_").split("_"))


@_row("_mse_loss", "mse_cpu")
def _mse_loss(input: Array, target: Array, reduction: str) -> Any:
    """Squared difference."""
    return reduced(jnp.square(input - target), reduction)


def _l1_check(input: Any, target: Any, reduction: str) -> None:
    if input.dtype.name == "bool" and target.dtype.name == "bool":
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if reduction == "mean" and input.dtype.is_integral and target.dtype.is_integral:
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {input.dtype.scalar_name}"
        )


@op("_l1_loss", promote=Promote.COMPLEX_TO_FLOAT, namespaces=(), check=_l1_check, grad_name="Mean")
def _l1_loss(input: Array, target: Array, reduction: str) -> Any:
    """Absolute difference."""
    return reduced(absolute(input - target), reduction)


@_row("_smooth_l1_loss", "smooth_l1_cpu")
def _smooth_l1_loss(input: Array, target: Array, beta: Scalar, reduction: str) -> Any:
    """Squared difference below beta, absolute difference above."""
    d = absolute(input - target)
    return reduced(jnp.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)


@_row("_huber_loss", "huber_cpu")
def _huber_loss(input: Array, target: Array, delta: Scalar, reduction: str) -> Any:
    """Squared difference up to delta, a line of slope delta above."""
    d = absolute(input - target)
    return reduced(jnp.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


@_row("_soft_margin_loss", "soft_margin_cpu")
def _soft_margin_loss(input: Array, target: Array, reduction: str) -> Any:
    """log(1 + exp(-target * input))."""
    return reduced(-log_sigmoid_of(target * input), reduction)


@jax.custom_jvp
def _binary_entropy(x: Any, t: Any) -> Any:
    low = jnp.asarray(-100, x.dtype)
    return (t - 1) * jnp.maximum(jnp.log1p(-x), low) - t * jnp.maximum(jnp.log(x), low)


@_binary_entropy.defjvp
def _binary_entropy_jvp(primals: Any, tangents: Any) -> Any:
    (x, t), (dx, dt) = primals, tangents
    low = jnp.asarray(-100, x.dtype)
    slope = (x - t) / jnp.maximum((1 - x) * x, 1e-12)
    by_target = jnp.maximum(jnp.log1p(-x), low) - jnp.maximum(jnp.log(x), low)
    return _binary_entropy(x, t), slope * dx + by_target * dt


def _bce_check(input: Any, target: Any, weight: Any, reduction: str) -> None:
    if target.dtype is not input.dtype:
        raise RuntimeError(
            f"Found dtype {target.dtype.scalar_name} but expected {input.dtype.scalar_name}"
        )
    if not input.dtype.is_floating_point:
        raise not_implemented("binary_cross_entropy", input.dtype)


@_row("_binary_cross_entropy", check=_bce_check)
def _binary_cross_entropy(input: Array, target: Array, weight: Array | None, reduction: str) -> Any:
    """Cross entropy of probabilities, logarithms clamped at -100."""
    loss = _binary_entropy(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


@_row("_bce_with_logits", "log_sigmoid_cpu")
def _bce_with_logits(
    input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Any:
    """Cross entropy of sigmoid(input)."""
    log_p = log_sigmoid_of(input)
    if pos_weight is not None:
        log_p = log_p * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - log_p
    return reduced(loss if weight is None else loss * weight, reduction)


def _kl_check(input: Any, target: Any, **static: Any) -> None:
    for x in (input, target):
        if x.dtype.is_complex:
            raise RuntimeError("kl_div: Complex inputs not supported.")
        if x.dtype.is_integral:
            raise RuntimeError("kl_div: Integral inputs not supported.")


@_row("_kl_div", check=_kl_check)
def _kl_div(input: Array, target: Array, log_target: bool, reduction: str) -> Any:
    """target * (log(target) - input), zero where target is zero."""
    if log_target:
        return reduced(jnp.exp(target) * (target - input), reduction)
    positive = target > 0
    log_t = jnp.log(jnp.where(positive, target, jnp.ones_like(target)))
    own = jnp.where(
        target == 0, jnp.zeros_like(target), target * jnp.where(positive, log_t, jnp.nan)
    )
    return reduced(own - target * input, reduction)


@_row("_poisson_nll_loss")
def _poisson_nll_loss(
    input: Array, target: Array, eps: Scalar, log_input: bool, full: bool, reduction: str
) -> Any:
    """Negative log likelihood of Poisson counts."""
    loss = jnp.exp(input) - target * input if log_input else input - target * jnp.log(input + eps)
    if full:
        many = target > 1
        t = jnp.where(many, target, jnp.ones_like(target))
        stirling = t * jnp.log(t) - t + 0.5 * jnp.log(2 * math.pi * t)
        loss = loss + jnp.where(many, stirling, jnp.zeros_like(stirling))
    return reduced(loss, reduction)


@_row("_gaussian_nll_loss")
def _gaussian_nll_loss(
    input: Array, target: Array, var: Array, eps: Scalar, full: bool, reduction: str
) -> Any:
    """Negative log likelihood of normal targets; the clamp of the variance is outside the
    gradient.
    """
    var = var + lax.stop_gradient(jnp.maximum(var, eps) - var)
    loss = 0.5 * (jnp.log(var) + jnp.square(input - target) / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@_row("_margin_ranking_loss")
def _margin_ranking_loss(
    input1: Array, input2: Array, target: Array, margin: Scalar, reduction: str
) -> Any:
    """max(0, -target * (input1 - input2) + margin)."""
    return reduced(at_least_zero(-target * (input1 - input2) + margin), reduction)


@_row("_hinge_embedding_loss")
def _hinge_embedding_loss(input: Array, target: Array, margin: Scalar, reduction: str) -> Any:
    """input where target is 1, max(0, margin - input) where it is -1."""
    beyond = at_least_zero(margin - input)
    zero = jnp.zeros_like(beyond)
    return reduced(
        jnp.where(target != 1, beyond, zero) + jnp.where(target != -1, input, zero), reduction
    )


def _cosine_loss_check(x1: Any, x2: Any, target: Any, margin: Any, reduction: str) -> None:
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    sizes = f"{list(x1.shape)}, {list(x2.shape)} and {list(target.shape)}"
    if target.ndim == 1 and (x1.ndim != 2 or x2.ndim != 2):
        raise RuntimeError(
            f"1D target tensor expects 2D input tensors, but found inputs with sizes {sizes}."
        )
    if target.ndim == 0 and (x1.ndim != 1 or x2.ndim != 1):
        raise RuntimeError(
            f"0D target tensor expects 1D input tensors, but found inputs with sizes {sizes}."
        )


@_row("_cosine_embedding_loss", check=_cosine_loss_check)
def _cosine_embedding_loss(
    input1: Array, input2: Array, target: Array, margin: Scalar, reduction: str
) -> Any:
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    size1 = jnp.sum(input1 * input1, axis=-1) + 1e-12
    size2 = jnp.sum(input2 * input2, axis=-1) + 1e-12
    cosine = jnp.sum(input1 * input2, axis=-1) / jnp.sqrt(size1 * size2)
    zero = jnp.zeros_like(cosine)
    apart = jnp.where(target == -1, at_least_zero(cosine - margin), zero)
    return reduced(jnp.where(target == 1, 1 - cosine, zero) + apart, reduction)


@_row("_triplet_margin_loss")
def _triplet_margin_loss(
    anchor: Array, positive: Array, negative: Array, margin: Scalar, eps: Scalar, p: float,
    swap: bool, reduction: str,
) -> Any:  # fmt: skip
    """max(0, margin + distance to the positive - distance to the negative)."""
    near = norm_of(anchor - positive + eps, p, -1)
    far = norm_of(anchor - negative + eps, p, -1)
    if swap:
        far = jnp.minimum(far, norm_of(positive - negative + eps, p, -1))
    return reduced(at_least_zero(margin + near - far), reduction)


@_row("_multilabel_soft_margin_loss")
def _multilabel_soft_margin_loss(
    input: Array, target: Array, weight: Array | None, reduction: str
) -> Any:
    """Binary cross entropy of every label, averaged over the labels."""
    loss = -(target * log_sigmoid_of(input) + (1 - target) * log_sigmoid_of(-input))
    loss = loss if weight is None else loss * weight
    return reduced(jnp.sum(loss, axis=-1) / input.shape[-1], reduction)
