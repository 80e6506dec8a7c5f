"""`LinearCrossEntropyLoss`: a linear layer and cross entropy in one, and how it may be chunked."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from .._engine import dtype as _dtype
from ..tensor import Tensor
from . import functional as F
from .linear import Linear
from .loss import _WeightedLoss

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]

_POLICIES = ("auto", "accurate", "balanced", "compact")
_WIDE = (_dtype.float16, _dtype.bfloat16, _dtype.float32, _dtype.float64)


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How many rows at a time `linear_cross_entropy` computes; logits of the others do not exist.

    batch_chunk_size rows, or as many as `chunking_method` says: 'aspect_ratio' makes a chunk's
    logits as large as the input, 'aspect_ratio:N' N times smaller, 'auto' is one of these.

    Differs from torch: sums are always those of acc_policy='accurate', and backward may always run
    again (`allow_retain_graph`).
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = str(self.chunking_method).partition(":")
            whole = factor.isdigit() and int(factor) > 0
            if name != "aspect_ratio" or (colon and not whole):
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and self.acc_dtype not in _WIDE:
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, "
                f"torch.float32, torch.float64}}, got {self.acc_dtype!r}. Pass "
                "acc_dtype=None to let the op pick automatically."
            )

    def rows(self, num_batches: int, in_features: int, num_classes: int, on_cpu: bool) -> int:
        """Rows per chunk for a problem of this size."""
        method, given = self.chunking_method, self.batch_chunk_size
        if method == "auto":
            method = "aspect_ratio" if on_cpu else "aspect_ratio:2"
            method = None if given is not None else method
        if method is None:
            return max(1, num_batches if given is None else min(given, num_batches))
        factor = int(method.partition(":")[2] or 1)
        ratio = math.ceil(num_classes / in_features)
        target = max(1, math.ceil(num_batches / ratio))
        size = min((1 << (target - 1).bit_length()) // factor, num_batches)
        if given is not None and given != size:
            raise ValueError(
                f"batch_chunk_size (={given}) and chunking_method ('{method}') give different "
                f"chunk sizes ({given} vs {size}); pass only one."
            )
        return max(1, size)


class LinearCrossEntropyLoss(_WeightedLoss):
    """`cross_entropy` of logits that the loss's own linear layer computes."""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if label_smoothing < 0 or label_smoothing > 1.0:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        super().__init__(weight=weight, size_average=None, reduce=None, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        width = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, width, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        outer = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*outer, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(outer),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
