"""What autocast does to an op's operands, and each thread's settings of it."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from . import _gate
from ._autocast_lists import BANNED, LOW, ONLY, POLICIES, WIDE, WIDE_RESULT
from ._engine import dtype as _dtype
from ._engine import recorder
from ._engine.backward import modes
from ._engine.device import device
from ._functions import composite
from ._gate import TensorBase
from .ops import TABLE

_TO_DTYPE = TABLE["_to_dtype"]
_BANNED = (
    "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n"
    "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
    "In this case, combine the two layers using "
    "torch.nn.functional.binary_cross_entropy_with_logits\n"
    "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\n"
    "safe to autocast."
)


class _State(threading.local):
    """One thread's settings."""

    def __init__(self) -> None:
        self.on: set[str] = set()  # device types
        self.dtypes = {"cpu": _dtype.bfloat16, "cuda": _dtype.float16}
        self.cache_enabled = True
        self.nesting = 0
        # id of a parameter -> (it, its value then, grad mode, its cast)
        self.cache: dict[int, tuple[Any, Any, bool, Any]] = {}


_state = _State()
_lock = threading.Lock()
_users = 0  # (thread, device type) pairs with autocast on


# --- casting ------------------------------------------------------------------------------------


def _cast_operands(op: Any, operands: tuple[Any, ...], static: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of `op` in the dtypes that autocast wants; called by the gate for every op."""
    for kind in _state.on:
        policy = POLICIES[kind].get(op.name)
        if policy is not None and _listed(kind, op, static):
            operands = _apply(policy, kind, op, operands, static)
    return operands


def _listed(kind: str, op: Any, static: tuple[Any, ...]) -> bool:
    only = ONLY.get((kind, op.name))
    return only is None or only(**dict(zip((p.name for p in op.statics), static, strict=True)))


def _apply(
    policy: str, kind: str, op: Any, operands: tuple[Any, ...], static: tuple[Any, ...]
) -> tuple[Any, ...]:
    low = _state.dtypes[kind]
    if policy == LOW:
        return _each(operands, kind, low)
    if policy == WIDE:
        return _each(operands, kind, _dtype.float32)
    if policy == WIDE_RESULT:
        if _names_dtype(op, static):
            return operands
        return (_cast(operands[0], kind, _dtype.float32), *operands[1:])
    if policy == BANNED:
        if any(_eligible(t, kind) for t in operands):
            raise RuntimeError(_BANNED)
        return operands
    wide = any(t._aval.dtype is _dtype.float32 for t in _flat(operands) if _eligible(t, kind))
    return _each(operands, kind, _dtype.float32 if wide else low)


def _names_dtype(op: Any, static: tuple[Any, ...]) -> bool:
    return any(
        p.name == "dtype" and value is not None
        for p, value in zip(op.statics, static, strict=True)
    )  # fmt: skip


def _flat(operands: tuple[Any, ...]) -> list[Any]:
    return [t for x in operands for t in (x if isinstance(x, list | tuple) else (x,))]


def _eligible(t: Any, kind: str) -> bool:
    if not isinstance(t, TensorBase):
        return False
    a = t._aval
    if not a.dtype.is_floating_point or a.dtype is _dtype.float64:
        return False
    return a.place.traced or a.place.device.type == kind


def _each(operands: tuple[Any, ...], kind: str, dtype: Any) -> tuple[Any, ...]:
    return tuple(
        tuple(_cast(t, kind, dtype) for t in x) if isinstance(x, list | tuple)
        else _cast(x, kind, dtype)
        for x in operands
    )  # fmt: skip


def _cast(t: Any, kind: str, dtype: Any) -> Any:
    if not _eligible(t, kind) or t._aval.dtype is dtype:
        return t
    if dtype is not _dtype.float32 and _is_parameter(t):
        return _cached(t, dtype)
    return _gate.apply(_TO_DTYPE, (t,), (dtype,))


def _is_parameter(t: Any) -> bool:
    """Whether its cast is worth remembering: torch's condition, and no region is being recorded."""
    return (
        t._req
        and t._edge_ is None
        and t._chain is None
        and _state.cache_enabled
        and t._aval.dtype is _dtype.float32
        and not t._aval.place.traced
        and not recorder._local.region
    )


def _cached(t: Any, dtype: Any) -> Any:
    value = t._value
    known = _state.cache.get(id(t))
    if known is not None:
        source, then, grad, made = known
        fresh = source() is t and then is value and grad is modes.grad
        if fresh and made._aval.dtype is dtype:
            return made
    made = _gate.apply(_TO_DTYPE, (t,), (dtype,))
    _state.cache[id(t)] = (weakref.ref(t), value, modes.grad, made)
    return made


# --- settings -----------------------------------------------------------------------------------


def _kind(device_type: str, function: str) -> str:
    if not isinstance(device_type, str):
        raise TypeError(
            f"{function}(): argument 'device_type' (position 1) must be str, not "
            f"{type(device_type).__name__}"
        )
    kind = device(device_type).type
    if kind not in POLICIES:
        raise RuntimeError(f"unknown device type for autocast in get_autocast_dispatch_key: {kind}")
    return kind


@composite("torch")
def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether autocast is on in this thread, for a device type or ('cuda') by default."""
    return ("cuda" if device_type is None else _kind(device_type, "is_autocast_enabled")) in (
        _state.on
    )


@composite("torch")
def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Turn autocast on or off in this thread for a device type ('cuda' if only a bool is given)."""
    global _users
    if enabled is None:
        device_type, enabled = "cuda", bool(device_type)
    kind = _kind(device_type, "set_autocast_enabled")
    if enabled == (kind in _state.on):
        return
    with _lock:
        if enabled:
            _state.on = _state.on | {kind}
            _users += 1
        else:
            _state.on = _state.on - {kind}
            _users -= 1
        _gate.autocast = _cast_operands if _users else None


@composite("torch")
def get_autocast_dtype(device_type: str) -> Any:
    """The low precision of a device type; unless set, bfloat16 on the CPU, else float16."""
    return _state.dtypes[_kind(device_type, "get_autocast_dtype")]


@composite("torch")
def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Set the low precision of a device type in this thread."""
    _state.dtypes[_kind(device_type, "set_autocast_dtype")] = dtype


@composite("torch")
def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are remembered until the outermost region ends."""
    return _state.cache_enabled


@composite("torch")
def set_autocast_cache_enabled(enabled: bool) -> None:
    """Whether casts of parameters are remembered until the outermost region ends."""
    _state.cache_enabled = bool(enabled)


@composite("torch")
def clear_autocast_cache() -> None:
    """Forget the casts of parameters."""
    _state.cache.clear()


@composite("torch")
def autocast_increment_nesting() -> int:
    """One region deeper."""
    _state.nesting += 1
    return _state.nesting


@composite("torch")
def autocast_decrement_nesting() -> int:
    """One region less deep."""
    _state.nesting -= 1
    return _state.nesting


def any_enabled() -> bool:
    """Whether autocast is on in this thread for some device type."""
    return bool(_state.on)


# --- the older names, one per device type ---------------------------------------------------------


@composite("torch")
def is_autocast_cpu_enabled() -> bool:
    """Deprecated: `is_autocast_enabled('cpu')`."""
    return is_autocast_enabled("cpu")


@composite("torch")
def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Deprecated: `set_autocast_enabled('cpu', enabled)`."""
    set_autocast_enabled("cpu", enabled)


@composite("torch")
def get_autocast_cpu_dtype() -> Any:
    """Deprecated: `get_autocast_dtype('cpu')`."""
    return get_autocast_dtype("cpu")


@composite("torch")
def set_autocast_cpu_dtype(dtype: Any) -> None:
    """Deprecated: `set_autocast_dtype('cpu', dtype)`."""
    set_autocast_dtype("cpu", dtype)


@composite("torch")
def get_autocast_gpu_dtype() -> Any:
    """Deprecated: `get_autocast_dtype('cuda')`."""
    return get_autocast_dtype("cuda")


@composite("torch")
def set_autocast_gpu_dtype(dtype: Any) -> None:
    """Deprecated: `set_autocast_dtype('cuda', dtype)`."""
    set_autocast_dtype("cuda", dtype)


def _absent_device(kind: str, low: Any) -> None:
    """The names for a device type that jtorch does not have: autocast on it is always off."""

    def refuse(asked: bool) -> None:
        if asked:
            raise NotImplementedError(
                f"jtorch has no {kind!r} device: autocast accelerators with torch.autocast('cuda')."
            )

    def is_enabled() -> bool:
        return False

    def get_dtype() -> Any:
        return low

    def set_enabled(enabled: bool) -> None:
        refuse(enabled)

    def set_dtype(dtype: Any) -> None:
        refuse(dtype is not low)

    for name, f in (
        (f"is_autocast_{kind}_enabled", is_enabled), (f"get_autocast_{kind}_dtype", get_dtype),
        (f"set_autocast_{kind}_enabled", set_enabled), (f"set_autocast_{kind}_dtype", set_dtype),
    ):  # fmt: skip
        f.__name__ = f.__qualname__ = name
        f.__doc__ = f"Deprecated; there is no {kind!r} device, on which autocast is off."
        composite("torch")(f)


_absent_device("xla", _dtype.bfloat16)
_absent_device("ipu", _dtype.float16)
