"""The runner, the alias and what the library says: subprocesses where the process is the point."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
from engine_tools import fresh_engine

import jtorch
from jtorch import _conflict
from jtorch._engine import executor
from jtorch._engine.config import Config, config

SCRIPT = """\
import sys
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

assert torch.__name__ == "jtorch" and __name__ == "__main__" and sys.argv[1:] == ["--x", "1"]
import helper
w = torch.ones(3, requires_grad=True)
loss = F.relu(w * helper.FACTOR).sum()
loss.backward()
print("grad", w.grad.tolist(), loss.item())
"""


def run(*args: str, cwd=None, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "jtorch", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_an_unmodified_script_and_its_report(tmp_path):
    (tmp_path / "helper.py").write_text("FACTOR = 2.0\n")
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    done = run("--report", str(script), "--x", "1")
    assert done.stdout == "grad [2.0, 2.0, 2.0] 6.0\n"
    assert "train.py:" in done.stderr and "tolist()" in done.stderr and "compiles:" in done.stderr


def test_code_modules_and_exit_codes(tmp_path):
    assert run("-c", "import torch; print(torch.ones(2).sum().item())").stdout == "2.0\n"
    (tmp_path / "mod.py").write_text("import torch, sys\nprint(sys.argv[1:])\nsys.exit(3)\n")
    assert run("-m", "mod", "a", cwd=tmp_path, code=3).stdout == "['a']\n"
    assert "can't open file" in run("nowhere.py", code=1).stderr


def test_a_traceback_ends_at_the_users_line(tmp_path):
    script = tmp_path / "bad.py"
    script.write_text("import torch\n\n\ntorch.ones(2, 3) @ torch.ones(4, 5)\n")
    lines = run(str(script), code=1).stderr.strip().split("\n")
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{script}", line 4' in lines[1]
    assert lines[-1].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert not any("jtorch/" in line or "jax/" in line for line in lines)


def test_eager_option(tmp_path):
    code = "import torch; x = torch.ones(2) + 1; print(x._value.array is not None)"
    assert run("--eager", "-c", code).stdout == "True\n"
    assert run("-c", code).stdout == "False\n"


def test_pytorch_already_imported_is_an_error():
    code = "import torch, jtorch._alias as a\na.install()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "PyTorch itself is already imported" in done.stderr


def test_missing_torch_modules_are_named():
    assert "No module named 'torch.nowhere'" in run("-c", "import torch.nowhere", code=1).stderr


def test_the_other_jtorch_is_refused(monkeypatch):
    class Other:
        version = "0.1.7"

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Other())
    with pytest.raises(ImportError, match=r"pip uninstall jtorch"):
        _conflict.check()


def test_a_long_compile_is_announced_once(monkeypatch, capsys):
    monkeypatch.setattr(executor, "NOTICE_SECONDS", 0.0)
    config.set("notice", "1")
    with fresh_engine():
        (jtorch.ones(3) * 1.25).sum().item()
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.startswith("jtorch: compiling")
    config.set("notice", "auto")  # not a terminal
    with fresh_engine():
        (jtorch.ones(3) * 1.75).sum().item()
    assert capsys.readouterr().err == ""


def test_settings_are_validated():
    with pytest.raises(ValueError, match="JTORCH_EXECUTION is 'fast'"):
        Config({"JTORCH_EXECUTION": "fast"})
    with pytest.raises(ValueError, match="no setting 'speed'"):
        config.set("speed", "1")


def test_report_names_the_cause_of_each_compile():
    from jtorch._engine import stats

    with fresh_engine():
        stats.reset()
        x = jtorch.tensor([1.0, 2.0])
        for k in (2.0, 3.0):
            (x * k).sum().item()
        text = jtorch.report()
    assert "first program" in text
    assert "a number that had been constant varies" in text
    assert text.count("test_runner.py") >= 3
