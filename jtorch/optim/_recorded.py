"""`Recorded`: the base of torch's own optimizers, whose step is one recorded op per group."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._engine.backward import modes
from .._engine.device import place_of
from .._engine.value import Value, aval
from .._gate import TensorBase, wrap
from ..autograd import enable_grad
from ._update import Tensors
from .optimizer import Optimizer

State = dict[str, Any]


class Recorded(Optimizer):
    """`step` for optimizers that say how to start a parameter's state and how to update a group."""

    _no_sparse = "{} does not support sparse gradients"

    def step(self, closure: Any = None) -> Any:
        """One update of all parameters that have a gradient.

        closure: re-evaluates the model, calls backward and returns the loss, which `step` returns.
        """
        before, modes.grad = modes.grad, bool(self.defaults.get("differentiable", False))
        try:
            loss = None
            if closure is not None:
                with enable_grad():
                    loss = closure()
            for group in self.param_groups:
                self._update(group)
        finally:
            modes.grad = before
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        raise NotImplementedError

    def _new_state(self, p: Any, group: dict[str, Any]) -> State:
        """The state of a parameter before its first step, under torch's names."""
        raise NotImplementedError

    def _gather(
        self, group: dict[str, Any], stateful: bool = True
    ) -> tuple[Tensors, Tensors, list[State]]:
        """Parameters with a gradient, their gradients and their states, made where missing."""
        params: Tensors = group["params"]
        grads = [p.grad for p in params]
        if [g for g in grads if g is None]:
            params = [p for p, g in zip(params, grads, strict=True) if g is not None]
            grads = [g for g in grads if g is not None]
        if [g for g in grads if g.is_sparse]:
            grads = [self._dense(g, group) if g.is_sparse else g for g in grads]
        if group.get("fused"):
            for p in params:
                check_fused(p)
        states = [self.state[p] for p in params] if stateful else []
        if not all(states):
            for p, state in zip(params, states, strict=True):
                if not state:
                    state.update(self._new_state(p, group))
        return params, grads, states

    def _dense(self, grad: Any, group: dict[str, Any]) -> Any:
        raise RuntimeError(self._no_sparse.format(type(self).__name__))

    def _default_options(self, **options: Any) -> None:
        """Options that state dicts of older versions lack."""
        for group in self.param_groups:
            for name, value in options.items():
                group.setdefault(name, value)

    def _counts_as_tensors(self, *names: str) -> None:
        """Counts that state dicts of older versions hold as Python numbers, as tensors."""
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state.get(p)
                for name in names if state else ():
                    if not isinstance(state[name], TensorBase):
                        state[name] = count(float(state[name]), p, group)


def column(states: list[State], name: str) -> Tensors:
    """One kind of state tensor, for all parameters."""
    return [s[name] for s in states]


def count(number: float, p: Any, group: dict[str, Any], on_device: bool = False) -> Any:
    """A 0-d tensor for a number that the host keeps; on the parameter's device where torch has it.

    Its dtype is float32, or float64 when that is the default dtype, as in torch.
    """
    fused = bool(group.get("fused"))
    wide = _dtype.get_default_dtype() is _dtype.float64 and not fused
    place = p._value.aval.place
    if not (on_device or fused or group.get("capturable")):
        place = place_of("cpu")
    kind = aval((), _dtype.float64 if wide else _dtype.float32, place)
    return wrap(Value(kind, np.array(number, kind.np)))


def full(p: Any, number: Any = 0, shape: tuple[int, ...] | None = None) -> Any:
    """A state tensor like `p`, with a buffer of its own that steps may overwrite."""
    like = p._value.aval
    kind = like if shape is None else aval(shape, like.dtype, like.place)
    if isinstance(number, TensorBase):
        number = number.item()  # type: ignore[attr-defined]
    return wrap(Value(kind, np.full(kind.shape, number, kind.np)))


def check_fused(p: Any) -> None:
    """torch's condition on the parameters of fused=True."""
    if not p.is_floating_point():
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of supported "
            f"devices: ['mps', 'cuda', 'xpu', 'hpu', 'cpu'] but {p.dtype} and {p.device.type}"
        )


def check_flags(fused: Any, foreach: Any, differentiable: Any) -> None:
    """torch's refusals of contradictory implementations (here execution is always fused)."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_lr(lr: Any, message: str = "Invalid learning rate: {}") -> None:
    """A learning rate is a number or a tensor with one element, and not negative."""
    if isinstance(lr, TensorBase) and lr.numel() != 1:  # type: ignore[attr-defined]
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(message.format(lr))


def check_nonnegative(**options: Any) -> None:
    """`Invalid <name> value: ...` for a negative option."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas: Any) -> None:
    """Both in [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def scalar(option: Any) -> Any:
    """A number as it is; a tensor with one element as a 0-d tensor."""
    return option.squeeze() if isinstance(option, TensorBase) and option.dim() else option  # type: ignore[attr-defined]


def is_zero(option: Any) -> bool:
    """Whether an option switches its term off; a tensor never does: it need not be read."""
    return not isinstance(option, TensorBase) and option == 0


def decay_of(weight_decay: Any, decoupled: bool = False) -> str:
    """The `decay` flag of the rules."""
    if is_zero(weight_decay):
        return "none"
    return "decoupled" if decoupled else "l2"


def no_amp(grad_scale: Any, found_inf: Any) -> None:
    """Gradients are unscaled before the step, as torch does for optimizers that are not fused."""
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")


def check_steps(state_steps: Tensors) -> None:
    """The functional forms take step counts as tensors."""
    if [t for t in state_steps if not isinstance(t, TensorBase)]:
        raise RuntimeError(
            "API has changed, `state_steps` argument must contain a list of singleton tensors"
        )
