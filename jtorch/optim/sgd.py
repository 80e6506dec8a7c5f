"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from .._gate import TensorBase
from ._recorded import Recorded, State, check_flags, decay_of, full, is_zero, no_amp, scalar
from ._rules import SGD as RULE
from ._update import Tensors, update

__all__ = ["SGD", "sgd"]


class SGD(Recorded):
    """v = momentum v + (1 - dampening) g;  p -= lr v  (nesterov: p -= lr (g + momentum v)).

    foreach, fused: accepted; execution is always one fused program.  Source: torch.optim.SGD.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, TensorBase) and lr.numel() != 1:  # type: ignore[attr-defined]
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_flags(fused, foreach, differentiable)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(
            nesterov=False, maximize=False, foreach=None, differentiable=False, fused=False
        )

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {}

    def _dense(self, grad: Any, group: dict[str, Any]) -> Any:
        return grad.to_dense()

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group, stateful=not is_zero(group["momentum"]))
        buffers = [s.get("momentum_buffer") for s in states]
        sgd(
            params,
            grads,
            buffers,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
        )
        for state, buffer in zip(states, buffers, strict=True):
            state["momentum_buffer"] = buffer


def sgd(
    params: Tensors,
    d_p_list: Tensors,
    momentum_buffer_list: list[Any],
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    *,
    weight_decay: Any,
    momentum: float,
    lr: Any,
    dampening: float,
    nesterov: bool,
    maximize: bool,
    differentiable: bool = False,
) -> None:
    """One SGD step on lists; missing momentum buffers (None) are made in `momentum_buffer_list`."""
    no_amp(grad_scale, found_inf)
    use_momentum = not is_zero(momentum)
    counts = [(0.0,)] * len(params)
    if use_momentum:
        for i, buffer in enumerate(momentum_buffer_list):
            if buffer is None:
                # Zeros, and no dampening in the first step: torch's clone of the gradient.
                momentum_buffer_list[i] = full(params[i])
                counts[i] = (1.0 if dampening else 0.0,)
    update(
        RULE,
        params,
        d_p_list,
        [momentum_buffer_list] if use_momentum else [],
        counts,
        (scalar(lr), momentum, dampening, scalar(weight_decay)),
        {
            "use_momentum": use_momentum,
            "dampened": use_momentum and dampening != 0,
            "nesterov": nesterov,
            "maximize": maximize,
            "decay": decay_of(weight_decay),
        },
        differentiable,
    )
