"""Samples per second of the DataLoader in jtorch and PyTorch: `python -m benchmarks.data`."""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np


def rows(lib: Any, data: Any) -> Any:
    """A table: 20,000 rows of 32 numbers."""
    x = np.random.default_rng(0).standard_normal((20_000, 32)).astype(np.float32)
    return data.TensorDataset(lib.tensor(x), lib.arange(20_000))


def images(lib: Any, data: Any) -> Any:
    """Photographs: 512 of 3x128x128, bytes to floats with NumPy."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 3, 128, 128), np.uint8)

    class Images(data.Dataset):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, i: int) -> Any:
            return pixels[i].astype(np.float32) / 255, i % 10

    return Images()


def augmented(lib: Any, data: Any) -> Any:
    """Tensors, normalised and flipped by a coin: 2,000 of 1x28x28."""
    x = lib.tensor(np.random.default_rng(0).integers(0, 256, (2000, 1, 28, 28), np.uint8))

    class Augmented(data.Dataset):
        def __len__(self) -> int:
            return len(x)

        def __getitem__(self, i: int) -> Any:
            image = (x[i].float() / 255 - 0.13) / 0.3
            return (image.flip(2) if lib.rand(1).item() < 0.5 else image), i % 10

    return Augmented()


def python(lib: Any, data: Any) -> Any:
    """Python numbers: 20,000 pairs."""
    return [(i / 7, i) for i in range(20_000)]


DATASETS = {f.__name__: f for f in (rows, images, augmented, python)}


def measure(library: str, name: str, workers: int, epochs: int) -> list[float]:
    """Samples per second of each epoch after the first."""
    lib = importlib.import_module(library)
    data = importlib.import_module(f"{library}.utils.data")
    dataset = DATASETS[name](lib, data)
    loader = data.DataLoader(
        dataset, 64, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    rates = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        for batch in loader:
            del batch
        rates.append(len(dataset) / (time.perf_counter() - start))
    return rates[1:]


def run(library: str, name: str, workers: int, epochs: int) -> float:
    """The median in a process of its own."""
    code = (
        "import json; from benchmarks.data import measure; "
        f"print(json.dumps(measure({library!r}, {name!r}, {workers}, {epochs})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=DATASETS, action="append")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    print(f"{'samples/s':12} {'workers':>7} {'jtorch':>10} {'PyTorch':>10} {'ratio':>6}")
    for name in args.only or DATASETS:
        for workers in args.workers:
            ours, theirs = (run(lib, name, workers, args.epochs) for lib in ("jtorch", "torch"))
            print(f"{name:12} {workers:7} {ours:10.0f} {theirs:10.0f} {ours / theirs:6.2f}")


if __name__ == "__main__":
    main()
