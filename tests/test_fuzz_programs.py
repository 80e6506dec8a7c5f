"""Random imperative programs in PyTorch and jtorch: no difference in any tensor, gradient or error.

`JTORCH_FUZZ=20000 pytest tests/test_fuzz_programs.py` searches that many; the failure names the
seed, and `python -m tests.fuzz_tools SEED --mode MODE` replays and shrinks it.
"""

from __future__ import annotations

import os

import fuzz_tools
import pytest

import jtorch

# how many of each mode in an ordinary run
SHARE = {"host": 30, "once": 40, "eager": 8, "deferred": 12}
ASKED = int(os.environ.get("JTORCH_FUZZ", "0"))


def count(mode: str) -> int:
    return ASKED * SHARE[mode] // sum(SHARE.values()) if ASKED else SHARE[mode]


@pytest.mark.parametrize("mode", fuzz_tools.MODES)
def test_programs(mode):
    failed = {}
    for seed in range(count(mode)):
        program, difference = fuzz_tools.run_seed(seed, mode)
        if difference:
            failed[seed] = "\n".join((*program, difference))
    assert not failed, f"replay with: python -m tests.fuzz_tools {min(failed)} --mode {mode}\n" + (
        "\n\n".join(f"seed {s}:\n{text}" for s, text in list(failed.items())[:3])
    )


BROKEN = {
    "a write that views do not see": lambda self, other: setattr(self, "data", self.data + other),
    "a write that is not done": lambda self, other: self,
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_the_comparison_finds_a_wrong_write(wrong, monkeypatch):
    program = [
        "v0 = m.tensor([1, 2, 3], dtype=m.float32)",
        "v1 = v0[1:]",
        "v1.add_(2)",
    ]
    assert fuzz_tools.run_program(program) == ""
    monkeypatch.setattr(jtorch.Tensor, "add_", BROKEN[wrong])
    assert fuzz_tools.run_program(program) != ""


def test_the_comparison_finds_a_wrong_gradient(monkeypatch):
    program = [
        "v0 = m.tensor([1, 2, 3], dtype=m.float32, requires_grad=True)",
        "(v0 * v0).sum().backward()",
    ]
    assert fuzz_tools.run_program(program) == ""
    monkeypatch.setattr(jtorch.Tensor, "__mul__", lambda a, b: a.detach() * 1 + (b * 0))
    assert fuzz_tools.run_program(program) != ""


def test_programs_are_the_same_every_time():
    assert fuzz_tools.run_seed(11)[0] == fuzz_tools.run_seed(11)[0]
