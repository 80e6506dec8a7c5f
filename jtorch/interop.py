"""JAX arrays and tracers in: `from_jax`; out: `Tensor.jax()`."""

from __future__ import annotations

from typing import Any

from ._engine.value import from_array
from ._gate import wrap


def from_jax(array: Any) -> Any:
    """A tensor around a `jax.Array` or tracer, without a copy.  jtorch never overwrites
    the array.
    """
    import jax

    if not isinstance(array, jax.Array):
        raise TypeError(f"from_jax(): expected a jax.Array or tracer, got {type(array).__name__}")
    return wrap(from_array(array))


class _Capsule:
    """A DLPack capsule as an object of the protocol that produced it."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # a capsule does not tell: the CPU


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Any:
    """A tensor on the memory of another library's array, or of a capsule of the CPU's.

    jtorch never overwrites that memory: a write makes the tensor's content its own.
    """
    import jax

    given = ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Capsule(ext_tensor)
    with jax.enable_x64(True):
        array = jax.dlpack.from_dlpack(given)
    made = wrap(from_array(array))
    if device is not None:
        made = made.to(device)
    return made.clone() if copy else made


def to_dlpack(tensor: Any) -> Any:
    """The tensor's memory as a DLPack capsule."""
    return tensor.__dlpack__()
