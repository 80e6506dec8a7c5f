"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

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
from ._rules import NADAM, nadam_mu
from ._update import Tensors, read_counts, update, write_counts

__all__ = ["NAdam", "nadam"]


class NAdam(Recorded):
    """Adam whose momentum follows a schedule, and whose step already looks one momentum ahead.

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.NAdam.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_nonnegative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(
            maximize=False, foreach=None, capturable=False, differentiable=False,
            decoupled_weight_decay=False,
        )  # fmt: skip
        self._counts_as_tensors("step", "mu_product")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {
            "step": count(0.0, p, group),
            "mu_product": count(1.0, p, group),
            "exp_avg": full(p),
            "exp_avg_sq": full(p),
        }

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        beta1, beta2 = group["betas"]
        nadam(
            params,
            grads,
            column(states, "exp_avg"),
            column(states, "exp_avg_sq"),
            column(states, "mu_product"),
            column(states, "step"),
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            momentum_decay=group["momentum_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
            decoupled_weight_decay=group["decoupled_weight_decay"],
            differentiable=group["differentiable"],
        )


def nadam(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    mu_products: Tensors,
    state_steps: Tensors,
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
    momentum_decay: float,
    eps: float,
) -> None:
    """One NAdam step on lists of tensors, in place."""
    check_steps(state_steps)
    check_steps(mu_products)
    if not params:
        return
    kind = mu_products[0]._value.aval.np.type  # the product is rounded to its tensor's dtype
    counts = []
    for step, product in read_counts([state_steps, mu_products]):
        mu = nadam_mu(beta1, step + 1, momentum_decay)
        counts.append((step + 1, float(np.multiply(kind(product), kind(mu)))))
    update(
        NADAM,
        params,
        grads,
        [exp_avgs, exp_avg_sqs],
        counts,
        (scalar(lr), beta1, beta2, eps, weight_decay, momentum_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay, decoupled_weight_decay)},
        differentiable,
    )
    write_counts([state_steps, mu_products], counts)
