"""One call on the same data with PyTorch and with jtorch: results and gradients compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import jtorch

MODULES = (torch, jtorch)
Call = Callable[..., Any]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normals in float32."""
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32)


def outcome(m: Any, call: Call, arrays: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """Results of `call(m, F, *tensors)`, and gradients of a weighted sum of the first one."""
    tensors = [m.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays]
    leaves = [
        t.requires_grad_() for t in tensors if isinstance(t, m.Tensor) and t.is_floating_point()
    ]
    results = call(m, m.nn.functional, *tensors)
    results = list(results) if isinstance(results, tuple) else [results]
    first, grads = results[0], []
    if first.requires_grad:
        weight = np.random.default_rng(7).standard_normal(tuple(first.shape)).astype(np.float32)
        (first * m.tensor(weight)).sum().backward()
        grads = [t.grad for t in leaves]
        # a gradient that PyTorch leaves out and one of zeros mean the same
        grads = [
            m.zeros(tuple(t.shape)) if g is None else g for t, g in zip(leaves, grads, strict=True)
        ]
    return [r.detach() for r in results if r is not None], grads


def check(call: Call, *arrays: Any, atol: float = 1e-5, rtol: float = 1e-4) -> None:
    """`call` gives the same values, dtypes, shapes and gradients in both libraries."""
    expected, actual = (outcome(m, call, arrays) for m in MODULES)
    for what, a, b in zip(("result", "gradient"), expected, actual, strict=True):
        assert len(a) == len(b), what
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert str(x.dtype) == str(y.dtype), f"{what} {i}"
            assert tuple(x.shape) == tuple(y.shape), f"{what} {i}"
            np.testing.assert_allclose(y.numpy(), x.numpy(), rtol, atol, err_msg=f"{what} {i}")


def error(call: Call, m: Any) -> tuple[type, str]:
    """Type and text of what `call(m, F)` raises."""
    try:
        call(m, m.nn.functional)
    except Exception as e:
        family = next(
            f for f in (IndexError, ValueError, RuntimeError, Exception) if isinstance(e, f)
        )
        return family, str(e).split("\n")[0]
    raise AssertionError("no error")
