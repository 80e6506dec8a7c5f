"""`python -m jtorch parity`: what it finds, and that it finds something."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from jtorch import _parity
from jtorch._parity import Run, compare, distance, explain, plot, table

SCRIPT = """\
import torch
from torch import nn
{extra}
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(50):
    loss = (model(torch.randn(16, 4)) - 1).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def run(tmp_path, extra: str = "") -> subprocess.CompletedProcess[str]:
    (tmp_path / "train.py").write_text(SCRIPT.format(extra=extra))
    return subprocess.run(
        [sys.executable, "-m", "jtorch", "parity", "--steps", "3", "train.py"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip


def test_a_script_that_agrees(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and "loss (PyTorch)" in lines[0] and "no difference above" in lines[4]
    assert (tmp_path / "parity.svg").read_text().count("<polyline") == 3


def test_a_script_that_differs_is_explained(tmp_path):
    extra = "if torch.__name__ == 'jtorch': torch.randn(1)"
    done = run(tmp_path, extra)
    assert done.returncode == 1
    assert "first difference: initial parameter 0 (8, 4)" in done.stdout
    assert "likely cause: random stream" in done.stdout


def _run_of(*events):
    arrays, listed = {}, []
    for i, (kind, name, step, value, *dtype) in enumerate(events):
        if kind == "stream":
            listed.append({"kind": kind, "name": name, "step": step, "state": value})
            continue
        arrays[f"a{i}"] = np.asarray(value)
        listed.append({"kind": kind, "name": name, "step": step, "key": f"a{i}",
                       "dtype": dtype[0] if dtype else "torch.float32"})  # fmt: skip
    return Run(listed, arrays)


def test_causes():
    def cause(theirs, mine):
        rows, first = compare(_run_of(*theirs), _run_of(*mine), 1e-5)
        table(rows), plot(rows)
        return explain(first, _run_of(*theirs), _run_of(*mine), 1e-5)

    loss = ("loss", "loss", 0)
    assert "dtype: PyTorch has torch.float64" in cause(
        [(*loss, 1.0, "torch.float64")], [(*loss, 1.0)]
    )
    assert "order of reduction" in cause([(*loss, 1.0)], [(*loss, 1.0001)])
    assert "op: this module" in cause([(*loss, 1.0)], [(*loss, 2.0)])
    assert "random stream" in cause(
        [("stream", "loss", 0, "a"), (*loss, 1.0)], [("stream", "loss", 0, "b"), (*loss, 2.0)]
    )
    assert "no difference above 1e-05 (1 compared" in cause([(*loss, 1.0)], [(*loss, 1.0)])


def test_distance():
    assert distance(np.array([1.0, np.nan]), np.array([1.0, np.nan])) == 0
    assert distance(np.zeros(2), np.zeros(3)) == np.inf
    assert distance(np.array([10.0, 1.0]), np.array([10.0, 2.0])) == 0.1
    assert distance(np.array([1.0]), np.array([np.nan])) == np.inf


def test_without_pytorch_it_says_so(tmp_path, monkeypatch):
    import pytest

    monkeypatch.setattr(_parity.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "x.py").write_text("")
    with pytest.raises(SystemExit, match="not installed here"):
        _parity.main([str(tmp_path / "x.py")])
