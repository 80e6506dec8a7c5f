"""Programs that may never come again: run in NumPy, compiled when that has cost enough."""

import random

import numpy as np
import pytest
import torch as real

import jtorch
from jtorch._engine import executor, once, stats


@pytest.fixture(autouse=True)
def watched_from_here(monkeypatch):
    executor.forget()
    stats.reset()
    monkeypatch.setattr(executor.config, "once", "auto")
    yield
    executor.forget()


def episode(torch, weight, length: int) -> float:
    """A loss over as many steps as `length`, its gradient, and one step of descent."""
    x = torch.arange(4, dtype=torch.float32) / 4
    state, terms = torch.zeros(4), []
    for i in range(length):
        state = torch.tanh(state @ weight + x * (i + 1))
        terms.append(state.sum() ** 2)
    loss = torch.stack(terms).mean()
    loss.backward()
    with torch.no_grad():
        weight -= 0.1 * weight.grad
    weight.grad = None
    return loss.item()


def weights(torch):
    start = np.random.default_rng(0).standard_normal((4, 4), np.float32)
    return torch.tensor(start, requires_grad=True)


def test_changing_lengths_stop_compiling():
    mine, theirs = weights(jtorch), weights(real)
    compiles = []
    for length in range(2, 16):
        a, b = episode(jtorch, mine, length), episode(real, theirs, length)
        assert a == pytest.approx(b, rel=1e-5)
        compiles.append(stats.counts["compiles"])
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-4)
    assert compiles[-1] == compiles[once.LONELY + 1], "it goes on compiling"
    assert stats.counts["interpreted"] >= 14 - once.LONELY - 2


def test_a_program_that_comes_again_is_compiled_in_the_end(monkeypatch):
    monkeypatch.setattr(once, "PER_COMPILE", 2000)
    monkeypatch.setattr(once, "PER_INSTRUCTION", 0)
    monkeypatch.setattr(once, "LONG", 3)
    found = []
    x = jtorch.arange(3.0)
    for _ in range(2000):
        y = ((x + 1) * 2 - x) / 3
        found.append(tuple(y.tolist()))
        if stats.counts["compiles"]:
            break
    assert stats.counts["compiles"] == 1
    assert stats.counts["interpreted"] > 10
    assert set(found) == {tuple(((real.arange(3.0) + 1) * 2 - real.arange(3.0)).div(3).tolist())}


def test_long_programs_are_tried_at_once():
    draw = random.Random(0)
    mine, theirs = jtorch.ones(3), real.ones(3)
    for _ in range(once.LONG):  # in no order: a loop with a period is cut
        number = draw.random()
        step = draw.choice((lambda x: x * number, lambda x: x + number, lambda x: x.cos()))  # noqa: B023
        mine, theirs = step(mine), step(theirs)
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5)
    assert (stats.counts["interpreted"], stats.counts["compiles"]) == (1, 0)


def test_much_work_is_compiled(monkeypatch):
    monkeypatch.setattr(once, "LONG", 1)
    x = jtorch.ones(600, 600)
    for _ in range(5):
        x = x @ x / 600
    assert x[0, 0].item() == pytest.approx(1.0)
    assert stats.counts["interpreted"] == 0
    assert stats.counts["compiles"] == 1


def test_what_numpy_cannot_do_is_compiled(monkeypatch):
    monkeypatch.setattr(once, "LONG", 1)

    def refuse(sig):
        raise once.host.Unsupported("no rule")

    monkeypatch.setattr(once.host, "translated", refuse)
    assert (jtorch.ones(3) + 1).tolist() == [2, 2, 2]
    assert (stats.counts["interpreted"], stats.counts["compiles"]) == (0, 1)


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(once, "LONG", 1)
    monkeypatch.setattr(executor.config, "once", "0")
    assert (jtorch.ones(3) + 1).tolist() == [2, 2, 2]
    assert (stats.counts["interpreted"], stats.counts["compiles"]) == (0, 1)


def test_results_are_arrays_of_their_own(monkeypatch):
    """A transpose in NumPy is a view: of what a later program may overwrite."""
    monkeypatch.setattr(once, "LONG", 1)
    x = jtorch.arange(6.0).reshape(2, 3)
    y = x.t()
    z = x + 0
    assert z.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert y._value.array.base is None
    x += 1
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert z.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_numbers_that_varied_are_inputs_of_the_executable(monkeypatch):
    monkeypatch.setattr(once, "PER_COMPILE", 1000)
    monkeypatch.setattr(once, "PER_INSTRUCTION", 0)
    monkeypatch.setattr(once, "LONG", 1)
    x = jtorch.ones(2)
    for i in range(400):
        assert (x * float(i)).tolist() == [i, i]
    assert stats.counts["interpreted"] > 10
    assert stats.counts["compiles"] == 1


def test_programs_that_ran_long_ago_are_dropped(monkeypatch):
    monkeypatch.setattr(executor, "MOST_ENTRIES", 8)
    monkeypatch.setattr(executor.config, "once", "0")
    for length in range(1, 30):
        assert (jtorch.ones(length) * 3).sum().item() == 3 * length
        assert jtorch.ones(2).add(1).tolist() == [2, 2]  # in use all the time: never dropped
        assert len(executor.entries()) <= 8
    assert {id(plan.entry) for plan in executor._plans.values()} <= set(map(id, executor.entries()))
    assert stats.counts["compiles"] == 30
    assert (jtorch.ones(1) * 3).sum().item() == 3  # compiled again
    assert stats.counts["compiles"] == 31
