"""The few switches of jtorch, declared and validated in one place."""

from __future__ import annotations

import os
from typing import Any

_CHOICES: dict[str, tuple[str, ...]] = {
    "execution": ("deferred", "eager"),
    "verify": ("0", "1"),
    "notice": ("auto", "0", "1"),
    "once": ("auto", "0"),
}
_DEFAULTS = {"execution": "deferred", "verify": "0", "notice": "auto", "once": "auto"}


class Config:
    """Settings read from `JTORCH_<NAME>` at import and changeable through `set`."""

    def __init__(self, environ: Any = os.environ) -> None:
        self.execution = self.verify = self.notice = self.once = ""
        for name, default in _DEFAULTS.items():
            self.set(name, environ.get(f"JTORCH_{name.upper()}", default))

    def set(self, name: str, value: str) -> str:
        """Set one switch; returns the old value.  Raises ValueError for what is not a choice."""
        if name not in _CHOICES:
            raise ValueError(f"jtorch has no setting {name!r}; it has {', '.join(_CHOICES)}")
        if value not in _CHOICES[name]:
            raise ValueError(
                f"JTORCH_{name.upper()} is {value!r}; it must be one of {', '.join(_CHOICES[name])}"
            )
        old = getattr(self, name)
        setattr(self, name, value)
        return str(old)


config = Config()
