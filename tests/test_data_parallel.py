"""DataParallel: a region under jax.pmap on eight CPU devices, inside the fused training step."""

from __future__ import annotations

import re

import numpy as np
import pytest
from engine_tools import counted, fresh_engine

import jtorch as torch
from jtorch import nn
from jtorch._engine import executor


@pytest.fixture(autouse=True)
def _fresh():
    with fresh_engine():
        yield


def make(norm: bool = False) -> nn.Module:
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(4, 16), *middle, nn.ReLU(), nn.Linear(16, 3))


def losses(net, optimizer, steps: int = 5, n: int = 16) -> list[float]:
    out = []
    for i in range(steps):
        r = np.random.default_rng(i)
        x, y = torch.tensor(r.normal(size=(n, 4)).astype("f")), torch.tensor(r.integers(0, 3, n))
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


def test_the_loss_curve_of_one_device():
    one = make()
    want = losses(one, torch.optim.Adam(one.parameters(), lr=0.05))
    net = make()
    parallel = nn.DataParallel(net)
    assert len(parallel.device_ids) == 8
    got = losses(parallel, torch.optim.Adam(parallel.parameters(), lr=0.05))
    assert got == pytest.approx(want, rel=1e-5)
    for a, b in zip(one.parameters(), net.parameters(), strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_one_program_one_all_reduce_no_all_gather():
    parallel = nn.DataParallel(make())
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1, momentum=0.9)
    with counted() as c:
        losses(parallel, optimizer)
    assert c.compiles == 1
    text = executor.hlo(executor.entries()[-1])
    assert len(re.findall(r"= .*all-reduce(?:-start)?\(", text)) == 1
    assert not re.search(r"all-gather(?:-start)?\(", text)


def test_batch_statistics_are_per_replica_and_the_first_is_kept():
    net = make(norm=True)
    parallel = nn.DataParallel(net)
    x = torch.tensor(np.random.default_rng(0).normal(size=(16, 4)).astype("f"))
    parallel(x)
    alone = make(norm=True)
    alone(x[:2])
    np.testing.assert_allclose(
        net[1].running_mean.numpy(), alone[1].running_mean.numpy(), rtol=1e-5, atol=1e-6
    )
    assert net[1].num_batches_tracked.item() == 1


def test_a_batch_that_does_not_divide():
    one, net = make(), make()
    parallel = nn.DataParallel(net)
    x = torch.tensor(np.random.default_rng(1).normal(size=(13, 4)).astype("f"))
    np.testing.assert_allclose(
        parallel(x).detach().numpy(), one(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_dropout_differs_between_replicas():
    parallel = nn.DataParallel(nn.Dropout(0.5))
    rows = parallel(torch.ones(8, 64)).tolist()
    assert len({tuple(r) for r in rows}) == 8


def test_state_dict_and_attributes():
    net = make()
    parallel = nn.DataParallel(net)
    assert list(parallel.state_dict()) == ["module." + k for k in net.state_dict()]
    assert parallel.module is net
