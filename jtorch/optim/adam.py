"""Adam, with AMSGrad and decoupled weight decay."""

from __future__ import annotations

from typing import Any

from .._gate import TensorBase
from ._recorded import (
    Recorded,
    State,
    check_betas,
    check_flags,
    check_lr,
    check_nonnegative,
    check_steps,
    column,
    count,
    decay_of,
    full,
    no_amp,
    scalar,
)  # fmt: skip
from ._rules import ADAM
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["Adam", "adam"]


class Adam(Recorded):
    """Adaptive moments: p -= lr m^ / (sqrt(v^) + eps), with bias-corrected averages m^ and v^.

    foreach, fused, capturable: accepted; execution is always one fused program.
    Source: torch.optim.Adam.
    """

    _no_sparse = "Adam does not support sparse gradients, please consider SparseAdam instead"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, TensorBase) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        check_nonnegative(weight_decay=weight_decay)
        _check_beta_kinds(betas, bool(foreach and not capturable))
        defaults = {
            "lr": lr,
            "betas": tuple(map(scalar, betas)),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_flags(fused, foreach, differentiable)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(
            amsgrad=False, maximize=False, foreach=None, capturable=False, differentiable=False,
            decoupled_weight_decay=False, fused=None,
        )  # fmt: skip
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        state = {"step": count(0.0, p, group), "exp_avg": full(p), "exp_avg_sq": full(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = full(p)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        lr, amsgrad = group["lr"], group["amsgrad"]
        if params and group["foreach"] and isinstance(lr, TensorBase) and not group["capturable"]:
            raise RuntimeError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        beta1, beta2 = group["betas"]
        adam(
            params,
            grads,
            column(states, "exp_avg"),
            column(states, "exp_avg_sq"),
            column(states, "max_exp_avg_sq") if amsgrad else [],
            column(states, "step"),
            amsgrad=amsgrad,
            beta1=beta1,
            beta2=beta2,
            lr=lr,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
            decoupled_weight_decay=group["decoupled_weight_decay"],
        )


def _check_beta_kinds(betas: tuple[Any, Any], foreach_only: bool) -> None:
    floats = [isinstance(b, float) for b in betas]
    tensors = [isinstance(b, TensorBase) for b in betas]
    if not (all(floats) or all(tensors)):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, b in enumerate(betas):
        if not tensors[i]:
            continue
        if foreach_only:
            raise ValueError(
                f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True"
            )
        if b.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")


def adam(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    max_exp_avg_sqs: Tensors,
    state_steps: Tensors,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_complex: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    amsgrad: bool,
    beta1: Any,
    beta2: Any,
    lr: Any,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One Adam step on lists of tensors, in place."""
    no_amp(grad_scale, found_inf)
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        ADAM,
        params,
        grads,
        [exp_avgs, exp_avg_sqs, *([max_exp_avg_sqs] if amsgrad else [])],
        counts,
        (scalar(lr), scalar(beta1), scalar(beta2), eps, weight_decay),
        {
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decay": decay_of(weight_decay, decoupled_weight_decay),
        },
        differentiable,
    )
    write_counts([state_steps], counts)
