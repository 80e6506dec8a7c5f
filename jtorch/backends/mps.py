"""`torch.backends.mps`: Apple's GPUs, which jtorch does not use."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False


def is_built() -> bool:
    """False."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Whether an MPS device could be there: no."""
    return False
