"""The dropout family: when there is nothing to draw, and which elements share a draw."""

from __future__ import annotations

import warnings
from typing import Any

from .._functions import composite, derived
from .._gate import gate
from ..ops import TABLE, _derive
from .nn_mask import keep_mask

_ROWS = {
    name: (derived[name], _derive.inplace(TABLE[name], gate))
    for name in ("_dropout", "_alpha_dropout")
}


def _drop(row: str, input: Any, p: float, training: bool, inplace: bool, by_channel: bool) -> Any:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    _check(row, input, by_channel)
    shape = tuple(input.shape)
    if by_channel:
        shape = (*shape[:2], *(1,) * (len(shape) - 2))
    return _ROWS[row][inplace](input, _mask(input, float(p), shape), float(p))


def _mask(input: Any, p: float, shape: tuple[int, ...]) -> Any:
    """Which elements to keep; as in torch, drawn in the order in which they lie in memory."""
    if input.is_contiguous():
        return keep_mask(input, p, shape)
    strides = input.stride()
    order = sorted(range(len(shape)), key=lambda d: -strides[d])
    drawn = keep_mask(input, p, tuple(shape[d] for d in order))
    return drawn.permute(sorted(range(len(shape)), key=order.__getitem__))


def _check(row: str, input: Any, by_channel: bool) -> None:
    if by_channel and input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    name = input.dtype.scalar_name
    if input.dtype.is_complex:
        raise NotImplementedError(f"\"bernoulli_scalar_cpu_\" not implemented for '{name}'")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"result type Float can't be cast to the desired output type {name}")


@composite("nn.functional")
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Zero each element with probability p, scale the rest by 1 / (1 - p)."""
    return _drop("_dropout", input, p, training, inplace, False)


@composite("nn.functional")
def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout that keeps mean zero and variance one after SELU."""
    return _drop("_alpha_dropout", input, p, training, inplace, False)


@composite("nn.functional")
def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """Alpha dropout of whole channels."""
    return _drop("_alpha_dropout", input, p, training, inplace, True)


@composite("nn.functional")
def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Zero whole channels of (N, C, L) or (C, L)."""
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial "
            "dimension, a "
            "channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _unbatched(input, p, training, inplace, input.dim() == 2)


@composite("nn.functional")
def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Zero whole channels of (N, C, H, W)."""
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated "
            "and will "
            "result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise "
            "dropout on inputs with 2 spatial dimensions, a channel dimension, and an "
            "optional batch "
            "dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout "
            "behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop("_dropout", input, p, training, inplace, True)


@composite("nn.functional")
def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W)."""
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated "
            "and will "
            "result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise "
            "dropout on inputs with 3 spatial dimensions, a channel dimension, and an "
            "optional batch "
            "dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    return _unbatched(input, p, training, inplace, input.dim() == 4)


def _unbatched(input: Any, p: float, training: bool, inplace: bool, alone: bool) -> Any:
    if not alone:
        return _drop("_dropout", input, p, training, inplace, True)
    batched = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _drop("_dropout", batched, p, training, inplace, True)
    return result.squeeze_(0) if inplace else result.squeeze(0)


def _torch_form(name: str, row: str, by_channel: bool) -> None:
    """torch.dropout(input, p, train) and its in-place twin."""

    def plain(input: Any, p: float, train: bool) -> Any:
        return _drop(row, input, p, train, False, by_channel)

    def twin(input: Any, p: float, train: bool) -> Any:
        return _drop(row, input, p, train, True, by_channel)

    for suffix, f in (("", plain), ("_", twin)):
        f.__name__ = f.__qualname__ = name + suffix
        f.__doc__ = f"nn.functional.{name} with torch's positional arguments."
        composite("torch")(f)


_torch_form("dropout", "_dropout", False)
_torch_form("feature_dropout", "_dropout", True)
_torch_form("alpha_dropout", "_alpha_dropout", False)
_torch_form("feature_alpha_dropout", "_alpha_dropout", True)
