"""How functions take arguments: NumPy's names, what is missing, and what is of the wrong kind."""

from __future__ import annotations

import pytest
from differential import MODULES, check_error, check_value, evaluate, sample

NUMPY_NAMES = """
x.sum(axis=0, keepdims=True)
m.mean(x.float(), axis=(0, 1))
m.max(x, axis=1, keepdims=True)
m.argmax(x, axis=1, keepdims=True)
m.sort(x, axis=0, descending=True)
x.argsort(axis=0)
x.median(axis=1)
m.var(x.float(), axis=0, keepdims=True)
m.cat([x, x], axis=1)
m.stack([x, x], axis=1)
x.chunk(2, axis=1)
m.add(x1=x, x2=x)
m.div(x1=x, x2=2)
m.where(x > 0, x, x2=x)
m.abs(a=x)
m.softmax(x.float(), axis=1)
x.squeeze(axis=0)
x.index_select(axis=1, index=m.tensor([0, 2]))
x.gather(axis=0, index=m.tensor([[0, 1, 2, 0]]))
""".strip().split("\n")

NUMBERS_ALONE = """
m.add(1, 2)
m.sub(2, 1.5)
m.mul(2.0, 3)
m.div(1, 2)
m.floor_divide(7, 2)
m.sub(2, x)
m.pow(2, x)
m.remainder(5, x)
m.bitwise_and(6, x.long())
m.xlogy(2, x)
m.add(x, x, alpha=m.tensor(2))
""".strip().split("\n")

REFUSED = """
m.abs()
m.abs(1)
m.abs([1.0])
m.abs(x, foo=1)
m.add(x, None)
m.add(x, 'a')
m.add(x, x, alpha='a')
m.add(x, x, alpha=x)
m.sum(x, axis=0, dim=0)
m.matmul(x, 2)
m.mm(x, 3)
m.maximum(x, 1)
m.atan2(x, 1)
m.logical_and(x, 1)
m.hypot(1, x)
m.cumsum(x, 0.5)
m.cumsum(x, None)
m.cat([1, 2])
m.cat([x, None])
m.stack([x, 1])
""".strip().split("\n")

EVERYDAY = """
x[1.5]
x['a']
x.__setitem__(0, 'a')
m.cat(x)
m.cat([x, 'a'])
m.hstack(x)
m.vstack(x)
~x
float(x)
int(x)
complex(x)
x.item()
x.type('foo')
x.stride(5)
x.quantile(2.0)
m.outer(x, x)
x.put_(m.tensor([99]), m.ones(1))
x.put(m.tensor([-99]), m.ones(1))
x.take(m.tensor([99]))
m.nn.functional.one_hot(m.tensor([-1]))
m.nn.functional.one_hot(m.tensor([3]), 2)
""".strip().split("\n")

# torch names every overload here; the type is what is the same
OVERLOADED = """
m.sum(x, 'a')
m.sum(x, 0.5)
m.sum(x, foo=1)
m.eq(1, x)
m.pow(1, 2)
m.remainder(1, 2)
m.add()
x.add()
m.softmax(x)
m.squeeze(x, "a")
x.permute("a")
m.fmod(1, x)
m.all(x, 'a')
""".strip().split("\n")


@pytest.mark.parametrize("expression", NUMPY_NAMES)
def test_numpy_names(expression: str) -> None:
    check_value(expression)


@pytest.mark.parametrize("expression", NUMBERS_ALONE)
def test_numbers_where_torch_takes_them(expression: str) -> None:
    check_value(expression)


@pytest.mark.parametrize("expression", REFUSED + EVERYDAY)
def test_refusals(expression: str) -> None:
    check_error(expression)


@pytest.mark.parametrize("expression", OVERLOADED)
def test_refusals_of_overloads(expression: str) -> None:
    want, got = (evaluate(m, expression, x=sample(m, "float32")) for m in MODULES)
    assert isinstance(want, TypeError), want
    assert isinstance(got, TypeError), got
