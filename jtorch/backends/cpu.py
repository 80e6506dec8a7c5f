"""`torch.backends.cpu`: what the processor can do."""

from __future__ import annotations

import functools


@functools.cache
def get_cpu_capability() -> str:
    """The best vector instructions, in PyTorch's words."""
    try:
        with open("/proc/cpuinfo") as f:
            flags = next((line for line in f if line.startswith("flags")), "").split()
    except OSError:
        return "DEFAULT"
    return "AVX512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "DEFAULT"
