"""Reductions, scans, statistics and order against PyTorch: values, gradients at ties, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import check_error, check_gradient, check_value

import jtorch

DTYPES = ("float32", "int64", "bool", "float16")
RARE = ("float64", "bfloat16", "int32", "uint8", "complex64")

REDUCTIONS = """
x.sum()
x.sum(-1, True)
x.sum((0, 1))
x.sum(dim=[])
m.sum(x, 0, dtype=m.float32)
x.mean()
x.mean(1)
x.mean(dtype=m.float32)
x.prod()
x.prod(1)
x.max()
x.max(0)
x.min(1, True)
m.max(x, dim=1)
x.amax((0, 1))
x.amin(1)
x.argmax()
x.argmax(1)
x.argmin(0, True)
m.aminmax(x)
x.any()
x.all(1)
x.any((0, 1))
x.std()
x.std(False)
x.var(1, unbiased=False)
x.std(dim=0, correction=2, keepdim=True)
m.var_mean(x, 0, correction=2)
m.std_mean(x)
m.logsumexp(x, 1)
x.nansum(1)
x.nanmean()
x.count_nonzero(0)
m.norm(x)
m.norm(x, 1, 0)
m.norm(x, inf)
m.norm(x, 3.5, 1)
x.norm(0, 1)
x.norm(-1.0, 1)
x.sum_to_size(3, 1)
""".strip().split("\n")

SCANS = """
x.cumsum(0)
x.cumsum(0, dtype=m.float64)
x.cumprod(1)
x.cummax(0)
x.cummin(1)
m.logcumsumexp(x, 1)
x.diff()
m.diff(x, 2, 0)
m.diff(x, prepend=x[:, :1])
m.trapezoid(x)
m.trapezoid(x, m.arange(4.), dim=1)
m.cumulative_trapezoid(x, dx=0.5)
m.gradient(x, spacing=2.)
m.cumsum(m.arange(20000).reshape(100, 200) % 7 / 8, 1)
m.cumsum(m.arange(20000).reshape(100, 200) % 7 / 8, 0)
m.cumsum(m.log((m.arange(20000) % 777 - 5).clamp_min(0) / 3), 0)
""".strip().split("\n")

ORDER = """
x.sort(1)[0]
m.sort(x, stable=True, dim=0, descending=True)
x.argsort(1)
x.topk(2)[0]
x.topk(2, 0, largest=False)[0]
x.msort()
x.kthvalue(2)[0]
x.median()
x.median(1)
x.nanmedian(0)
x.mode(1)
x.quantile(.3)
m.nanquantile(x, .6, 0, interpolation='nearest')
m.searchsorted(x[0].sort()[0], x)
m.searchsorted(x.sort(1)[0], x, right=True, out_int32=True)
m.bucketize(x, x[0].sort()[0], right=True)
""".strip().split("\n")

STATISTICS = """
m.cov(x)
m.corrcoef(x)
m.histc(x, 4)
m.histc(x, 4, -1, 1)
m.histogram(x, 4)
m.bincount(x.flatten().abs())
m.renorm(x, 2, 0, 1.)
m.cdist(x, x)
m.cdist(x, x, 1.)
m.vander(x[0])
m.vander(x[0], 2, True)
m.cross(x[:, :3], x[:, 1:])
m.kron(x, x[:2])
x[:, :3].trace()
""".strip().split("\n")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("expression", REDUCTIONS)
def test_reductions(expression: str, dtype: str) -> None:
    check_value(expression, dtype)


@pytest.mark.parametrize("dtype", ("float32", "int64", "bool"))
@pytest.mark.parametrize("expression", SCANS + ORDER + STATISTICS)
def test_scans_order_statistics(expression: str, dtype: str) -> None:
    check_value(expression, dtype)


@pytest.mark.parametrize("dtype", RARE)
def test_rare_dtypes(dtype: str) -> None:
    for expression in REDUCTIONS[::3] + SCANS[::3] + ORDER[::3] + STATISTICS[::3]:
        check_value(expression, dtype)


NAN = np.array([[1, np.nan, 2, 0], [2, 2, np.nan, np.nan], [0, 1, -np.inf, np.inf]], np.float32)


@pytest.mark.parametrize("expression", [
    "x.max()", "x.max(1)", "x.min(0)", "x.argmax(1)", "x.sort(1)", "x.sort(1, descending=True)",
    "x.median()", "x.median(1)", "x.nanmedian(1)[0]", "x.nanmedian()", "x.cummax(1)", "x.cummin(1)",
    "x.topk(3)[0]", "x.topk(3, largest=False)[0]", "x.quantile(.5, 1)", "m.nanquantile(x, .5, 1)",
    "x.nansum()", "x.nanmean(1)", "m.logsumexp(x, 1)", "x.any(1)", "x.unique()", "m.aminmax(x)",
])  # fmt: skip
def test_nan_and_infinity(expression: str) -> None:
    want, got = (eval(expression, {"m": m, "x": m.tensor(NAN)}) for m in (torch, jtorch))
    for w, g in zip(*(r if isinstance(r, tuple) else (r,) for r in (want, got)), strict=True):
        np.testing.assert_array_equal(g.numpy(), w.numpy())


TIES = np.array([[1, 2, 2, 0], [2, 2, 1, 1], [0, 0, 0, 0.0]], np.float32)


@pytest.mark.parametrize("expression", """
x.max()
x.min(1)
x.amax(1)
x.amin((0, 1))
m.aminmax(x, dim=1)
x.median()
x.median(1)
x.std()
x.std(1)
m.var_mean(x, 0)
m.norm(x)
m.norm(x, 2, 1)
m.norm(x, 1)
m.norm(x, inf, 1)
m.norm(x, .5, 1)
m.norm(x, 1.5, 1)
m.norm(x, 3, 1)
x.prod()
x.prod(1)
x.cumprod(1)
x.cumsum(1)
x.cummax(1)
x.cummin(0)
m.logcumsumexp(x, 1)
m.logsumexp(x, (0, 1))
x.sort(0, descending=True)
x.mode(1)
x.quantile(.3)
x.quantile(.5, 1, interpolation='midpoint')
x.nanmean(1)
m.cdist(x, x)
m.cdist(x, x, 1.)
m.cdist(x, x, inf)
m.renorm(x, 2, 0, 1.)
m.cov(x)
m.trapezoid(x, x)
""".strip().split("\n"))  # fmt: skip
def test_gradients_where_elements_are_equal_or_zero(expression: str) -> None:
    check_gradient(expression, TIES)


@pytest.mark.parametrize("expression", """
x.sum((0, 0))
x.sum(3)
x.mean(2)
m.arange(3).mean()
m.zeros(0).max()
m.zeros(0, 2).max(0)
m.zeros(0).argmax()
m.zeros(0, 2).amax(0)
m.arange(3).std()
m.var_mean(m.arange(3))
x.var((0, 0))
m.tensor(True).any(1)
x.aminmax(dim=3)
x.count_nonzero(3)
x.logsumexp(3)
x.cumsum(2)
x.sort(2)
x.topk(9)
x.kthvalue(9)
x.median(3)
m.zeros(2, 0).mode()
m.arange(3).quantile(.5)
m.searchsorted(x, m.ones(3))
x.renorm(2, 5, 1.)
x.diff(-1)
m.cross(x, x)
m.vander(x)
m.histc(x, 0)
x.bincount()
m.sort(m.ones(2, dtype=m.complex64))
m.zeros(2, dtype=m.complex64).max(0)
m.trapezoid(m.tensor([True]))
""".strip().split("\n"))  # fmt: skip
def test_errors(expression: str) -> None:
    check_error(expression)


def test_float32_sums_are_as_exact_as_torchs() -> None:
    data = np.random.default_rng(0).random(10**7, dtype=np.float32)
    exact = data.astype(np.float64).sum()
    ours = abs(float(jtorch.tensor(data).sum().item()) - exact)
    theirs = abs(float(torch.from_numpy(data).sum().item()) - exact)
    assert ours <= max(2 * theirs, np.spacing(np.float32(exact)))


def test_sorts_are_stable_and_exact_for_every_width() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64"):
        info = np.iinfo(dtype) if dtype.startswith(("i", "u")) else None
        if info is not None:
            values = rng.integers(info.min, info.max, 500, dtype=dtype, endpoint=True)
            values[:4] = info.min, info.max, info.min, info.max
        else:
            values = rng.standard_normal(500).astype(dtype)
            values[:6] = -0.0, 0.0, np.inf, -np.inf, np.nan, -np.nan
        values = np.concatenate([values, values[::3]])
        for descending in (False, True):
            want = torch.sort(torch.from_numpy(values), descending=descending, stable=True)
            got = jtorch.sort(jtorch.tensor(values), descending=descending, stable=True)
            np.testing.assert_array_equal(got.indices.numpy(), want.indices.numpy(), dtype)
            np.testing.assert_array_equal(got.values.numpy(), want.values.numpy(), dtype)


def test_out_of_a_reduction_is_written_and_returned() -> None:
    x = jtorch.arange(6.0).reshape(2, 3)
    values, indices = jtorch.empty(2), jtorch.empty(2, dtype=jtorch.int64)
    result = jtorch.max(x, 1, out=(values, indices))
    assert result.values is values and result.indices is indices
    assert values.tolist() == [2.0, 5.0] and indices.tolist() == [2, 2]
    total = jtorch.empty(0)
    assert jtorch.sum(x, 0, out=total) is total and total.tolist() == [3.0, 5.0, 7.0]


def test_second_derivatives() -> None:
    for expression in (
        "x.std()",
        "x.prod()",
        "x.logsumexp(0)",
        "m.norm(x)",
        "x.var()",
        "x.cumprod(0).sum()",
    ):
        results = []
        for m in (torch, jtorch):
            x = m.tensor([0.5, -1.5, 2.0], requires_grad=True)
            (g,) = m.autograd.grad(eval(expression, {"m": m, "x": x}), x, create_graph=True)
            (g * m.tensor([1.0, 2.0, 3.0])).sum().backward()
            results.append(x.grad.numpy())
        np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5, err_msg=expression)
