"""`torch.masked` against PyTorch: what the mask leaves out counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from differential import check_error, check_gradient, check_value

MASKS = ("x > 0", "(x > 0)[0]", "None")

CALLS = """
m.masked.sum(x, mask={mask})
m.masked.sum(x, 1, keepdim=True, mask={mask})
m.masked.prod(x, (0, 1), mask={mask})
m.masked.amax(x, 1, mask={mask})
m.masked.amin(x, 0, keepdim=True, mask={mask})
m.masked.argmax(x, 1, mask={mask})
m.masked.argmin(x, mask={mask})
m.masked.cumsum(x, 1, mask={mask})
m.masked.cumprod(x, 0, mask={mask})
m.masked.median(x, 1, mask=None if {mask} is None else {mask} | True)
""".strip().split("\n")

FLOATS = """
m.masked.mean(x, 1, mask={mask})
m.masked.median(x, 0, mask={mask})
m.masked.var(x, 1, mask={mask})
m.masked.std(x, 0, unbiased=False, keepdim=True, mask={mask})
m.masked.std(x, correction=0.5, mask={mask})
m.masked.norm(x, 3.0, 1, mask={mask})
m.masked.norm(x, inf, mask={mask})
m.masked.norm(x, -inf, 0, mask={mask})
m.masked.logsumexp(x, 1, mask={mask})
m.masked.logaddexp(x, x, input_mask={mask})
m.masked.softmax(x, 1, mask={mask})
m.masked.log_softmax(x, 0, mask={mask})
m.masked.softmin(x, -1, mask={mask})
m.masked.normalize(x, 2.0, 1, mask={mask})
""".strip().split("\n")

REFUSED = """
m.masked.sum(x, (0, 0), mask=x > 0)
m.masked.sum(x, 2, mask=x > 0)
m.masked.mean(x.long(), mask=x > 0)
m.masked.sum(x, mask=m.ones(1, 4, 6) > 0)
m.masked.median(x.long(), 1, mask=x < 0)
""".strip().split("\n")


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", ("float32", "int64"))
@pytest.mark.parametrize("call", CALLS)
def test_of_any_dtype(call: str, dtype: str, mask: str) -> None:
    check_value(call.format(mask=mask), dtype)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("call", FLOATS)
def test_of_floats(call: str, mask: str) -> None:
    check_value(call.format(mask=mask))


@pytest.mark.parametrize("call", ("sum", "amax", "mean", "std", "softmax", "cumprod"))
def test_gradients(call: str) -> None:
    """Of rows that keep elements: what is left out gets no gradient."""
    array = np.random.default_rng(3).standard_normal((3, 5)).astype(np.float32)
    check_gradient(f"m.masked.{call}(x, 1, mask=x > -1.5)", array)


@pytest.mark.parametrize("expression", REFUSED)
def test_errors(expression: str) -> None:
    check_error(expression)
