"""`GradScaler`: scales losses so that float16 gradients survive, skips steps that overflowed."""

from __future__ import annotations

import warnings
from collections import abc, defaultdict
from enum import Enum
from typing import Any

from .. import _gate
from .._engine import dtype as _dtype
from .._engine.device import accelerators
from .._functions import NAMESPACES
from ..autograd import no_grad
from ..ops import TABLE
from ..optim._recorded import Recorded
from ..optim._update import skipped_if
from ..optim.optimizer import has_step_hooks
from ..optim.sparse_adam import SparseAdam
from ..tensor import Tensor

__all__ = ["GradScaler", "OptState"]

_TORCH = NAMESPACES["torch"]
_FIX = "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."  # noqa: E501


class OptState(Enum):
    """What has been done for an optimizer since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _refresh_per_optimizer_state() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class _Copies:
    """One 0-d tensor on every device that asks for it."""

    def __init__(self, master: Tensor) -> None:
        self.master = master
        self.by_device: dict[Any, Tensor] = {}

    def get(self, device: Any) -> Tensor:
        found = self.by_device.get(device)
        if found is None:
            found = self.by_device[device] = self.master.to(device=device, copy=True)
        return found


def _unscaled(grads: list[Tensor], found_inf: Tensor, inv_scale: Tensor) -> None:
    """Multiply gradients in place and note in `found_inf` whether one was not finite: one op."""
    *new, found = _gate.apply(TABLE["_amp_unscale"], (grads, found_inf, inv_scale), ())
    for t, value in zip((*grads, found_inf), (*new, found), strict=True):
        t._assign(value._value, None, False)


class GradScaler:
    """Multiplies losses by a scale that grows until gradients overflow, and then backs off.

    `scale(loss).backward(); scaler.step(optimizer); scaler.update()`. Nothing waits for the check
    of the gradients: the step of jtorch's own optimizers is computed, and thrown away inside the
    program if they overflowed. An optimizer of another kind, or one with step hooks, is asked to
    step or not, as in torch, which has to wait for the answer.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled
        if device == "cuda" and enabled and not accelerators():
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._scale: Tensor | None = None  # made where the first scaled tensor is
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._init_growth_tracker = 0
        self._growth_tracker: Tensor | None = None
        self._per_optimizer_states: Any = defaultdict(_refresh_per_optimizer_state)

    def _check_scale_growth_tracker(self, funcname: str) -> tuple[Tensor, Tensor]:
        if self._scale is None:
            raise AssertionError(f"Attempted {funcname} but _scale is None.  " + _FIX)
        if self._growth_tracker is None:
            raise AssertionError(f"Attempted {funcname} but _growth_tracker is None.  " + _FIX)
        return self._scale, self._growth_tracker

    def _lazy_init_scale_growth_tracker(self, dev: Any) -> None:
        if self._growth_tracker is not None:
            raise AssertionError("_growth_tracker initialized before _scale")
        full = _TORCH["full"]
        self._scale = full((), self._init_scale, dtype=_dtype.float32, device=dev)
        self._growth_tracker = full((), self._init_growth_tracker, dtype=_dtype.int32, device=dev)

    # -- one iteration -------------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """`outputs` (a tensor, or tensors in lists, tuples and iterators) times the scale."""
        if not self._enabled:
            return outputs
        copies: list[_Copies] = []

        def scaled(x: Any) -> Any:
            if isinstance(x, Tensor):
                if not copies:
                    if self._scale is None:
                        self._lazy_init_scale_growth_tracker(x.device)
                    copies.append(_Copies(self._scale))  # type: ignore[arg-type]
                own = copies[0].master
                return x * (own if own.device == x.device else copies[0].get(x.device))
            if isinstance(x, abc.Iterable):
                items = map(scaled, x)
                return type(x)(items) if isinstance(x, list | tuple) else items  # type: ignore[call-arg]
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")

        return scaled(outputs)

    def _unscale_grads_(
        self, optimizer: Any, inv_scale: Tensor, found_inf: Tensor, allow_fp16: bool
    ) -> dict[Any, Tensor]:
        """Unscale all gradients; returns per device whether one was not finite."""
        inverses, found = _Copies(inv_scale), _Copies(found_inf)
        by_device: dict[Any, list[Tensor]] = defaultdict(list)
        for group in optimizer.param_groups:
            for param in group["params"]:
                if not isinstance(param, Tensor):
                    raise AssertionError(
                        f"expected param to be torch.Tensor, got {type(param).__name__}"
                    )
                if param.grad is None:
                    continue
                if not allow_fp16 and param.grad.dtype is _dtype.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                by_device[param.grad.device].append(param.grad)
        with no_grad():
            for device, grads in by_device.items():
                _unscaled(grads, found.get(device), inverses.get(device))
        return found.by_device

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of `optimizer` by the scale, for clipping; once per step."""
        if not self._enabled:
            return
        scale, _ = self._check_scale_growth_tracker("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inv_scale = scale.double().reciprocal().float()
        found_inf = _TORCH["zeros"]((), dtype=_dtype.float32, device=scale.device)
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inv_scale, found_inf, False)
        state["stage"] = OptState.UNSCALED

    def _maybe_opt_step(
        self, optimizer: Any, state: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        found = list(state["found_inf_per_device"].values())
        if len(found) == 1 and _discardable(optimizer):
            with skipped_if(found[0]):
                return optimizer.step(*args, **kwargs)
        if not sum(t.item() for t in found):
            return optimizer.step(*args, **kwargs)
        return None

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale if that was not done, and step unless a gradient is inf or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale_growth_tracker("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._step_of_its_own(optimizer, state, *args, **kwargs)
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if not state["found_inf_per_device"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = self._maybe_opt_step(optimizer, state, *args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def _step_of_its_own(
        self, optimizer: Any, state: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """For optimizers that say they handle `grad_scale` and `found_inf` themselves."""
        scale, _ = self._check_scale_growth_tracker("step")
        if state["stage"] is OptState.READY:
            ones = _TORCH["ones"]((), dtype=_dtype.float32, device=scale.device)
            zeros = _TORCH["zeros"]((), dtype=_dtype.float32, device=scale.device)
            state["found_inf_per_device"] = self._unscale_grads_(optimizer, ones, zeros, True)
            optimizer.grad_scale = scale * getattr(optimizer, "grad_scale", 1)
        else:
            optimizer.grad_scale = getattr(optimizer, "grad_scale", None)
        found = [t.to(scale.device) for t in state["found_inf_per_device"].values()]
        optimizer.found_inf = sum(found[1:], found[0])
        result = optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        del optimizer.grad_scale
        del optimizer.found_inf
        return result

    def update(self, new_scale: Any = None) -> None:
        """Set the scale for the next iteration: the given one, or by what the gradients showed."""
        if not self._enabled:
            return
        scale, tracker = self._check_scale_growth_tracker("update")
        if new_scale is not None:
            self._set_scale(scale, new_scale)
        else:
            found = [
                t.to(scale.device)
                for state in self._per_optimizer_states.values()
                for t in state["found_inf_per_device"].values()
            ]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            new = _gate.apply(
                TABLE["_amp_update_scale"],
                (
                    scale, tracker, sum(found[1:], found[0]), float(self._growth_factor),
                    float(self._backoff_factor), int(self._growth_interval),
                ),
                (),
            )  # fmt: skip
            for t, value in zip((scale, tracker), new, strict=True):
                t._assign(value._value, None, False)
        self._per_optimizer_states = defaultdict(_refresh_per_optimizer_state)

    def _set_scale(self, scale: Tensor, new_scale: Any) -> None:
        if isinstance(new_scale, float):
            scale.fill_(new_scale)
            return
        if (
            new_scale.device.type != self._device
            or new_scale.numel() != 1
            or new_scale.requires_grad is True
        ):
            raise AssertionError(
                "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                "torch.FloatTensor with requires_grad=False."
            )
        scale.copy_(new_scale)

    # -- settings and state --------------------------------------------------------------------

    def get_scale(self) -> float:
        """The scale; 1.0 if scaling is off.  Runs what is pending."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by after `growth_interval` good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after `growth_interval` good steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after an overflow."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after an overflow."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many good steps in a row let the scale grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set how many good steps in a row let the scale grow."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else int(tracker.item())

    def is_enabled(self) -> bool:
        """Whether this scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale, its settings and the count of good steps; empty if scaling is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        if not self._enabled:
            return
        if len(state_dict) == 0:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved "
                "from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale.fill_(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._growth_tracker is not None:
            self._growth_tracker.fill_(state_dict["_growth_tracker"])

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if len(self._per_optimizer_states) != 0:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning "
                    "of an iteration, or at the end after scaler.update()."
                )
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _discardable(optimizer: Any) -> bool:
    """Whether a step of `optimizer` can be computed and thrown away inside the program."""
    own = getattr(type(optimizer).step, "__wrapped__", type(optimizer).step)
    return (
        isinstance(optimizer, Recorded)
        and not isinstance(optimizer, SparseAdam)  # its rows are not `update`'s
        and own is Recorded.step
        and not has_step_hooks(optimizer)
        and not optimizer.defaults.get("differentiable")
        # the first step of a momentum buffer is another one, and the host must know which was first
        and not any(group.get("dampening") for group in optimizer.param_groups)
    )
