"""torch.linalg's factorisations: the rows, and the errors of matrices that have no factors."""

from __future__ import annotations

from typing import Any

from .._functions import composite, derived
from ._arguments import host, into, tensor
from .linalg_errors import check_finite, check_info, unknown
from .linalg_results import named

_cholesky_ex, _eigh, _eigvalsh = derived["_cholesky_ex"], derived["_eigh"], derived["_eigvalsh"]
_eig, _eigvals, _svd, _svdvals = (
    derived["_eig"], derived["_eigvals"], derived["_svd"], derived["_svdvals"]
)  # fmt: skip
_lu, _lu_factor, _lu_unpack = derived["_lu"], derived["_lu_factor"], derived["_lu_unpack"]
_qr, _qr_rigid = derived["_qr"], derived["_qr_rigid"]
_ldl_factor = derived["_ldl_factor"]


# --- Cholesky -------------------------------------------------------------------------------------


@composite("linalg")
def cholesky_ex(
    input: Any, *, upper: bool = False, check_errors: bool = False, out: Any = None
) -> Any:
    """The Cholesky factor and LAPACK's code, which is not looked at unless asked."""
    found = _cholesky_ex(input, upper=upper, name="linalg.cholesky")
    if check_errors:
        check_info(found.info, "linalg.cholesky_ex")
    return named("_cholesky_ex", out, "linalg_cholesky_ex", ("L", "info"), found)


@composite("linalg")
def cholesky(input: Any, *, upper: bool = False, out: Any = None) -> Any:
    """L with A = L L^H for a Hermitian positive-definite A."""
    return _checked_cholesky("linalg.cholesky", input, upper, out)


