"""`torch.overrides`: subclasses of `Tensor` and `__torch_function__`.

A program without such a class pays nothing: the first one that is defined has its methods wrapped,
and the public functions with them.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._functions import NAMESPACES
from ._gate import subclass_hooks
from .ops import TABLE
from .tensor import Tensor, functions

__all__ = [
    "get_default_nowrap_functions", "handle_torch_function", "has_torch_function",
    "is_tensor_like", "is_tensor_method_or_property",
]  # fmt: skip
_MODULES = {
    "torch": "jtorch", "nn.functional": "jtorch.nn.functional", "linalg": "jtorch.linalg",
    "special": "jtorch.special", "fft": "jtorch.fft",
}  # fmt: skip
_PROPERTIES = ("T", "mT", "H", "mH", "data", "real", "imag")
_PLAIN = (
    "__array__", "__class__", "__copy__", "__deepcopy__", "__delattr__", "__dir__", "__dlpack__",
    "__dlpack_device__", "__format__", "__getattribute__", "__getstate__", "__hash__", "__init__",
    "__init_subclass__", "__jax_array__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
    "__setattr__", "__sizeof__", "__str__", "__subclasshook__", "__torch_function__", "as_subclass",
)  # fmt: skip


class _State(threading.local):
    disabled = False


_state = _State()


class DisableTorchFunctionSubclass:
    """In this block no `__torch_function__` is asked."""

    def __enter__(self) -> None:
        self.before, _state.disabled = _state.disabled, True

    def __exit__(self, *args: Any) -> None:
        _state.disabled = self.before


def _disabled_torch_function_impl(
    cls: type, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
) -> Any:
    """A `__torch_function__` for subclasses whose results are plain tensors."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def get_default_nowrap_functions() -> set[Any]:
    """Functions whose results the default `__torch_function__` leaves as they are."""
    return {Tensor.grad, Tensor.is_leaf}


@classmethod  # type: ignore[misc]
def _default(
    cls: type, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
) -> Any:
    """Call `func`; tensors among its results are of this class, too."""
    if not all(issubclass(cls, t) for t in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
        return _converted(result, cls, args)


def _converted(x: Any, cls: type, args: Any) -> Any:
    if cls is Tensor:
        return x
    if isinstance(x, Tensor):
        if isinstance(x, cls):
            return x
        if any(x is a for a in args):
            return x.as_subclass(cls)  # type: ignore[attr-defined]
        x.__class__ = cls
        return x
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(_converted(i, cls, args) for i in x))
    if isinstance(x, tuple | list):
        return type(x)(_converted(i, cls, args) for i in x)
    return x


Tensor.__torch_function__ = _default  # type: ignore[attr-defined]


def _candidates(values: Iterable[Any]) -> Iterator[Any]:
    for v in values:
        if isinstance(v, list | tuple):
            yield from _candidates(v)
        elif type(v) is not Tensor and hasattr(type(v), "__torch_function__"):
            yield v


def _overriding(args: Any, kwargs: Any) -> list[Any]:
    """One argument per class that has a say, subclasses before their bases."""
    found: list[Any] = []
    for v in _candidates((*args, *kwargs.values())):
        cls = type(v)
        if isinstance(v, Tensor) and not _asks(cls):
            continue
        if all(type(f) is not cls for f in found):
            at = next((i for i, f in enumerate(found) if issubclass(cls, type(f))), len(found))
            found.insert(at, v)
    return found


_asking: dict[type, bool] = {}


def _asks(cls: type) -> bool:
    """Whether a subclass of Tensor is a user's, and not one whose results are plain tensors."""
    known = _asking.get(cls)
    if known is None:
        from .nn.parameter import Buffer, Parameter

        own = cls.__dict__.get("__torch_function__")
        known = not cls.__module__.startswith("jtorch") and (
            own is not None or not issubclass(cls, Parameter | Buffer)
        )
        _asking[cls] = known
    return known


