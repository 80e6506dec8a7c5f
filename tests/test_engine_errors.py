"""Errors come at the call, in torch's words, end at the user's line, and leave everything
usable.
"""

from __future__ import annotations

import traceback

import numpy as np
import pytest
import torch as pytorch
from engine_tools import fresh_engine

import jtorch
from jtorch.__main__ import trim

CASES = {
    "broadcast": lambda t: t.ones(2, 3) + t.ones(2, 4),
    "matmul": lambda t: t.ones(2, 3) @ t.ones(4, 5),
    "linear": lambda t: t.nn.Linear(3, 2)(t.ones(4, 5)),
    "dim": lambda t: t.ones(2, 3).sum(5),
    "index": lambda t: t.ones(2, 3)[7],
    "index_count": lambda t: t.ones(2)[0, 0],
    "float_index": lambda t: t.ones(2)[t.ones(1)],
    "view": lambda t: t.ones(2, 3).view(4, 4),
    "cat": lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]),
    "leaf": lambda t: t.ones(2, requires_grad=True).add_(1),
    "backward": lambda t: t.ones(2).backward(),
    "scalar_only": lambda t: (t.ones(2, requires_grad=True) * 2).backward(),
    "int_grad": lambda t: t.ones(2, dtype=t.int64).requires_grad_(),
    "bool": lambda t: bool(t.ones(2)),
    "item": lambda t: t.ones(2).item(),
    "inplace_dtype": lambda t: t.ones(2, dtype=t.int64).add_(1.5),
    "inplace_shape": lambda t: t.ones(2).add_(t.ones(3, 2)),
    "numpy_grad": lambda t: t.ones(2, requires_grad=True).numpy(),
    "expand": lambda t: t.ones(2, 3).expand(4, 3),
    "unexpected": lambda t: t.ones(2).sum(axes=1),
}


@pytest.mark.parametrize("name", CASES)
def test_type_and_leading_words(name):
    with pytest.raises(Exception) as want:
        CASES[name](pytorch)
    with pytest.raises(type(want.value)) as got:
        CASES[name](jtorch)
    if name == "unexpected":
        return  # the binder's own wording differs; the type is the same
    first = str(want.value).split("\n")[0]
    assert str(got.value)[:24] == first[:24]


def test_the_traceback_ends_at_the_users_line():
    try:
        jtorch.ones(2, 3) + jtorch.ones(2, 4)
    except RuntimeError as e:
        frames = traceback.extract_tb(trim(e.__traceback__))
        assert frames[-1].filename == __file__
        assert e.__cause__ is None, "no JAX noise behind it"
    else:
        pytest.fail("no error")


@pytest.mark.parametrize("name", ["broadcast", "matmul", "index", "view", "dim"])
def test_the_next_step_works(name):
    def losses(fail: bool) -> list[float]:
        jtorch.manual_seed(0)
        net = jtorch.nn.Linear(4, 2)
        optimizer = jtorch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        out = []
        for i in range(4):
            x = jtorch.tensor(np.random.default_rng(i).normal(size=(3, 4)).astype("f"))
            optimizer.zero_grad()
            loss = net(x).pow(2).mean()
            if fail and i in (1, 2):
                with pytest.raises((RuntimeError, IndexError)):
                    CASES[name](jtorch)
            loss.backward()
            optimizer.step()
            out.append(loss.item())
        return out

    with fresh_engine():
        assert losses(True) == losses(False)


def test_a_failure_inside_xla_names_the_users_line(monkeypatch):
    from jtorch._engine import executor

    x = jtorch.ones(3) * 2

    def broken(*args, **kwargs):
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(executor, "build", lambda *a: broken)
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED") as e, fresh_engine():
        y = x + 41.5
        y.item()
    assert __file__ in str(e.value)
    monkeypatch.undo()
    assert (jtorch.ones(2) + 1).tolist() == [2.0, 2.0]
