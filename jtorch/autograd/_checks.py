"""`gradcheck` and `gradgradcheck`: gradients against finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._gate import TensorBase
from .._tensor_autograd import grad as _grad
from ..creation import tensor
from ..random_ops import randn_like
from .forward_ad import dual_level, make_dual, unpack_dual


class GradcheckError(RuntimeError):
    """A gradient is not what finite differences say."""


def _flat(x: Any) -> np.ndarray[Any, Any]:
    """A tensor as one row of real numbers: real parts, then imaginary parts."""
    a = x.detach().cpu().numpy().ravel()
    return np.concatenate([a.real, a.imag]) if np.iscomplexobj(a) else a.astype(np.float64)


def _perturbed(x: Any, k: int, step: float) -> Any:
    a = np.array(x.detach().cpu().numpy())
    n, flat = a.size, a.reshape(-1)
    flat[k % n if n else 0] += step * 1j if k >= n else step
    return tensor(a, dtype=x.dtype, device=x.device)


def _outputs(result: Any) -> list[Any]:
    items = result if isinstance(result, tuple | list) else (result,)
    return [o for o in items if isinstance(o, TensorBase) and o.requires_grad]  # type: ignore[attr-defined]


def _count(t: Any) -> int:
    return t.numel() * (2 if t.is_complex() else 1)  # type: ignore[no-any-return]


def _numerical(f: Callable[..., Any], inputs: list[Any], at: int, eps: float) -> list[Any]:
    """d outputs / d inputs[at] as matrices (input, output)."""

    def rows(k: int, step: float) -> list[Any]:
        moved = list(inputs)
        moved[at] = _perturbed(inputs[at], k, step).requires_grad_()
        return [_flat(o) for o in _outputs(f(*moved))]

    columns = []
    for k in range(_count(inputs[at])):
        up, down = rows(k, eps), rows(k, -eps)
        columns.append([(a - b) / (2 * eps) for a, b in zip(up, down, strict=True)])
    return [np.stack(c) for c in zip(*columns, strict=True)]


def _unit(t: Any, k: int) -> Any:
    """Zeros like `t` with a one at number `k` (imaginary parts after real ones)."""
    unit = np.zeros(t.shape, t.detach().cpu().numpy().dtype)
    n = unit.size
    unit.reshape(-1)[k % n] = 1j if k >= n else 1
    return tensor(unit, dtype=t.dtype, device=t.device)


def _forward(f: Any, inputs: list[Any], at: int, j: int, _: Any) -> np.ndarray[Any, Any]:
    """The same matrix by forward mode, one input number at a time."""
    rows = []
    for k in range(_count(inputs[at])):
        with dual_level():
            moved = list(inputs)
            moved[at] = make_dual(inputs[at].detach().requires_grad_(), _unit(inputs[at], k))
            output = _outputs(f(*moved))[j]
            tangent = unpack_dual(output).tangent
            rows.append(np.zeros(_count(output)) if tangent is None else _flat(tangent))
    return np.stack(rows)


def _analytical(f: Any, inputs: list[Any], at: int, j: int, output: Any) -> np.ndarray[Any, Any]:
    """The same matrix by reverse mode, one output number at a time."""
    x, columns = inputs[at], []
    for k in range(_count(output)):
        ct = _unit(output, k)
        (g,) = _grad([output], [x], [ct], retain_graph=True, allow_unused=True)
        columns.append(np.zeros(_count(x)) if g is None else _flat(g))
    return np.stack(columns, 1) if columns else np.zeros((_count(x), 0))


def _check_inputs(inputs: list[Any]) -> list[int]:
    found = []
    for i, x in enumerate(inputs):
        if not (isinstance(x, TensorBase) and x.requires_grad):  # type: ignore[attr-defined]
            continue
        found.append(i)
        if x.dtype.itemsize != (16 if x.is_complex() else 8):  # type: ignore[attr-defined]
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=4,
            )
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the "
            "them have requires_grad=True."
        )
    return found


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether gradients agree with finite differences; every number is checked, fast_mode or not.

    Source: torch.autograd.gradcheck.
    """
    if check_batched_grad or check_batched_forward_grad or masked:
        raise NotImplementedError(
            "gradcheck(check_batched_grad=, check_batched_forward_grad=, masked=): compare with "
            "torch.vmap or dense tensors yourself."
        )
    ways = [_analytical] * check_backward_ad + [_forward] * check_forward_ad
    if not ways:
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    try:
        for i in _check_inputs(given):
            outputs = _outputs(func(*given))
            for j, (o, numeric) in enumerate(
                zip(outputs, _numerical(func, given, i, eps), strict=True)
            ):
                for way in ways:
                    exact = way(func, given, i, j, o)
                    if not np.allclose(exact, numeric, rtol=rtol, atol=atol):
                        raise GradcheckError(
                            f"Jacobian {'computed with forward mode ' * (way is _forward)}"
                            f"mismatch for output {j} with respect to input {i},\n"
                            f"numerical:{numeric}\nanalytical:{exact}\n"
                        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6,
    atol: float = 1e-5, rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False,
    masked: bool = False,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradient.  Source: torch.autograd.gradgradcheck."""
    if check_batched_grad or masked:
        raise NotImplementedError(
            "gradgradcheck(check_batched_grad=, masked=): compare with torch.vmap or dense "
            "tensors yourself."
        )
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    if grad_outputs is None:
        cts = [randn_like(o.detach()).requires_grad_() for o in _outputs(func(*given))]
    else:
        cts = list(grad_outputs) if isinstance(grad_outputs, tuple | list) else [grad_outputs]
    n = len(cts)

    def first(*args: Any) -> Any:
        own, outer = list(args[:-n]), list(args[-n:])
        tracked = [x for x in own if isinstance(x, TensorBase) and x.requires_grad]  # type: ignore[attr-defined]
        grads = _grad(_outputs(func(*own)), tracked, outer, create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        first, (*given, *cts), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev,
    )  # fmt: skip
