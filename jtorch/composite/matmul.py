"""Contractions whose arguments come in several forms: einsum, tensordot, chain_matmul."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .._engine.backward import modes
from .._functions import composite, derived
from .._gate import check_writable
from ..ops import TABLE
from ..tensor import Tensor

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@composite("torch")
def einsum(*args: Any) -> Any:
    """Sum of products in Einstein's notation: einsum('ij,jk->ik', a, b)."""
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    if isinstance(args[0], Tensor):
        equation, operands = _from_lists(args)
    else:
        equation, operands = args[0], list(args[1:])
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = list(operands[0])
    return derived["_einsum"](operands, equation)


def _from_lists(args: Sequence[Any]) -> tuple[str, list[Any]]:
    """einsum(a, [0, 1], b, [1, 2], [0, 2]) as an equation."""
    pairs = len(args) // 2
    text = ",".join(_word(args[2 * i + 1]) for i in range(pairs))
    if len(args) % 2:
        text += "->" + _word(args[-1])
    return text, [args[2 * i] for i in range(pairs)]


def _word(subscripts: Any) -> str:
    return "".join(_subscript(s) for s in subscripts)


def _subscript(s: Any) -> str:
    if s is Ellipsis:
        return "..."
    if isinstance(s, int):
        if 0 <= s < len(_LETTERS):
            return _LETTERS[s]
        raise ValueError(
            "einsum(): subscript in subscript list is not within the valid range [0, 52)"
        )
    raise ValueError("einsum(): unexpected type of subscript in subscript list")


@composite("torch")
def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Contract `dims` last dimensions of a with first ones of b, or two lists of dimensions."""
    result = derived["_tensordot"](a, b, _contracted(a, b, dims))
    return result if out is None else out.copy_(result)


def _contracted(a: Any, b: Any, dims: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims.numel() > 1 else int(dims.item())
    if isinstance(dims, list | tuple):
        left, right = dims
        return _listed(left), _listed(right)
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(a.dim(), b.dim()):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    return tuple(range(-dims, 0)), tuple(range(dims))


def _listed(dims: Any) -> tuple[int, ...]:
    return (dims,) if isinstance(dims, int) else tuple(int(d) for d in dims)


@composite("torch")
def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """The product of matrices in the cheapest order."""
    warnings.warn(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use "
        "torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than "
        "multiple parameters.",
        stacklevel=2,
    )
    if len(matrices) == 1 and isinstance(matrices[0], list | tuple):
        matrices = tuple(matrices[0])
    for m in matrices:
        if m.dim() != 2:
            raise RuntimeError(f"chain_matmul(): Expected all tensors to be 2-D, got {m.dim()}-D")
    result = matrices[0] if len(matrices) == 1 else cheapest_product(matrices)
    return result if out is None else out.copy_(result)


def cheapest_product(matrices: Sequence[Any]) -> Any:
    """The product, associated so that the fewest multiplications are needed."""
    sizes = [m.shape[0] for m in matrices] + [matrices[-1].shape[1]]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    n = len(matrices)
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            best[i, j] = min(
                (
                    _cost(best, i, k)
                    + _cost(best, k + 1, j)
                    + sizes[i] * sizes[k + 1] * sizes[j + 1],
                    k,
                )
                for k in range(i, j)
            )

    def product(i: int, j: int) -> Any:
        if i == j:
            return matrices[i]
        k = best[i, j][1]
        return derived["mm"](product(i, k), product(k + 1, j))

    return product(0, n - 1)


def _cost(best: dict[tuple[int, int], tuple[int, int]], i: int, j: int) -> int:
    return 0 if i == j else best[i, j][0]


@composite("Tensor")
def addbmm_(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """addbmm in place; alone among its kind, it gives a smaller tensor the shape of the result."""
    found = derived["addbmm"](input, batch1, batch2, beta=beta, alpha=alpha)
    if found.shape != input.shape and input._is_view():
        raise RuntimeError(
            f"addbmm_(): a view of shape {list(input.shape)} cannot take the shape "
            f"{list(found.shape)} of the result"
        )
    check_writable(input, TABLE["addbmm"])
    input._assign(found._value, found._edge() if modes.grad else None, modes.grad)
    return input
