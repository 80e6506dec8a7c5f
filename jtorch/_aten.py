"""`torch.ops.aten`: PyTorch's operators by the names that its dispatcher has for them.

`torch.ops.aten.add.Tensor(x, y)` is `torch.add(x, y)`. The objects can be called, compared and kept
in tables; jtorch's own ops do not pass through them (nor through `__torch_dispatch__`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from ._functions import NAMESPACES
from .tensor import Tensor

_SPACES = ("torch", "nn.functional", "linalg", "special", "fft")


def _to_copy(self: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Any:
    """A copy in another dtype or on another device."""
    return self.to(
        self.device if device is None else device, self.dtype if dtype is None else dtype, copy=True
    )


_OWN: dict[str, Callable[..., Any]] = {"_to_copy": _to_copy}


def _function(name: str) -> Callable[..., Any] | None:
    """What an operator's name means in jtorch, as a function of tensors."""
    for space in _SPACES:
        found = NAMESPACES.get(space, {}).get(name)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return _OWN.get(name) or getattr(Tensor, name, None)


class OpOverload:
    """One signature of an operator, e.g. `aten.add.Tensor`."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self.overloadpacket, self._overloadname = packet, overload
        self.__name__ = f"{packet.__name__}.{overload}"

    def name(self) -> str:
        """As the dispatcher has it: 'aten::add.Tensor', 'aten::relu'."""
        end = "" if self._overloadname == "default" else f".{self._overloadname}"
        return f"aten::{self.overloadpacket.__name__}{end}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.overloadpacket(*args, **kwargs)

    def __repr__(self) -> str:
        op = f"aten.{self.overloadpacket.__name__}"
        return f"<OpOverload(op='{op}', overload='{self._overloadname}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


class OpOverloadPacket:
    """An operator with all of its signatures, e.g. `aten.add`."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.__name__, self._function = name, function
        self._known: dict[str, OpOverload] = {}

    def __getattr__(self, overload: str) -> OpOverload:
        if overload.startswith("_"):
            raise AttributeError(overload)
        if overload not in self._known:
            self._known[overload] = OpOverload(self, overload)
        return self._known[overload]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='aten.{self.__name__}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"


class _Aten:
    """The namespace; each operator is made when it is asked for, once."""

    def __getattr__(self, name: str) -> OpOverloadPacket:
        function = None if name.startswith("__") else _function(name)
        if function is None:
            raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
        packet = OpOverloadPacket(name, function)
        setattr(self, name, packet)
        return packet


ops.aten = _Aten()  # type: ignore[attr-defined]
