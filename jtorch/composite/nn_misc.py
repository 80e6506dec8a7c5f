"""What is left of torch.nn.functional: random activations, CTC, fused cross entropy, old names."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .._functions import NAMESPACES, composite, derived
from .._gate import apply, gate
from ..ops import TABLE, _derive
from ..tensor import Tensor
from .nn_loss import cross_entropy

_rrelu_inplace = _derive.inplace(TABLE["_rrelu"], gate)
_leaky_inplace = _derive.inplace(TABLE["leaky_relu"], gate)


def _slopes(input: Any, lower: float, upper: float) -> Any:
    """Uniform slopes for the elements that are not positive, drawn in order as torch draws them."""
    return NAMESPACES["torch"]["empty_like"](input.detach()).uniform_(lower, upper)


def _rrelu(input: Any, lower: float, upper: float, training: bool, inplace: bool) -> Any:
    if lower > upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}"
        )
    if not training:
        slope = (lower + upper) / 2
        return (_leaky_inplace if inplace else derived["leaky_relu"])(input, slope)
    row = _rrelu_inplace if inplace else derived["_rrelu"]
    return row(input, _slopes(input, lower, upper))


@composite("nn.functional")
def rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    inplace: bool = False,
) -> Any:  # fmt: skip
    """Leaky ReLU whose slopes are drawn from [lower, upper] in training."""
    return _rrelu(input, lower, upper, training, inplace)


@composite("torch:rrelu")
def _torch_rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    generator: Any = None,
) -> Any:  # fmt: skip
    """Leaky ReLU whose slopes are drawn from [lower, upper] in training."""
    _no_generator(generator)
    return _rrelu(input, lower, upper, training, False)


@composite("torch:rrelu_", "nn.functional:rrelu_")
def _torch_rrelu_(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    generator: Any = None,
) -> Any:  # fmt: skip
    """`rrelu` in place."""
    _no_generator(generator)
    return _rrelu(input, lower, upper, training, True)


def _no_generator(generator: Any) -> None:
    if generator is not None:
        raise NotImplementedError(
            "rrelu(generator=...): jtorch draws from the default generator; seed it with "
            "torch.manual_seed, or pass slopes of your own through torch.where"
        )


@composite("nn.functional")
def gumbel_softmax(
    logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Any:
    """A sample of the Gumbel-Softmax distribution; hard=True gives one-hot with soft gradients."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -NAMESPACES["torch"]["empty_like"](logits.detach()).exponential_().log()
    soft = derived["softmax"]((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    one = derived["_one_hot_max"](soft.detach(), dim)
    return one - soft.detach() + soft


@composite("nn.functional")
def tanh(input: Any) -> Any:
    """tanh(x)."""
    return input.tanh()


@composite("nn.functional")
def sigmoid(input: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return input.sigmoid()


def _lengths(name: str, x: Any, batch: int, device: Any) -> Any:
    """Lengths as an int64 tensor of one per sample."""
    if isinstance(x, Tensor):
        if x.dtype.is_floating_point or x.dtype.name == "bool":
            raise RuntimeError(f"{name} must be integral")
        x = x.to(device)
    else:
        x = NAMESPACES["torch"]["tensor"](list(x), device=device)
    x = x.reshape(-1)
    if x.numel() != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return x.to(NAMESPACES["torch"]["tensor"]([0]).dtype)


@composite("nn.functional")
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Any:  # fmt: skip
    """Connectionist temporal classification loss; targets padded (N, S) or one after the other."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    batched = log_probs.dim() == 3
    logp = log_probs if batched else log_probs.unsqueeze(1)
    batch = logp.shape[1]
    inputs = _lengths("input_lengths", input_lengths, batch, logp.device)
    lengths = _lengths("target_lengths", target_lengths, batch, logp.device)
    _check_known(logp, input_lengths)
    padded = _padded(targets, target_lengths, lengths, batch)
    loss = derived["_ctc_loss"](logp, padded, inputs, lengths, blank, zero_infinity)
    if reduction == "mean":
        return (loss / lengths.clamp(min=1).to(loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss if batched else loss.squeeze(0)


def _check_known(logp: Any, lengths: Any) -> None:
    """What can be checked without waiting for values."""
    if isinstance(lengths, Tensor):
        return
    for n in lengths:
        if n > logp.shape[0]:
            raise RuntimeError(
                f"Expected input_lengths to have value at most {logp.shape[0]}, but got value {n} "
                "(while checking arguments for ctc_loss_allocate_outputs)"
            )


def _padded(targets: Any, given: Any, lengths: Any, batch: int) -> Any:
    """Targets as (N, S)."""
    if targets.dim() == 2 or batch == 1:
        return targets.reshape(batch, -1)
    counts = given.tolist() if isinstance(given, Tensor) else list(given)
    if sum(counts) != targets.numel():
        raise RuntimeError(
            f"Expected tensor to have size {sum(counts)} at dimension 0, but got size "
            f"{targets.numel()} for argument #2 'targets' (while checking arguments for "
            "ctc_loss_allocate_outputs)"
        )
    return derived["_padded_rows"](targets, lengths, max(counts))


@composite("nn.functional")
def linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None, weight: Any = None,
    reduction: str = "mean", ignore_index: int | None = None, label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:  # fmt: skip
    """cross_entropy(linear(input, linear_weight, linear_bias), target)."""
    _check_linear(input, linear_weight, linear_bias)
    outer = tuple(linear_weight.shape[1:-1])
    logits_shape = (*input.shape[:-1], linear_weight.shape[0], *outer)
    if tuple(target.shape) == logits_shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    plain = label_smoothing == 0 and target.dtype.name == "int64" and not outer
    if options is not None and not plain:
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in "
            "{'mean','sum','none'}, label_smoothing == 0, target.dtype == int64, out_features == "
            f"(). Got reduction={reduction!r}, label_smoothing={label_smoothing}, "
            f"target.dtype={target.dtype}, out_features={outer}, tracing=False, linear_bias.shape="
            f"{tuple(linear_bias.shape) if linear_bias is not None else None}.",
            stacklevel=2,
        )
    elif options is not None and reduction in ("mean", "sum", "none"):
        return _chunked(
            input, linear_weight, target, linear_bias, weight, reduction, ignore_index, options
        )
    if outer:
        rows = math.prod(outer, start=linear_weight.shape[0])
        linear_weight = linear_weight.reshape(rows, input.shape[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(rows)
    logits = derived["linear"](input, linear_weight, linear_bias).reshape(logits_shape)
    return cross_entropy(
        logits, target, weight=weight, reduction=reduction, label_smoothing=label_smoothing,
        ignore_index=-100 if ignore_index is None else ignore_index,
    )  # fmt: skip


def _chunked(
    input: Any, linear_weight: Any, target: Any, bias: Any, weight: Any, reduction: str,
    ignore_index: int | None, options: Any,
) -> Any:  # fmt: skip
    """linear_cross_entropy some rows at a time, as `options` say."""
    x, labels = (input.unsqueeze(0), target.reshape(1)) if input.dim() == 1 else (input, target)
    chunk = options.rows(x.shape[0], *reversed(linear_weight.shape), x.device.type == "cpu")
    ignored = -100 if ignore_index is None else ignore_index
    losses, weights = derived["_linear_cross_entropy"](
        x, linear_weight, bias, labels, weight, ignored, chunk
    )
    if reduction == "none":
        return losses.reshape(target.shape).to(input.dtype)
    total = losses.sum()
    return (total / weights.sum() if reduction == "mean" else total).to(input.dtype)


def _check_linear(input: Any, weight: Any, bias: Any) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {weight.dim()}"
        )
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively"
        )
    wanted = tuple(weight.shape[:-1])
    if bias is not None and tuple(bias.shape) != wanted:
        raise RuntimeError(f"expected linear_bias shape {wanted}, got {tuple(bias.shape)}")
    if len(wanted) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires "
            f"batched input, (N, {input.shape[-1]}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )


@composite("nn.functional")
def unfold(
    input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """Sliding blocks as columns: (N, C, H, W) to (N, C * kh * kw, blocks)."""
    return derived["_unfold"](input, kernel_size, dilation, padding, stride)


@composite("nn.functional")
def assert_int_or_pair(arg: Any, arg_name: str, message: str) -> None:
    """Refuse what is neither an int nor a pair."""
    if not (isinstance(arg, int) or len(arg) == 2):
        raise AssertionError(message.format(arg_name))


@composite("nn.functional")
def grouped_mm(
    mat_a: Any, mat_b: Any, *, offs: Any = None, bias: Any = None, out_dtype: Any = None
) -> Any:
    """Products in groups whose ends are `offs`: a mixture of experts' matrices in one call."""
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if mat_a.dtype is not mat_b.dtype:
        raise RuntimeError("expected mat_a and mat_b to have the same dtype")
    result = apply(TABLE["_grouped_mm"], (mat_a, mat_b, offs), ())
    return result if out_dtype is None else result.to(out_dtype)
