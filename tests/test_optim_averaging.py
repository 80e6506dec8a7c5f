"""Weight averaging against PyTorch's: AveragedModel, its averages, update_bn, what is compiled."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from engine_tools import counted, fresh_engine

import jtorch

X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def model(t: Any) -> Any:
    t.manual_seed(3)
    return t.nn.Sequential(t.nn.Linear(4, 5), t.nn.BatchNorm1d(5), t.nn.Linear(5, 2))


def swa(t: Any) -> Any:
    return t.optim.swa_utils


def double_mean(averages: Any, currents: Any, n: Any) -> None:
    for a, c in zip(averages, currents, strict=True):
        a.copy_(2 * (a * n + c) / (n + 1))


AVERAGES: dict[str, Callable[[Any, Any], Any]] = {
    "mean": lambda t, m: swa(t).AveragedModel(m),
    "mean with buffers": lambda t, m: swa(t).AveragedModel(m, use_buffers=True),
    "swa": lambda t, m: swa(t).AveragedModel(m, avg_fn=swa(t).get_swa_avg_fn()),
    "swa multi": lambda t, m: swa(t).AveragedModel(m, multi_avg_fn=swa(t).get_swa_multi_avg_fn()),
    "ema": lambda t, m: swa(t).AveragedModel(m, avg_fn=swa(t).get_ema_avg_fn(0.9)),
    "ema multi": lambda t, m: swa(t).AveragedModel(
        m, multi_avg_fn=swa(t).get_ema_multi_avg_fn(0.7)
    ),
    "ema with buffers": lambda t, m: swa(t).AveragedModel(
        m, multi_avg_fn=swa(t).get_ema_multi_avg_fn(0.7), use_buffers=True
    ),
    "of one's own": lambda t, m: swa(t).AveragedModel(
        m, avg_fn=lambda a, c, n: (a + c * n) / (n + 1)
    ),
    "many of one's own": lambda t, m: swa(t).AveragedModel(m, multi_avg_fn=double_mean),
}  # fmt: skip


def train(t: Any, net: Any, averaged: Any, steps: int = 4) -> None:
    optimizer = t.optim.SGD(net.parameters(), lr=0.2)
    for i in range(steps):
        optimizer.zero_grad()
        net(t.tensor(X * (i + 1))).square().mean().backward()
        optimizer.step()
        averaged.update_parameters(net)


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_state_and_outputs_are_pytorchs(name: str):
    results = []
    for t in (torch, jtorch):
        net = model(t)
        averaged = AVERAGES[name](t, net)
        train(t, net, averaged)
        averaged.eval()
        results.append((averaged.state_dict(), averaged(t.tensor(X)), averaged))
    (theirs, expected, _), (ours, found, averaged) = results
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert str(ours[key].dtype) == str(value.dtype)
        np.testing.assert_allclose(
            array(ours[key]), array(value), rtol=1e-4, atol=1e-6, err_msg=key
        )
    np.testing.assert_allclose(array(found), array(expected), rtol=1e-4, atol=1e-5)
    assert int(averaged.n_averaged) == 4


def test_the_model_itself_is_not_touched_and_the_copy_is_apart():
    net = model(jtorch)
    averaged = swa(jtorch).AveragedModel(net)
    before = array(net[0].weight).copy()
    averaged.update_parameters(net)
    with jtorch.no_grad():
        averaged.module[0].weight.zero_()
    np.testing.assert_array_equal(array(net[0].weight), before)


def test_state_travels_both_ways_and_averaging_goes_on():
    nets = {t: model(t) for t in (torch, jtorch)}
    averaged = {t: AVERAGES["ema"](t, nets[t]) for t in nets}
    for t, net in nets.items():
        train(t, net, averaged[t], 2)
    state = averaged[torch].state_dict()
    averaged[jtorch].load_state_dict({k: jtorch.tensor(array(v)) for k, v in state.items()})
    back = averaged[jtorch].state_dict()
    averaged[torch].load_state_dict({k: torch.tensor(array(v)) for k, v in back.items()})
    for t, net in nets.items():
        averaged[t].update_parameters(net)
    for a, b in zip(averaged[jtorch].parameters(), averaged[torch].parameters(), strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-5, atol=1e-6)


def test_a_copy_and_a_pickle_go_on_averaging():
    net = model(jtorch)
    averaged = swa(jtorch).AveragedModel(net)
    train(jtorch, net, averaged, 2)
    for again in (copy.deepcopy(averaged), pickle.loads(pickle.dumps(averaged))):
        again.update_parameters(net)
        assert int(again.n_averaged) == 3
    assert int(averaged.n_averaged) == 2


@pytest.mark.parametrize("name", ["mean", "ema multi"])
def test_a_steady_loop_does_not_compile(name: str):
    with fresh_engine():
        net = model(jtorch)
        averaged = AVERAGES[name](jtorch, net)
        train(jtorch, net, averaged, 4)
        with counted() as c:
            train(jtorch, net, averaged, 4)
        assert c.compiles <= 1  # the optimizer is a new one


@pytest.mark.parametrize("momentum", [0.1, None])
def test_update_bn_computes_the_statistics_anew(momentum: Any):
    results = []
    for t in (torch, jtorch):
        net = model(t)
        net[1].momentum = momentum
        net(t.tensor(X + 5))
        net.eval()
        loader = [t.tensor(X[:4]), [t.tensor(X[4:]), "label"], (t.tensor(X * 2),)]
        swa(t).update_bn(loader, net)
        assert not net.training and net[1].momentum == momentum
        results.append(dict(net.named_buffers()))
    for key, value in results[0].items():
        np.testing.assert_allclose(array(results[1][key]), array(value), rtol=1e-4, atol=1e-6)


def test_update_bn_without_batch_norm_runs_nothing():
    class Never(jtorch.nn.Module):
        def forward(self, x: Any) -> Any:
            raise AssertionError("it must not run")

    swa(jtorch).update_bn([jtorch.ones(1)], Never())


def outcome(f: Callable[[], Any]) -> str:
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Callable[[Any], Any]] = [
    lambda t: swa(t).AveragedModel(model(t), avg_fn=max, multi_avg_fn=max),
    lambda t: swa(t).get_ema_avg_fn(1.5),
    lambda t: swa(t).get_ema_multi_avg_fn(-0.1),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any], Any]):
    expected = outcome(lambda: wrong(torch))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch)) == expected
