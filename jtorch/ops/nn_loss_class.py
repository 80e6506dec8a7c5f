"""Losses whose targets are classes: negative log likelihood, cross entropy, margins over
classes.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Promote, Scalar, op
from .nn_common import not_implemented
from .nn_math import at_least_zero, log_softmax_of, pick, reduced

_HIDDEN: Any = {"namespaces": ()}
_INPUT: Any = {"promote": Promote.INT_TO_FLOAT, "promotes": ("input",), **_HIDDEN}


def _class_dim(x: Any) -> int:
    return 0 if x.ndim == 1 else 1


def _check_nll(input: Any, target: Any, weight: Any, **static: Any) -> None:
    if input.ndim == 0:
        raise ValueError(f"Expected 1 or more dimensions (got {input.ndim})")
    if input.ndim != 1 and (target.ndim == 0 or input.shape[0] != target.shape[0]):
        size = target.shape[0] if target.ndim else 0
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({size})."
        )
    _check_nll_shapes(input, target)
    classes = input.shape[_class_dim(input)]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )
    if target.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.scalar_name}"
        )
    if weight is not None and weight.dtype is not input.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {weight.dtype.scalar_name}"
        )


def _check_nll_shapes(input: Any, target: Any) -> None:
    if input.ndim <= 2:
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input.ndim == 1 and target.ndim == 1 and target.shape[0] != 1:
            raise RuntimeError(
                f"For 1D input, 1D target must have size 1, but got target size: {target.shape[0]}"
            )
    elif target.shape != (input.shape[0], *input.shape[2:]):
        if input.ndim == 4 and target.ndim != 3:
            raise RuntimeError(
                "only batches of spatial targets supported (3D tensors) but got targets of "
                f"dimension: {target.ndim}"
            )
        if input.ndim == 4:
            raise RuntimeError(
                "input and target batch or spatial sizes don't match: target "
                f"{list(target.shape)}, "
                f"input {list(input.shape)}"
            )
        raise RuntimeError(
            f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)}"
        )


def _nll_check(input: Any, target: Any, weight: Any, **static: Any) -> None:
    _check_nll(input, target, weight)
    if not input.dtype.is_floating_point:
        raise not_implemented("nll_loss_out_frame", input.dtype)


def _nll(
    logp: Any, target: Any, weight: Any, ignore_index: int, reduction: str, norm: Any = None
) -> Any:
    """-logp[target] by class weights; mean divides by the sum of the weights that took part.

    norm: (largest, log of the sum) over the classes, when `logp` holds logits as they came.
    """
    if logp.ndim == 1 and target.ndim == 1:
        target, one = target[0], True
    else:
        one = False
    counted = target != ignore_index
    index = jnp.where(counted, target, 0).astype(jnp.int64)
    picked = pick(_class_dim(logp), logp, index)
    loss = -picked if norm is None else norm[1] - (picked - norm[0])
    factor = counted.astype(logp.dtype)
    if weight is not None:
        factor = factor * jnp.take(weight.astype(logp.dtype), index)
    loss = jnp.where(counted, loss * factor, jnp.zeros_like(loss))
    if reduction == "mean":
        if weight is not None:
            return jnp.sum(loss) / jnp.sum(factor)
        # Not sum(counted): XLA would split that sum over a data-parallel batch, and the gradients
        # would have to wait for an all-reduce of their own.
        total = target.size - jnp.sum(target == ignore_index)
        return jnp.sum(loss) / total.astype(logp.dtype)
    loss = reduced(loss, reduction)
    return loss[None] if one and reduction == "none" else loss


@op("_nll_loss", check=_nll_check, grad_name="NllLoss", **_INPUT)
def _nll_loss(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Any:
    """Negative log likelihood of the target classes."""
    return _nll(input, target, weight, ignore_index, reduction)


def _entropy_check(input: Any, target: Any, weight: Any, *, ignore_index: int, reduction: str,
                   label_smoothing: float) -> None:  # fmt: skip
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if not input.dtype.is_floating_point:
        raise not_implemented("log_softmax_lastdim_kernel_impl", input.dtype)
    if target.shape == input.shape:
        if not target.dtype.is_floating_point:
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{target.dtype.scalar_name}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        classes = input.shape[_class_dim(input)]
        if weight is not None and weight.shape != (classes,):
            raise RuntimeError(
                "cross_entropy: weight tensor should be defined either for all "
                f"{classes} classes or no classes but got weight tensor of shape: "
                f"{list(weight.shape)}"
            )
    else:
        _check_nll(input, target, weight)


@op("_cross_entropy", check=_entropy_check, grad_name="NllLoss", **_INPUT)
def _cross_entropy(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str,
    label_smoothing: float,
) -> Any:  # fmt: skip
    """Cross entropy of logits with classes, or with probabilities of the input's shape."""
    dim = _class_dim(input)
    soft = target.shape == input.shape and jnp.issubdtype(target.dtype, jnp.floating)
    if not soft and not label_smoothing and input.shape[dim]:
        # the logarithms of all classes would be an array as large as the input, for one of each row
        largest = lax.stop_gradient(jnp.max(input, axis=dim, keepdims=True))
        log_sum = jnp.log(jnp.sum(jnp.exp(input - largest), axis=dim))
        norm = (jnp.squeeze(largest, dim), log_sum)
        return _nll(input, target, weight, ignore_index, reduction, norm)
    logp = log_softmax_of(input, dim)
    if soft:
        return _soft_entropy(logp, target.astype(logp.dtype), weight, reduction, label_smoothing)
    hard = _nll(logp, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return hard
    smooth = _uniform_entropy(logp, target, weight, ignore_index, reduction)
    return (1 - label_smoothing) * hard + label_smoothing / logp.shape[dim] * smooth


def _by_class(weight: Any, x: Any) -> Any:
    shape = [1] * x.ndim
    shape[_class_dim(x)] = -1
    return weight.astype(x.dtype).reshape(shape)


def _soft_entropy(logp: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Any:
    classes = logp.shape[_class_dim(logp)]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    product = logp * target if weight is None else logp * target * _by_class(weight, logp)
    if reduction == "mean":
        return -jnp.sum(product) / (logp.size / classes if classes else 0)
    return reduced(-jnp.sum(product, axis=_class_dim(logp)), reduction)


def _uniform_entropy(logp: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    """The loss against the uniform distribution, where the target counts."""
    weighted = logp if weight is None else logp * _by_class(weight, logp)
    loss = -jnp.sum(weighted, axis=_class_dim(logp))
    target = target.reshape(loss.shape)
    counted = target != ignore_index
    loss = jnp.where(counted, loss, jnp.zeros_like(loss))
    if reduction != "mean":
        return reduced(loss, reduction)
    factor = counted.astype(logp.dtype)
    if weight is not None:
        factor = factor * jnp.take(weight.astype(logp.dtype), jnp.where(counted, target, 0))
    return jnp.sum(loss) / jnp.sum(factor)


def _margin_check(input: Any, target: Any, weight: Any, margin: Any, **static: Any) -> None:
    _check_rows("multi_margin_loss", input)
    rows = input.shape[0] if input.ndim == 2 else 1
    if target.ndim > 1 or target.numel != rows:
        raise RuntimeError(
            f"inconsistent target size, expected {rows} but got {list(target.shape)}"
        )
    if weight is not None and (weight.ndim > 1 or weight.numel != input.shape[-1]):
        raise RuntimeError(
            f"inconsistent weight size, expected {input.shape[-1]} but got {list(weight.shape)}"
        )
    if not input.dtype.is_floating_point:
        raise not_implemented("multi_margin_loss", input.dtype)


def _check_rows(name: str, input: Any) -> None:
    if input.ndim > 2 or (input.ndim and input.shape[-1] == 0):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )


@op("_multi_margin_loss", check=_margin_check, grad_name="MultiMarginLoss", **_INPUT)
def _multi_margin_loss(
    input: Array, target: Array, weight: Array | None, margin: Scalar, p: int, reduction: str
) -> Any:
    """Mean over classes of max(0, margin - x[target] + x[i]) ** p."""
    x = jnp.atleast_2d(input)
    t = target.reshape(-1)
    own = pick(1, x, t)[:, None]
    beyond = jnp.where(margin - own + x > 0, margin - own + x, jnp.zeros_like(x))
    loss = beyond if p == 1 else beyond * beyond
    if weight is not None:
        loss = loss * jnp.take(weight.astype(x.dtype), t)[:, None]
    other = jnp.arange(x.shape[1], dtype=t.dtype) != t[:, None]
    loss = jnp.sum(jnp.where(other, loss, jnp.zeros_like(loss)), axis=1) / x.shape[1]
    if reduction == "none" and input.ndim < 2:
        return loss[0] if target.ndim == 0 else loss
    return reduced(loss, reduction)


def _multilabel_check(input: Any, target: Any, **static: Any) -> None:
    _check_rows("multilabel_margin_loss", input)
    if target.shape != input.shape and not (input.ndim == 0 and target.numel == 1):
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    if target.dtype.name != "int64":
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.scalar_name}")
    if not input.dtype.is_floating_point:
        raise not_implemented("multilabel_margin_loss_forward_out_frame", input.dtype)


@op("_multilabel_margin_loss", check=_multilabel_check, grad_name="MultilabelMarginLoss", **_INPUT)
def _multilabel_margin_loss(input: Array, target: Array, reduction: str) -> Any:
    """Mean of max(0, 1 - (x[label] - x[other])) over labels (up to the first -1) and others."""
    x, t = jnp.atleast_2d(input), jnp.atleast_2d(target)
    used = jnp.cumsum((t < 0).astype(jnp.int32), axis=1) == 0
    classes = jnp.arange(x.shape[1], dtype=t.dtype)
    labelled = jnp.any((t[:, :, None] == classes) & used[:, :, None], axis=1)
    own = jnp.take_along_axis(x, jnp.where(used, t, 0), axis=1)
    beyond = at_least_zero(1 - own[:, :, None] + x[:, None, :])
    counts = used[:, :, None] & ~labelled[:, None, :]
    loss = jnp.sum(jnp.where(counts, beyond, jnp.zeros_like(beyond)), axis=(1, 2)) / x.shape[1]
    return loss[0] if reduction == "none" and input.ndim < 2 else reduced(loss, reduction)