def has_torch_function(relevant_args: Any) -> bool:
    """Whether one of the arguments has a `__torch_function__` to be asked."""
    return not _state.disabled and bool(_overriding(relevant_args, {}))


def has_torch_function_unary(x: Any) -> bool:
    """`has_torch_function` for one argument."""
    return has_torch_function((x,))


has_torch_function_variadic = lambda *args: has_torch_function(args)  # noqa: E731


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Any, *args: Any, **kwargs: Any
) -> Any:
    """Ask each `__torch_function__` in turn, until one answers."""
    overriding = _overriding(relevant_args, {})
    types = tuple(type(v) for v in overriding)
    for v in overriding:
        result = v.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(public_api, "__name__", public_api)
    classes = "".join(f"\n  - tensor subclass {t}" for t in types)
    raise TypeError(
        f"Multiple dispatch failed for 'torch.{name}'; all __torch_function__ handlers returned "
        f"NotImplemented:\n{classes}\n\nFor more information, try re-running with "
        "TORCH_LOGS=not_implemented"
    )


def is_tensor_like(inp: Any) -> bool:
    """Whether something is a tensor or has a `__torch_function__`."""
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether `func` belongs to `Tensor`."""
    return func in set(vars(Tensor).values()) or getattr(func, "__name__", "") == "__get__"


# --- wrapping ------------------------------------------------------------------------------------


def _dispatched(func: Callable[..., Any], public: Any = None) -> Callable[..., Any]:
    shown = func if public is None else public

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if _state.disabled:
            return func(*args, **kwargs)
        relevant = (*args, *kwargs.values())
        if not _overriding(relevant, {}):
            return func(*args, **kwargs)
        return handle_torch_function(shown, relevant, *args, **kwargs)

    return wrapper


def _property(name: str) -> property:
    plain = getattr(Tensor, name)

    def read(self: Any) -> Any:
        if _state.disabled:
            return plain.__get__(self)
        return handle_torch_function(plain.__get__, (self,), self)

    return property(read, getattr(plain, "fset", None))


_operators = {d: functions[op.name] for op in TABLE.values() for d in op.dunder}


def _public(name: str) -> Any:
    """What an operator's function is called: `x + 1` asks for `add`."""
    return _operators.get(name)


def _wrap_methods(cls: type) -> None:
    own = {n for c in cls.__mro__ if c is not Tensor and not issubclass(Tensor, c) for n in vars(c)}
    for base in reversed(Tensor.__mro__[:-1]):
        for name, attribute in vars(base).items():
            if name in own or name in _PLAIN or (name.startswith("_") and name[:2] != "__"):
                continue
            if name in _PROPERTIES:
                setattr(cls, name, _property(name))
            elif inspect.isfunction(attribute):
                setattr(cls, name, _dispatched(getattr(Tensor, name), _public(name)))


def _wrap_functions() -> None:
    for space, module in _MODULES.items():
        target = sys.modules[module]
        for name, f in NAMESPACES.get(space, {}).items():
            if inspect.isfunction(f) and getattr(target, name, None) is f:
                setattr(target, name, _dispatched(f))


def unwrap_functions() -> None:
    """As if no class with `__torch_function__` had been defined (tests put things back with it)."""
    for space, module in _MODULES.items():
        for name, f in NAMESPACES.get(space, {}).items():
            if getattr(getattr(sys.modules[module], name, None), "__wrapped__", None) is f:
                setattr(sys.modules[module], name, f)
    _wrapped.clear()


_wrapped: list[type] = []


def _prepare(cls: type) -> None:
    """A class of the user's that extends Tensor has been defined."""
    if not _asks(cls):
        return
    if not _wrapped:
        _wrap_functions()
    _wrapped.append(cls)
    if not any(c in _wrapped for c in cls.__mro__[1:]):
        _wrap_methods(cls)


subclass_hooks.append(_prepare)
