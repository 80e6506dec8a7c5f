"""Gather, scatter, index_*, masks and data dependent functions against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from differential import MODULES, assert_same, check_error, check_gradient, check_value

import jtorch

INDEX = "m.tensor([[0, 1], [2, 3]])"
TWICE = "m.tensor([[0, 0], [2, 3]])"

EXPRESSIONS = f"""
x.gather(1, {INDEX})
x.gather(0, m.tensor([[0, 2, 1, 0]]))
x.scatter(1, {INDEX}, x)
x.scatter(1, {INDEX}, 1)
x.scatter(1, {TWICE}, 2, reduce='add')
x.scatter(1, {TWICE}, 2, reduce='multiply')
x.scatter_add(1, {TWICE}, x)
x.scatter_reduce(1, {TWICE}, x, 'sum')
x.scatter_reduce(1, {TWICE}, x, 'prod', include_self=False)
x.scatter_reduce(1, {TWICE}, x, 'amax', include_self=False)
x.scatter_reduce(1, {TWICE}, x, 'amin')
x.index_select(0, m.tensor([2, 0]))
x.index_add(0, m.tensor([2, 0]), x[:2])
x.index_copy(1, m.tensor([2, 0]), x[:, :2])
x.index_fill(0, m.tensor([1]), 3)
x.index_put((m.tensor([0, 1]), m.tensor([1, 1])), x[0, :2])
x.index_put((None, m.tensor([1, 1])), x[:, :2], accumulate=True)
x.index_put((m.tensor([0, 0]), m.tensor([1, 1])), x[0, :2], accumulate=True)
x.index_put((x == x[0, 0],), x[0, 0])
x.take(m.tensor([0, 5, -1]))
m.take_along_dim(x, m.tensor([[0], [1], [2]]), 1)
x.put(m.tensor([0, 5]), x[0, :2])
x.masked_fill(x == x[0, 0], 2)
x.masked_fill(x == x[0, 0], x[0, 1])
x.masked_scatter(m.ones(3, 4, dtype=m.bool).tril(), x.flip(0))
x.masked_select(x == x[0, 0])
m.masked_select(x, m.tensor([True, False, True, False]))
x.nonzero()
x.nonzero(as_tuple=True)
m.argwhere(x)
m.where(x != 0)
m.where(x == x[0, 0], x, x[0])
m.nonzero_static(x, size=4)
x.unique()
m.unique(x, return_inverse=True, return_counts=True)
m.unique(x, dim=0)
m.unique_consecutive(x, return_inverse=True, return_counts=True)
x.clone().fill_(3)
x.clone().zero_()
x.clone().fill_diagonal_(1)
x.clone().masked_fill_(x == x[0, 0], 1)
x.clone().index_fill_(0, m.tensor([1]), 1)
x.clone().scatter_(1, {INDEX}, x)
x.clone().scatter_add_(1, {TWICE}, x)
x.clone().index_add_(0, m.tensor([2, 0]), x[:2])
x.clone().index_copy_(1, m.tensor([2, 0]), x[:, :2])
x.clone().index_put_((m.tensor([0]),), x[1])
x.clone().masked_scatter_(x == x, x.flip(1))
x.clone().put_(m.tensor([1]), x[0, :1])
m.tensor(3.).nonzero()
m.tensor([3, 1, 1]).bincount(minlength=6)
m.repeat_interleave(m.tensor([1, 2]))
""".strip().split("\n")


@pytest.mark.parametrize("dtype", ("float32", "int64", "bool"))
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values(expression: str, dtype: str) -> None:
    check_value(expression, dtype)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16", "int32", "uint8", "complex64"))
def test_rare_dtypes(dtype: str) -> None:
    for expression in EXPRESSIONS[::3]:
        check_value(expression, dtype)


TIES = np.array([[1, 2, 2, 0], [2, 2, 1, 1], [0, 0, 0, 0.0]], np.float32)
ROWS = "m.tensor([[0, 0, 1, 1]] * 3)"


@pytest.mark.parametrize("expression", f"""
x.gather(1, {ROWS})
x.scatter(1, m.tensor([[0, 1, 2, 3]] * 3), x * 2)
x.scatter_add(1, {ROWS}, x * 2)
x.scatter_reduce(1, {ROWS}, x, 'amax')
x.scatter_reduce(1, {ROWS}, x, 'amin', include_self=False)
x.scatter_reduce(1, {ROWS}, x, 'prod')
x.scatter_reduce(1, {ROWS}, x, 'prod', include_self=False)
x.scatter_reduce(1, {ROWS}, x, 'mean')
x.index_reduce(1, m.tensor([0, 0, 1, 1]), x, 'prod')
x.index_reduce(1, m.tensor([0, 0, 1, 1]), x, 'amax')
x.index_select(1, m.tensor([1, 1]))
x.index_add(0, m.tensor([0, 0]), x[1:], alpha=2)
x.index_copy(0, m.tensor([1]), x[:1] * 3)
x.index_fill(0, m.tensor([1]), x.sum())
x.index_put((m.tensor([0, 0]),), x[1:3], accumulate=True)
x.take(m.tensor([0, 0, 5]))
x.masked_fill(x > 1, x.sum())
x.masked_scatter(x > 1, x * 2)
x.masked_select(x >= 1)
x.clone().fill_(x.sum())
x.clone().masked_fill_(x > 1, 3)
x.clone().put_(m.tensor([0, 1]), x[0, :2])
""".strip().split("\n"))  # fmt: skip
def test_gradients_with_repeated_indices_and_equal_elements(expression: str) -> None:
    check_gradient(expression, TIES)


@pytest.mark.parametrize("expression", """
x.gather(0, m.zeros(2, 2, 2, dtype=m.int64))
x.gather(0, m.zeros(2, 2))
x.gather(0, m.tensor([[9]]))
x.scatter(0, m.zeros(2, 2, dtype=m.int64), m.ones(1, 1))
x.scatter(0, m.tensor([[34]]), m.ones(1, 1))
x.scatter_add(0, m.tensor([[34]]), m.ones(1, 1))
x.index_select(0, m.zeros(2, 2, dtype=m.int64))
x.index_select(0, m.zeros(2))
x.index_select(0, m.tensor([7]))
x.index_add(0, m.tensor([0]), m.ones(2, 6))
x.index_copy(0, m.tensor([0]), m.ones(2, 6))
x.take(m.zeros(2))
x.take(m.tensor([99]))
x.masked_fill(m.ones(4, 6), 1)
x.masked_fill(m.ones(4, 5, dtype=m.bool), 1)
x.masked_select(m.ones(4, 6))
x.fill_(m.ones(2))
x.repeat_interleave(m.tensor([1, 2]), 0)
""".strip().split("\n"))  # fmt: skip
def test_errors(expression: str) -> None:
    check_error(expression)


def test_computed_indices_out_of_range_read_nan_and_write_nothing() -> None:
    x = jtorch.arange(3.0) + 0
    index = jtorch.tensor([1, 7]) + 0  # known only when the program runs
    assert np.isnan(x.gather(0, index).numpy()).tolist() == [False, True]
    assert x.scatter_add(0, index, jtorch.ones(2)).tolist() == [0.0, 2.0, 2.0]


def test_random_scatters_agree() -> None:
    rng = np.random.default_rng(0)
    for dim in (0, 1, 2):
        data = rng.standard_normal((5, 6, 7)).astype(np.float32)
        source = rng.standard_normal((4, 5, 6)).astype(np.float32)
        index = rng.integers(0, data.shape[dim], source.shape)
        for reduce in ("sum", "prod", "mean", "amax", "amin"):
            for own in (True, False):
                want, got = (
                    m.tensor(data).scatter_reduce(
                        dim, m.tensor(index), m.tensor(source), reduce, include_self=own
                    )
                    for m in MODULES
                )
                assert_same(want, got, f"{reduce} along {dim}")
