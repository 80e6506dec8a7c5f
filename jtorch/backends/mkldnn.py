"""`torch.backends.mkldnn`: jtorch has no kernels on oneDNN."""

from __future__ import annotations


def is_available() -> bool:
    """False: XLA has kernels of its own."""
    return False


enabled = True
