"""Batch and instance norm: which statistics, and the update of the running ones."""

from __future__ import annotations

from typing import Any

from .._functions import composite, derived
from .._gate import put
from ..autograd.grad_mode import no_grad


def _track(running: Any, batch: Any, momentum: Any) -> None:
    """Move a running statistic towards the batch's, in place and outside the graph."""
    with no_grad():
        put(running, (derived["_running"](running, batch.detach(), momentum)._value, None))


def _batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: Any, eps: float,
) -> Any:  # fmt: skip
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when training=False"
            )
        return derived["_batch_norm_eval"](input, running_mean, running_var, weight, bias, eps)
    for name, x in (("running_mean", running_mean), ("running_var", running_var)):
        if x is not None and x.numel() != input.shape[1]:
            raise RuntimeError(f"{name} should contain {input.shape[1]} elements not {x.numel()}")
    y, mean, var = derived["_batch_norm_train"](input, weight, bias, eps)
    if running_mean is not None:
        _track(running_mean, mean, momentum)
    if running_var is not None:
        _track(running_var, var, momentum)
    return y


@composite("torch")
def batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: Any, eps: float, cudnn_enabled: bool,
) -> Any:  # fmt: skip
    """Normalise every channel; `cudnn_enabled` chooses among torch's kernels and changes
    nothing.
    """
    return _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


@composite("nn.functional:batch_norm")
def _functional_batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: Any = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalise every channel by the batch's or the running statistics.

    `momentum` may be a tensor, so that a cumulative average needs no synchronisation.
    """
    if training:
        _verify_batch(input.size())
    if eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive, but got {eps}")
    if tuple(input.shape) == (0,):  # the one vector that torch lets through
        return input.clone()
    return _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def _verify_batch(size: Any) -> None:
    count = size[0]
    for s in size[2:]:
        count *= s
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


@composite("nn.functional")
def instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None,
    bias: Any = None, use_input_stats: bool = True, momentum: Any = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalise every channel of every sample."""
    if use_input_stats:
        spatial = 1
        for s in input.size()[2:]:
            spatial *= s
        if spatial == 1:
            raise ValueError(
                f"Expected more than 1 spatial element when training, got input size {input.size()}"
            )
    return _instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def _instance_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
    momentum: Any, eps: float,
) -> Any:  # fmt: skip
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return derived["_batch_norm_eval"](input, running_mean, running_var, weight, bias, eps)
    y, mean, var = derived["_instance_norm"](input, weight, bias, eps)
    if running_mean is not None:
        _track(running_mean, mean, momentum)
    if running_var is not None:
        _track(running_var, var, momentum)
    return y


@composite("torch:instance_norm")
def _torch_instance_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
    momentum: Any, eps: float, cudnn_enabled: bool,
) -> Any:  # fmt: skip
    """Normalise every channel of every sample; `cudnn_enabled` changes nothing."""
    return _instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


@composite("nn.functional")
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """Divide by a power of the mean square over neighbouring channels."""
    if input.numel() == 0 and input.dim() >= 3:
        return input
    return derived["_local_response_norm"](input, size, alpha, beta, k)
