"""RMSprop: steps divided by a running root mean square of the gradient."""

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
from ._rules import RMSPROP
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["RMSprop", "rmsprop"]


class RMSprop(Recorded):
    """p -= lr g / (sqrt(v) + eps); centered: v minus the square of the running mean of g.

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.RMSprop.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_nonnegative(momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(
            momentum=0, centered=False, foreach=None, maximize=False, differentiable=False,
            capturable=False,
        )  # fmt: skip
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        state = {"step": count(0.0, p, group), "square_avg": full(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = full(p)
        if group["centered"]:
            state["grad_avg"] = full(p)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        rmsprop(
            params,
            grads,
            column(states, "square_avg"),
            column(states, "grad_avg") if group["centered"] else [],
            column(states, "momentum_buffer") if group["momentum"] > 0 else [],
            column(states, "step"),
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            centered=group["centered"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
        )


def rmsprop(
    params: Tensors,
    grads: Tensors,
    square_avgs: Tensors,
    grad_avgs: Tensors,
    momentum_buffer_list: Tensors,
    state_steps: Tensors,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> None:
    """One RMSprop step on lists of tensors, in place."""
    check_steps(state_steps)
    counts = next_counts(state_steps)
    slots = [square_avgs]
    if centered:
        slots.append(grad_avgs)
    if momentum > 0:
        slots.append(momentum_buffer_list)
    update(
        RMSPROP,
        params,
        grads,
        slots,
        [()] * len(params),
        (scalar(lr), alpha, eps, weight_decay, momentum),
        {
            "use_momentum": momentum > 0,
            "centered": centered,
            "maximize": maximize,
            "decay": decay_of(weight_decay),
        },
        differentiable,
    )
    write_counts([state_steps], counts)
