"""`torch.cuda.amp` and `torch.cpu.amp`: the names that mixed precision had per device type."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .._engine import dtype as _dtype
from .._engine.device import accelerators
from . import autocast_mode, grad_scaler


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"`torch.{old}(args...)` is deprecated. Please use `torch.{new}` instead.",
        FutureWarning,
        stacklevel=3,
    )


def _autocast(kind: str, default: Any) -> type:
    class autocast(autocast_mode.autocast):
        __doc__ = f"Deprecated: `torch.amp.autocast('{kind}', ...)`."

        def __init__(
            self, enabled: bool = True, dtype: Any = default, cache_enabled: bool = True
        ) -> None:
            _warn(f"{kind}.amp.autocast", f"amp.autocast('{kind}', args...)")
            super().__init__(kind, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)

    autocast.__qualname__, autocast.__module__ = "autocast", f"jtorch.{kind}.amp.autocast_mode"
    return autocast


def _scaler(kind: str) -> type:
    class GradScaler(grad_scaler.GradScaler):
        __doc__ = f"Deprecated: `torch.amp.GradScaler('{kind}', ...)`."

        def __init__(
            self,
            init_scale: float = 2.0**16,
            growth_factor: float = 2.0,
            backoff_factor: float = 0.5,
            growth_interval: int = 2000,
            enabled: bool = True,
        ) -> None:
            _warn(f"{kind}.amp.GradScaler", f"amp.GradScaler('{kind}', args...)")
            super().__init__(
                kind, init_scale, growth_factor, backoff_factor, growth_interval, enabled
            )

    GradScaler.__qualname__, GradScaler.__module__ = "GradScaler", f"jtorch.{kind}.amp.grad_scaler"
    return GradScaler


def custom_fwd(fwd: Callable[..., Any] | None = None, *, cast_inputs: Any = None) -> Any:
    """Deprecated: `torch.amp.custom_fwd(..., device_type='cuda')`."""
    _warn("cuda.amp.custom_fwd", "amp.custom_fwd(args..., device_type='cuda')")
    return autocast_mode.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Callable[..., Any]) -> Any:
    """Deprecated: `torch.amp.custom_bwd(..., device_type='cuda')`."""
    _warn("cuda.amp.custom_bwd", "amp.custom_bwd(args..., device_type='cuda')")
    return autocast_mode.custom_bwd(bwd, device_type="cuda")


def amp_definitely_not_available() -> bool:
    """Whether there is no accelerator."""
    return not accelerators()


def _module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(f"jtorch.{name}", f"torch.{name}: deprecated names of torch.amp.")
    vars(made).update(content, __all__=sorted(content))
    sys.modules[made.__name__] = made
    return made


def _package(kind: str, default: Any, **more: Any) -> ModuleType:
    """The module `torch.<kind>.amp` with its submodules."""
    autocast, scaler = _autocast(kind, default), _scaler(kind)
    name = f"{kind}.amp"
    package = _module(name, autocast=autocast, GradScaler=scaler, **more)
    package.__path__ = []
    modes = {k: more[k] for k in ("custom_fwd", "custom_bwd") if k in more}
    package.autocast_mode = _module(f"{name}.autocast_mode", autocast=autocast, **modes)  # type: ignore[attr-defined]
    package.grad_scaler = _module(  # type: ignore[attr-defined]
        f"{name}.grad_scaler", GradScaler=scaler, OptState=grad_scaler.OptState
    )
    if kind == "cuda":
        package.common = _module(  # type: ignore[attr-defined]
            f"{name}.common", amp_definitely_not_available=amp_definitely_not_available
        )
    return package


cuda_amp = _package(
    "cuda", _dtype.float16, custom_fwd=custom_fwd, custom_bwd=custom_bwd,
    amp_definitely_not_available=amp_definitely_not_available,
)  # fmt: skip
cpu_amp = _package("cpu", _dtype.bfloat16)
