"""The grad node of a copy between devices."""

from __future__ import annotations

from typing import Any

from . import executor, recorder
from .backward import Dual, Node
from .value import Aval, Value


class TransferNode(Node):
    """Carries a cotangent back to the device the value came from."""

    __slots__ = ("source",)

    def __init__(self, edge: Any, source: Aval, target: Aval) -> None:
        super().__init__((edge,), (target,))
        self.source = source

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        """The cotangent, moved back."""
        (ct,) = cts
        if ct is None:
            return [None]
        if create_graph and ct[1] is not None:
            raise NotImplementedError(
                "create_graph=True across devices: move the whole computation to one device."
            )
        array = executor.to_device(
            recorder.concrete(ct[0], "to(device) backward"), self.source.place.sharding
        )
        return [(Value(self.source, array), None)]

    def name(self) -> str:
        """torch's name."""
        return "ToCopyBackward0"
