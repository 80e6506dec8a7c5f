"""Examples run under real PyTorch and `python -m jtorch` with the same losses; benchmarks run too.

`digits.py` is compared at its default seed: a rounding difference that turns one ReLU or max-pool
decision around changes the loss by up to a few per cent, and from this seed no decision of the
first 100 steps is closer than 1e-6 (measured with perturbed weights under PyTorch alone).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
RUNNERS = {"torch": [sys.executable], "jtorch": [sys.executable, "-m", "jtorch"]}
COMPARED = 100


def run(runner: str, example: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [*RUNNERS[runner], f"examples/{example}.py", *map(str, arguments)]
    # one device, as a user has it: conftest asks XLA for eight
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def read_log(path: Path) -> list[float]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(len(records)))
    return [record["loss"] for record in records]


def run_both(tmp_path: Path, example: str, *arguments: object) -> tuple[str, str]:
    """Run one example twice, check that its first losses agree; returns both outputs."""
    logs = {runner: tmp_path / f"{runner}.jsonl" for runner in RUNNERS}
    outputs = [
        run(runner, example, *arguments, "--log", log).stdout for runner, log in logs.items()
    ]
    expected, actual = (read_log(log) for log in logs.values())
    assert len(actual) == len(expected) >= COMPARED
    assert actual[:COMPARED] == pytest.approx(expected[:COMPARED], rel=1e-3)
    return outputs[0], outputs[1]


def number(label: str, output: str) -> float:
    """The number that an example prints after `label`."""
    found = re.search(rf"^{label}: ([\d.]+)$", output, re.MULTILINE)
    assert found, f"no {label!r} in:\n{output}"
    return float(found[1])


def test_linear_regression(tmp_path):
    outputs = run_both(tmp_path, "linear_regression", "--steps", 120)
    for output in outputs:
        slope, intercept = re.search(r"y = (\S+) x \+ (\S+)", output).groups()
        assert float(slope) == pytest.approx(3, abs=0.05)
        assert float(intercept) == pytest.approx(-2, abs=0.05)


def test_digits_follows_torch(tmp_path):
    outputs = run_both(tmp_path, "digits", "--epochs", 6, "--dropout", 0)
    for output in outputs:
        assert number("final test accuracy", output) >= 0.97
        assert number("checkpoint reloaded", output) == number("final test accuracy", output)


def test_digits_as_it_stands(tmp_path):
    """The README's run, dropout included; the checkpoint is a file real PyTorch can read."""
    checkpoint = tmp_path / "digits.pt"
    done = run("jtorch", "digits", "--checkpoint", checkpoint)
    assert number("final test accuracy", done.stdout) >= 0.97
    assert done.stderr == ""

    torch = pytest.importorskip("torch")
    state = torch.load(checkpoint)
    assert state["features.0.weight"].shape == (16, 1, 3, 3)
    assert state["features.1.num_batches_tracked"].dtype == torch.int64


def test_char_gpt_follows_torch(tmp_path):
    small = ("--steps", 120, "--layers", 2, "--width", 64, "--context", 32, "--batch-size", 8)
    outputs = run_both(tmp_path, "char_gpt", *small, "--sample", 40)
    for output in outputs:
        assert number("final loss", output) < number("unigram entropy", output) - 0.5
    # one random stream and nearly the same weights: the sampled text is the same, letter for letter
    expected, actual = (output.split("final loss")[1].split("\n", 1)[1] for output in outputs)
    assert len(expected) == 41
    assert actual == expected


def test_benchmark_columns_train_the_same_model(tmp_path):
    """`benchmarks.step` ends with an error itself when the losses of its columns differ."""
    results = tmp_path / "results.json"
    tiny = ("tiny-mlp", "tiny-cnn", "tiny-gpt")
    command = [sys.executable, "-m", "benchmarks.step", "--problems", *tiny]
    command += ["--rounds", "2", "--seconds", "0.01", "--sync-every", "2", "--json", str(results)]
    done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for problem, columns in json.loads(results.read_text()).items():
        assert problem in tiny
        assert list(columns) == ["jtorch", "jax", "torch"]
        # a forward and a backward of even these models is more than a handful of ops
        assert columns["jtorch"]["ops"] > 10
        assert columns["jtorch"]["seconds_per_op"] > 0


def test_benchmarked_layers_agree_with_jax():
    """`benchmarks.layers` compares losses and gradients before it times them."""
    command = [sys.executable, "-m", "benchmarks.layers", "--only", "conv2d", "--rounds", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "conv2d 3x3" in done.stdout
