"""`from_optax`: any optax gradient transformation drives jtorch parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine import recorder
from .._engine.op import Op, Param, Role
from .._engine.signature import lookup
from .._engine.value import from_array
from .._gate import TensorBase, wrap
from ..autograd import enable_grad, no_grad
from ._rules_optax import initial_state, optax_row
from .optimizer import Optimizer

__all__ = ["OptaxOptimizer", "from_optax"]

_ROLES = {
    "lr": Role.SCALAR, "params": Role.ARRAYS, "grads": Role.ARRAYS, "state": Role.ARRAYS,
    "value": Role.ARRAYS, "tx": Role.STATIC, "structure": Role.STATIC, "names": Role.STATIC,
    "missing": Role.STATIC,
}  # fmt: skip
_OP = Op("optax_step", optax_row, tuple(Param(n, r) for n, r in _ROLES.items()), dynamic=True)


class OptaxOptimizer(Optimizer):
    """p += lr * update, the update an optax transformation's; one recorded op per parameter group.

    lr: a factor on the update, 1 by default, which torch's schedulers may drive; optax's own
    schedules work too, as they count in the state.  The transformation sees each group as a dict by
    name when the parameters come with names (`model.named_parameters()`), else as a list; a
    missing gradient is a zero one.  `state_dict` keeps the leaves of the state per group.
    """

    def __init__(self, params: Any, tx: Any, lr: Any = 1.0) -> None:
        if not (callable(getattr(tx, "init", None)) and callable(getattr(tx, "update", None))):
            raise TypeError(
                "from_optax takes an optax.GradientTransformation such as optax.adam(1e-3), "
                f"not {type(tx).__name__}"
            )
        self.tx = tx
        self._structures: dict[int, Any] = {}
        super().__init__(params, {"lr": lr})

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"tx": self.tx}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._structures = {}
        super().__setstate__(state)

    def opt_state(self, group: int = 0) -> Any:
        """The transformation's state for one group, as optax made it, with tensors as leaves."""
        return self._structure(group).unflatten(self.state[_key(group)]["leaves"])

    def step(self, closure: Any = None, value: Any = None) -> Any:
        """One update.  value: the loss, for transformations that read it (None: the closure's)."""
        with no_grad():
            loss = None
            if closure is not None:
                with enable_grad():
                    loss = closure()
            value = loss if value is None else value
            for i in range(len(self.param_groups)):
                self._update(i, value)
        return loss

    def _names(self, group: int) -> tuple[str, ...] | None:
        names = self.param_groups[group].get("param_names")
        return None if names is None else tuple(names)

    def _structure(self, number: int) -> Any:
        """The structure of a group's state; makes the state if there is none (or none loaded)."""
        if number not in self._structures:
            params = self.param_groups[number]["params"]
            arrays = [recorder.concrete(p._value, "the optimizer's first state") for p in params]
            leaves, structure = initial_state(self.tx, self._names(number), arrays)
            self._structures[number] = structure
            if not self.state[_key(number)]:
                self.state[_key(number)]["leaves"] = [wrap(from_array(x)) for x in leaves]
        return self._structures[number]

    def _update(self, number: int, value: Any) -> None:
        group = self.param_groups[number]
        params = group["params"]
        missing = tuple(p.grad is None for p in params)
        if all(missing):
            return
        structure = self._structure(number)
        kept = self.state[_key(number)]["leaves"]
        lr = group["lr"]
        lists = [
            params,
            [p.grad for p in params if p.grad is not None],
            kept,
            [value.detach()] if isinstance(value, TensorBase) else [],  # type: ignore[attr-defined]
        ]
        rate = lr._value if isinstance(lr, TensorBase) else float(lr)
        flat = [rate, *(t._value for ts in lists for t in ts)]
        kinds = [tuple(t._value.aval for t in ts) for ts in lists]
        spec = (rate.aval if isinstance(lr, TensorBase) else float, *kinds)
        sig = lookup(_OP, (self.tx, structure, self._names(number), missing), spec)
        for t, new in zip((*params, *kept), recorder.record(sig, flat), strict=True):
            t._assign(new, None, False)


def _key(group: int) -> str:
    return f"group {group}"


def from_optax(tx: Any) -> Callable[..., OptaxOptimizer]:
    """A constructor of optimizers: `from_optax(optax.lion(1e-4))(model.parameters())`."""

    def construct(params: Any, lr: Any = 1.0) -> OptaxOptimizer:
        return OptaxOptimizer(params, tx, lr)

    return construct
