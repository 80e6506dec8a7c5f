"""Matrix functions that torch has removed: they say what to call instead."""

from __future__ import annotations

from typing import Any

from .._functions import composite

_START = "This function was deprecated since version 1.9 and is now removed."
_ADVICE = {
    "matrix_rank": "\nPlease use the `torch.linalg.matrix_rank` function instead. The parameter "
                   "'symmetric' was renamed in `torch.linalg.matrix_rank()` to 'hermitian'.",
    "solve": " `torch.solve` is deprecated in favor of `torch.linalg.solve`. `torch.linalg.solve` "
             "has its arguments reversed and does not return the LU factorization.\nTo get the LU "
             "factorization see `torch.lu`, which can be used with `torch.lu_solve` or "
             "`torch.lu_unpack`.",
    "lstsq": " `torch.lstsq` is deprecated in favor of `torch.linalg.lstsq`.\n"
             "`torch.linalg.lstsq` has reversed arguments and does not return the QR "
             "decomposition in the returned tuple, (although it returns other information about "
             "the problem).",
    "eig": " `torch.linalg.eig` returns complex tensors of dtype `cfloat` or `cdouble` rather "
           "than real tensors mimicking complex tensors.",
    "symeig": " The default behavior has changed from using the upper triangular portion of the "
              "matrix by default to using the lower triangular portion.",
}  # fmt: skip


def _removed(name: str) -> None:
    def f(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(_START + _ADVICE[name])

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"torch.{name} has been removed from torch; see torch.linalg."
    spaces = ("torch",) if name == "matrix_rank" else ("torch", "Tensor")
    composite(*spaces)(f)


for _name in _ADVICE:
    _removed(_name)
