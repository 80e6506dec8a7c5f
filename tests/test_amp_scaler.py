"""`GradScaler` against PyTorch's: scales, skips, growth, state, errors; and that nothing waits."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from engine_tools import counted, fresh_engine

import jtorch

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)

OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda t, p: t.optim.SGD(p, lr=0.1),
    "momentum": lambda t, p: t.optim.SGD(p, lr=0.1, momentum=0.9),
    "dampened": lambda t, p: t.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
    "Adam": lambda t, p: t.optim.Adam(p, lr=0.1, amsgrad=True),
    "NAdam": lambda t, p: t.optim.NAdam(p, lr=0.1),
    "RAdam": lambda t, p: t.optim.RAdam(p, lr=0.1),
    "ASGD": lambda t, p: t.optim.ASGD(p, lr=0.1),
    "Adafactor": lambda t, p: t.optim.Adafactor(p, lr=0.1),
}


def scaler(t: Any, **kwargs: Any) -> Any:
    options = {"init_scale": 8.0, "growth_interval": 2, "growth_factor": 4.0} | kwargs
    return t.amp.GradScaler("cpu", **options)


def model(t: Any) -> Any:
    t.manual_seed(0)
    return t.nn.Linear(4, 2)


def run(t: Any, make: Any, overflows: set[int], steps: int = 6, **kwargs: Any) -> Any:
    """Weights and scale after every step; at the steps in `overflows` the loss is infinite."""
    net, s = model(t), scaler(t, **kwargs)
    optimizer = make(t, net.parameters())
    seen = []
    for i in range(steps):
        loss = net(t.tensor(X * (np.inf if i in overflows else 1))).square().mean()
        optimizer.zero_grad()
        s.scale(loss).backward()
        s.step(optimizer)
        s.update()
        seen.append((net.weight.detach().numpy().copy(), s.get_scale(), s._get_growth_tracker()))
    return seen, optimizer, s


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_skipped_steps_change_nothing_and_the_scale_follows_pytorchs(name: str):
    theirs, their_optimizer, _ = run(torch, OPTIMIZERS[name], {0, 3})
    ours, optimizer, _ = run(jtorch, OPTIMIZERS[name], {0, 3})
    for (w, scale, tracker), (w0, scale0, tracker0) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(w, w0, rtol=1e-5, atol=1e-6)
        assert (scale, tracker) == (scale0, tracker0)
    state, state0 = optimizer.state_dict()["state"], their_optimizer.state_dict()["state"]
    for number, entries in state0.items():
        for key, value in entries.items():
            if value is None:
                assert state[number][key] is None
                continue
            np.testing.assert_allclose(
                state[number][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=key
            )


def loop(optimizer: Any, net: Any, s: Any, steps: int) -> None:
    for _ in range(steps):
        loss = net(jtorch.tensor(X)).square().mean()
        optimizer.zero_grad()
        s.scale(loss).backward()
        s.step(optimizer)
        s.update()


@pytest.mark.parametrize("name", ["momentum", "Adam"])
def test_a_steady_loop_runs_one_program_per_step(name: str):
    with fresh_engine():
        net = model(jtorch)
        optimizer, s = OPTIMIZERS[name](jtorch, net.parameters()), scaler(jtorch)
        loop(optimizer, net, s, 3)
        with counted() as c:
            loop(optimizer, net, s, 5)
        assert (c.compiles, c.runs) == (0, 5), "the check of the gradients is part of the step"


def test_clipping_between_unscale_and_step():
    found = []
    for t in (torch, jtorch):
        net, s = model(t), scaler(t)
        optimizer = t.optim.Adam(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            s.scale(net(t.tensor(X)).square().sum()).backward()
            s.unscale_(optimizer)
            norm = t.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            s.step(optimizer)
            s.update()
        found.append((float(norm), net.weight.detach().numpy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-5)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-5)


def test_two_optimizers_share_the_scale_and_skip_apart():
    found = []
    for t in (torch, jtorch):
        a, b, s = model(t), model(t), scaler(t)
        first, second = (t.optim.SGD(m.parameters(), lr=0.1) for m in (a, b))
        s.scale(a(t.tensor(X)).sum()).backward()
        s.scale(b(t.tensor(X)).sum() * float("inf")).backward()
        s.step(first)
        s.step(second)
        s.update()
        found.append((a.weight.detach().numpy(), b.weight.detach().numpy(), s.get_scale()))
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_step_hooks_run_only_for_steps_that_happen():
    for t in (torch, jtorch):
        net, s, calls = model(t), scaler(t), []
        optimizer = t.optim.SGD(net.parameters(), lr=0.1)
        optimizer.register_step_post_hook(lambda *a, calls=calls: calls.append(1))
        for factor in (float("inf"), 1.0):
            s.scale(net(t.tensor(X)).sum() * factor).backward()
            s.step(optimizer)
            s.update()
            optimizer.zero_grad()
        assert calls == [1]


def test_an_optimizer_of_the_users_own_is_asked_or_not_asked():
    class Plain(jtorch.optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {})
            self.calls = 0

        def step(self, closure: Any = None) -> str:
            self.calls += 1
            return "stepped"

    net, s = model(jtorch), scaler(jtorch)
    optimizer = Plain(net.parameters())
    results = []
    for factor in (float("nan"), 1.0):
        s.scale(net(jtorch.tensor(X)).sum() * factor).backward()
        results.append(s.step(optimizer))
        s.update()
        optimizer.zero_grad()
    assert results == [None, "stepped"]
    assert optimizer.calls == 1


def test_scale_takes_nested_outputs():
    s, t = scaler(jtorch), jtorch.ones(2)
    out = s.scale([t, (t, t)])
    assert isinstance(out, list) and isinstance(out[1], tuple)
    assert out[1][0].tolist() == [8.0, 8.0]
    assert [x.tolist() for x in s.scale(iter([t]))] == [[8.0, 8.0]]


def test_state_travels_to_pytorch_and_back_and_through_pickle():
    _, _, ours = run(jtorch, OPTIMIZERS["SGD"], {1}, steps=3)
    theirs = torch.amp.GradScaler("cpu")
    theirs.load_state_dict(ours.state_dict())
    assert theirs.state_dict() == ours.state_dict()
    again = pickle.loads(pickle.dumps(ours))
    assert again.state_dict() == ours.state_dict()
    fresh = scaler(jtorch)
    fresh.load_state_dict(theirs.state_dict())
    assert fresh.state_dict() == ours.state_dict()
    ours.load_state_dict({**theirs.state_dict(), "scale": 32.0})
    assert ours.get_scale() == 32.0


def test_a_new_scale_can_be_given():
    for t in (torch, jtorch):
        s = scaler(t)
        s.scale(t.ones(1))
        s.update(3.0)
        assert s.get_scale() == 3.0
        s.update(t.tensor(5.0))
        assert s.get_scale() == 5.0


def test_disabled_it_does_nothing():
    for t in (torch, jtorch):
        net, s = model(t), scaler(t, enabled=False)
        optimizer = t.optim.SGD(net.parameters(), lr=0.1)
        loss = net(t.tensor(X)).sum()
        assert s.scale(loss) is loss
        loss.backward()
        s.unscale_(optimizer)
        s.step(optimizer)
        s.update()
        assert (s.state_dict(), s.get_scale(), s.is_enabled()) == ({}, 1.0, False)


def outcome(f: Callable[[], Any]) -> str:
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def _used(t: Any, *calls: str) -> None:
    net, s = model(t), scaler(t)
    optimizer = t.optim.SGD(net.parameters(), lr=0.1)
    s.scale(net(t.tensor(X)).sum()).backward()
    for call in calls:
        getattr(s, call)(*([] if call == "update" else [optimizer]))


WRONG: list[Callable[[Any], Any]] = [
    lambda t: scaler(t, growth_factor=1.0),
    lambda t: scaler(t, backoff_factor=1.0),
    lambda t: scaler(t).update(),
    lambda t: scaler(t).scale(3),
    lambda t: scaler(t).load_state_dict({}),
    lambda t: scaler(t).step(t.optim.SGD(model(t).parameters(), lr=0.1)),
    lambda t: _used(t, "update"),
    lambda t: _used(t, "unscale_", "unscale_"),
    lambda t: _used(t, "step", "step"),
    lambda t: _used(t, "step", "unscale_"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any], Any]):
    expected = outcome(lambda: wrong(torch))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch)) == expected


def test_float16_gradients_are_refused_as_pytorch_refuses_them():
    net, s = model(jtorch).half(), scaler(jtorch)
    optimizer = jtorch.optim.SGD(net.parameters(), lr=0.1)
    s.scale(net(jtorch.tensor(X).half()).sum()).backward()
    with pytest.raises(ValueError, match=r"Attempting to unscale FP16 gradients\."):
        s.step(optimizer)


def test_the_older_names_warn_and_work():
    with pytest.warns(FutureWarning, match="torch.cuda.amp.GradScaler"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # there is no accelerator here
        assert isinstance(jtorch.cuda.amp.GradScaler(), jtorch.amp.GradScaler)
