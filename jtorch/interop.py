"""JAX arrays and tracers in: `from_jax`; out: `Tensor.jax()`."""

from __future__ import annotations

from typing import Any

from ._engine.value import from_array
from ._gate import wrap


def from_jax(array: Any) -> Any:
    """A tensor around a `jax.Array` or tracer, without a copy.  jtorch never overwrites the array."""
    import jax

    if not isinstance(array, jax.Array):
        raise TypeError(f"from_jax(): expected a jax.Array or tracer, got {type(array).__name__}")
    return wrap(from_array(array))
