"""scatter, gather, replicate and parallel_apply: together they are a call of the module."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import jtorch as torch
from jtorch import nn
from jtorch.nn.parallel import (
    data_parallel,
    gather,
    parallel_apply,
    replicate,
    scatter,
    scatter_kwargs,
)

Pair = collections.namedtuple("Pair", "a b")


def test_scatter_goes_through_what_holds_tensors():
    x = torch.arange(10.0).view(5, 2)
    parts = scatter(x, [0, 1])
    assert isinstance(parts, tuple) and [len(p) for p in parts] == [3, 2]
    nested = scatter({"x": [x, 7], "p": Pair(x, None), "e": ()}, [0, 1])
    assert [len(n["x"][0]) for n in nested] == [3, 2] and nested[1]["x"][1] == 7
    assert isinstance(nested[0]["p"], Pair) and nested[0]["p"].b is None and nested[1]["e"] == ()
    assert np.array_equal(torch.cat([n["p"].a for n in nested]).numpy(), x.numpy())
    assert [p.shape for p in scatter(x, [0, 1], 1)] == [(5, 1), (5, 1)]
    args, named = scatter_kwargs((x,), {"k": 3}, [0, 1])
    assert len(args) == len(named) == 2 and named[1] == {"k": 3}
    assert scatter_kwargs((), {"k": x}, [0, 1])[0] == ((), ())


def test_gather_is_the_way_back():
    x = torch.arange(10.0).view(5, 2).requires_grad_()
    parts = scatter({"x": x, "p": Pair(x, x)}, [0, 1])
    joined = gather(parts, -1)
    assert isinstance(joined["p"], Pair)
    assert np.array_equal(joined["x"].detach().numpy(), x.detach().numpy())
    (joined["x"] * 2).sum().backward()
    assert np.array_equal(x.grad.numpy(), np.full((5, 2), 2.0))
    with pytest.warns(UserWarning, match="all input tensors were scalars"):
        assert gather([torch.tensor(1.0), torch.tensor(2.0)], "cpu").tolist() == [1.0, 2.0]
    assert gather([None, None], "cpu") is None
    with pytest.raises(ValueError, match="same number of keys"):
        gather([{"a": x}, {}], "cpu")


def test_replicas_send_gradients_home():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)).eval()
    net.append(net[2])
    x = torch.randn(4, 2)
    want = net(x)
    want.sum().backward()
    grads = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    replicas = replicate(net, [0, 1])
    assert replicas[0] is not net and replicas[0][2] is replicas[0][4]
    assert list(replicas[0].parameters()) == []
    outputs = parallel_apply(replicas, [(p,) for p in scatter(x, [0, 1])])
    got = gather(outputs, "cpu")
    assert np.allclose(got.detach().numpy(), want.detach().numpy(), atol=1e-6)
    got.sum().backward()
    for p, g in zip(net.parameters(), grads, strict=True):
        assert np.allclose(p.grad.numpy(), g.numpy(), atol=1e-6)
    assert not replicate(net, [0], detach=True)[0][0].weight.requires_grad


def test_parallel_apply_counts():
    net = nn.Linear(2, 1)
    with pytest.raises(AssertionError, match="number of inputs 1"):
        parallel_apply([net, net], [torch.ones(1, 2)])
    (out,) = parallel_apply([lambda x, k: x * k], [torch.ones(2)], [{"k": 3}])
    assert out.tolist() == [3.0, 3.0]


def test_data_parallel_is_a_call():
    net, x = nn.Linear(2, 1), torch.randn(8, 2)
    got = data_parallel(net, x, [0, 1])
    assert np.allclose(got.detach().numpy(), net(x).detach().numpy(), atol=1e-6)
