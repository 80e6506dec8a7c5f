"""The same Python expression evaluated with PyTorch and with jtorch on the same data."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import jtorch

MODULES = (torch, jtorch)
TOLERANCE = {
    "float32": 1e-5,
    "float64": 1e-12,
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "complex64": 1e-5,
}

_BASE = np.round(np.random.default_rng(0).standard_normal((3, 4)) * 3) / 2


def sample(m: Any, dtype: str) -> Any:
    """A 3 x 4 tensor with negative numbers, zeros and repeated elements."""
    if dtype == "bool":
        return m.tensor(_BASE > 0)
    if dtype == "uint8":
        return m.tensor(np.abs(_BASE).astype(np.uint8))
    if dtype == "complex64":
        return m.tensor((_BASE + 1j * _BASE[::-1]).astype(np.complex64))
    return m.tensor(_BASE.astype(np.float32)).to(getattr(m, dtype))


def evaluate(m: Any, code: str | Callable[..., Any], **names: Any) -> Any:
    """The expression's value with the module as `m`, or the exception it raises."""
    try:
        if not isinstance(code, str):
            return code(m, **names)
        return eval(code, {"m": m, "np": np, "inf": float("inf"), "nan": float("nan"), **names})
    except Exception as e:
        return e


def is_tensor(x: Any) -> bool:
    return isinstance(x, torch.Tensor | jtorch.Tensor)


def as_numpy(x: Any) -> np.ndarray:
    x = x.detach()
    if "bfloat16" in str(x.dtype):
        x = x.to(torch.float32 if isinstance(x, torch.Tensor) else jtorch.float32)
    return x.resolve_conj().numpy() if isinstance(x, torch.Tensor) else x.numpy()


def assert_same(want: Any, got: Any, where: str, strides: bool = False) -> None:
    """Same structure, shapes, dtypes, values (NaN included) and, if asked, strides."""
    if isinstance(want, Exception) or isinstance(got, Exception):
        raise AssertionError(f"{where}: torch gave {want!r}, jtorch gave {got!r}")
    if is_tensor(want):
        assert is_tensor(got), f"{where}: {got!r} is no tensor"
        kind = str(want.dtype).removeprefix("torch.")
        assert (tuple(got.shape), str(got.dtype)) == (tuple(want.shape), str(want.dtype)), where
        if strides:
            assert tuple(got.stride()) == tuple(want.stride()), where
        tolerance = TOLERANCE.get(kind, 0)
        np.testing.assert_allclose(
            as_numpy(got),
            as_numpy(want),
            rtol=tolerance,
            atol=tolerance,
            equal_nan=True,
            err_msg=where,
        )
    elif isinstance(want, tuple | list):
        assert len(want) == len(got), where
        if hasattr(want, "n_fields"):  # torch.return_types
            for field, w in zip(got._fields, want, strict=True):
                assert getattr(want, field) is w, f"{where}: field {field}"
        for i, (w, g) in enumerate(zip(want, got, strict=True)):
            assert_same(w, g, f"{where} [{i}]", strides)
    else:
        assert want == got, where


def check_value(expression: str, dtype: str = "float32", strides: bool = False) -> None:
    """`expression` in `m` (the module) and `x` (the sample): same value, or same refusal."""
    with _quiet():
        want, got = (evaluate(m, expression, x=sample(m, dtype)) for m in MODULES)
    where = f"{expression} [{dtype}]"
    if isinstance(want, Exception):
        assert type(want) is type(got), f"{where}: torch raised {want!r}, jtorch gave {got!r}"
        return
    assert_same(want, got, where, strides)


def check_error(expression: str, dtype: str = "float32") -> None:
    """`expression` in `m` and `x` (4 x 6): same exception type and first line."""
    with _quiet():
        want, got = (
            evaluate(m, expression, x=m.arange(24.0).reshape(4, 6).to(getattr(m, dtype)))
            for m in MODULES
        )
    assert isinstance(want, Exception), f"torch accepts {expression}: {want!r}"
    assert type(want) is type(got), f"torch raised {want!r}, jtorch gave {got!r}"
    assert str(got).split("\n")[0] == str(want).split("\n")[0]


def check_gradient(expression: str, array: np.ndarray, tolerance: float = 1e-5) -> None:
    """Values and the gradient of a weighted sum of `expression` in `m` and the leaf `x`."""
    with _quiet():
        want, got = (_differentiated(m, expression, array) for m in MODULES)
    assert_same(want[0], got[0], expression)
    np.testing.assert_allclose(got[1], want[1], rtol=tolerance, atol=tolerance, err_msg=expression)


_WEIGHTS = np.random.default_rng(1).standard_normal(4096).astype(np.float32)


def _differentiated(m: Any, expression: str, array: np.ndarray) -> tuple[Any, np.ndarray]:
    x = m.tensor(array, requires_grad=True)
    result = eval(expression, {"m": m, "x": x, "inf": float("inf")})
    parts = result if isinstance(result, tuple | list) else [result]
    total = 0
    for r in parts:
        if r.requires_grad:
            total = total + (r * m.tensor(_WEIGHTS[: r.numel()]).reshape(r.shape)).sum()
    total.backward()
    return result, as_numpy(x.grad)


@contextlib.contextmanager
def _quiet() -> Any:
    """torch warns about deprecations and missing values, which is not what is compared."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
