"""`torch.autograd.forward_ad`: tensors that carry a tangent through ordinary code."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from .. import _tensor_duals as _duals

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
    "unpack_dual",
]  # fmt: skip
_current_level = -1


def enter_dual_level() -> int:
    """Open a level; there is only one at a time.  Source: torch.autograd.forward_ad."""
    global _current_level
    _duals.enter()
    _current_level = 0
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level; all tangents of it are gone."""
    global _current_level
    level = _current_level if level is None else level
    if level != _current_level:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This "
            "is not supported."
        )
    if level < 0:
        raise RuntimeError("Dual level must be a positive number.")
    _duals.leave()
    _current_level = -1


class dual_level(contextlib.ContextDecorator):
    """A level for the length of a `with` block, or of each call of a decorated function."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *error: Any) -> None:
        exit_dual_level()


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: a view of the tensor without its tangent, and the tangent."""

    primal: Any
    tangent: Any


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """A view of `tensor` that carries `tangent`, itself if it lies in memory as `tensor` does."""
    if (_current_level if level is None else level) < 0:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for t, what in ((tensor, "primal"), (tangent, "tangent")):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t.dtype}")
    if _duals.tangent_of(tensor._value) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the "
            f"same level {_current_level} is not supported."
        )
    _duals.check_size(tensor, tangent)
    if tangent.stride() != tensor.stride():
        tangent = tangent.clone()
    dual = _duals.bare(tensor)
    _duals.attach(dual._value, tangent)
    return dual


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a tensor; the tangent is None where there is none."""
    if (_current_level if level is None else level) < 0:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(_duals.bare(tensor), _duals.tangent_of(tensor._value))
