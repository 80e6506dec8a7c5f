"""Regions: a recorded function called as one op, with captured tensors, numbers and effects."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch as pytorch
from engine_tools import counted, fresh_engine
from torch.utils.checkpoint import checkpoint as torch_checkpoint

import jtorch
from jtorch.utils.checkpoint import checkpoint, checkpoint_sequential


def make(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4), torch.nn.Tanh()
    )


def gradients(torch, call):
    net = make(torch)
    x = torch.tensor(np.linspace(-1, 1, 12, dtype="f").reshape(3, 4), requires_grad=True)
    call(net, x).pow(2).sum().backward()
    return [x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]


def test_checkpoint_gives_the_same_gradients():
    want = gradients(pytorch, lambda net, x: torch_checkpoint(net, x, use_reentrant=False))
    got = gradients(jtorch, lambda net, x: checkpoint(net, x, use_reentrant=False))
    for a, b in zip(want, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_checkpoint_sequential():
    want = gradients(jtorch, lambda net, x: net(x))
    got = gradients(jtorch, lambda net, x: checkpoint_sequential(net, 2, x, use_reentrant=False))
    for a, b in zip(want, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7)


def test_a_region_is_compiled_once_and_its_numbers_vary():
    net = make(jtorch)
    x = jtorch.ones(2, 4)
    with fresh_engine(), counted() as c:
        got = [
            checkpoint(lambda t, s=s: net(t) * s, x, use_reentrant=False).sum().item()
            for s in (1.0, 2.0, 4.0)
        ]
    assert c.compiles == 2
    assert got[1:] == pytest.approx([2 * got[0], 4 * got[0]])


def test_writes_inside_reach_outside_once():
    seen = jtorch.zeros(4)

    def f(x):
        with jtorch.no_grad():
            seen.add_(x.detach().sum(0))
        return x * 2

    x = jtorch.ones(3, 4, requires_grad=True)
    checkpoint(f, x, use_reentrant=False).sum().backward()
    assert seen.tolist() == [3.0] * 4


def test_an_error_inside_leaves_everything_as_it_was():
    seen = jtorch.zeros(2)

    def f(x):
        seen.add_(1)
        return x @ jtorch.ones(5, 5)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        checkpoint(f, jtorch.ones(2, 2), use_reentrant=False)
    assert seen.tolist() == [0, 0]
    assert (jtorch.ones(2) + 1).tolist() == [2, 2]


def test_asking_for_a_value_inside_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"Use torch\.where"):
        checkpoint(
            lambda x: x if (x * 2).sum() > 0 else -x, jtorch.ones(2) * 1, use_reentrant=False
        )


def test_dropout_is_the_same_in_the_recomputation():
    drop = jtorch.nn.Dropout(0.5)
    x = jtorch.ones(64, requires_grad=True)
    y = checkpoint(drop, x, use_reentrant=False)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert len(set(y.tolist())) == 2


def test_a_cached_region_holds_no_tensors():
    def once():
        net = make(jtorch)
        checkpoint(net, jtorch.ones(2, 4), use_reentrant=False).sum().item()
        return weakref.ref(net[0].weight._value)

    gone = once()
    gc.collect()
    assert gone() is None


def test_an_input_that_is_written_inside_is_written_outside():
    def f(torch, checkpoint):
        x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
        y = x * 2
        z = checkpoint(lambda t: t.relu_() * 3, y, use_reentrant=False)
        (z.sum() + y.sum()).backward()
        return x.grad.tolist(), y.tolist(), z.tolist()

    assert f(jtorch, checkpoint) == ([8.0, 0.0, 8.0], [2.0, 0.0, 6.0], [6.0, 0.0, 18.0])


class Straight(jtorch.autograd.Function):
    """Rounds, and lets gradients through three times as large."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        ctx.save_for_backward(x)
        return x.round()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.scale * (x + 1), None


def _no_grad(x):
    with jtorch.no_grad():
        factor = x * 2
    return x * factor


WEIGHT = jtorch.tensor([2.0, 3.0, 4.0], requires_grad=True)
STOPPED = {
    "detach": lambda x: x * x.detach(),
    "detached view": lambda x: x * x[0].detach(),
    "no_grad": _no_grad,
    "captured and detached": lambda x: x * WEIGHT * WEIGHT.detach(),
    "detached result": lambda x: (x * 2, (x * 3).detach())[1] + x,
    "custom function": lambda x: Straight.apply(x * 2, 3.0),
    "custom function and detach": lambda x: Straight.apply(x * x.detach(), 0.5) * x,
}


@pytest.mark.parametrize("name", STOPPED)
@pytest.mark.parametrize("transform", ["checkpoint", "vmap", "vmap of grad"])
def test_gradients_stop_inside_a_region_where_they_stop_outside(name, transform):
    f = STOPPED[name]
    if transform == "vmap of grad":
        twice = lambda x: jtorch.func.grad(lambda t: f(t).sum())(x)  # noqa: E731
    else:
        twice = f
    call = {
        "checkpoint": lambda x: checkpoint(f, x, use_reentrant=False),
        "vmap": lambda x: jtorch.vmap(f)(x[None])[0],
        "vmap of grad": lambda x: jtorch.vmap(twice)(x[None])[0],
    }[transform]
    found = []
    for g in (twice, call):
        x = jtorch.tensor([1.2, -2.0, 3.4], requires_grad=True)
        WEIGHT.grad = None
        y = g(x)
        if y.requires_grad:
            y.sum().backward()
        found.append((y.tolist(), None if x.grad is None else x.grad.tolist(),
                      None if WEIGHT.grad is None else WEIGHT.grad.tolist()))  # fmt: skip
    assert found[0] == found[1]


def test_a_result_that_is_detached_inside_needs_no_gradient():
    x = jtorch.ones(3, requires_grad=True)
    a, b = checkpoint(lambda x: (x * 2, (x * 3).detach()), x, use_reentrant=False)
    assert (a.requires_grad, b.requires_grad) == (True, False)


def test_a_hook_inside_a_region_is_refused():
    def f(x):
        y = x * 2
        y.register_hook(lambda g: g * 10)
        return y * 3

    with pytest.raises(NotImplementedError, match="register it on the function's inputs"):
        checkpoint(f, jtorch.ones(3, requires_grad=True), use_reentrant=False)


def test_the_names_around_checkpoint():
    def outcome(m):
        import importlib

        c = importlib.import_module(f"{m.__name__}.utils.checkpoint")
        x = m.ones(2, requires_grad=True)
        with c.set_checkpoint_early_stop(False), c.set_checkpoint_debug_enabled(False):
            c.checkpoint(
                m.sin, x, use_reentrant=False, context_fn=c.noop_context_fn, debug=False
            ).sum().backward()
        y, three = c.detach_variable((x * 2, 3))
        with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
            c.check_backward_validity([x.detach(), 1])
        c.check_backward_validity([x])
        with pytest.raises(RuntimeError, match="Only tuple of tensors is supported"):
            c.detach_variable([x])
        c.set_device_states([], [])
        with m.autograd.set_multithreading_enabled(False):
            kind = c.DefaultDeviceType.get_device_type()
        m.autograd.enforce_grad_layout_policy(False)(lambda: None)()
        return y.tolist(), y.requires_grad, three, c.get_device_states(x, 1), kind

    import torch

    assert outcome(torch) == outcome(jtorch)
    with (
        jtorch.utils.checkpoint.set_checkpoint_debug_enabled(True),
        pytest.raises(NotImplementedError, match="debug="),
    ):
        checkpoint(jtorch.sin, jtorch.ones(2))
