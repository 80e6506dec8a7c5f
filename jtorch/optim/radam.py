"""RAdam: Adam with a rectified adaptive step."""

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
from ._rules import RADAM
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["RAdam", "radam"]


class RAdam(Recorded):
    """Adam that takes plain momentum steps until the variance of its adaptive step is tractable.

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.RAdam.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(
            foreach=None, maximize=False, differentiable=False, decoupled_weight_decay=False,
            capturable=False,
        )  # fmt: skip
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {"step": count(0.0, p, group), "exp_avg": full(p), "exp_avg_sq": full(p)}

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        beta1, beta2 = group["betas"]
        radam(
            params,
            grads,
            column(states, "exp_avg"),
            column(states, "exp_avg_sq"),
            column(states, "step"),
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
            decoupled_weight_decay=group["decoupled_weight_decay"],
            differentiable=group["differentiable"],
        )


def radam(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    state_steps: Tensors,
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
    eps: float,
) -> None:
    """One RAdam step on lists of tensors, in place."""
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        RADAM,
        params,
        grads,
        [exp_avgs, exp_avg_sqs],
        counts,
        (scalar(lr), beta1, beta2, eps, weight_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay, decoupled_weight_decay)},
        differentiable,
    )
    write_counts([state_steps], counts)
