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


def _analytical(output: Any, x: Any) -> np.ndarray[Any, Any]:
    """The same matrix by reverse mode, one output number at a time."""
    columns = []
    for k in range(_count(output)):
        unit = np.zeros(output.shape, output.detach().cpu().numpy().dtype)
        n = unit.size
        unit.reshape(-1)[k % n] = 1j if k >= n else 1
        ct = tensor(unit, dtype=output.dtype, device=output.device)
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
    if check_batched_grad or check_batched_forward_grad or check_forward_ad or masked:
        raise NotImplementedError(
            "gradcheck(check_batched_grad=, check_forward_ad=, masked=): compare with torch.vmap, "
            "torch.func.jvp or dense tensors yourself."
        )
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    try:
        for i in _check_inputs(given):
            outputs = _outputs(func(*given))
            for j, (o, numeric) in enumerate(
                zip(outputs, _numerical(func, given, i, eps), strict=True)
            ):
                exact = _analytical(o, given[i])
                if not np.allclose(exact, numeric, rtol=rtol, atol=atol):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {j} with respect to input {i},\n"
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
    if check_fwd_over_rev or check_batched_grad or masked:
        raise NotImplementedError(
            "gradgradcheck(check_fwd_over_rev=, check_batched_grad=, masked=): compare with "
            "torch.func.jvp, torch.vmap or dense tensors yourself."
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
        first, (*given, *cts), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception
    )
