"""Adafactor: adaptive steps with sublinear memory."""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from ._recorded import Recorded, State, check_lr, column, count, full, is_zero, scalar
from ._rules_matrix import ADAFACTOR
from ._update import Tensors, next_counts, update, write_counts

__all__ = ["Adafactor", "adafactor"]


class Adafactor(Recorded):
    """Second moments of matrices are a row times a column; steps are relative to the RMS of p.

    foreach: accepted; execution is always one fused program.  Source: torch.optim.Adafactor.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self._default_options(foreach=None)
        self._counts_as_tensors("step")

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        state = {"step": count(0.0, p, group)}
        shape = tuple(p.shape)
        if len(shape) > 1:
            state["row_var"] = full(p, shape=(*shape[:-1], 1))
            state["col_var"] = full(p, shape=(*shape[:-2], 1, shape[-1]))
        else:
            state["variance"] = full(p)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is not None and p.is_complex():
                raise RuntimeError("Adafactor does not support complex parameters")
        params, grads, states = self._gather(group)
        eps1, eps2 = group["eps"]
        adafactor(
            params,
            grads,
            [s.get("row_var") for s in states],
            [s.get("col_var") for s in states],
            [s.get("variance") for s in states],
            column(states, "step"),
            d=group["d"],
            lr=group["lr"],
            beta2_decay=group["beta2_decay"],
            weight_decay=group["weight_decay"],
            eps1=eps1,
            eps2=eps2,
            maximize=group["maximize"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
        )


def adafactor(
    params: Tensors,
    grads: Tensors,
    row_vars: list[Any],
    col_vars: list[Any],
    variances: list[Any],
    state_steps: Tensors,
    foreach: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_complex: bool = False,
    *,
    d: float,
    lr: Any,
    beta2_decay: float,
    weight_decay: float,
    eps1: float | None,
    eps2: float,
    maximize: bool,
) -> None:
    """One Adafactor step on lists of tensors, in place; factors are None for vectors."""
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Grad scaling should occur outside of optimizer.step()")
    if not params:
        return
    if eps1 is None:  # torch takes the first parameter's dtype for the whole group
        eps1 = _dtype.finfo(params[0].dtype).eps
    counts = next_counts(state_steps)
    update(
        ADAFACTOR,
        params,
        grads,
        [row_vars, col_vars, variances],
        counts,
        (scalar(lr), beta2_decay, eps1, eps2, d, weight_decay),
        {"maximize": maximize, "decay": "none" if is_zero(weight_decay) else "decoupled"},
    )
    write_counts([state_steps], counts)
