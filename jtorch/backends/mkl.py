"""`torch.backends.mkl`: jtorch has no kernels on Intel's MKL."""

from __future__ import annotations


def is_available() -> bool:
    """False: XLA has kernels of its own."""
    return False
