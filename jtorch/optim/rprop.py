"""Rprop: step sizes of their own for every element, moved by the sign of the gradient."""

from __future__ import annotations

from typing import Any

from ._recorded import Recorded, State, check_lr, check_steps, column, count, full, scalar
from ._rules import RPROP
from ._update import Tensors, next_counts, read, update, write_counts

__all__ = ["Rprop", "rprop"]


class Rprop(Recorded):
    """p -= size sign(g); size grows by etas[1] while the sign stays, else it shrinks by etas[0].

    foreach, capturable: accepted; execution is always one fused program.
    Source: torch.optim.Rprop.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
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
        lr = group["lr"]
        size = lr if isinstance(lr, int | float) else read(scalar(lr))
        return {
            "step": count(0.0, p, group),
            "prev": full(p),
            "step_size": full(p, complex(size, size) if p.is_complex() else size),
        }

    def _update(self, group: dict[str, Any]) -> None:
        params, grads, states = self._gather(group)
        (etaminus, etaplus), (smallest, largest) = group["etas"], group["step_sizes"]
        rprop(
            params,
            grads,
            column(states, "prev"),
            column(states, "step_size"),
            column(states, "step"),
            step_size_min=smallest,
            step_size_max=largest,
            etaminus=etaminus,
            etaplus=etaplus,
            maximize=group["maximize"],
            differentiable=group["differentiable"],
        )


def rprop(
    params: Tensors,
    grads: Tensors,
    prevs: Tensors,
    step_sizes: Tensors,
    state_steps: Tensors,
    foreach: bool | None = None,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    step_size_min: float,
    step_size_max: float,
    etaminus: float,
    etaplus: float,
) -> None:
    """One Rprop step on lists of tensors, in place."""
    check_steps(state_steps)
    counts = next_counts(state_steps)
    update(
        RPROP,
        params,
        grads,
        [prevs, step_sizes],
        [()] * len(params),
        (etaminus, etaplus, step_size_min, step_size_max),
        {"maximize": maximize},
        differentiable,
    )
    write_counts([state_steps], counts)
