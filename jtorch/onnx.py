"""`torch.onnx`, which scripts import at their top: it is there, and says that it cannot export."""

from __future__ import annotations

from typing import Any


def is_in_onnx_export() -> bool:
    """False: nothing is ever being exported."""
    return False


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"jtorch has no torch.onnx.{name}: it cannot write ONNX files. Save the weights with "
        "torch.save(model.state_dict(), path) and export them in PyTorch."
    )
