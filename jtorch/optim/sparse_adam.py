"""SparseAdam: Adam for gradients that name only some rows."""

from __future__ import annotations

from typing import Any

from .._engine import recorder
from .._engine.op import Op, Param, Role
from .._engine.signature import lookup
from .._gate import TensorBase
from ._recorded import Recorded, State, check_betas, full, scalar
from ._rules_matrix import sparse_adam_numbers, sparse_adam_row
from ._update import Tensors, read

__all__ = ["SparseAdam"]

_ARRAYS = ("numbers", "params", "indices", "values", "exp_avgs", "exp_avg_sqs")
_OP = Op(
    "sparse_adam_step",
    sparse_adam_row,
    (*(Param(n, Role.ARRAYS) for n in _ARRAYS), Param("maximize", Role.STATIC)),
    dynamic=True,
    namespaces=(),
)


class SparseAdam(Recorded):
    """Adam that moves, and averages, only the rows that a sparse gradient holds.

    Differs from torch: jtorch has no sparse tensors, so a step with gradients is refused.

    Source: torch.optim.SparseAdam.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, TensorBase) and lr.numel() != 1:  # type: ignore[attr-defined]
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [
            (p, [i, j])
            for i, group in enumerate(self.param_groups)
            for j, p in enumerate(group["params"])
        ]
        sparse = [at for p, at in places if p.is_sparse]
        if sparse:
            raise ValueError(
                f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors"
            )
        complex_ = [at for p, at in places if p.is_complex()]
        if complex_:
            raise ValueError(
                f"Complex params at indices {complex_}: SparseAdam does not support complex "
                "parameters"
            )

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        return {"step": 0, "exp_avg": full(p), "exp_avg_sq": full(p)}

    def _dense(self, grad: Any, group: dict[str, Any]) -> Any:
        return grad

    def _update(self, group: dict[str, Any]) -> None:
        if any(p.grad is not None and not p.grad.is_sparse for p in group["params"]):
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead "
                "(jtorch has no sparse tensors: nn.Embedding(sparse=True) gives dense gradients)"
            )
        params, grads, states = self._gather(group)
        for state in states:
            state["step"] += 1
        beta1, beta2 = group["betas"]
        sparse_adam(
            params,
            grads,
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [s["step"] for s in states],
            eps=group["eps"],
            beta1=beta1,
            beta2=beta2,
            lr=scalar(group["lr"]),
            maximize=group.get("maximize", False),
        )


def sparse_adam(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    state_steps: list[int],
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: Any,
    maximize: bool,
) -> None:
    """One SparseAdam step on lists of tensors, in place.  Equal indices are added up first."""
    if not params:
        return
    lr = read(lr) if isinstance(lr, TensorBase) else lr
    numbers = [x for t in state_steps for x in sparse_adam_numbers(t, lr, beta1, beta2, eps)]
    indices, values = [g._indices() for g in grads], [g._values() for g in grads]
    lists = [params, indices, values, exp_avgs, exp_avg_sqs]
    flat: list[Any] = [*map(float, numbers), *(t._value for ts in lists for t in ts)]
    spec = ((float,) * len(numbers), *(tuple(t._value.aval for t in ts) for ts in lists))
    sig = lookup(_OP, (maximize,), spec)
    targets = [*params, *exp_avgs, *exp_avg_sqs]
    for t, value in zip(targets, recorder.record(sig, flat), strict=True):
        t._assign(value, None, False)
