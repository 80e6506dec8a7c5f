"""Muon: momentum with orthogonalised updates, for the matrices of hidden layers."""

from __future__ import annotations

from typing import Any

from ._recorded import Recorded, State, check_lr, full, scalar
from ._rules_matrix import MUON
from ._update import Tensors, update

__all__ = ["Muon"]


class Muon(Recorded):
    """p = (1 - lr weight_decay) p - lr' NS(momentum), NS a Newton-Schulz iteration in bfloat16.

    Only 2-D parameters.  Source: torch.optim.Muon.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn is not None and adjust_lr_fn not in ("original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {p.size()}"
                    )

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {"momentum_buffer": full(p)}

    def _update(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is not None and p.is_complex():
                raise RuntimeError("Muon does not support complex parameters")
        params, grads, states = self._gather(group)
        muon(
            params,
            grads,
            [s["momentum_buffer"] for s in states],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            nesterov=group["nesterov"],
            ns_coefficients=group["ns_coefficients"],
            eps=group["eps"],
            ns_steps=group["ns_steps"],
            adjust_lr_fn=group["adjust_lr_fn"],
            has_complex=False,
        )


def muon(
    params: Tensors,
    grads: Tensors,
    muon_momentum_bufs: Tensors,
    *,
    foreach: bool | None = None,
    lr: Any,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    ns_steps: int,
    eps: float,
    adjust_lr_fn: str | None,
    has_complex: bool,
) -> None:
    """One Muon step on lists of matrices, in place."""
    if foreach:
        raise RuntimeError("Foreach is not supported for Muon yet")
    if has_complex:
        raise ValueError("Complex parameters are not supported")
    if ns_steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(ns_coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    if any(g.ndim != 2 for g in grads):
        raise ValueError("Param gradient must be a 2D matrix")
    update(
        MUON,
        params,
        grads,
        [muon_momentum_bufs],
        [()] * len(params),
        (scalar(lr), momentum, weight_decay),
        {
            "nesterov": nesterov,
            "eps": eps,
            "coefficients": tuple(ns_coefficients),
            "ns_steps": ns_steps,
            "adjust": adjust_lr_fn,
        },
    )
