"""Compile counts are part of correctness: steady loops compile once, varying numbers at most once
more.
"""

from __future__ import annotations

import numpy as np
import pytest
from engine_tools import counted, fresh_engine, live_bytes, pending_length

import jtorch as torch
from jtorch import nn
from jtorch.nn import functional as F


@pytest.fixture(autouse=True)
def _fresh():
    with fresh_engine():
        yield


def mlp(width: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))


def batch(n: int = 6, seed: int = 0):
    r = np.random.default_rng(seed)
    return (
        torch.tensor(r.normal(size=(n, 4)).astype("f")),
        torch.tensor(r.integers(0, 3, size=n)),
    )


def train(net, optimizer, steps: int, n: int = 6, start: int = 0) -> list[float]:
    losses = []
    for i in range(steps):
        x, y = batch(n, start + i)
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: torch.optim.Adam(p, lr=0.01),
    lambda p: torch.optim.AdamW(p, lr=0.01),
])  # fmt: skip
def test_steps_1_and_2_are_one_program(make):
    net = mlp()
    with counted() as c:
        train(net, make(net.parameters()), 1)
    assert c.compiles == 1
    net = mlp()
    optimizer = make(net.parameters())
    with counted() as c:
        train(net, optimizer, 8)
    assert c.compiles <= 1, "every step of a steady loop is the same program"
    assert c.runs == 8


def test_one_program_per_batch_shape():
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with counted() as c:
        for epoch in range(3):
            train(net, optimizer, 4, 6, 10 * epoch)
            train(net, optimizer, 1, 5, 10 * epoch + 5)
    assert c.compiles == 2


def test_a_changing_lr_costs_nothing():
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    train(net, optimizer, 1)
    with counted() as c:
        for i in range(6):
            optimizer.param_groups[0]["lr"] = 0.1 / (i + 2)
            train(net, optimizer, 1)
    assert c.compiles == 0


def test_a_changing_factor_costs_one_compile():
    w = torch.tensor([1.0] * 4, requires_grad=True)
    with counted() as c:
        got = [(w * 2).sum().mul(step / 10).item() for step in range(10)]
    assert c.compiles == 2
    assert got == pytest.approx([8 * s / 10 for s in range(10)])


def test_a_moving_index_costs_one_compile():
    x = torch.arange(12.0).sin()
    x.sum().item()
    want = np.sin(np.arange(12.0))
    with counted() as c:
        got = [(x[i] * 2).item() for i in range(12)]
    assert c.compiles <= 2
    assert got == pytest.approx((2 * want).tolist(), rel=1e-5)


def test_a_moving_write_costs_one_compile():
    cache = torch.zeros(2, 16)
    (cache + 1).sum().item()
    with counted() as c:
        for t in range(16):
            cache[:, t] = torch.full((2,), 1.0) * (t + 1)
            total = cache.sum().item()
    assert c.compiles <= 3
    assert total == 2 * sum(range(1, 17))


def test_gradient_accumulation_of_64_micro_batches():
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    at: dict[int, int] = {}

    def step() -> None:
        optimizer.zero_grad()
        for i in range(64):
            x, y = batch(seed=i)
            (F.cross_entropy(net(x), y) / 64).backward()
            if i in (5, 63):
                at[i] = live_bytes()
        optimizer.step()

    with counted() as c:
        for _ in range(3):
            step()
    assert c.compiles <= 3
    assert at[63] <= at[5], "memory does not grow with the number of micro-batches"


def test_ten_thousand_iterations_without_a_sync():
    w = torch.full((4, 4), 0.1)
    total = torch.zeros(())
    longest = 0
    with counted() as c, torch.no_grad():
        for _ in range(10_000):
            total = total + torch.tanh(w @ w).sum() * 0.5
            longest = max(longest, pending_length())
        got = total.item()
    assert c.compiles <= 3
    assert longest <= 1024
    assert got == pytest.approx(10_000 * 8 * np.tanh(0.04), rel=1e-3)


def test_evaluation_that_forgets_no_grad_stays_bounded():
    net = mlp()
    correct, longest = torch.zeros((), dtype=torch.int64), 0
    with counted() as c:
        for i in range(1500):
            x, y = batch(seed=i % 7)
            correct += (net(x).argmax(1) == y).sum()
            longest = max(longest, pending_length())
        assert 0 < correct.item() < 1500 * 6
    assert c.compiles <= 4
    assert longest <= 4200


def test_random_state_is_an_input():
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    train(net, optimizer, 2)
    with counted() as c:
        for seed in range(4):
            torch.manual_seed(seed)
            noise = torch.randn(6, 4)
            (net(noise)).sum().item()
            train(net, optimizer, 2, start=seed)
    assert c.compiles == 1, "only the forward on noise is new"


def test_dropout_draws_anew_each_step():
    drop = nn.Dropout(0.5)
    x = torch.ones(64)
    drawn = {tuple(drop(x).tolist()) for _ in range(5)}
    assert len(drawn) == 5


def test_old_parameters_and_state_are_donated():
    width = 256
    net = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    x = torch.ones(4, width)

    def step() -> None:
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()

    def pointers(grads: bool) -> set[int]:
        held = [
            *net.parameters(),
            *(s[k] for s in optimizer.state.values() for k in ("exp_avg", "exp_avg_sq")),
        ]
        held += [p.grad for p in net.parameters()] if grads else []
        return {t.jax().unsafe_buffer_pointer() for t in held}

    step()
    step()
    before, held = pointers(False), live_bytes()
    step()
    assert before <= pointers(True), "the step's results took over the memory of what they replace"
    assert live_bytes() <= held
    parameters = sum(p.numel() * 4 for p in net.parameters())
    assert live_bytes() <= held
    assert held <= 4.2 * parameters + 4 * 4 * width * 4, "parameters, two moments and gradients"
