"""Nothing is left behind: objects and bytes after many steps, and graphs without the
cycle collector.
"""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from collections import Counter

import pytest
from engine_tools import live_bytes

import jtorch as torch
from jtorch._engine import recorder
from jtorch._engine.backward import Node
from jtorch._engine.program import Program
from jtorch._engine.storage import Storage
from jtorch._engine.value import Value
from jtorch._gate import TensorBase
from jtorch.utils.checkpoint import checkpoint

STEPS = int(os.environ.get("JTORCH_LEAK_STEPS", "600"))  # a whole number of periods of six
WATCHED = (TensorBase, Value, Storage, Node, Program)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Loop:
    """A mixed loop: hooks, views, writes, exceptions, checkpoints, custom functions,
    two optimizers.
    """

    def __init__(self):
        self.net = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9)
        self.memory = torch.zeros(6, 2)
        self.seen = 0

    def hook(self, g):
        self.seen += 1
        return g * 2

    def step(self, i):
        x = torch.ones(3, 4) * 0.5
        x[:, 1] += 1
        y = self.net(x)
        handle = y.register_hook(self.hook)
        z = y.view(-1)
        z = z.clone()
        z[1:3] *= 2
        z.view(3, 2)[0].add_(1)
        loss = Square.apply(z).sum()
        if i % 6 == 0:
            loss = loss + checkpoint(self.net, x, use_reentrant=False).sum()
        if i % 6 == 1:
            with contextlib.suppress(RuntimeError):
                y @ torch.ones(7, 7)
        self.optimizer.zero_grad(set_to_none=i % 6 != 3)
        if i % 6 == 2:
            (g,) = torch.autograd.grad(loss, self.net[0].weight, create_graph=True)
            loss = loss + g.pow(2).sum()
        loss.backward()
        handle.remove()
        self.optimizer.step()
        with torch.no_grad():
            self.memory[i % 6] = y.detach().mean(0)
        if i % 6 == 4:
            float(loss)


def census():
    gc.collect()
    return Counter(
        next(c.__name__ for c in WATCHED if issubclass(type(o), c))
        for o in gc.get_objects()
        if issubclass(type(o), WATCHED)
    )


def settle():
    recorder.flush("test")
    return census(), live_bytes()


def test_a_long_mixed_loop_holds_what_it_held_at_the_start():
    loop = Loop()
    for i in range(102):
        loop.step(i)
    objects, held = settle()
    for i in range(102, STEPS):
        loop.step(i)
    after, held_after = settle()
    # a bare program stays behind for each structure that has been compiled
    assert after.pop("Program") <= objects.pop("Program") + 3
    assert after == objects
    assert held_after <= held
    assert loop.seen == STEPS + STEPS // 6  # the gradient of a gradient calls it once more


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def forward_only(net, x):
    return net(x)


def backward(net, x):
    y = net(x)
    y.sum().backward()
    return y


def hooked(net, x):
    y = net(x)
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.sum().backward()
    return y


def own_hook(net, x):
    y = net(x)
    seen = []
    y.register_hook(lambda g: seen.append(1))
    y.sum().backward()
    return y


def viewed(net, x):
    y = net(x).clone()
    y[0] = 0
    y.view(-1)[1:].mul_(2)
    return y


def turned(net, x):
    y = net(x) * 2
    y.t_()
    y.unsqueeze_(0)
    return y


def function(net, x):
    y = Square.apply(net(x))
    y.sum().backward(retain_graph=True)
    return y


def region(net, x):
    y = checkpoint(net, x, use_reentrant=False)
    y.sum().backward()
    return y


def mapped(net, x):
    return torch.vmap(lambda row: net(row) * 2)(x)


def second_order(net, x):
    y = net(x)
    (g,) = torch.autograd.grad(y.sum(), net[0].weight, create_graph=True)
    (g.sum() + y.sum()).backward()
    return y


def failed(net, x):
    y = net(x)
    with contextlib.suppress(RuntimeError):
        y @ torch.ones(7, 7)
    return y


def failed_backward(net, x):
    y = net(x)

    def refuse(g):
        raise ValueError("no")

    y.register_hook(refuse)
    with contextlib.suppress(ValueError):
        y.sum().backward()
    return y


def modified(net, x):
    y = net(x).exp()
    y.mul_(2)
    with contextlib.suppress(RuntimeError):
        y.sum().backward()
    return y


USES = [forward_only, backward, hooked, own_hook, viewed, turned, function, region, mapped,
        second_order, failed, failed_backward, modified]  # fmt: skip


@pytest.mark.parametrize("use", USES, ids=lambda f: f.__name__)
def test_no_cycle_holds_a_graph(use, no_collector):
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
    x = torch.ones(2, 4)
    y = use(net, x)
    node, value, storage = y.grad_fn.node, weakref.ref(y._value), weakref.ref(y._storage)
    node = weakref.ref(node)
    del y
    recorder.flush("test")
    assert (node(), value(), storage()) == (None, None, None)


def test_grad_of_a_dropped_model_goes_with_it(no_collector):
    net = torch.nn.Linear(4, 3)
    net(torch.ones(2, 4)).sum().backward()
    recorder.flush("test")
    gone = [weakref.ref(p.grad._value) for p in net.parameters()]
    gone += [weakref.ref(p._value) for p in net.parameters()]
    del net
    gc.collect()  # a module is a cycle of its own, in PyTorch too
    assert [r() for r in gone] == [None] * 4
