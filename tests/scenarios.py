"""One scenario, two libraries: run a function against PyTorch and jtorch and compare the records.

A scenario takes the library and its `nn`. Its record: what it returns or raises, and its warnings.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import jtorch

Scenario = Callable[[Any, Any], Any]

# Where classes live differs: PyTorch's file, ours.
_FILES = {
    "torch.nn.modules.container.": "jtorch.nn.containers.",
    "torch.nn.modules.linear.": "jtorch.nn.linear.",
    "torch.nn.modules.module.": "jtorch.nn.module.",
    "torch.nn.modules.activation.": "jtorch.nn.activation.",
    "torch.Tensor": "jtorch.tensor.Tensor",
}


def same(scenarios: list[Scenario]) -> Any:
    """The decorator that runs a test with each scenario."""
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda f: f.__name__)


def plain(x: Any) -> Any:
    """Tensors as dtype, flag and lists; containers recursively; anything else as text."""
    if isinstance(x, torch.Tensor | jtorch.Tensor):
        return [str(x.dtype), bool(x.requires_grad), x.detach().tolist()]
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, tuple | list) and not hasattr(x, "missing_keys"):
        return [plain(e) for e in x]
    return x if isinstance(x, float) else neutral(repr(x))


def neutral(text: str) -> str:
    """Text without the places where only the libraries' names differ."""
    for theirs, ours in _FILES.items():
        text = text.replace(theirs, ours)
    return text


def record(scenario: Scenario, t: Any) -> tuple[Any, list[tuple[str, str]]]:
    """What the scenario returns or raises, and what it warns of."""
    t.manual_seed(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(scenario(t, t.nn))
        except Exception as error:
            result = f"{type(error).__name__}: {neutral(str(error))}"
    return result, [(w.category.__name__, str(w.message)) for w in caught]


def failed(result: Any) -> bool:
    """Whether this result of `record` is an error."""
    return isinstance(result, str) and "Error: " in result


def agree(scenario: Scenario, fails: tuple[Scenario, ...] = ()) -> None:
    """Both libraries give the same record, an error if and only if one is meant."""
    expected, warned = record(scenario, torch)
    assert failed(expected) == (scenario in fails), expected
    found, ours = record(scenario, jtorch)
    compare(found, expected, "result")
    assert ours == warned


def compare(found: Any, expected: Any, where: str) -> None:
    """Equal, numbers to what float32 arithmetic in another order can promise."""
    if isinstance(expected, float) and isinstance(found, float):
        close = math.isclose(found, expected, rel_tol=1e-4, abs_tol=2e-6)
        assert close or found == expected or (found != found and expected != expected), (
            f"{where}: {found} instead of {expected}"
        )
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), f"{where}: {found} instead of {expected}"
        for i, (mine, other) in enumerate(zip(found, expected, strict=True)):
            compare(mine, other, f"{where}[{i}]")
    elif isinstance(expected, dict) and isinstance(found, dict):
        assert list(found) == list(expected), where
        for key in expected:
            compare(found[key], expected[key], f"{where}[{key!r}]")
    else:
        assert found == expected, f"{where}: {found!r} instead of {expected!r}"
