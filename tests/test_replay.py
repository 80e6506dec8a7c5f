"""A backward that repeats an earlier one is copied as a block: when, and when it must not be."""

import numpy as np
import pytest
import torch as real

import jtorch
from jtorch._engine import walk

BOTH = (jtorch, real)


@pytest.fixture
def walks(monkeypatch):
    """Counts the passes that walked the graph."""
    counted = []
    plain = walk.Walk.run

    def run(self, *args):
        counted.append(1)
        plain(self, *args)

    monkeypatch.setattr(walk.Walk, "run", run)
    return counted


def model(torch):
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 3))


def gradients(net):
    return [p.grad.tolist() for p in net.parameters() if p.grad is not None]


def compare(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def test_the_third_step_copies_what_the_first_walked(walks):
    found = {}
    for torch in BOTH:
        net = model(torch)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        losses = []
        for i in range(5):
            optimizer.zero_grad()
            out = net(torch.arange(8.0).reshape(2, 4) / (i + 1))
            loss = (out * float(i + 1)).pow(2).mean() / (i + 2)  # numbers that vary
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        found[torch] = losses, gradients(net)
    compare(found[jtorch][0], found[real][0])
    compare(found[jtorch][1], found[real][1])
    assert len(walks) <= 2


def test_a_second_pass_through_a_freed_graph_is_an_error_every_time(walks):
    w = jtorch.ones(3, requires_grad=True)
    for _ in range(3):
        loss = (w * w).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            loss.backward()
    assert w.grad.tolist() == [6, 6, 6]


def test_retained_graphs(walks):
    found = {}
    for torch in BOTH:
        w = torch.arange(3.0, requires_grad=True)
        for _ in range(4):
            loss = (w * w).sum().exp()
            loss.backward(retain_graph=True)
            loss.backward()
            w.grad = w.grad / 100
        found[torch] = w.grad.tolist()
    compare([found[jtorch]], [found[real]])


def test_a_saved_operand_that_was_written_is_still_an_error(walks):
    w = jtorch.ones(3, requires_grad=True)
    for write in (False, False, True):
        x = jtorch.arange(3.0)
        loss = (w * x).sum()
        if write:
            x += 1
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()
        else:
            loss.backward()
    assert w.grad.tolist() == [0, 2, 4]


@pytest.mark.parametrize("change", ["hook", "frozen", "another parameter", "detached"])
def test_what_changes_the_graph_and_not_the_ops(walks, change):
    found = {}
    for torch in BOTH:
        a, b = (torch.arange(1.0, 4.0, requires_grad=True) for _ in range(2))
        kept = [a]  # alive: nothing but the edges tells the passes apart
        for step in range(4):
            last = step == 3
            if last and change == "frozen":
                a.requires_grad_(False)
            if last and change == "another parameter":
                a = torch.arange(2.0, 5.0, requires_grad=True)
            a.grad = b.grad = None
            hidden = a * 2
            kept = [*kept[:1], hidden]
            if last and change == "detached":
                hidden = hidden.detach()
            product = hidden * b
            if last and change == "hook":
                product.register_hook(lambda g: g * 10)
            (product.sin().sum()).backward()
            b.grad.tolist()  # the next step begins a program, as after an optimizer's step
        found[torch] = [None if t.grad is None else t.grad.tolist() for t in (a, b)]
    assert (found[jtorch][0] is None) == (found[real][0] is None)
    compare([g for g in found[jtorch] if g], [g for g in found[real] if g])


def test_a_node_under_no_grad_between_equal_ones(walks):
    """Which of two equal instructions is differentiated is part of what is compared."""
    found = {}
    for torch in BOTH:
        w = torch.arange(1.0, 4.0, requires_grad=True)
        grads = []
        for step in range(4):
            w.grad = None
            if step % 2:
                with torch.no_grad():
                    first = w * w
                second = w * w
                loss = (first * 3 + second).sum()
            else:
                first = w * w
                with torch.no_grad():
                    second = w * w
                loss = (first * 3 + second).sum()
            loss.backward()
            grads.append(w.grad.tolist())
        found[torch] = grads
    compare(found[jtorch], found[real])


def test_a_given_gradient_and_accumulation(walks):
    found = {}
    for torch in BOTH:
        w = torch.arange(1.0, 4.0, requires_grad=True)
        for step in range(4):
            y = w.tanh() * w
            y.backward(torch.tensor([1.0, step, 2.0]))
        found[torch] = w.grad.tolist()
    compare([found[jtorch]], [found[real]])


def test_leaves_are_not_kept_alive(walks):
    import gc
    import weakref

    for _ in range(3):
        w = jtorch.ones(3, requires_grad=True)
        (w * w).sum().backward()
        gone = weakref.ref(w)
        del w
        gc.collect()
        assert gone() is None
