"""Joining and repeating: cat, stack, block_diag, repeat, flip, roll."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._engine import dtype as _dtype
from ._define import Array, Arrays, Promote, op
from ._dims import one, several


def _is_legacy_empty(shape: tuple[int, ...]) -> bool:
    """cat skips tensors of shape (0,), whatever the others look like."""
    return shape == (0,)


def _check_list(name: str, tensors: Any) -> None:
    if type(tensors) is not tuple:
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )


def _check_cat(tensors: Any, *, dim: int) -> None:
    _check_list("cat", tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, t in enumerate(tensors):
        if not t.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    real = [(i, t.shape) for i, t in enumerate(tensors) if not _is_legacy_empty(t.shape)]
    if not real:
        return
    first = real[0][1]
    d = one(dim, len(first))
    for i, shape in real:
        if len(shape) != len(first):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for k, (a, b) in enumerate(zip(first, shape, strict=True)):
            if a != b and k != d:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {a} but "
                    "got "
                    f"size {b} for tensor number {i} in the list."
                )


def _same_dtype(arrays: Any) -> list[Any]:
    """Host arrays in torch's common dtype."""
    kinds = {a.dtype for a in arrays}
    if len(kinds) == 1:
        return list(arrays)
    items = [(_dtype.from_numpy(a.dtype), "dim" if a.ndim else "zero") for a in arrays]
    common = _dtype.result_type(items).np
    return [a.astype(common) for a in arrays]


def _host_cat(*args: Any) -> Any:
    *arrays, (dim,) = args
    real = [a for a in arrays if not _is_legacy_empty(a.shape)] or arrays
    kinds = _same_dtype(arrays)[0].dtype
    return np.concatenate(real, axis=dim).astype(kinds, copy=False)


@op(promote=Promote.DEFAULT, out=True, linear=True, check=_check_cat, host=_host_cat,
    namespaces=("torch",), aliases=("concat", "concatenate"))  # fmt: skip
def cat(tensors: Arrays, dim: int = 0) -> Any:
    """Join tensors along an existing dimension."""
    real = [t for t in tensors if not _is_legacy_empty(t.shape)] or tensors[:1]
    return jnp.concatenate(real, axis=one(dim, real[0].ndim)) if len(real) > 1 else real[0]


def _check_stack(tensors: Any, *, dim: int) -> None:
    _check_list("stack", tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, t in enumerate(tensors):
        if t.shape != tensors[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at "
                f"entry 0 and {list(t.shape)} at entry {i}"
            )
    one(dim, tensors[0].ndim + 1)


def _host_stack(*args: Any) -> Any:
    *arrays, (dim,) = args
    return np.stack(_same_dtype(arrays), axis=dim)


@op(promote=Promote.DEFAULT, out=True, linear=True, check=_check_stack, host=_host_stack,
    namespaces=("torch",))  # fmt: skip
def stack(tensors: Arrays, dim: int = 0) -> Any:
    """Join tensors of one shape along a new dimension."""
    return jnp.stack(tensors, axis=one(dim, tensors[0].ndim + 1))


def _check_block_diag(tensors: Any) -> None:
    for i, t in enumerate(tensors):
        if t.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {t.ndim} dimensions"
            )


@op("_block_diag", promote=Promote.DEFAULT, linear=True, check=_check_block_diag, namespaces=())
def _block_diag(tensors: Arrays) -> Any:
    """Matrices along a diagonal of zeros."""
    blocks = [t.reshape((1, -1)) if t.ndim < 2 else t for t in tensors]
    width, row, parts = sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        parts.append(jnp.pad(b, ((0, 0), (row, width - row - b.shape[1]))))
        row += b.shape[1]
    return jnp.concatenate(parts, axis=0)


def _check_repeat(input: Any, *, repeats: Any) -> None:
    if len(repeats) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(n < 0 for n in repeats):
        shape = (1,) * (len(repeats) - input.ndim) + input.shape
        size = [n * r for n, r in zip(shape, repeats, strict=True)]
        worst = next(n for n in size if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {worst}: {size}")


@op("repeat", linear=True, check=_check_repeat, namespaces=())
def repeat(input: Array, repeats: Any) -> Any:
    """Copies of the tensor side by side."""
    return jnp.tile(input, repeats)


@op("_repeat_each", linear=True, namespaces=(), grad_name="RepeatInterleave")
def _repeat_each(input: Array, repeats: int, dim: Any = None) -> Any:
    """Every element `repeats` times in a row."""
    x = input.ravel() if dim is None else input
    d = 0 if dim is None else one(dim, x.ndim)
    if not x.ndim:
        x = x.reshape((1,))
    wide = jnp.broadcast_to(
        jnp.expand_dims(x, d + 1), (*x.shape[: d + 1], repeats, *x.shape[d + 1 :])
    )
    return wide.reshape((*x.shape[:d], x.shape[d] * repeats, *x.shape[d + 1 :]))


@op("flip", linear=True, namespaces=())
def flip(input: Array, dims: Any) -> Any:
    """Elements in reverse order along `dims`."""
    return jnp.flip(input, several(dims, input.ndim) if dims != () else ())


def _check_at_least(name: str, ndim: int) -> Any:
    def check(input: Any) -> None:
        if input.ndim < ndim:
            raise RuntimeError(f"Input must be >= {ndim}-d.")

    return check


@op(linear=True, check=_check_at_least("fliplr", 2))
def fliplr(input: Array) -> Any:
    """Columns in reverse order."""
    return jnp.flip(input, 1)


@op(linear=True, check=_check_at_least("flipud", 1))
def flipud(input: Array) -> Any:
    """Rows in reverse order."""
    return jnp.flip(input, 0)


def _check_rot90(input: Any, *, k: int, dims: Any) -> None:
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = dims
    if a == b or abs(a - b) == input.ndim:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}"
        )
    for name, d in (("0", a), ("1", b)):
        if not -input.ndim <= d < input.ndim:
            raise RuntimeError(f"Rotation dim{name} out of range, dim{name} = {d}")


@op(linear=True, check=_check_rot90)
def rot90(input: Array, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Turn by k quarters in the plane of two dimensions."""
    return jnp.rot90(input, k, dims)


def _check_roll(input: Any, *, shifts: Any, dims: Any) -> None:
    n = 1 if isinstance(shifts, int) else len(shifts)
    if not n:
        raise RuntimeError("`shifts` required")
    given = () if dims is None else (dims,) if isinstance(dims, int) else dims
    if not given and n == 1:
        return
    if len(given) != n:
        raise RuntimeError(f"shifts and dimensions must align. shifts: {n}, dims:{len(given)}")
    for d in given:
        one(d, input.ndim)
        if not input.ndim:
            raise IndexError(f"Dimension specified as {d} but tensor has no dimensions")


@op(linear=True, check=_check_roll)
def roll(input: Array, shifts: Any, dims: Any = None) -> Any:
    """Elements moved round along `dims` (or in the flattened tensor)."""
    if not input.ndim:
        return input
    return jnp.roll(input, shifts, None if dims in (None, ()) else dims)
