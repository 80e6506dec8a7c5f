"""`torch.masked`: reductions under a mask, and `MaskedTensor`, defined when it is asked for."""

from __future__ import annotations

from typing import Any

from ._masked_reductions import _input_mask as _input_mask
from ._masked_reductions import _output_mask as _output_mask
from ._masked_reductions import amax as amax
from ._masked_reductions import amin as amin
from ._masked_reductions import argmax as argmax
from ._masked_reductions import argmin as argmin
from ._masked_reductions import cumprod as cumprod
from ._masked_reductions import cumsum as cumsum
from ._masked_reductions import log_softmax as log_softmax
from ._masked_reductions import logaddexp as logaddexp
from ._masked_reductions import logsumexp as logsumexp
from ._masked_reductions import mean as mean
from ._masked_reductions import median as median
from ._masked_reductions import norm as norm
from ._masked_reductions import normalize as normalize
from ._masked_reductions import prod as prod
from ._masked_reductions import softmax as softmax
from ._masked_reductions import softmin as softmin
from ._masked_reductions import std as std
from ._masked_reductions import sum as sum
from ._masked_reductions import var as var

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "is_masked_tensor", "log_softmax",
    "logaddexp", "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin",
    "std", "sum", "var",
]  # fmt: skip
_CLASS = ("MaskedTensor", "as_masked_tensor", "masked_tensor")


def __getattr__(name: str) -> Any:
    if name in _CLASS:
        from . import _masked_tensor

        return getattr(_masked_tensor, name)
    raise AttributeError(f"module 'torch.masked' has no attribute {name!r}")


def is_masked_tensor(obj: Any) -> bool:
    """Whether an object is a `MaskedTensor`."""
    return hasattr(type(obj), "_masked_mask")
