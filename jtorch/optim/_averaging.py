"""Averages of model weights as recorded ops: the functions that `AveragedModel` calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine import recorder
from .._engine.op import Op, Param, Role
from .._engine.signature import lookup
from .._gate import TensorBase
from ..autograd import no_grad
from ._rules_average import average
from ._update import Tensors, read

_ROLES = {
    "count": Role.SCALAR, "weight": Role.SCALAR, "averaged": Role.ARRAYS, "current": Role.ARRAYS,
    "kind": Role.STATIC,
}  # fmt: skip
_OP = Op(
    "average_weights", average, tuple(Param(n, r) for n, r in _ROLES.items()), dynamic=True,
    differentiable=False,
)  # fmt: skip


def record_average(
    averaged: Tensors, current: Tensors, kind: str, count: float = 0, weight: float = 0
) -> None:
    """Write the new averages, one op per device."""
    places: dict[Any, list[int]] = {}
    for i, a in enumerate(averaged):
        places.setdefault(a._value.aval.place, []).append(i)
    for run in places.values():
        lists = [[ts[i] for i in run] for ts in (averaged, current)]
        flat = [float(count), float(weight), *(t._value for ts in lists for t in ts)]
        spec = (float, float, *(tuple(t._value.aval for t in ts) for ts in lists))
        sig = lookup(_OP, (kind,), spec)
        for a, value in zip(lists[0], recorder.record(sig, flat), strict=True):
            a._assign(value, None, False)


def number(n: Any) -> float:
    """How many models have been averaged, from a tensor or a number."""
    return read(n) if isinstance(n, TensorBase) else float(n)


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Tensors, Tensors, Any], None]:
    """Exponential moving average: all parameters move 1 - decay of the way, in one op."""
    _check_decay(decay)

    def ema_update(ema_param_list: Tensors, current_param_list: Tensors, _: Any) -> None:
        record_average(ema_param_list, current_param_list, "lerp", weight=1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> Callable[[Tensors, Tensors, Any], None]:
    """Equal weights for all models so far: all parameters in one op."""

    def swa_update(
        averaged_param_list: Tensors, current_param_list: Tensors, num_averaged: Any
    ) -> None:
        weight = 1 / (number(num_averaged) + 1)
        record_average(averaged_param_list, current_param_list, "lerp", weight=weight)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], Any]:
    """Exponential moving average of one parameter."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[[Any, Any, Any], Any]:
    """Equal weights for all models so far, one parameter."""

    @no_grad()
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update
