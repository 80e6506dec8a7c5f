"""`torch.backends.openmp`: jtorch has no kernels on OpenMP."""

from __future__ import annotations


def is_available() -> bool:
    """False: XLA has kernels of its own."""
    return False
