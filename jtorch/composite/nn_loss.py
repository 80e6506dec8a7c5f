"""Losses with torch's legacy arguments, size warnings and reductions."""

from __future__ import annotations

import warnings
from typing import Any

from .._functions import NAMESPACES, composite, derived
from .nn_range import check_target

_KNOWN = ("none", "mean", "sum")


def _reduction(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """The reduction meant, by the arguments of old where they are given."""
    if size_average is not None or reduce is not None:
        average = True if size_average is None else size_average
        chosen = ("mean" if average else "sum") if reduce is None or reduce else "none"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{chosen}' instead.",
            stacklevel=3,
        )
        return chosen
    if reduction not in _KNOWN:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _warn_size(input: Any, target: Any) -> None:
    if target.size() != input.size():
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _weighted(errors: Any, input: Any, weight: Any, reduction: str, by_weight: bool) -> Any:
    if weight.size() != input.size():
        raise ValueError("Weights and input must have the same size.")
    errors = errors * weight
    if reduction == "none":
        return errors
    if reduction == "sum":
        return errors.sum()
    return errors.sum() / weight.sum() if by_weight else errors.mean()


@composite("nn.functional")
def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """Mean squared difference."""
    _warn_size(input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if weight is None:
        return derived["_mse_loss"](input, target, reduction)
    errors = derived["_mse_loss"](input, target, "none")
    return _weighted(errors, input, weight, reduction, True)


@composite("nn.functional")
def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Any = None,
) -> Any:  # fmt: skip
    """Mean absolute difference."""
    _warn_size(input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if weight is None:
        return derived["_l1_loss"](input, target, reduction)
    errors = derived["_l1_loss"](input, target, "none")
    return _weighted(errors, input, weight, reduction, True)


@composite("nn.functional")
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    beta: float = 1.0,
) -> Any:  # fmt: skip
    """Squared difference below beta, absolute difference above."""
    _warn_size(input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0.0:
        return derived["_l1_loss"](input, target, reduction)
    return derived["_smooth_l1_loss"](input, target, beta, reduction)


@composite("nn.functional")
def huber_loss(
    input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Any:
    """Squared difference up to delta, a line above."""
    _warn_size(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    reduction = _reduction(reduction)
    if weight is None:
        return derived["_huber_loss"](input, target, delta, reduction)
    errors = derived["_huber_loss"](input, target, delta, "none")
    return _weighted(errors, input, weight, reduction, False)


def _check_classes(input: Any, target: Any, ignore_index: int) -> None:
    logits, classes = input._aval, target._aval
    if logits.ndim and classes.dtype.is_integral and classes.shape != logits.shape:
        check_target(target, logits.shape[0 if logits.ndim == 1 else 1], ignore_index)


@composite("nn.functional")
def nll_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Negative log likelihood of the target classes.

    Differs from torch: a target out of range is an error only if the targets are still on the host;
    computed ones give NaN, since checking would wait for the values.
    """
    reduction = _reduction(reduction, size_average, reduce)
    _check_classes(input, target, ignore_index)
    return derived["_nll_loss"](input, target, weight, ignore_index, reduction)


@composite("nn.functional")
def cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """Cross entropy of logits with classes or with probabilities; targets out of range as in
    nll_loss.
    """
    reduction = _reduction(reduction, size_average, reduce)
    _check_classes(input, target, ignore_index)
    return derived["_cross_entropy"](
        input, target, weight, ignore_index, reduction, label_smoothing
    )


@composite("nn.functional")
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Cross entropy of probabilities with targets in [0, 1]."""
    reduction = _reduction(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    return derived["_binary_cross_entropy"](input, target, weight, reduction)


@composite("nn.functional")
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Any = None,
) -> Any:  # fmt: skip
    """Cross entropy of sigmoid(input) with targets in [0, 1]."""
    reduction = _reduction(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    return derived["_bce_with_logits"](input, target, weight, pos_weight, reduction)


@composite("nn.functional")
def kl_div(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    log_target: bool = False,
) -> Any:  # fmt: skip
    """Kullback-Leibler divergence of log probabilities from a target."""
    batchmean = False
    if size_average is None and reduce is None:
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support "
                "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
                "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
                "major release.",
                stacklevel=2,
            )
        batchmean = reduction == "batchmean"
    chosen = "sum" if batchmean else _reduction(reduction, size_average, reduce)
    loss = derived["_kl_div"](input, target, log_target, chosen)
    return loss / input.size()[0] if batchmean and input.dim() else loss


@composite("nn.functional")
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, size_average: Any = None,
    eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Negative log likelihood of Poisson counts."""
    chosen = _reduction(reduction, size_average, reduce)
    return derived["_poisson_nll_loss"](input, target, eps, log_input, full, chosen)


@composite("nn.functional")
def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """Negative log likelihood of normal targets.

    Differs from torch: negative entries of a tensor `var` are no error, since checking would wait
    for the values.
    """
    if isinstance(var, float | int):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * NAMESPACES["torch"]["ones_like"](input)
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not _almost(input.size(), var.size()):
            raise ValueError("var is of incorrect size")
    if reduction not in _KNOWN:
        raise ValueError(reduction + " is not valid")
    return derived["_gaussian_nll_loss"](input, target, var, eps, full, reduction)


def _almost(a: Any, b: Any) -> bool:
    """Whether sizes differ in one place only, where the second is 1."""
    if len(a) != len(b):
        return False
    return sum(y for x, y in zip(a, b, strict=True) if x != y) == 1


@composite("nn.functional")
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """max(0, -target * (input1 - input2) + margin)."""
    chosen = _reduction(reduction, size_average, reduce)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return derived["_margin_ranking_loss"](input1, input2, target, float(margin), chosen)


@composite("nn.functional")
def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """input where target is 1, max(0, margin - input) where it is -1."""
    chosen = _reduction(reduction, size_average, reduce)
    return derived["_hinge_embedding_loss"](input, target, float(margin), chosen)


@composite("nn.functional")
def multilabel_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """Margins between labels and the other classes."""
    chosen = _reduction(reduction, size_average, reduce)
    return derived["_multilabel_margin_loss"](input, target, chosen)


@composite("nn.functional")
def soft_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """log(1 + exp(-target * input))."""
    return derived["_soft_margin_loss"](input, target, _reduction(reduction, size_average, reduce))


@composite("nn.functional")
def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Binary cross entropy of every label, averaged over the labels."""
    chosen = _reduction(reduction, size_average, reduce)
    return derived["_multilabel_soft_margin_loss"](input, target, weight, chosen)


@composite("nn.functional")
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """1 - cosine where target is 1, max(0, cosine - margin) where it is -1."""
    chosen = _reduction(reduction, size_average, reduce)
    return derived["_cosine_embedding_loss"](input1, input2, target, float(margin), chosen)


@composite("nn.functional")
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Margins between the target class and the others."""
    chosen = _reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return derived["_multi_margin_loss"](input, target, weight, float(margin), int(p), chosen)


@composite("nn.functional")
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """max(0, margin + distance to the positive - distance to the negative)."""
    chosen = _reduction(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    _same_rank(anchor, positive, negative, "inputs")
    return derived["_triplet_margin_loss"](
        anchor, positive, negative, margin, eps, float(p), swap, chosen
    )


def _same_rank(anchor: Any, positive: Any, negative: Any, last: str) -> None:
    a, p, n = anchor.dim(), positive.dim(), negative.dim()
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {a}D, positive {p}D, and negative {n}D {last}"
        )


@composite("nn.functional")
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` under a distance of one's own."""
    if reduction not in _KNOWN:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    _same_rank(anchor, positive, negative, "inputs")
    distance = distance_function or derived["pairwise_distance"]
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = NAMESPACES["torch"]["minimum"](far, distance(positive, negative))
    loss = (margin + near - far).clamp_min(0)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


@composite("nn.functional")
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """input divided by its p-norm along `dim`, at least eps."""
    result = derived["_normalize"](input, eps, p, dim)
    return result if out is None else out.copy_(result)
