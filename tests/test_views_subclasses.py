"""Subclasses of Tensor and `__torch_function__`, in PyTorch and in jtorch."""

from __future__ import annotations

import pytest
import torch

import jtorch

MODULES = (torch, jtorch)

USES = {
    "operator": lambda m, x: x + 1,
    "reflected": lambda m, x: 1 - x,
    "method": lambda m, x: x.sum(),
    "function": lambda m, x: m.add(x, 1),
    "index": lambda m, x: x[0],
    "view": lambda m, x: x.view(-1),
    "in place": lambda m, x: x.add_(1),
    "sequence": lambda m, x: m.stack([x, x]),
    "several": lambda m, x: x.split(1)[0],
    "named": lambda m, x: x.max(0).values,
    "attribute": lambda m, x: x.data,
    "functional": lambda m, x: m.nn.functional.relu(x),
    "like": lambda m, x: m.zeros_like(x),
    "detached": lambda m, x: x.detach(),
    "cast": lambda m, x: x.to(m.float64),
    "unchanged": lambda m, x: x.contiguous(),
    "mixed": lambda m, x: m.ones(2) * x,
    "module": lambda m, x: m.nn.Linear(2, 2)(x),
}


@pytest.mark.parametrize("name", USES)
def test_results_are_of_the_subclass(name):
    found = []
    for m in MODULES:

        class Sub(m.Tensor):
            pass

        y = USES[name](m, m.ones(2).as_subclass(Sub))
        found.append((type(y).__name__, tuple(y.shape)))
    assert found[0] == found[1]


def test_torch_function_sees_every_call():
    found = []
    for m in MODULES:
        calls = []

        class Log(m.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None, calls=calls):
                calls.append(func.__name__)
                return super().__torch_function__(func, types, args, kwargs or {})

        x = m.ones(2).as_subclass(Log)
        y = x + 1
        m.sum(y).mul(2)
        m.nn.functional.softmax(y[:1], dim=0)
        found.append((calls, type(y).__name__))
    assert found[0][0][:4] == found[1][0][:4] == ["add", "sum", "mul", "__getitem__"]
    assert found[0][1] == found[1][1]


def test_a_class_that_is_no_tensor_answers_functions():
    found = []
    for m in MODULES:

        class Sub(m.Tensor):
            pass

        class Duck:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__ if func.__name__ != "sub" else NotImplemented

        found.append((m.add(Duck(), 1), m.stack([Duck()]), m.nn.functional.relu(Duck())))
        with pytest.raises(
            TypeError, match=r"Multiple dispatch failed for .*; all __torch_function__ handlers"
        ):
            m.sub(Duck(), 1)
    assert found[0] == found[1] == ("add", "stack", "relu")


def test_gradients_and_parameters():
    for m in MODULES:

        class Sub(m.Tensor):
            pass

        class Own(m.nn.Parameter):
            pass

        x = m.ones(2, requires_grad=True)
        (x.as_subclass(Sub) * 3).sum().backward()
        assert x.grad.tolist() == [3, 3]
        assert type(m.nn.Parameter(m.ones(2)) * 2) is m.Tensor
        assert type(Own(m.ones(2)) * 2) is m.Tensor
        with m._C.DisableTorchFunctionSubclass() if m is torch else off():
            assert type(m.ones(2).as_subclass(Sub) + 1) is m.Tensor


def off():
    return jtorch.overrides.DisableTorchFunctionSubclass()


def test_plain_tensors_are_not_asked():
    assert not jtorch.overrides.has_torch_function((jtorch.ones(1), 2, [jtorch.ones(1)]))
    assert jtorch.overrides.is_tensor_like(jtorch.ones(1))
