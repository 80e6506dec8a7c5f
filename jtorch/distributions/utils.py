"""What distributions share: broadcasting of parameters, probs against logits, lazy properties."""

from __future__ import annotations

from functools import update_wrapper
from numbers import Number
from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._engine.dtype import finfo
from .._size import Size
from ..autograd import enable_grad
from ..creation import tensor
from ..tensor import Tensor
from ._names import F, torch

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits",
    "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the first tensor's dtype."""
    if not all(isinstance(v, Tensor | Number) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    first = next((v for v in values if isinstance(v, Tensor)), None)
    dtype = _dtype.get_default_dtype() if first is None else first.dtype
    device = None if first is None else first.device
    shape = torch.broadcast_shapes(*(v.shape for v in values if isinstance(v, Tensor)))
    # values that are known stay known, so that they can be validated: no views without need
    return tuple(_spread(v, shape, dtype, device) for v in values)


def _spread(v: Any, shape: Any, dtype: Any, device: Any) -> Any:
    if not isinstance(v, Tensor):
        return tensor(np.full(tuple(shape), v), dtype=dtype, device=device)
    return v if v.shape == shape else v.expand(shape)


def batch_of(t: Any, *given: Any) -> Size:
    """The batch shape of a distribution: () where every parameter was given as a number."""
    return Size() if all(isinstance(g, Number) for g in given) else t.shape


def standard_normal(shape: Any, like: Any) -> Any:
    """Standard normal numbers of the dtype and device of `like`."""
    return torch.empty(shape, dtype=like.dtype, device=like.device).normal_()


def sum_rightmost(value: Any, dim: int) -> Any:
    """The sum over the last `dim` dimensions."""
    if dim == 0:
        return value
    return value.reshape((*value.shape[:-dim], -1)).sum(-1)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Probabilities of logits: log-odds if binary, else log-probabilities up to a constant."""
    return torch.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs: Any) -> Any:
    """Probabilities kept away from 0 and 1 by the dtype's eps."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """Logits of probabilities."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:
    """Computed when first asked for, with gradients, and kept on the instance."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, obj_type: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def _lower_mask(n: int, diag: int, like: Any) -> Any:
    columns = torch.arange(n, device=like.device)
    return columns < columns.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """The entries on and below a diagonal, row by row."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _lower_mask(n, diag, mat)]


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """The square matrix whose entries on and below a diagonal are these, row by row."""
    b, count = 1 + 2 * diag, vec.shape[-1]
    n = (-b + (b**2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) - n > finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as "
            "the lower triangular part of a square D x D matrix."
        )
    size = round(n)
    mat = vec.new_zeros((*vec.shape[:-1], size, size))
    mat[..., _lower_mask(size, diag, vec)] = vec
    return mat
