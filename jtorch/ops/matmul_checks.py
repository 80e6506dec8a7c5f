"""torch's refusals of operands of matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

from .nn_common import not_implemented

_CPP = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long", "int32": "int", "int16": "short", "int8": "signed char",
    "uint8": "unsigned char", "bool": "bool", "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}  # fmt: skip


def same_mm_dtype(a: Any, b: Any) -> None:
    """mm's demand for one dtype."""
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {_CPP[a.dtype.name]} != "
            f"{_CPP[b.dtype.name]}"
        )


def _no_bool(kernel: str, a: Any) -> None:
    if a.dtype.name == "bool":
        raise not_implemented(kernel, a.dtype)


def _rows(rows: int, inner: int, b: Any) -> None:
    if inner != b[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {b[0]}x{b[1]})"
        )


def mm(a: Any, b: Any) -> None:
    """What torch demands of `mm`."""
    if a.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if b.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    _rows(a.shape[0], a.shape[1], b.shape)
    same_mm_dtype(a, b)
    _no_bool("addmm_impl_cpu_", a)


def bmm(a: Any, b: Any) -> None:
    """What torch demands of `bmm`."""
    if a.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if b.ndim != 3:
        raise RuntimeError("batch2 must be a 3D tensor")
    if (a.shape[0], a.shape[2]) != b.shape[:2]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{a.shape[0]}, {a.shape[2]}] but got: [{b.shape[0]}, {b.shape[1]}]."
        )
    _same_scalar(a, b)
    _no_bool("bmm", a)


def _same_scalar(a: Any, b: Any) -> None:
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"expected scalar type {a.dtype.scalar_name} but found {b.dtype.scalar_name}"
        )


def mv(a: Any, b: Any) -> None:
    """What torch demands of `mv`."""
    if a.ndim != 2 or b.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {b.ndim}, {a.ndim}, {b.ndim}")
    _mv_sizes(a.shape[0], a.shape, b.shape[0])
    if a.dtype is not b.dtype:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{b.dtype.scalar_name}, {a.dtype.scalar_name}, and {b.dtype.scalar_name}"
        )
    _no_bool("addmv_impl_cpu", a)


def _mv_sizes(input: int, mat: tuple[int, ...], vec: int) -> None:
    if mat[1] != vec or input not in (mat[0], 1):
        raise RuntimeError(
            f"size mismatch, got input ({input}), mat ({mat[0]}x{mat[1]}), vec ({vec})"
        )


def dot(a: Any, b: Any) -> None:
    """What torch demands of `dot`."""
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype is not b.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{a.dtype.scalar_name} and {b.dtype.scalar_name}"
        )
    if a.shape != b.shape:
        m, n = a.shape[0], b.shape[0]
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{m}] and src [{n}] to have the same "
            f"number of elements, but got {m} and {n} elements respectively"
        )
    _no_bool("dot", a)


def matmul(a: Any, b: Any) -> None:
    """What torch demands of `matmul`."""
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D"
        )
    if b.ndim == 1:
        _matmul_vec(a, b)
    elif a.ndim == 1 and b.ndim == 2:
        _rows(1, a.shape[0], b.shape)
        same_mm_dtype(a, b)
        _no_bool("addmm_impl_cpu_", a)
    elif b.ndim == 2:
        _rows(prod(a.shape[:-1]), a.shape[-1], b.shape)
        same_mm_dtype(a, b)
        _no_bool("addmm_impl_cpu_", a)
    else:
        _matmul_batched(a, b)


def _matmul_vec(a: Any, b: Any) -> None:
    if a.ndim == 1:
        dot(a, b)
        return
    rows = prod(a.shape[:-1])
    _mv_sizes(rows, (rows, a.shape[-1]), b.shape[0])
    if a.dtype is not b.dtype:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{b.dtype.scalar_name}, {a.dtype.scalar_name}, and {b.dtype.scalar_name}"
        )
    _no_bool("addmv_impl_cpu", a)


def _matmul_batched(a: Any, b: Any) -> None:
    from .._engine.errors import broadcast_shapes

    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 1 else b.shape[:-2]
    if a.shape[-1] != b.shape[-2]:
        n = prod(batch)
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{n}, {a.shape[-1]}] but got: [{n}, {b.shape[-2]}]."
        )
    _same_scalar(a, b)
    _no_bool("bmm", a)


def inner(a: Any, b: Any) -> None:
    """What torch demands of `inner`."""
    if a.ndim and b.ndim and a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a.shape)} and {list(b.shape)}"
        )
    if a.ndim and b.ndim and a.dtype is not b.dtype:
        raise RuntimeError("both inputs should have same dtype")


def outer(a: Any, b: Any) -> None:
    """What torch demands of `outer`."""
    _vector("outer", "self", a)
    _vector("outer", "vec2", b)


