"""Embedding lookups: torch's argument rules around the rows."""

from __future__ import annotations

import warnings
from typing import Any

from .._engine.backward import modes
from .._functions import NAMESPACES, composite, derived
from .._gate import put
from ..autograd.grad_mode import no_grad
from .bounds import first_outside
from .nn_range import check_lookup


def _sparse(sparse: bool, weight: Any) -> None:
    """What is different about sparse=True, said once."""
    if sparse and weight.requires_grad and modes.grad:
        warnings.warn(
            "sparse=True: the gradient is a dense tensor with the same numbers, because XLA has no "
            "sparse tensors. Optimizers that treat rows without a gradient in a way of their own "
            "(SparseAdam) see zeros there.",
            stacklevel=3,
        )


def _renorm(weight: Any, input: Any, max_norm: float, norm_type: float) -> None:
    with no_grad():
        new = derived["_embedding_renorm"](
            weight, input.detach(), float(max_norm), float(norm_type)
        )
        put(weight.detach(), (new._value, None))


@composite("nn.functional")
def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Any:  # fmt: skip
    """The rows of `weight` that `input` names.

    Differs from torch: an index out of range is an error only if the indices are still on the host;
    of computed indices the row is NaN, since checking would wait for the values.
    """
    _sparse(sparse, weight)
    if padding_idx is not None:
        padding_idx = _wrapped_padding(padding_idx, weight.size(0))
    if weight.dim() == 2:
        check_lookup(input, weight.size(0))
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return derived["_embedding"](input, weight, padding_idx, scale_grad_by_freq)


def _wrapped_padding(padding_idx: int, count: int) -> int:
    if padding_idx >= count or padding_idx < -count:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx + count if padding_idx < 0 else padding_idx


@composite("torch:embedding")
def _torch_embedding(
    weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:  # fmt: skip
    """The rows of `weight` that `indices` names."""
    _sparse(sparse, weight)
    return derived["_embedding"](indices, weight, padding_idx, scale_grad_by_freq)


@composite("nn.functional")
def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:  # fmt: skip
    """Sums, means or maxima of bags of rows of `weight`."""
    _sparse(sparse, weight)
    if weight.dtype.name == "int64" and input.is_floating_point():
        weight, input = input, weight  # the argument order of old
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not "
            "None, "
            f"then it must have the same shape as the input ({tuple(input.shape)})"
        )
    if padding_idx is not None:
        padding_idx = _wrapped_bag_padding(padding_idx, weight.size(0))
    input, offsets, per_sample_weights = _flat_bags(input, offsets, per_sample_weights)
    _check_bag_mode(mode, scale_grad_by_freq, per_sample_weights)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return derived["_embedding_bag"](
        input, weight, offsets, per_sample_weights, mode, padding_idx, scale_grad_by_freq,
        include_last_offset,
    )  # fmt: skip


def _wrapped_bag_padding(padding_idx: int, count: int) -> int:
    if padding_idx >= count or padding_idx < -count:
        raise RuntimeError("padding_idx must be within the number of embeddings")
    return padding_idx + count if padding_idx < 0 else padding_idx


def _flat_bags(input: Any, offsets: Any, weights: Any) -> tuple[Any, Any, Any]:
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a "
                "mini-batch of "
                f"fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        bags, length = input.shape
        offsets = NAMESPACES["torch"]["arange"](
            0, bags * length, length, dtype=input.dtype, device=input.device
        )
        return input.reshape(-1), offsets, None if weights is None else weights.reshape(-1)
    if input.dim() != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    return input, offsets, weights


def _check_bag_mode(mode: str, scale_grad_by_freq: bool, weights: Any) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )


@composite("nn.functional")
def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """1 at the class, 0 elsewhere; num_classes=-1 waits for the values to find the largest."""
    if tensor.dtype.name != "int64":
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes == 0:
        raise RuntimeError("Class values must be smaller than num_classes." if tensor.numel() else
                           "Can not infer total number of classes from empty tensor.")  # fmt: skip
    if first_outside(tensor, 0, 2**63 - 1) is not None:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes > 0 and first_outside(tensor, 0, num_classes) is not None:
        raise RuntimeError("Class values must be smaller than num_classes.")
    if num_classes == -1:
        if tensor.numel() == 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(tensor.max().item()) + 1
    return derived["_one_hot"](tensor, num_classes)
