"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from typing import Any

from ._recorded import (
    Recorded,
    State,
    check_betas,
    check_lr,
    check_nonnegative,
    check_steps,
    column,
    count,
    decay_of,
    full,
    scalar,
)  # fmt: skip
from ._rules import ADAMAX
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["Adamax", "adamax"]


class Adamax(Recorded):
    """p -= lr m^ / u, with u = max(beta2 u, |g| + eps).

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.Adamax.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        check_nonnegative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(foreach=None, maximize=False, differentiable=False, capturable=False)
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {"step": count(0.0, p, group), "exp_avg": full(p), "exp_inf": full(p)}

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        beta1, beta2 = group["betas"]
        adamax(
            params,
            grads,
            column(states, "exp_avg"),
            column(states, "exp_inf"),
            column(states, "step"),
            eps=group["eps"],
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
        )


def adamax(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_infs: Tensors,
    state_steps: Tensors,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
) -> None:
    """One Adamax step on lists of tensors, in place."""
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        ADAMAX,
        params,
        grads,
        [exp_avgs, exp_infs],
        counts,
        (scalar(lr), beta1, beta2, eps, weight_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay)},
        differentiable,
    )
    write_counts([state_steps], counts)
