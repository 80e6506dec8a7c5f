"""`torch.native_layer_norm` and its kind: what ATen calls them, with the statistics they save."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._functions import NAMESPACES, composite
from ._arguments import into

_F: Any = NAMESPACES["nn.functional"]
_torch: Any = NAMESPACES["torch"]


def _moments(input: Any, dims: Any, eps: float, keepdim: bool) -> tuple[Any, Any]:
    """Mean and 1 / deviation, in float32 at least."""
    wide = input.float() if input.dtype in (_dtype.float16, _dtype.bfloat16) else input
    variance, mean = _torch["var_mean"](wide, dims, correction=0, keepdim=keepdim)
    return mean, (variance + eps).rsqrt()


@composite("torch")
def native_layer_norm(
    input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float
) -> tuple[Any, Any, Any]:
    """(layer norm, mean, 1 / deviation)."""
    out = _F["layer_norm"](input, normalized_shape, weight, bias, eps)
    dims = tuple(range(input.ndim - len(tuple(normalized_shape)), input.ndim))
    return (out, *_moments(input, dims, eps, True))


@composite("torch")
def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """(group norm, mean, 1 / deviation of each group)."""
    out = _F["group_norm"](input, group, weight, bias, eps)
    return (out, *_moments(input.reshape(N, group, C // group * HxW), 2, eps, False))


@composite("torch")
def native_batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: float, eps: float, *, out: Any = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """(batch norm, mean and 1 / deviation of the batch, empty outside of training)."""
    normal = _F["batch_norm"](
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )  # fmt: skip
    if training:
        dims = [d for d in range(input.ndim) if d != 1]
        found = (normal, *_moments(input, dims, eps, False))
    else:
        found = (normal, input.new_empty(0), input.new_empty(0))
    if out is None:
        return found
    first, second, third = (into("clone", t, x) for t, x in zip(out, found, strict=True))
    return first, second, third


@composite("torch")
def native_dropout(input: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """(dropout, the mask of what was kept)."""
    if train is False or not input.numel():
        return input.clone(), _torch["ones_like"](input, dtype=_dtype.bool_)
    kept = _torch["empty_like"](input).bernoulli_(1 - p)
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return input * kept * scale, kept.to(_dtype.bool_)


@composite("torch")
def embedding_renorm_(input: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    """Rows that are looked up, scaled down in place to a norm of at most `max_norm`."""
    from ..autograd.grad_mode import no_grad

    with no_grad():
        rows = indices.reshape(-1).unique()
        found = input[rows]
        size = _torch["norm"](found, float(norm_type), 1, True)
        scale = _torch["where"](size > max_norm, max_norm / (size + 1e-7), 1.0)
        input[rows] = found * scale
    return input


@composite("torch")
def _native_batch_norm_legit(
    input: Any, weight: Any, bias: Any, *rest: Any, out: Any = None
) -> Any:
    """native_batch_norm, which also comes without running statistics."""
    stats = rest[:-3] or (None, None)
    return native_batch_norm(input, weight, bias, *stats, *rest[-3:], out=out)
