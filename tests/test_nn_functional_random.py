"""Dropout and its kin: PyTorch's draws inside the program, and no compile per step."""

from __future__ import annotations

import numpy as np
import pytest
from engine_tools import counted, fresh_engine
from nn_functional_tools import MODULES, check, normal

import jtorch
from jtorch.nn import functional as JF


def seeded(call):
    """The call after `manual_seed`, with one draw of the host after it."""

    def run(m, F, *tensors):
        m.manual_seed(3)
        return call(F, *tensors), m.rand(2)

    return run


@pytest.mark.parametrize(
    "call",
    [
        lambda F, x: F.dropout(F.dropout(x, 0.3), 0.6),
        lambda F, x: F.dropout2d(x, 0.3),
        lambda F, x: F.dropout1d(x[0, 0], 0.3),
        lambda F, x: F.dropout3d(x[:, :, None], 0.5),
        lambda F, x: F.alpha_dropout(x, 0.3, True),
        lambda F, x: F.feature_alpha_dropout(x, 0.3, True),
        lambda F, x: F.dropout(x * 1, 0.4, inplace=True),
        lambda F, x: F.dropout(x, 1.0),
        lambda F, x: F.dropout(x, 0.5, training=False),
        lambda F, x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.4),
        lambda F, x: F.gumbel_softmax(x, hard=True),
    ],
)
def test_same_numbers_as_pytorch(call):
    check(seeded(call), normal(4, 3, 5, 5))


def losses(m, steps):
    """A loop with dropout, in which the host draws every other step."""
    m.manual_seed(0)
    net = m.nn.Sequential(m.nn.Linear(8, 8), m.nn.Dropout(0.5), m.nn.ReLU(), m.nn.Linear(8, 3))
    optimizer = m.optim.SGD(net.parameters(), lr=0.1)
    found = []
    for i in range(steps):
        x = m.randn(16, 8) if i % 2 else m.ones(16, 8)
        loss = m.nn.functional.cross_entropy(net(x), m.arange(16) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss)
    return [loss.item() for loss in found]


def test_a_loop_with_dropout_has_pytorchs_losses():
    expected, actual = (losses(m, 8) for m in MODULES)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_masks_differ_and_compile_once():
    with fresh_engine():
        x = jtorch.ones(64)
        masks = []
        with counted() as c:
            for _ in range(6):
                masks.append(JF.dropout(x, 0.5).numpy())
        assert c.compiles <= 2
        assert len({m.tobytes() for m in masks}) == 6


def test_another_probability_compiles_nothing():
    with fresh_engine():
        x = jtorch.ones(64)
        for p in (0.5, 0.4):
            JF.dropout(x, p).numpy()
        with counted() as c:
            JF.dropout(x, 0.3).numpy()
        assert c.compiles == 0


def test_state_is_exact_while_draws_are_pending():
    jtorch.manual_seed(1)
    JF.dropout(jtorch.ones(100), 0.5)
    state = jtorch.get_rng_state().numpy()
    torch = MODULES[0]
    torch.manual_seed(1)
    torch.nn.functional.dropout(torch.ones(100), 0.5)
    np.testing.assert_array_equal(state, torch.get_rng_state().numpy())


def test_slopes_of_rrelu():
    x = jtorch.full((1000,), -1.0)
    y = -JF.rrelu(x, 0.1, 0.3, training=True).numpy()
    assert 0.1 <= y.min() < 0.12 and 0.28 < y.max() <= 0.3
    assert JF.rrelu(x, 0.1, 0.3).numpy()[0] == pytest.approx(-0.2)
