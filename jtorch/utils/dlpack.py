"""`torch.utils.dlpack`: memory shared with other array libraries."""

from __future__ import annotations

from ..interop import from_dlpack as from_dlpack
from ..interop import to_dlpack as to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
