"""Strides as torch has them: row-major, contiguity, and reshapes that need no copy."""

from __future__ import annotations

import math


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides, in elements; torch's for empty tensors too."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_contiguous(sizes: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """torch's rule: dimensions of size 1 may have any stride; empty tensors are contiguous."""
    if 0 in sizes:
        return True
    want = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1:
            if stride != want:
                return False
            want *= size
    return True


def reshape_strides(
    sizes: tuple[int, ...], strides: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Strides of a reshape that needs no copy, or None (at::detail::computeStride's rule)."""
    if math.prod(sizes) == 0:
        return contiguous_strides(shape) if sizes != shape else strides
    out = [0] * len(shape)
    view_dim = len(shape) - 1
    base = strides[-1] if strides else 1
    tensor_numel = view_numel = 1
    for d in range(len(sizes) - 1, -1, -1):
        tensor_numel *= sizes[d]
        last = d == 0
        if last or (sizes[d - 1] != 1 and strides[d - 1] != tensor_numel * base):
            while view_dim >= 0 and (view_numel < tensor_numel or shape[view_dim] == 1):
                out[view_dim] = view_numel * base
                view_numel *= shape[view_dim]
                view_dim -= 1
            if view_numel != tensor_numel:
                return None
            if not last:
                base, tensor_numel, view_numel = strides[d - 1], 1, 1
    if not sizes:
        return (1,) * len(shape)
    return tuple(out) if view_dim == -1 else None
