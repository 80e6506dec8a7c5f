"""What is trained: sizes, starting weights and data in NumPy, the same for every column."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

POOL = 8  # different batches; a run goes round them


@dataclass(frozen=True)
class MLP:
    """`layers` hidden layers of `width` with ReLU, and a head of 10 classes; AdamW."""

    name: str
    title: str
    width: int
    batch: int
    layers: int = 3
    classes: int = 10
    lr: float = 1e-3

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        for i in range(self.layers):
            yield from linear(f"layers.{i}", self.width, self.width)
        yield from linear("head", self.width, self.classes)

    def batches(self, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (normal(rng, self.batch, self.width), rng.integers(self.classes, size=self.batch))
            for _ in range(POOL)
        ]


@dataclass(frozen=True)
class CNN:
    """Three times convolution, batch norm, ReLU and 2x2 max pool, and a head; SGD with momentum."""

    name: str
    title: str
    batch: int
    size: int = 32
    channels: tuple[int, ...] = (3, 16, 32, 64)
    classes: int = 10
    lr: float = 1e-2
    momentum: float = 0.9

    @property
    def flat(self) -> int:
        return self.channels[-1] * (self.size >> (len(self.channels) - 1)) ** 2

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        for i, (inputs, outputs) in enumerate(zip(self.channels, self.channels[1:], strict=False)):
            yield f"convs.{i}.weight", (outputs, inputs, 3, 3)
            yield f"convs.{i}.bias", (outputs,)
            yield f"norms.{i}.weight", (outputs,)
            yield f"norms.{i}.bias", (outputs,)
        yield from linear("head", self.flat, self.classes)

    def batches(self, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        image = (self.channels[0], self.size, self.size)
        return [
            (normal(rng, self.batch, *image), rng.integers(self.classes, size=self.batch))
            for _ in range(POOL)
        ]


@dataclass(frozen=True)
class GPT:
    """Decoder blocks with causal attention and GELU, learned positions; AdamW."""

    name: str
    title: str
    layers: int
    width: int
    batch: int
    context: int
    heads: int = 8
    vocabulary: int = 256
    lr: float = 3e-4

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "token.weight", (self.vocabulary, self.width)
        yield "position.weight", (self.context, self.width)
        for i in range(self.layers):
            yield from layer_norm(f"blocks.{i}.norm1", self.width)
            yield from linear(f"blocks.{i}.qkv", self.width, 3 * self.width)
            yield from linear(f"blocks.{i}.proj", self.width, self.width)
            yield from layer_norm(f"blocks.{i}.norm2", self.width)
            yield from linear(f"blocks.{i}.up", self.width, 4 * self.width)
            yield from linear(f"blocks.{i}.down", 4 * self.width, self.width)
        yield from layer_norm("norm", self.width)
        yield from linear("head", self.width, self.vocabulary)

    def batches(self, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for _ in range(POOL):
            ids = rng.integers(self.vocabulary, size=(self.batch, self.context + 1))
            found.append((np.ascontiguousarray(ids[:, :-1]), np.ascontiguousarray(ids[:, 1:])))
        return found


Problem = MLP | CNN | GPT

PROBLEMS: dict[str, Problem] = {
    problem.name: problem
    for problem in (
        MLP("mlp-small", "MLP 3x128, batch 64", width=128, batch=64),
        MLP("mlp-large", "MLP 3x1024, batch 256", width=1024, batch=256),
        CNN("cnn", "CNN 3 blocks, batch 64", batch=64),
        GPT("gpt", "GPT 6x256, 8x128 tokens", layers=6, width=256, batch=8, context=128),
        # for the tests: everything above in a moment
        MLP("tiny-mlp", "tiny MLP", width=8, batch=4),
        CNN("tiny-cnn", "tiny CNN", batch=4, size=8, channels=(3, 4, 4)),
        GPT("tiny-gpt", "tiny GPT", layers=1, width=16, batch=2, context=8, heads=2),
    )
}


def linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def layer_norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def weights(problem: Problem, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Starting weights by torch's names: scaled normal matrices, zero biases, unit norm scales."""
    found = {}
    for name, shape in problem.shapes():
        if len(shape) > 1:
            fan_in = math.prod(shape[1:])
            found[name] = normal(rng, *shape) / np.float32(math.sqrt(fan_in))
        else:
            found[name] = np.full(shape, "norm" in name and name.endswith("weight"), np.float32)
    return found
