"""`kill -9` while a checkpoint is written: the one before always loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import jtorch

KILLS = 200
WRITER = """\
import sys
import jtorch
sizes = (1, 1000, 300_000)
i = int(sys.argv[2])
print("ready", flush=True)
while True:
    i += 1
    state = {"step": i, "weights": [jtorch.full((n,), float(i)) for n in sizes]}
    jtorch.save(state, sys.argv[1])
    print(i, flush=True)
"""


def _saved(path) -> int:
    """The step of a checkpoint that is whole."""
    state = jtorch.load(path)
    for w in state["weights"]:
        assert bool((w == float(state["step"])).all())
    return int(state["step"])


def _kill_after(writer: subprocess.Popen[str], seconds: float) -> int:
    """The last step that the writer said it had saved, before it was killed."""
    try:
        writer.wait(seconds)  # the moment is the test: no other way to stop inside a write
    except subprocess.TimeoutExpired:
        writer.send_signal(signal.SIGKILL)
    steps = [int(line) for line in writer.communicate()[0].split() if line.isdigit()]
    assert writer.returncode == -signal.SIGKILL
    return steps[-1] if steps else 0


def _start(path, step: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(step)]
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    return writer


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    path, step = tmp_path / "last.pth", 0
    moments = np.random.default_rng(0).uniform(0.0, 0.05, KILLS)
    for moment in moments[: int(os.environ.get("JTORCH_KILLS", "4"))]:
        said = _kill_after(_start(path, step), float(moment) + (0.5 if not path.exists() else 0.0))
        if path.exists():
            found = _saved(path)
            # what it said is there, or the next one, which it had no time to announce
            assert found in (said, said + 1) if said else found in (step, step + 1)
            step = found
    assert path.exists()


def test_an_interrupted_write_changes_nothing(tmp_path, monkeypatch):
    """At the last moment before the new file takes the name, the old one is still whole."""
    path = tmp_path / "a.pth"
    jtorch.save({"step": 1}, path)
    before = path.read_bytes()

    def died(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(os, "replace", died)
        with pytest.raises(KeyboardInterrupt):
            jtorch.save({"step": 2}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.pth"]
    jtorch.save({"step": 3}, path)
    assert jtorch.load(path)["step"] == 3
