"""Refuses to run beside PyPI's `jtorch` (Jittor's), which installs files under the same import
name.
"""

from __future__ import annotations

import importlib.metadata


def check() -> None:
    """Raise ImportError if the other distribution is installed in this environment."""
    try:
        other = importlib.metadata.distribution("jtorch")
    except importlib.metadata.PackageNotFoundError:
        return
    raise ImportError(
        f"The distribution 'jtorch' {other.version} (Jittor's) is installed in this environment. "
        "It "
        "uses the import name `jtorch` too and brings a fake `torch`, so neither can be trusted "
        "here. "
        "Run `pip uninstall jtorch` and install jtorch-xla again."
    )


check()
