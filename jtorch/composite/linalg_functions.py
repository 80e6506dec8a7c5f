"""torch.linalg's norms, condition numbers, powers and products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .._functions import composite, derived
from .._gate import TensorBase
from ._arguments import into, tensor
from .linalg_decompositions import svdvals
from .linalg_solve import inv
from .matmul import cheapest_product

_vector_norm, _matrix_norm = derived["linalg_vector_norm"], derived["linalg_matrix_norm"]
_matrix_power, _inv_ex, _diagonal = (
    derived["_matrix_power"], derived["_inv_ex"], derived["diagonal"]
)  # fmt: skip


# --- norms ----------------------------------------------------------------------------------------


@composite("linalg")
def norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """A vector norm or a matrix norm, depending on `ord` and `dim`."""
    dims = None if dim is None else tuple(dim) if isinstance(dim, list | tuple) else (dim,)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is specified, it must be of length 1 or 2. Got "
            f"[{', '.join(map(str, dims))}]"
        )
    if dims is None and ord is not None and not isinstance(ord, str) and A.dim() not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.dim()}D."
        )
    if isinstance(ord, str):
        if dims is None and A.dim() not in (1, 2):
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A.dim()}D."
            )
        return _matrix_norm(A, ord, (0, 1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    if ord is not None and (len(dims) == 2 if dims is not None else A.dim() == 2):
        return _matrix_norm(A, ord, (0, 1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    order = 2 if ord is None else ord
    return _vector_norm(A, order, dims, keepdim, dtype=dtype, out=out)


@composite("torch")
def frobenius_norm(input: Any, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
    """The Frobenius norm over one or two dimensions, or of everything."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    return _vector_norm(input, 2, dims or None, keepdim, out=out)


@composite("torch")
def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Any:
    """The sum of the singular values."""
    if isinstance(dim, bool):  # nuclear_norm(x, keepdim)
        dim, keepdim = (-2, -1), dim
    return _matrix_norm(input, "nuc", dim, keepdim, out=out)


@composite("torch", "Tensor")
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of the difference."""
    tensor("dist", "other", other, 2)
    gap = input - other
    if not (gap.dtype.is_floating_point or gap.dtype.is_complex):
        raise RuntimeError(
            "norm(): input dtype should be either floating point or complex. Got "
            f"{gap.dtype.scalar_name} instead."
        )
    return gap.norm(p)


@composite("linalg")
def cond(A: Any, p: Any = None, *, out: Any = None) -> Any:
    """The condition number of a matrix."""
    if A.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is None or p in (2, -2):
        s = svdvals(A)
        if not s.shape[-1]:
            return into("_svdvals", out, s.sum(-1))
        large, small = s[..., 0], s[..., -1]
        return into("_svdvals", out, small / large if p == -2 else large / small)
    known = p in ("fro", "nuc") if isinstance(p, str) else abs(p) in (1, float("inf"))
    if not known:
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"linalg.cond(ord={p}): A must be batches of square matrices, but they are "
            f"{A.shape[-2]} by {A.shape[-1]} matrices"
        )
    return into("_svdvals", out, _through_inverse(A, p))


def _through_inverse(A: Any, p: Any) -> Any:
    inverse, info = _inv_ex(A)
    singular = info != 0
    fine = inverse.masked_fill(singular[..., None, None], 0)
    product = _matrix_norm(A, p) * _matrix_norm(fine, p)
    return product.masked_fill(singular, float("inf"))


# --- powers and products --------------------------------------------------------------------------


@composite("linalg", "torch", "Tensor")
def matrix_power(input: Any, n: int, *, out: Any = None) -> Any:
    """The n-th power of square matrices; of their inverses for negative n."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(
            f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}"
        )
    base = inv(input) if n < 0 else input
    return into("_matrix_power", out, _matrix_power(base, n=abs(n)))


@composite("linalg")
def multi_dot(tensors: Sequence[Any], *, out: Any = None) -> Any:
    """The product of matrices in the cheapest order; the first and last may be vectors."""
    found = list(tensors)
    for t in found:
        if not isinstance(t, TensorBase):
            raise TypeError(f"multi_dot(): expected Tensors, but got {type(t).__name__}")
    _check_multi_dot(found)
    ends = found[0].dim() == 1, found[-1].dim() == 1
    if ends[0]:
        found[0] = found[0].unsqueeze(0)
    if ends[1]:
        found[-1] = found[-1].unsqueeze(-1)
    result = cheapest_product(found)
    if ends[0]:
        result = result.squeeze(0)
    if ends[1]:
        result = result.squeeze(-1)
    return into("mm", out, result)


_CPP = {"float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int"}


def _check_multi_dot(tensors: list[Any]) -> None:
    n = len(tensors)
    if n < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {n}")
    for i, which in ((0, "first"), (-1, "last")):
        if tensors[i].dim() not in (1, 2):
            raise RuntimeError(
                f"multi_dot(): the {which} tensor must be 1D or 2D but got {tensors[i].dim()}D"
            )
    for i, t in enumerate(tensors):
        if 0 < i < n - 1 and t.dim() != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {t.dim()}D")
        if t.dtype is not tensors[0].dtype:
            names = [_CPP.get(x.dtype.name, x.dtype.name) for x in (tensors[0], t)]
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {names[0]} "
                f"and tensor {i} {names[1]}"
            )
    for i, (a, b) in enumerate(pairwise(tensors)):
        if a.shape[-1] != b.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(a.shape)} and "
                f"{list(b.shape)} cannot be multiplied"
            )


@composite("linalg")
def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """A view of the diagonals of matrices."""
    return _diagonal(A, offset, dim1, dim2)
