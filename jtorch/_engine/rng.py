"""The random numbers of the engine: PyTorch's CPU generator, its samplers, the default one."""

from __future__ import annotations

import secrets

from .mt19937 import Generator
from .rng_continuous import (
    cauchy,
    exponential,
    geometric,
    log_normal,
    normal,
    normal_tensors,
    uniform,
)  # fmt: skip
from .rng_discrete import (
    bernoulli,
    bernoulli_tensor,
    bernoulli_threshold,
    dropout_mask,
    multinomial,
    randint,
    random,
    randperm,
)  # fmt: skip

__all__ = [
    "Generator", "bernoulli", "bernoulli_tensor", "bernoulli_threshold", "cauchy",
    "default_generator", "dropout_mask", "exponential", "geometric", "log_normal",
    "multinomial", "normal", "normal_tensors", "randint", "random", "randperm", "uniform",
]  # fmt: skip

# torch's own default generator starts from the operating system's entropy, too; only a new
# `torch.Generator()` starts from a fixed seed.
default_generator = Generator(secrets.randbits(64))
