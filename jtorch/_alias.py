"""`import torch` resolves to jtorch, in this process only: a finder for the name and its submodules."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

NAME = "torch"
_OURS = "jtorch"


class AliasError(ImportError):
    """A torch module that jtorch does not have, or a torch that is already there."""


class _Loader(importlib.abc.Loader):
    """Hands out the jtorch module itself, with its own spec left as it was."""

    def __init__(self, target: ModuleType) -> None:
        self.target, self.spec = target, target.__spec__

    def create_module(self, spec: Any) -> ModuleType:
        """The module that stands under jtorch's name."""
        return self.target

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: it has been imported."""
        module.__spec__ = self.spec


class Finder(importlib.abc.MetaPathFinder):
    """Maps `torch` and `torch.x.y` to `jtorch` and `jtorch.x.y`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A spec for the torch names, None for all others."""
        if fullname != NAME and not fullname.startswith(NAME + "."):
            return None
        ours = _OURS + fullname[len(NAME) :]
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as e:
            if e.name is None or not ours.startswith(e.name):
                raise
            raise ModuleNotFoundError(
                f"No module named '{fullname}' in jtorch, which stands in for torch in this process",
                name=fullname,
            ) from None
        return importlib.machinery.ModuleSpec(fullname, _Loader(module), is_package=True)


def install() -> None:
    """Make `import torch` mean jtorch from now on.  An error if another torch is already imported."""
    there = sys.modules.get(NAME)
    if there is not None and there is not sys.modules.get(_OURS):
        raise AliasError(
            "jtorch cannot stand in for torch: PyTorch itself is already imported in this process "
            f"(from {getattr(there, '__file__', '?')}). Start the script with `python -m jtorch script.py`."
        )
    if not any(isinstance(f, Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, Finder())
