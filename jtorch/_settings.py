"""Process-wide settings of torch: threads, determinism and precision hints."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ._engine import dtype as _dtype
from ._functions import composite

_state: dict[str, Any] = {
    "threads": int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))),
    "interop": len(os.sched_getaffinity(0)),
    "precision": "highest", "deterministic": 0, "warn_always": False,
}  # fmt: skip
_MODES = {"default": 0, "warn": 1, "error": 2}


@composite("torch")
def get_num_threads() -> int:
    """What `set_num_threads` set."""
    return int(_state["threads"])


@composite("torch")
def set_num_threads(num: int) -> None:
    """Remembered.  Differs from torch: XLA's thread pool is as large as the process's CPU set."""
    _state["threads"] = _positive("set_num_threads", num)


@composite("torch")
def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` set."""
    return int(_state["interop"])


@composite("torch")
def set_num_interop_threads(num: int) -> None:
    """Remembered, as `set_num_threads`."""
    _state["interop"] = _positive("set_num_interop_threads", num)


def _positive(name: str, num: Any) -> int:
    if not isinstance(num, int):
        raise TypeError(f"{name} expects an int, but got {type(num).__name__}")
    if num <= 0:
        raise RuntimeError(f"{name} expects a positive integer")
    return num


@composite("torch")
def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` set."""
    return str(_state["precision"])


@composite("torch")
def set_float32_matmul_precision(precision: str) -> None:
    """A hint.  Differs from torch: XLA's default precision of the device stays."""
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "setFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )
        return
    _state["precision"] = precision


@composite("torch")
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """On CPUs and TPUs XLA is deterministic already.

    Differs from torch: on GPUs it is up to XLA_FLAGS=--xla_gpu_deterministic_ops=true.
    """
    _state["deterministic"] = (1 if warn_only else 2) if mode else 0


@composite("torch")
def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` set."""
    return bool(_state["deterministic"])


@composite("torch")
def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was to warn only."""
    return bool(_state["deterministic"] == 1)


@composite("torch")
def set_deterministic_debug_mode(debug_mode: Any) -> None:
    """`use_deterministic_algorithms` by number or word: default, warn, error."""
    if not isinstance(debug_mode, int | str):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    number = _MODES.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if number not in (0, 1, 2):
        what = "`default`, `warn`, `error`" if isinstance(debug_mode, str) else "0, 1, 2"
        raise RuntimeError(
            f"invalid value of debug_mode, expected one of {what}, but got {debug_mode}"
        )
    _state["deterministic"] = number


@composite("torch")
def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: nothing, warn or error."""
    return int(_state["deterministic"])


@composite("torch")
def set_warn_always(b: bool) -> None:
    """Remembered: jtorch's warnings follow Python's own filters."""
    _state["warn_always"] = bool(b)


@composite("torch")
def is_warn_always_enabled() -> bool:
    """What `set_warn_always` set."""
    return bool(_state["warn_always"])


@composite("torch")
def set_flush_denormal(mode: bool) -> bool:
    """False: XLA decides about denormal numbers, as PyTorch says where it cannot set this."""
    return False


@composite("torch")
def typename(obj: Any) -> str:
    """The type of an object with its module, 'torch.FloatTensor' for a tensor."""
    from .tensor import Tensor

    if isinstance(obj, Tensor):
        return str(obj.type())
    module = getattr(obj, "__module__", None) or ""
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", "")
    if not name:
        module, name = type(obj).__module__ or "", type(obj).__qualname__
    return name if module in ("", "builtins") else f"{module}.{name}"


@composite("torch")
def set_default_tensor_type(t: Any) -> None:
    """The default dtype by tensor type: `torch.DoubleTensor` or its name."""
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    kind = name.rpartition(".")[2]
    kinds = {
        "FloatTensor": _dtype.float32, "DoubleTensor": _dtype.float64, "HalfTensor": _dtype.float16,
        "BFloat16Tensor": _dtype.bfloat16,
    }  # fmt: skip
    if kind not in kinds or ".cuda." in name:
        raise TypeError(
            "only floating-point types are supported as the default type"
            if ".cuda." not in name
            else "set_default_tensor_type('torch.cuda...') is not supported: use "
            "torch.set_default_dtype() and torch.set_default_device()"
        )
    _dtype.set_default_dtype(kinds[kind])
