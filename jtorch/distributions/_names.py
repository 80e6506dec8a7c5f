"""The public functions that distributions are written over, looked up when they are called."""

from __future__ import annotations

from typing import Any

from .._functions import NAMESPACES


class Names:
    """The functions published in one namespace, as attributes."""

    def __init__(self, space: str) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Any:
        try:
            return NAMESPACES[self._space][name]
        except KeyError:
            raise AttributeError(f"jtorch has no torch.{self._space}.{name}") from None


torch = Names("torch")
F = Names("nn.functional")
linalg = Names("linalg")
special = Names("special")
