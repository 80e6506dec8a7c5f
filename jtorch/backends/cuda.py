"""`torch.backends.cuda`: switches that XLA decides by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace

from .. import cuda as _cuda

matmul = SimpleNamespace(
    allow_tf32=False, fp32_precision="none", allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True, allow_fp16_accumulation=False,
)  # fmt: skip
_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether this JAX can drive an accelerator."""
    return _cuda.is_available()


def flash_sdp_enabled() -> bool:
    """What `enable_flash_sdp` set."""
    return _sdp["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What `enable_mem_efficient_sdp` set."""
    return _sdp["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What `enable_math_sdp` set."""
    return _sdp["math"]


def cudnn_sdp_enabled() -> bool:
    """What `enable_cudnn_sdp` set."""
    return _sdp["cudnn"]


def enable_flash_sdp(enabled: bool) -> None:
    """XLA chooses the kernel of attention; the numbers are the same."""
    _sdp["flash"] = enabled


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """XLA chooses the kernel of attention; the numbers are the same."""
    _sdp["mem_efficient"] = enabled


def enable_math_sdp(enabled: bool) -> None:
    """XLA chooses the kernel of attention; the numbers are the same."""
    _sdp["math"] = enabled


def enable_cudnn_sdp(enabled: bool) -> None:
    """XLA chooses the kernel of attention; the numbers are the same."""
    _sdp["cudnn"] = enabled


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:  # fmt: skip
    """These values inside the `with` block."""
    old = dict(_sdp)
    _sdp.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield
    finally:
        _sdp.update(old)
