"""`nn.init` draws what PyTorch draws from the same seed, and refuses what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import jtorch

Fill = Callable[[Any, Any], Any]


def filled(t: Any, fill: Fill) -> np.ndarray:
    t.manual_seed(11)
    return fill(t, t.nn.init).detach().numpy()


EXACT: dict[str, Fill] = {
    "uniform": lambda t, init: init.uniform_(t.empty(7, 5)),
    "uniform range": lambda t, init: init.uniform_(t.empty(40), -0.3, 2.0),
    "uniform double": lambda t, init: init.uniform_(t.empty(7, 5, dtype=t.float64), 1, 2),
    "normal": lambda t, init: init.normal_(t.empty(40)),
    "normal short": lambda t, init: init.normal_(t.empty(3, 5), 2.0, 0.1),
    "normal double": lambda t, init: init.normal_(t.empty(40, dtype=t.float64)),
    "constant": lambda t, init: init.constant_(t.empty(3, 2), 0.3),
    "ones": lambda t, init: init.ones_(t.empty(3, 2)),
    "zeros": lambda t, init: init.zeros_(t.empty(3, 2)),
    "eye": lambda t, init: init.eye_(t.empty(3, 5)),
    "dirac 3": lambda t, init: init.dirac_(t.ones(5, 3, 4)),
    "dirac 4": lambda t, init: init.dirac_(t.ones(4, 3, 3, 5), groups=2),
    "dirac 5": lambda t, init: init.dirac_(t.ones(6, 2, 3, 1, 2), 3),
    "xavier uniform": lambda t, init: init.xavier_uniform_(t.empty(6, 5)),
    "xavier uniform gain": lambda t, init: init.xavier_uniform_(t.empty(6, 5, 3), 1.7),
    "xavier normal": lambda t, init: init.xavier_normal_(t.empty(6, 5, 2, 2), 0.3),
    "kaiming uniform": lambda t, init: init.kaiming_uniform_(t.empty(6, 5), a=5**0.5),
    "kaiming uniform out": lambda t, init: init.kaiming_uniform_(
        t.empty(6, 5, 3), mode="fan_out", nonlinearity="relu"
    ),
    "kaiming normal": lambda t, init: init.kaiming_normal_(t.empty(6, 5)),
    "kaiming normal tanh": lambda t, init: init.kaiming_normal_(
        t.empty(6, 5, 3), 0.1, "FAN_OUT", "tanh"
    ),
    "sparse": lambda t, init: init.sparse_(t.empty(7, 4), 0.4, 0.5),
    "parameter": lambda t, init: init.normal_(t.nn.Parameter(t.empty(20))),
    "the generator": lambda t, init: init.uniform_(
        t.empty(20), generator=t.Generator().manual_seed(4)
    ),
    "two after each other": lambda t, init: init.normal_(init.uniform_(t.empty(17))),
}

# A last digit may differ: erfinv, log and exp are XLA's, and qr is another LAPACK's.
CLOSE: dict[str, Fill] = {
    "trunc normal": lambda t, init: init.trunc_normal_(t.empty(50)),
    "trunc normal std": lambda t, init: init.trunc_normal_(t.empty(50), std=0.02),
    "trunc normal near": lambda t, init: init.trunc_normal_(t.empty(50), 0.5, 2.0, -1.0, 3.0),
    "trunc normal tail": lambda t, init: init.trunc_normal_(t.empty(50), 0.0, 1.0, 1.5, 4.0),
    "trunc normal narrow": lambda t, init: init.trunc_normal_(t.empty(50), 0.0, 1.0, -0.1, 0.1),
    "orthogonal": lambda t, init: init.orthogonal_(t.empty(5, 5)),
    "orthogonal tall": lambda t, init: init.orthogonal_(t.empty(6, 4), 2.0),
    "orthogonal wide": lambda t, init: init.orthogonal_(t.empty(3, 2, 4)),
    "orthogonal empty": lambda t, init: init.orthogonal_(t.empty(0, 4)),
}


@pytest.mark.parametrize("name", EXACT)
def test_bit_for_bit(name: str):
    expected = filled(torch, EXACT[name])
    found = filled(jtorch, EXACT[name])
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", CLOSE)
def test_to_the_last_digits(name: str):
    expected = filled(torch, CLOSE[name])
    np.testing.assert_allclose(filled(jtorch, CLOSE[name]), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_the_stream_goes_on_where_pytorchs_goes_on(name: str):
    """As many numbers are drawn, not only the same ones kept."""
    fill = (EXACT | CLOSE)[name]
    filled(torch, fill), filled(jtorch, fill)
    assert jtorch.rand(3).tolist() == torch.rand(3).tolist()


def test_filling_a_parameter_leaves_it_a_leaf_that_requires_grad():
    p = jtorch.nn.Parameter(jtorch.empty(4, 4))
    for name in ("uniform_", "normal_", "ones_", "zeros_", "eye_", "xavier_normal_",
                 "kaiming_uniform_", "orthogonal_", "trunc_normal_"):  # fmt: skip
        assert getattr(jtorch.nn.init, name)(p) is p
        assert p.requires_grad and p.is_leaf


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_dtypes_draw_the_same(dtype: str):
    for fill in ("uniform_", "normal_", "trunc_normal_"):
        expected, found = (
            getattr(t.nn.init, fill)(t.empty(33, dtype=getattr(t, dtype)))
            for t in (torch, jtorch)
            if t.manual_seed(2)
        )
        assert found.float().tolist() == pytest.approx(expected.float().tolist(), rel=1e-5)


@pytest.mark.parametrize(
    "nonlinearity",
    ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"],
)
def test_gains(nonlinearity: str):
    ours, theirs = jtorch.nn.init.calculate_gain, torch.nn.init.calculate_gain
    assert ours(nonlinearity) == theirs(nonlinearity)
    assert ours(nonlinearity, 0.3) == theirs(nonlinearity, 0.3)


def outcome(t: Any, wrong: Fill) -> str:
    try:
        wrong(t, t.nn.init)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Fill] = [
    lambda t, init: init.calculate_gain("swish"),
    lambda t, init: init.calculate_gain("leaky_relu", True),
    lambda t, init: init.calculate_gain("leaky_relu", "a"),
    lambda t, init: init.xavier_uniform_(t.empty(3)),
    lambda t, init: init.kaiming_normal_(t.empty(3, 2), mode="fan_up"),
    lambda t, init: init.eye_(t.empty(3)),
    lambda t, init: init.dirac_(t.empty(3, 2)),
    lambda t, init: init.dirac_(t.empty(3, 2, 1), 2),
    lambda t, init: init.orthogonal_(t.empty(3)),
    lambda t, init: init.sparse_(t.empty(3), 0.1),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_refusals_are_pytorchs(wrong: Fill):
    expected = outcome(torch, wrong)
    assert expected != "no error"
    assert outcome(jtorch, wrong) == expected


WARNING: list[Fill] = [
    lambda t, init: init.uniform(t.empty(2)),
    lambda t, init: init.kaiming_normal(t.empty(2, 2)),
    lambda t, init: init.kaiming_uniform_(t.empty(0, 2)),
    lambda t, init: init.kaiming_normal_(t.empty(0, 2)),
    lambda t, init: init.trunc_normal_(t.empty(2), 5.0),
]


@pytest.mark.parametrize("warning", WARNING)
def test_warnings_are_pytorchs_and_point_at_the_caller(warning: Fill):
    caught = []
    for t in (torch, jtorch):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            warning(t, t.nn.init)
        caught.append([(w.category, str(w.message)) for w in seen])
    assert caught[0] and caught[1] == caught[0]
    assert seen[0].filename == __file__


def test_every_public_name_is_there():
    assert [n for n in torch.nn.init.__all__ if not hasattr(jtorch.nn.init, n)] == []
