"""Differences and integrals of sampled functions, and powers of vectors."""

from __future__ import annotations

from typing import Any

from .._engine.errors import wrap_dim
from .._functions import composite, derived
from .._gate import TensorBase, apply
from ..ops import TABLE
from ._arguments import into

_cat = derived["cat"]


@composite("torch", "Tensor")
def diff(
    input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """n-th differences of neighbours along dim."""
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    d = wrap_dim(dim, input.ndim)
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    for t in (prepend, append):
        if t is not None and t.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    if n == 0:
        return into("_diff", out, input.clone())
    parts = [t for t in (prepend, input, append) if t is not None]
    whole = _cat(parts, d) if len(parts) > 1 else input
    return into("_diff", out, apply(TABLE["_diff"], (whole,), (min(n, whole.shape[d]), d)))


def _integral(name: str, row: str) -> Any:
    op = TABLE[row]

    def f(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
        if x is not None and dx is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments: both x and dx")
        if not y.ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        return apply(op, (y, x, 1 if dx is None else dx), (dim,))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"torch.{name}: integration by the trapezoidal rule."
    return composite("torch")(f)


trapezoid = _integral("trapezoid", "_trapezoid")
trapz = _integral("trapz", "_trapezoid")
cumulative_trapezoid = _integral("cumulative_trapezoid", "_cumulative_trapezoid")


@composite("torch")
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix of a vector."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.numel() if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    return apply(TABLE["_vander"], (x,), (n, increasing))


def _gradient_dims(input: Any, dim: Any, spacing: Any) -> tuple[int, ...]:
    if dim is None:
        if isinstance(spacing, list | tuple) and len(spacing) == 1:
            return (wrap_dim(0, input.ndim),) if input.ndim == 1 else tuple(range(input.ndim))
        return tuple(range(input.ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    wrapped = tuple(wrap_dim(d, input.ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        repeated = next(d for d in wrapped if wrapped.count(d) > 1)
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return wrapped


@composite("torch")
def gradient(input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> Any:
    """Central differences along each of the dimensions `dim`."""
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    spacing = 1 if spacing is None else spacing
    dims = _gradient_dims(input, dim, spacing)
    given = spacing if isinstance(spacing, list | tuple) else [spacing] * len(dims)
    if len(given) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            "equal "
            f"to 'self.dim() = {len(dims)}', but got a list of length {len(given)}"
        )
    found = []
    for d, s in zip(dims, given, strict=True):
        if input.shape[d] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
        where = s if isinstance(s, TensorBase) else None
        if where is not None and where._value.aval.shape != (input.shape[d],):
            raise RuntimeError(
                f"torch.gradient expected each element to have the same length, but expected "
                f"{input.shape[d]} and got {where._value.aval.numel}"
            )
        step = 1 if where is not None else s
        found.append(apply(TABLE["_gradient"], (input, where, step), (d, edge_order)))
    return tuple(found)