@composite("torch:cholesky", "Tensor:cholesky")
def old_cholesky(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """torch.cholesky, which torch.linalg.cholesky replaces."""
    return _checked_cholesky("cholesky", input, upper, out)


def _checked_cholesky(name: str, input: Any, upper: bool, out: Any) -> Any:
    tensor(name.replace(".", "_"), "input", input)
    factor, info = _cholesky_ex(input, upper=upper, name=name)
    check_info(info, name)
    return into("_cholesky_ex", out, factor)


# --- eigenvalues ----------------------------------------------------------------------------------


@composite("linalg")
def eigh(input: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, of which one triangle is read."""
    found = _eigh(input, UPLO=UPLO)
    check_finite(found[0], "linalg.eigh")
    return named("_eigh", out, "linalg_eigh", ("eigenvalues", "eigenvectors"), found)


@composite("linalg")
def eigvalsh(input: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Eigenvalues of a Hermitian matrix."""
    values = _eigvalsh(input, UPLO=UPLO)
    check_finite(values, "linalg.eigh")
    return into("_eigvalsh", out, values)


@composite("linalg")
def eig(input: Any, *, out: Any = None) -> Any:
    """Complex eigenvalues and eigenvectors of a square matrix."""
    found = _eig(input, name="linalg.eig")
    _check_input(found[0], input, "torch.linalg.eig")
    return named("_eig", out, "linalg_eig", ("eigenvalues", "eigenvectors"), found)


@composite("linalg")
def eigvals(input: Any, *, out: Any = None) -> Any:
    """Complex eigenvalues of a square matrix."""
    values = _eigvals(input, name="linalg.eigvals")
    _check_input(values, input, "torch.linalg.eigvals")
    return into("_eigvals", out, values)


def _check_input(values: Any, input: Any, function: str) -> None:
    if not unknown(values) and not host(input.detach().isfinite().all(), function):
        raise RuntimeError(f"{function}: input tensor should not contain infs or NaNs.")


# --- singular values ------------------------------------------------------------------------------


@composite("linalg")
def svd(A: Any, full_matrices: bool = True, *, driver: Any = None, out: Any = None) -> Any:
    """U, S, Vh with A = U diag(S) Vh."""
    found = _svd(A, full_matrices=full_matrices, driver=driver)
    check_finite(found[1], "linalg.svd")
    return named("_svd", out, "linalg_svd", ("U", "S", "Vh"), found)


@composite("linalg")
def svdvals(A: Any, *, driver: Any = None, out: Any = None) -> Any:
    """Singular values in descending order."""
    values = _svdvals(A, driver=driver)
    check_finite(values, "linalg.svd")
    return into("_svdvals", out, values)


@composite("torch:svd", "Tensor:svd")
def old_svd(input: Any, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """torch.svd: like torch.linalg.svd, but with V in place of its adjoint."""
    if input.dim() < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input.dim()} "
            "dimensions instead"
        )
    if compute_uv:
        u, s, vh = svd(input, not some)
        found = (u, s, vh.mH)
    else:
        m, n = input.shape[-2:]
        lead = tuple(input.shape[:-2])
        s = svdvals(input)
        found = (input.new_zeros((*lead, m, m)), s, input.new_zeros((*lead, n, n)))
    return named("_svd", out, "svd", ("U", "S", "V"), found)


# --- QR -------------------------------------------------------------------------------------------

_RIGID = {
    "r": "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
         "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr.",
    "complete": "The QR decomposition is not differentiable when mode='complete' and nrows > "
                "ncols.",
}  # fmt: skip


def _factors(A: Any, mode: str) -> Any:
    tall = mode == "complete" and A.dim() >= 2 and A.shape[-2] > A.shape[-1]
    if mode != "r" and not tall:
        return _qr(A, mode=mode)
    found = _qr_rigid(A, mode=mode)
    if found[1].requires_grad:
        for x in found[1:] if mode == "r" else found:
            x.register_hook(_refusal(_RIGID[mode]))
    return found


def _refusal(words: str) -> Any:
    def refuse(gradient: Any) -> None:
        raise RuntimeError(words)

    return refuse


@composite("linalg")
def qr(A: Any, mode: str = "reduced", *, out: Any = None) -> Any:
    """Q and R with A = Q R: Q has orthonormal columns, R is upper triangular."""
    return named("_qr", out, "linalg_qr", ("Q", "R"), _factors(A, mode))


@composite("torch:qr", "Tensor:qr")
def old_qr(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """torch.qr, which torch.linalg.qr replaces."""
    found = _factors(input, "reduced" if some else "complete")
    return named("_qr", out, "qr", ("Q", "R"), found)


# --- LU -------------------------------------------------------------------------------------------


@composite("linalg")
def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """Packed factors, pivots and LAPACK's code, which is not looked at unless asked."""
    found = _lu_factor(A, pivot=pivot, name="torch.lu_factor")
    if check_errors:
        check_info(found[2], "torch.linalg.lu_factor_ex")
    names = ("LU", "pivots", "info")
    return named("_lu_factor", out, "linalg_lu_factor_ex", names, found)


@composite("linalg")
def lu_factor(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """Packed LU factors and the pivots of their rows."""
    lu, pivots, info = _lu_factor(A, pivot=pivot, name="torch.lu_factor")
    check_info(info, "torch.linalg.lu_factor")
    return named("_lu_factor", out, "linalg_lu_factor", ("LU", "pivots"), (lu, pivots))


@composite("linalg")
def lu(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """P, L, U with A = P L U."""
    found = _lu(A, pivot=pivot, name="linalg.lu")
    return named("_lu", out, "linalg_lu", ("P", "L", "U"), found)


@composite("torch:lu", "Tensor:lu")
def old_lu(A: Any, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """torch.lu: packed factors and pivots, of singular matrices too."""
    found = _lu_factor(A, pivot=pivot, name="torch.lu_factor")
    if get_infos:
        return named("_lu_factor", out, "_lu_with_info", ("LU", "pivots", "info"), found)
    return tuple(named("_lu_factor", out, "linalg_lu_factor", ("LU", "pivots"), found[:2]))


@composite("torch")
def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """P, L, U of packed factors and pivots."""
    found = _lu_unpack(LU_data, LU_pivots, unpack_data=unpack_data, unpack_pivots=unpack_pivots)
    if unpack_pivots and not unknown(LU_pivots):
        pivots = host(LU_pivots, "lu_unpack checks its pivots")
        if pivots.size and (pivots.min() < 1 or pivots.max() > LU_data.shape[-2]):
            raise RuntimeError(
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
                "Did you properly pass the result of lu_factor?"
            )
    return named("_lu_unpack", out, "lu_unpack", ("P", "L", "U"), found)


# --- LDL ------------------------------------------------------------------------------------------


@composite("linalg")
def ldl_factor_ex(
    input: Any, *, hermitian: bool = False, check_errors: bool = False, out: Any = None
) -> Any:
    """The packed LDL factors of a symmetric or Hermitian matrix, pivots and LAPACK's code."""
    found = _ldl_factor(input, hermitian=hermitian)
    if check_errors:
        check_info(found[2], "torch.linalg.ldl_factor_ex")
    names = ("LD", "pivots", "info")
    return named("_ldl_factor", out, "linalg_ldl_factor_ex", names, found)


@composite("linalg")
def ldl_factor(input: Any, *, hermitian: bool = False, out: Any = None) -> Any:
    """The packed LDL factors of a symmetric or Hermitian matrix, and its pivots."""
    ld, pivots, info = _ldl_factor(input, hermitian=hermitian)
    check_info(info, "torch.linalg.ldl_factor")
    return named("_ldl_factor", out, "linalg_ldl_factor", ("LD", "pivots"), (ld, pivots))
