"""`torch.utils.checkpoint`: a function as a region under `jax.checkpoint`, recomputed in
backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from .. import _regions
from .._nested import fill, strip


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, context_fn: Any = None,
    determinism_check: str = "default", debug: bool = False, preserve_rng_state: bool = True,
    early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """Call `function`; its activations are computed again in backward instead of being kept.

    Random numbers are the same in both passes, and writes to buffers happen once.  Reentrant or not
    makes no difference here.  Source: torch.utils.checkpoint.checkpoint.
    """
    if context_fn is not None or debug:
        raise NotImplementedError(
            "checkpoint(context_fn=, debug=): selective checkpointing is not supported; call "
            "checkpoint on the part to recompute, and use jtorch.pending() to see what is recorded."
        )
    if not preserve_rng_state:
        raise NotImplementedError(
            "checkpoint(preserve_rng_state=False): the recomputation always sees the same random "
            "numbers here, at no cost; leave the argument out."
        )
    tensors: list[Any] = []
    plan = strip((args, kwargs), tensors)
    shape: list[Any] = []

    def body(inputs: list[Any]) -> list[Any]:
        given, named = fill(plan, inputs)
        outputs: list[Any] = []
        shape.append(strip(function(*given, **named), outputs))
        return outputs

    region = _regions.record(body, tensors, name="checkpoint")
    return fill(shape[0], _regions.call("checkpoint", (), jax.checkpoint, region))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A sequence of modules in `segments` checkpointed pieces; the last piece is not
    checkpointed.
    """
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if kwargs.pop("preserve_rng_state", True) is not True or kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    size = len(functions) // segments
    end = -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(_run(functions[start : end + 1]), input, use_reentrant=use_reentrant)
    return _run(functions[end + 1 :])(input)


def _run(functions: list[Any]) -> Callable[[Any], Any]:
    def forward(x: Any) -> Any:
        for f in functions:
            x = f(x)
        return x

    return forward
