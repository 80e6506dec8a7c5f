"""Shapes, views and joins against PyTorch: values, strides, aliasing, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from differential import MODULES, assert_same, check_error, check_gradient, check_value, evaluate

import jtorch

VIEWS = """
x.view(2, 6)
x.view(-1)
x.view((2, -1))
x.view(m.Size([6, 2]))
x.reshape(4, 3)
m.reshape(x, (2, -1))
x.t().reshape(12)
x.flatten()
x.flatten(-1)
m.tensor(3.).flatten()
x.unflatten(1, (2, -1))
x[:1].squeeze()
x[:1, :, None].squeeze((0, 2))
x.squeeze(0)
x.unsqueeze(-1)
x.permute(1, 0)
m.permute(x, dims=(1, 0))
x.transpose(0, -1)
x.movedim(0, -1)
x[None].movedim((0, 1), (2, 0))
x.swapaxes(0, 1)
x.T
x.mT
x.expand(2, 3, 4)
x[:, :1].expand(-1, 5)
x.expand_as(m.ones(2, 3, 4))
m.broadcast_to(x[0], (2, 4))
x.narrow(1, 1, 2)
x.narrow(1, -2, 2)
x.select(1, -1)
x.split(2)
x.split([1, 3], dim=1)
x.chunk(3, 1)
x.tensor_split(3, 1)
x.tensor_split((1, 9, 2))
x.hsplit(2)
x.unbind(1)
x.diagonal()
x.diagonal(-1)
x[None].diagonal(1, 1, 2)
x.unfold(1, 2, 1)
x.unfold(0, 2, 3)
x[1:].as_strided((2, 2), (1, 3))
x.view_as(m.ones(4, 3))
m.meshgrid(x[0], x[1, :2], indexing='xy')
m.broadcast_tensors(x, x[0])
m.atleast_2d(x[0])
m.atleast_3d(x, x[0])
""".strip().split("\n")

COPIES = """
m.cat([x, x.to(m.float32)], 1)
m.cat([x, m.zeros(0)])
m.stack([x, x], -1)
m.hstack([x, x])
m.vstack([x, x[0]])
m.dstack([x, x])
m.column_stack([x[:, 0], x])
m.block_diag(x, x[0])
x.repeat(2, 1, 3)
x.tile(2)
x.repeat_interleave(2)
x.repeat_interleave(m.tensor([1, 0, 2]), 0)
x.flip(0, 1)
m.fliplr(x)
m.rot90(x, -1)
x.roll(1)
x.roll((1, 2), (0, 1))
m.cartesian_prod(x[0], x[1])
m.combinations(x[0], 3)
m.combinations(x[0], with_replacement=True)
x.tril()
x.triu(1)
x[0].diag(1)
m.diag_embed(x, 1, 0, 2)
m.diagflat(x)
m.slice_scatter(x, x[:1], 0, 1, 2)
m.select_scatter(x, x[0], 0, 1)
m.diagonal_scatter(x, x[0, :3])
m.narrow_copy(x, 0, 1, 1)
m.split_copy(x, 2)
m.tril_indices(3, 4, 1)
""".strip().split("\n")


@pytest.mark.parametrize("expression", VIEWS)
def test_views_have_torchs_values_and_strides(expression: str) -> None:
    check_value(expression, "float32", strides=True)


@pytest.mark.parametrize("dtype", ("float32", "int64", "bool"))
@pytest.mark.parametrize("expression", COPIES)
def test_copies(expression: str, dtype: str) -> None:
    check_value(expression, dtype)


def _through_views(m: Any) -> Any:
    x = m.arange(24.0).reshape(2, 3, 4)
    x.view(6, 4)[0, 3] = 100
    x.permute(2, 0, 1)[1:3].select(1, 0).mul_(2)
    x[1].diagonal().add_(50)
    x.unsqueeze(0).transpose(1, 3)[0, 0].neg_()
    x.unfold(2, 2, 2)[0, :, 1].zero_()
    x.expand(2, 3, 4)[0].sub_(1)
    x.split(2, 1)[1].fill_(7)
    x.flatten(1).chunk(3, 1)[0].add_(0.5)
    return x


def _views_see_writes(m: Any) -> Any:
    x = m.zeros(3, 4)
    views = (x.t(), x.view(-1), x[1], x.diagonal(), x.unbind(1)[2], x.as_strided((2, 2), (5, 2)))
    x.add_(m.arange(12.0).view(3, 4))
    return views


def _reshape_of_a_transpose_is_a_copy(m: Any) -> Any:
    x = m.arange(6.0).view(2, 3)
    x.t().reshape(6).zero_()
    return x


def _views_in_place(m: Any) -> Any:
    x = m.arange(6.0).reshape(2, 3)
    x.unsqueeze_(0)
    x.add_(1)
    x.squeeze_()
    x.t_()
    x.mul_(2)
    return x, x.transpose_(0, 1)


def _gradient_through_written_views(m: Any) -> Any:
    x = m.arange(12.0, requires_grad=True)
    y = x * 1
    v = y.view(3, 4)
    v[0].fill_(5.0)
    v.select(1, 2).mul_(3)
    y[4:6] = 0
    (y * y).sum().backward()
    return y, x.grad, v


def _bits(m: Any) -> Any:
    x = m.zeros(4)
    x.view(m.int32).fill_(1065353216)
    return x, x.view(m.int16), m.arange(8, dtype=m.int16).view(m.float64)


@pytest.mark.parametrize("program", [
    _through_views, _views_see_writes, _reshape_of_a_transpose_is_a_copy, _views_in_place,
    _gradient_through_written_views, _bits,
])  # fmt: skip
def test_views_share_storage(program: Callable[[Any], Any]) -> None:
    want, got = (evaluate(m, program) for m in MODULES)
    assert_same(want, got, program.__name__)


LEAF = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("expression", """
x.view(2, 6)
x.t().reshape(12)
x.permute(1, 0)
x.expand(2, 3, 4)
x.chunk(2, 1)
x.unbind(0)
x.diagonal(1)
x.unfold(1, 2, 1)
x.as_strided((2, 2), (1, 2))
m.cat([x, x * 2], 1)
m.stack([x, x])
x.repeat(2, 2)
x.repeat_interleave(m.tensor([1, 0, 2]), 0)
x.flip(0)
x.roll(1, 0)
x.tril(-1)
m.diag_embed(x)
m.block_diag(x, x[0])
x.slice_scatter(x[:1], 0, 1, 2)
x.clone().t_() * 2
""".strip().split("\n"))  # fmt: skip
def test_gradients(expression: str) -> None:
    check_gradient(expression, LEAF)


@pytest.mark.parametrize("expression", """
x.view(5, -1)
x.view(-1, -1)
x.t().view(24)
x.view(-2, 2)
x.reshape(0, -1)
m.zeros(0).view(0, -1)
x.permute(0)
x.permute(0, 0)
x.permute(0, 2)
x.transpose(0, 2)
x.expand(3, 5)
x.expand(6)
x.expand(-1, 4, 6)
x.expand(3, 4, 6).add_(1)
x.flatten(1, 0)
x.unflatten(0, (3, 2))
x.unflatten(0, ())
x.unsqueeze(4)
x.squeeze((0, 0))
x.movedim((0, 0), (1, 0))
x.movedim((0, 1), (1,))
m.ones(2, 2, 2).t()
m.ones(2).mT
x.narrow(0, 3, 2)
x.narrow(0, 5, 1)
x.narrow(0, 0, -1)
x.select(0, 9)
x.split(0)
x.split(-1)
x.split([1, 2])
x.chunk(0)
x.hsplit(4)
m.ones(()).unbind()
x.diagonal(0, 1, 1)
x.unfold(0, 9, 1)
x.unfold(0, 2, 0)
x.as_strided((9, 9), (9, 9))
m.cat([])
m.cat(x)
m.cat([x, m.ones(2, 3)])
m.cat([x, m.ones(2)])
m.cat([x], 2)
m.stack([])
m.stack([x, m.ones(2, 3)])
x.repeat(2)
x.tile(-1)
x.repeat_interleave(-1)
x.flip(0, 0)
x.rot90(1, (0, 0))
x.roll((1, 2), 0)
m.ones(3).tril()
m.ones(2, 2, 2).diag()
x.diag_embed(0, 1, 1)
m.broadcast_tensors(x, m.ones(5))
m.broadcast_shapes((2,), (3,))
m.combinations(x)
m.arange(3, dtype=m.int16).view(m.float64)
""".strip().split("\n"))  # fmt: skip
def test_errors(expression: str) -> None:
    check_error(expression)


def test_host_data_stacks_without_a_program() -> None:
    batch = jtorch.stack([jtorch.tensor([1, 2]), jtorch.tensor([3, 4])])
    assert type(batch._value.array) is np.ndarray
    assert batch.tolist() == [[1, 2], [3, 4]]
    mixed = jtorch.stack([jtorch.tensor([1]), jtorch.tensor([0.5])])
    assert mixed.dtype is jtorch.float32 and mixed.tolist() == [[1.0], [0.5]]
