"""ASGD: stochastic gradient descent that also averages the parameters."""

from __future__ import annotations

from typing import Any

from .._gate import TensorBase
from ._recorded import (
    Recorded,
    State,
    check_lr,
    check_nonnegative,
    column,
    count,
    decay_of,
    full,
    scalar,
)  # fmt: skip
from ._rules import ASGD as RULE
from ._update import Tensors, read, read_counts, update, write_counts

__all__ = ["ASGD", "asgd"]


class ASGD(Recorded):
    """p = (1 - lambd eta) p - eta g, eta = lr / (1 + lambd lr t)^alpha; 'ax' averages p from t0.

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.ASGD.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
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
        self._counts_as_tensors("step", "eta", "mu")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {
            "step": count(0.0, p, group, on_device=True),
            "eta": count(_number(group["lr"]), p, group, on_device=True),
            "mu": count(1.0, p, group, on_device=True),
            "ax": full(p),
        }

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        asgd(
            params,
            grads,
            column(states, "ax"),
            column(states, "mu"),
            column(states, "eta"),
            column(states, "step"),
            lambd=group["lambd"],
            lr=group["lr"],
            t0=group["t0"],
            alpha=group["alpha"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
        )


def _number(lr: Any) -> float:
    return read(scalar(lr)) if isinstance(lr, TensorBase) else lr


def asgd(
    params: Tensors,
    grads: Tensors,
    axs: Tensors,
    mus: Tensors,
    etas: Tensors,
    state_steps: Tensors,
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lambd: float,
    lr: Any,
    t0: float,
    alpha: float,
    weight_decay: float,
) -> None:
    """One ASGD step on lists of tensors, in place."""
    lr = _number(lr)
    columns = [state_steps, etas, mus]
    before = read_counts(columns)
    update(
        RULE,
        params,
        grads,
        [axs],
        before,
        (lr, lambd, alpha, t0, weight_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay)},
        differentiable,
    )
    after = []
    for step, _, _ in before:
        t = step + 1
        after.append((t, lr / ((1 + lambd * lr * t) ** alpha), 1 / max(1, t - t0)))
    write_counts(columns, after)
