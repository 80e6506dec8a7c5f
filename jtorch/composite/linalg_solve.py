"""torch.linalg's solvers: linear systems, inverses, pseudo-inverses, least squares."""

from __future__ import annotations

import math
from typing import Any

from .._engine.dtype import finfo
from .._engine.errors import broadcast_shapes
from .._functions import composite, derived
from .._gate import TensorBase
from ..creation import empty, full
from ._arguments import host, into, tensor
from .linalg_errors import check_info, unknown
from .linalg_results import named

_solve_ex, _inv_ex, _pinv, _lstsq = (
    derived["_solve_ex"], derived["_inv_ex"], derived["_pinv"], derived["_lstsq"]
)  # fmt: skip
_matrix_rank, _cholesky_inverse = derived["_matrix_rank"], derived["_cholesky_inverse"]
_lu_solve = derived["linalg_lu_solve"]


@composite("linalg")
def solve_ex(
    A: Any, B: Any, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> Any:
    """X of A X = B and LAPACK's code, which is not looked at unless asked."""
    found = _solve_ex(A, B, left=left)
    if check_errors:
        check_info(found[1], "torch.linalg.solve_ex")
    return named("_solve_ex", out, "linalg_solve_ex", ("result", "info"), found)


@composite("linalg")
def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """X of A X = B, or of X A = B."""
    x, info = _solve_ex(A, B, left=left)
    check_info(info, "torch.linalg.solve")
    return into("_solve_ex", out, x)


@composite("linalg")
def inv_ex(A: Any, *, check_errors: bool = False, out: Any = None) -> Any:
    """The inverse and LAPACK's code, which is not looked at unless asked."""
    found = _inv_ex(A)
    if check_errors:
        check_info(found[1], "linalg.inv_ex")
    return named("_inv_ex", out, "linalg_inv_ex", ("inverse", "info"), found)


@composite("linalg")
def inv(A: Any, *, out: Any = None) -> Any:
    """The inverse of a square matrix."""
    x, info = _inv_ex(tensor("linalg_inv", "A", A))
    check_info(info, "linalg.inv")
    return into("_inv_ex", out, x)


@composite("torch", "Tensor")
def inverse(input: Any, *, out: Any = None) -> Any:
    """torch.linalg.inv."""
    return inv(input, out=out)


@composite("torch", "Tensor")
def cholesky_inverse(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """The inverse of the matrix whose Cholesky factor is given."""
    x, info = _cholesky_inverse(input, upper=upper)
    check_info(info, "cholesky_inverse")
    return into("_cholesky_inverse", out, x)


@composite("torch", "Tensor")
def lu_solve(b: Any, LU_data: Any, LU_pivots: Any, *, out: Any = None) -> Any:
    """torch.linalg.lu_solve with the right-hand side first."""
    return into("linalg_lu_solve", out, _lu_solve(LU_data, LU_pivots, b))


# --- pseudo-inverse and rank ----------------------------------------------------------------------


def _tolerance(t: Any, like: Any, default: float) -> Any:
    if t is None:
        t = default
    if isinstance(t, TensorBase):
        return t.detach()
    real = like.dtype.to_real() if like.dtype.is_complex else like.dtype
    return full((), float(t), dtype=real, device=like.device)


def _tolerances(input: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """torch's defaults: rtol is eps * max(m, n) unless an atol was given."""
    if input.dim() < 2 or not (input.dtype.is_floating_point or input.dtype.is_complex):
        default = 0.0
    else:
        default = finfo(input.dtype).eps * max(input.shape[-2:])
    absolute = _tolerance(atol, input, 0.0) if _is_float(input) else full((), 0.0)
    relative = _tolerance(rtol, input, default) if _is_float(input) else full((), 0.0)
    if rtol is None and atol is not None:
        if isinstance(atol, TensorBase):
            relative = (absolute > 0).logical_not().to(relative.dtype) * relative
        elif atol > 0:
            relative = relative * 0
    return absolute, relative


def _is_float(x: Any) -> bool:
    return bool(x.dtype.is_floating_point or x.dtype.is_complex)


@composite("linalg")
def pinv(
    input: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """The Moore-Penrose pseudo-inverse."""
    absolute, relative = _tolerances(input, atol, rcond if rcond is not None else rtol)
    return into("_pinv", out, _pinv(input, absolute, relative, hermitian=hermitian))


@composite("torch", "Tensor")
def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """torch.linalg.pinv with a fixed relative tolerance."""
    return pinv(input, rcond)


@composite("linalg")
def matrix_rank(
    input: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    """The number of singular values that are not nearly zero."""
    if input.dim() >= 2 and not _is_float(input):
        raise RuntimeError("This function doesn't handle types other than float and double")
    if tol is not None:  # an absolute tolerance, by torch's older name
        absolute, relative = _tolerance(tol, input, 0.0), _tolerance(0.0, input, 0.0)
    else:
        absolute, relative = _tolerances(input, atol, rtol)
    return into("_matrix_rank", out, _matrix_rank(input, absolute, relative, hermitian=hermitian))


# --- least squares --------------------------------------------------------------------------------

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@composite("linalg")
def lstsq(input: Any, b: Any, rcond: Any = None, *, driver: Any = None, out: Any = None) -> Any:
    """Least-squares solutions; `driver` decides which other results are given, as in torch."""
    vector = _check_lstsq(input, b, driver)
    driver = driver or "gelsy"
    right = b.unsqueeze(-1) if vector else b
    lead = broadcast_shapes(tuple(input.shape[:-2]), tuple(right.shape[:-2]))
    m, n = input.shape[-2:]
    a = input.expand((*lead, m, n))
    right = right.expand((*lead, *right.shape[-2:]))
    if rcond is None:
        rcond = finfo(input.dtype).eps * max(m, n)
    x, squares, rank, s = _lstsq(a, right, rcond=float(rcond))
    if m <= n or not _whole_rank(rank, n, driver):
        squares = empty((0,), dtype=squares.dtype, device=squares.device)
    if driver == "gels":
        rank = empty((0,), dtype=rank.dtype, device=rank.device)
    if driver in ("gels", "gelsy"):
        s = empty((0,), dtype=s.dtype, device=s.device)
    x = x.squeeze(-1) if vector else x
    fields = ("solution", "residuals", "rank", "singular_values")
    return named("_lstsq", out, "linalg_lstsq", fields, (x, squares, rank, s))


def _whole_rank(rank: Any, n: int, driver: str) -> bool:
    """Whether torch computes residuals: never with gelsy, with an SVD only for full rank."""
    if driver in ("gels", "gelsy") or unknown(rank):
        return driver != "gelsy"
    return bool((host(rank, "linalg.lstsq looks at the ranks") == n).all())


def _check_lstsq(input: Any, b: Any, driver: Any) -> bool:
    name = "torch.linalg.lstsq"
    if input.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if input.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{input.dtype.scalar_name} and other's dtype {b.dtype.scalar_name}"
        )
    gap = input.dim() - b.dim()
    if gap not in (0, 1):
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and "
            "(input.dim() - other.dim()) <= 1"
        )
    vector = gap == 1
    side = -1 if vector else -2
    if input.shape[-2] != b.shape[side]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size({side})")
    if driver is not None and driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    if not _is_float(input):
        raise RuntimeError("This function doesn't handle types other than float and double")
    return vector


# --- tensors as linear maps -----------------------------------------------------------------------


@composite("linalg")
def tensorinv(input: Any, ind: int = 2, *, out: Any = None) -> Any:
    """The inverse of the linear map that a tensor is under tensordot."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    front, back = tuple(input.shape[:ind]), tuple(input.shape[ind:])
    if math.prod(back) != math.prod(front):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(back)} != {math.prod(front)}"
        )
    x, info = _inv_ex(input.reshape(math.prod(front), math.prod(back)))
    check_info(info, "inv")
    return into("_inv_ex", out, x.reshape((*back, *front)))


@composite("linalg")
def tensorsolve(A: Any, B: Any, dims: Any = None, *, out: Any = None) -> Any:
    """X of tensordot(A, X, X.dim()) = B."""
    moved = (
        A if dims is None else A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    )
    front, back = tuple(moved.shape[: B.dim()]), tuple(moved.shape[B.dim() :])
    n = math.prod(back)
    if n != B.numel() or n != math.prod(front):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {n} != {B.numel()}"
        )
    x = solve(moved.reshape(n, n), B.reshape(-1))
    return into("_solve_ex", out, x.reshape(back))
