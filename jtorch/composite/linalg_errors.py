"""`LinAlgError`, and LAPACK's `info` codes as the errors torch raises for them.

Looking at a code runs what is pending, as torch waits for its device here; inside a region, whose
values do not exist yet, nothing is looked at and a failed factorisation gives NaN.
"""

from __future__ import annotations

from typing import Any

from .._engine import recorder
from ._arguments import host


class LinAlgError(RuntimeError):
    """A matrix that a function cannot work with: singular, not positive-definite, not finite."""


_WORDS = (  # the first of these that is in the function's name decides
    ("inv", "The diagonal element {0} is zero, the inversion could not be completed because the "
            "input matrix is singular."),
    ("solve", "The solver failed because the input matrix is singular."),
    ("cholesky", "The factorization could not be completed because the input is not "
                 "positive-definite (the leading minor of order {0} is not positive-definite)."),
    ("eig", "The algorithm failed to converge because the input matrix is ill-conditioned or has "
            "too many repeated eigenvalues (error code: {0})."),
    ("svd", "The algorithm failed to converge because the input matrix contained non-finite "
            "values."),
    ("lu_factor", "U[{0},{0}] is zero and using it on lu_solve would result in a division by "
                  "zero. If you still want to perform the factorization, consider calling "
                  "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"),
)  # fmt: skip


def unknown(t: Any) -> bool:
    """Whether the tensor has no values to look at: inside a region."""
    return bool(t._aval.place.traced) or bool(recorder._local.region)


def check_info(info: Any, function: str) -> None:
    """Raise the error of the first code that is not zero."""
    if unknown(info):
        return
    codes = host(info, f"{function} checks its result")
    if not codes.any():
        return
    place = int((codes.reshape(-1) != 0).argmax())
    code = int(codes.reshape(-1)[place])
    where = f"(Batch element {place}): " if codes.ndim else ""
    words = next((w for key, w in _WORDS if key in function), "Unknown error code: {0}.")
    kind = RuntimeError if "lu_factor" in function or "ldl" in function else LinAlgError
    raise kind(f"{function}: {where}{words.format(code)}")


def check_finite(t: Any, function: str, dims: int = 1) -> None:
    """Raise what torch raises when an iteration met infinity or NaN, which spread to its result."""
    if unknown(t):
        return
    check_info((~t.detach().isfinite()).flatten(-dims).any(-1).int() * 2, function)
