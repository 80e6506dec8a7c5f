"""`poisson`, `binomial` and the samplers of Gamma and Dirichlet, with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._engine import rng_rejection
from ._factory import hosted
from ._functions import composite
from ._gate import apply
from .ops import TABLE
from .random_ops import _source


def _floating(name: str, t: Any) -> None:
    if not t.dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}\" not implemented for '{t.dtype.scalar_name}'")


def _zero_gradient(t: Any, like: Any) -> Any:
    """torch lets gradients through these as zeros: a graph that ends here still runs."""
    return t + like * 0 if like.requires_grad else t


def _content(t: Any, name: str) -> Any:
    return np.asarray(t.detach()._numpy(f"{name}()"))


def _drawn(sampler: Any, name: str, generator: Any, *tensors: Any) -> Any:
    place = tensors[0]._value.aval.place
    arrays = [_content(t, name) for t in tensors]
    return hosted(sampler(_source(name, generator, place), *arrays), place)


@composite("torch")
def poisson(input: Any, generator: Any = None) -> Any:
    """Poisson numbers of the given rates."""
    _floating("poisson_cpu", input)
    if input.numel() and not bool((input >= 0).all()):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return _zero_gradient(_drawn(rng_rejection.poisson, "poisson", generator, input), input)


@composite("torch")
def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """Binomial numbers."""
    if count.dtype is not prob.dtype:
        raise RuntimeError(
            f"Found dtype {prob.dtype.scalar_name} but expected {count.dtype.scalar_name}"
        )
    return _zero_gradient(_drawn(rng_rejection.binomial, "binomial", generator, count, prob), count)


@composite("torch")
def _standard_gamma(input: Any, generator: Any = None) -> Any:
    """Gamma numbers of rate 1, differentiable in the concentration."""
    _floating("gamma_cpu", input)
    drawn = _drawn(rng_rejection.standard_gamma, "_standard_gamma", generator, input)
    return apply(TABLE["_gamma_of_sample"], (input, drawn), ())


@composite("torch")
def _sample_dirichlet(input: Any, generator: Any = None) -> Any:
    """Points of the simplex, differentiable in the concentration."""
    _floating("dirichlet", input)
    drawn = _drawn(rng_rejection.dirichlet, "_sample_dirichlet", generator, input)
    return apply(TABLE["_dirichlet_of_sample"], (input, drawn), ())
