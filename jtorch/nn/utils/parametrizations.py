"""Ready-made parametrizations: orthogonal weights, weight norm, spectral norm."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from ..._engine.dtype import finfo
from ..._functions import NAMESPACES
from ...autograd import no_grad
from ...tensor import Tensor
from .. import functional as F
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from . import parametrize
from .weight_norm import _weight_norm, norm_except_dim

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_TORCH = NAMESPACES["torch"]


def _linalg(name: str) -> Any:
    return NAMESPACES["linalg"][name]


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.size(-2), q.size(-1)
    eye = _TORCH["eye"](k, dtype=q.dtype, device=q.device)
    return bool(_TORCH["allclose"](q.mH @ q, eye, atol=10.0 * n * finfo(q.dtype).eps))


def _make_orthogonal(a: Tensor) -> Tensor:
    """The orthogonal factor of the QR decomposition whose R has a positive diagonal."""
    x, tau = _TORCH["geqrf"](a)
    q = _linalg("householder_product")(x, tau)
    return q * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


class _Orthogonal(Module):
    """Any matrix to an orthogonal one (orthonormal columns, or rows if it is wide)."""

    base: Tensor

    def __init__(
        self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True
    ) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map is _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        if wide:
            X = X.mT
        if self.orthogonal_map is _OrthMaps.householder:
            q = _from_reflectors(X)
        else:
            q = _from_skew(X, self.orthogonal_map)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. "
                f"Got a tensor of shape {Q.shape}."
            )
        given = Q
        wide = Q.size(-2) < Q.size(-1)
        if wide:
            Q = Q.mT
        if not hasattr(self, "base"):
            return self._reflectors(Q, wide)
        n, k = Q.size(-2), Q.size(-1)
        if n == k:
            Q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
        else:  # completed to a square one
            shape = (*Q.size()[:-2], n, n - k)
            noise = _TORCH["randn"](*shape, dtype=Q.dtype, device=Q.device)
            Q = _make_orthogonal(_TORCH["cat"]([Q, noise], dim=-1))
        self.base = Q
        # -Id, as its diagonal is what the householder map reads: it maps to the identity
        minus = _TORCH["zeros_like"](given)
        minus.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return minus

    def _reflectors(self, q: Tensor, wide: bool) -> Tensor:
        if self.orthogonal_map is not _OrthMaps.householder:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential "
                "or the Cayley parametrizations when use_trivialization=False."
            )
        a, tau = _TORCH["geqrf"](q)
        signs = a.diagonal(dim1=-2, dim2=-1).sign()
        # LAPACK returns exactly 0 for a reflection that it leaves out
        signs = _TORCH["where"](tau == 0.0, -signs, signs)
        a.diagonal(dim1=-2, dim2=-1).copy_(signs)
        return a.mT if wide else a


def _from_skew(x: Tensor, how: _OrthMaps) -> Tensor:
    """An orthogonal matrix from the skew part of the tall matrix `x`."""
    n, k = x.size(-2), x.size(-1)
    x = x.tril()
    if n != k:
        zeros = x.new_zeros(n, n - k).expand(*x.shape[:-2], -1, -1)
        x = _TORCH["cat"]([x, zeros], dim=-1)
    a = x - x.mH
    if how is _OrthMaps.matrix_exp:
        q = _TORCH["matrix_exp"](a)
    else:
        eye = _TORCH["eye"](n, dtype=a.dtype, device=a.device)
        add = _TORCH["add"]
        q = _linalg("solve")(add(eye, a, alpha=-0.5), add(eye, a, alpha=0.5))
    return q if n == k else q[..., :k]


def _from_reflectors(x: Tensor) -> Tensor:
    """An orthogonal matrix from the Householder vectors below the diagonal of the tall `x`."""
    a = x.tril(diagonal=-1)
    tau = 2.0 / (1.0 + (a * a).sum(dim=-2))
    q = _linalg("householder_product")(a, tau)
    return q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight orthogonal, by 'matrix_exp', 'cayley' or 'householder'."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    found = getattr(_OrthMaps, orthogonal_map, None)
    if found is None:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    orth = _Orthogonal(weight, found, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, orth, unsafe=True)
    return module


class _WeightNorm(Module):
    """Length and direction to a weight."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """A weight as a length (`original0`) times a direction (`original1`)."""
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def from_the_hook_form(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            for i, key in enumerate((g, v)):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(from_the_hook_form)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iteration follows."""

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but "
                f"got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            for buffer, size in zip(("_u", "_v"), matrix.size(), strict=True):
                draw = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(buffer, F.normalize(draw, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        if self.dim != 0:
            others = (d for d in range(weight.dim()) if d != self.dim)
            weight = weight.permute(self.dim, *others)
        return weight.flatten(1)

    @no_grad()
    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        for _ in range(n_power_iterations):
            self._u.copy_(F.normalize(weight_mat.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(weight_mat.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:  # nothing to approximate
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # copies: a second forward moves the buffers before this one's backward
        u, v = self._u.clone(), self._v.clone()
        return weight / _TORCH["vdot"](u, matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value; `dim` is that of the outputs."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        transposed = isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d)
        dim = 1 if transposed else 0
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    parametrize.register_parametrization(module, name, norm)
    return module
