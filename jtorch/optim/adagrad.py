"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from typing import Any

from ._recorded import (
    Recorded,
    State,
    check_flags,
    check_lr,
    check_nonnegative,
    check_steps,
    column,
    count,
    decay_of,
    full,
    is_zero,
    no_amp,
    scalar,
)  # fmt: skip
from ._rules import ADAGRAD
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["Adagrad", "adagrad"]


class Adagrad(Recorded):
    """p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(sum of g^2) + eps).

    foreach, fused: accepted; execution is always one fused program.  Sparse gradients are used
    densely, which is the same update.  Source: torch.optim.Adagrad.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_nonnegative(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
        )
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_flags(fused, foreach, differentiable)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(self._new_state(p, group))

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(foreach=None, maximize=False, differentiable=False, fused=None)
        self._counts_as_tensors("step")

    def share_memory(self) -> None:
        """Move the sums of squares to shared memory."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        start = self.defaults["initial_accumulator_value"]
        total = complex(start, start) if p.is_complex() else start
        return {"step": count(0.0, p, group), "sum": full(p, total)}

    def _dense(self, grad: Any, group: dict[str, Any]) -> Any:
        if not is_zero(group["weight_decay"]):
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        return grad.to_dense()

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        adagrad(
            params,
            grads,
            column(states, "sum"),
            column(states, "step"),
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            lr_decay=group["lr_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
        )


def adagrad(
    params: Tensors,
    grads: Tensors,
    state_sums: Tensors,
    state_steps: Tensors,
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    weight_decay: float,
    lr_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One Adagrad step on lists of tensors, in place."""
    no_amp(grad_scale, found_inf)
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        ADAGRAD,
        params,
        grads,
        [state_sums],
        counts,
        (scalar(lr), lr_decay, eps, weight_decay),
        {"maximize": maximize, "decay": decay_of(weight_decay)},
        differentiable,
    )
    write_counts([state_steps], counts)
