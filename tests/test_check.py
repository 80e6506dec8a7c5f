"""`--check`: names are found through imports, aliases and scopes, and nothing is run."""

from __future__ import annotations

import subprocess
import sys

from jtorch import _check

SCRIPT = """\
import torch, helper
import torch.nn as nn
from torch import optim
from torch.nowhere import thing
from torch.optim import *
raise SystemExit("--check ran the script")
F = nn.functional
def train(model):
    optim = torch.optim.SGD(model.parameters(), lr=1)
    optim.step()
    torch.backends.cudnn.benchmark = True
    [torch for torch in range(3)]
    return F.relu, F.not_an_activation, torch.float32.itemsize, Adam
class Net(nn.Module):
    nn = None
    def forward(self, x, optim=None):
        optim.made_up()
        return nn.init.zeros_(x)
try:
    from torch import only_sometimes
except ImportError:
    only_sometimes = None
"""


def missing(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith("missing ")]


def test_names_of_a_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text("from torch import nn\nx = nn.NoSuchLayer\n")
    text, count = _check.report("train.py")
    assert missing(text) == [
        "torch.nn.NoSuchLayer", "torch.nn.functional.not_an_activation", "torch.nowhere.thing",
    ]  # fmt: skip
    assert count == 3 and text.endswith("3 missing")
    assert "helper.py:2" in text and "train.py:13" in text
    assert "missing, but the script expects that torch.only_sometimes" in text
    assert "made_up" not in text and "optim.step" not in text
    ok = {line.split()[1] for line in text.splitlines() if line.startswith("ok")}
    assert {"torch.optim.SGD", "torch.nn.functional.relu", "torch.nn.init.zeros_"} <= ok


def test_the_command(tmp_path):
    script = tmp_path / "a.py"
    script.write_text("import torch\nprint(torch.ones(2) @ torch.nope)\n")
    command = [sys.executable, "-m", "jtorch", "--check", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and missing(done.stdout) == ["torch.nope"]
    assert f"{script}:2" in done.stdout and "1 missing" in done.stdout


def test_long_lists_of_places_are_cut():
    uses = [_check.Use("torch.x", "a.py", line, False) for line in range(1, 21)]
    assert _check._where(uses) == "a.py:1,2,3,4,5,6,7,8 and 12 more"
