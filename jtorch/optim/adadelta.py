"""Adadelta: steps in the parameter's own units."""

from __future__ import annotations

from typing import Any

from ._recorded import (
    Recorded,
    State,
    check_lr,
    check_nonnegative,
    check_steps,
    column,
    count,
    decay_of,
    full,
    scalar,
)  # fmt: skip
from ._rules import ADADELTA
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["Adadelta", "adadelta"]


class Adadelta(Recorded):
    """p -= lr g sqrt(u + eps) / sqrt(v + eps), with running averages v of g^2 and u of the steps^2.

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.Adadelta.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_nonnegative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(foreach=None, maximize=False, differentiable=False, capturable=False)
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {"step": count(0.0, p, group), "square_avg": full(p), "acc_delta": full(p)}

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        adadelta(
            params,
            grads,
            column(states, "square_avg"),
            column(states, "acc_delta"),
            column(states, "step"),
            lr=group["lr"],
            rho=group["rho"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
        )


def adadelta(
    params: Tensors,
    grads: Tensors,
    square_avgs: Tensors,
    acc_deltas: Tensors,
    state_steps: Tensors,
    capturable: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One Adadelta step on lists of tensors, in place."""
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        ADADELTA,
        params,
        grads,
        [square_avgs, acc_deltas],
        [()] * len(params),
        (scalar(lr), rho, eps, weight_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay)},
        differentiable,
    )
    write_counts([state_steps], counts)
