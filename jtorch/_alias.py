"""`import torch` resolves to jtorch, in this process only: a finder for its modules."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from types import ModuleType
from typing import Any

NAME = "torch"
_OURS = "jtorch"
_VISION = "torchvision"
_FUNCTORCH = "functorch"  # PyTorch's wheel brings it along


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


@functools.cache
def standing_in() -> dict[str, str]:
    """{top-level name: the package of ours that answers to it}.

    torchvision is ours only where none is installed: the real one is built on PyTorch's C++ and
    needs PyTorch itself, but a script's own folder or a stub on the path may offer another.
    """
    names = {NAME: _OURS, _FUNCTORCH: f"{_OURS}._functorch"}
    if _vision_is_free():
        names[_VISION] = f"{_OURS}.vision"
    return names


def _vision_is_free() -> bool:
    found = importlib.machinery.PathFinder.find_spec(_VISION)
    folders = list(found.submodule_search_locations or ()) if found else []
    # torchvision's wheel has compiled parts that only PyTorch's own libraries satisfy
    return found is None or any(os.path.exists(os.path.join(f, "_C.so")) for f in folders)


class Finder(importlib.abc.MetaPathFinder):
    """Maps `torch` and `torch.x.y` to `jtorch` and `jtorch.x.y`; functorch and torchvision, too."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A spec for the torch names, None for all others."""
        top = fullname.partition(".")[0]
        if top not in (NAME, _VISION, _FUNCTORCH) or top not in standing_in():
            return None
        ours = standing_in()[top] + fullname[len(top) :]
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as e:
            if e.name is None or not ours.startswith(e.name):
                raise
            raise ModuleNotFoundError(
                f"No module named '{fullname}' in jtorch, which stands in for {top} in this "
                "process",
                name=fullname,
            ) from None
        return importlib.machinery.ModuleSpec(fullname, _Loader(module), is_package=True)


def install() -> None:
    """Make `import torch` mean jtorch from now on.  An error if another torch is there."""
    there = sys.modules.get(NAME)
    if there is not None and there is not sys.modules.get(_OURS):
        raise AliasError(
            "jtorch cannot stand in for torch: PyTorch itself is already imported in this process "
            f"(from {getattr(there, '__file__', '?')}). Start the script with "
            "`python -m jtorch script.py`."
        )
    if not any(isinstance(f, Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, Finder())
        _reach_children()


def _reach_children() -> None:
    """Processes that `multiprocessing` starts afresh import torch as this one does."""
    from multiprocessing import spawn

    command = spawn.get_command_line

    def with_alias(**kwargs: Any) -> list[str]:
        line: list[str] = command(**kwargs)
        at = line.index("-c") + 1 if "-c" in line else 0
        if at:  # not in a frozen program
            line[at] = f"from jtorch import _alias; _alias.install(); {line[at]}"
        return line

    spawn.get_command_line = with_alias  # type: ignore[assignment]
