"""`torch.layout` and `torch.memory_format` objects: names that scripts pass around."""

from __future__ import annotations


class layout:
    """How elements are stored; jtorch has strided tensors only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """The order of dimensions in memory, which is XLA's choice here."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