def _vector(function: str, name: str, a: Any) -> None:
    if a.ndim != 1:
        raise RuntimeError(f"{function}: Expected 1-D argument {name}, but got {a.ndim}-D")


def _expandable(input: Any, target: tuple[int, ...]) -> None:
    sizes = f"Target sizes: {list(target)}.  Tensor sizes: {list(input.shape)}"
    if input.ndim > len(target):
        raise RuntimeError(
            f"expand(torch.{input.dtype.scalar_name}Tensor{{{list(input.shape)}}}, "
            f"size={list(target)}): the number of sizes provided ({len(target)}) must be greater "
            f"or equal to the number of dimensions in the tensor ({input.ndim})"
        )
    offset = len(target) - input.ndim
    for d in reversed(range(offset, len(target))):
        size = input.shape[d - offset]
        if size not in (1, target[d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({target[d]}) must match the existing size "
                f"({size}) at non-singleton dimension {d}.  {sizes}"
            )


def _matrix(position: int, a: Any) -> None:
    if a.ndim != 2:
        raise RuntimeError(f"mat{position} must be a matrix, got {a.ndim}-D tensor")


def addmm(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> None:
    """What torch demands of `addmm`."""
    _matrix(1, a)
    _matrix(2, b)
    if input.dtype is not b.dtype:
        raise RuntimeError(
            "self and mat2 must have the same dtype, but got "
            f"{input.dtype.scalar_name} and {b.dtype.scalar_name}"
        )
    _rows(a.shape[0], a.shape[1], b.shape)
    _expandable(input, (a.shape[0], b.shape[1]))
    same_mm_dtype(a, b)
    _no_bool("addmm_impl_cpu_", a)


def addmv(input: Any, mat: Any, vec: Any, beta: Any, alpha: Any) -> None:
    """What torch demands of `addmv`."""
    if mat.ndim != 2 or vec.ndim != 1 or input.ndim > 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}"
        )
    _mv_sizes(input.numel, mat.shape, vec.shape[0])
    if not input.dtype is mat.dtype is vec.dtype:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{input.dtype.scalar_name}, {mat.dtype.scalar_name}, and {vec.dtype.scalar_name}"
        )
    _no_bool("addmv_impl_cpu", mat)


def addr(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> None:
    """What torch demands of `addr`."""
    _vector("addr", "vec1", a)
    _vector("addr", "vec2", b)
    _expandable(input, (a.shape[0], b.shape[0]))


def baddbmm(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> None:
    """What torch demands of `baddbmm`."""
    bmm(a, b)
    _same_scalar(input, a)
    _expandable(input, (a.shape[0], a.shape[1], b.shape[2]))


def addbmm(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> None:
    """What torch demands of `addbmm`."""
    for position, x in ((1, a), (2, b)):
        if x.ndim != 3:
            raise RuntimeError(f"batch{position} must be a 3D tensor")
    if a.shape[0] != b.shape[0]:
        raise RuntimeError(
            f"batch1 and batch2 must have same number of batches, got {a.shape[0]} and {b.shape[0]}"
        )
    if a.shape[2] != b.shape[1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({a.shape[1]}x{a.shape[2]} and "
            f"{b.shape[1]}x{b.shape[2]})"
        )
    _expandable(input, (a.shape[1], b.shape[2]))
    same_mm_dtype(a, b)
    _no_bool("baddbmm", a)


def linear(input: Any, weight: Any, bias: Any) -> None:
    """What torch demands of `linear`."""
    if weight.ndim == 1:
        if bias is not None:
            raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
        _matmul_vec(input, weight)
        return
    if weight.ndim != 2 or input.ndim == 0:
        raise RuntimeError(
            f"linear(): the weight must be a matrix and the input at least 1D, but they are "
            f"{weight.ndim}D and {input.ndim}D"
        )
    rows = prod(input.shape[:-1])
    _rows(rows, input.shape[-1], weight.shape[::-1])
    if bias is not None:
        if bias.dtype is not weight.dtype:
            raise RuntimeError(
                "self and mat2 must have the same dtype, but got "
                f"{bias.dtype.scalar_name} and {weight.dtype.scalar_name}"
            )
        _expandable(bias, (rows, weight.shape[0]))
    same_mm_dtype(input, weight)
    _no_bool("addmm_impl_cpu_", input)


def bilinear(a: Any, b: Any, weight: Any, bias: Any) -> None:
    """What torch demands of `bilinear`."""
    if a.ndim != b.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {a.ndim} and {b.ndim}")
    for d, (m, n) in enumerate(zip(a.shape[:-1], b.shape[:-1], strict=True)):
        if m != n:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {d}: got {m} and {n}"
            )
    for i, x in ((1, a), (2, b)):
        if x.shape[-1] != weight.shape[i]:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but "
                f"expected {weight.shape[i]}"
            )
    if bias is not None and bias.shape[0] != weight.shape[0]:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected "
            f"{weight.shape[0]}"
        )
    same_mm_dtype(a, weight)
