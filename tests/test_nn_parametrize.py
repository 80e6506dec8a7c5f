"""Parametrizations against PyTorch's: values, gradients, state, assignment, removal, errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.parametrizations as their_norms
import torch.nn.utils.parametrize as their_parametrize
from layer_cases import floats

import jtorch
import jtorch.nn.utils.parametrizations as our_norms
import jtorch.nn.utils.parametrize as our_parametrize

SIDES = ((torch, their_parametrize, their_norms), (jtorch, our_parametrize, our_norms))


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def close(ours: Any, theirs: Any, what: str = "") -> None:
    np.testing.assert_allclose(array(ours), array(theirs), rtol=2e-4, atol=2e-5, err_msg=what)


MAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "weight_norm": lambda nn, p: p.weight_norm(nn.Linear(4, 3)),
    "weight_norm of dim 1": lambda nn, p: p.weight_norm(nn.Conv1d(4, 3, 2), dim=1),
    "weight_norm of the whole": lambda nn, p: p.weight_norm(nn.Linear(4, 3), dim=None),
    "spectral_norm": lambda nn, p: p.spectral_norm(nn.Linear(4, 3)),
    "spectral_norm of a transposed": lambda nn, p: p.spectral_norm(nn.ConvTranspose1d(4, 3, 2)),
    "spectral_norm of a bias": lambda nn, p: p.spectral_norm(nn.Linear(4, 3), "bias"),
    "orthogonal, square": lambda nn, p: p.orthogonal(nn.Linear(4, 4)),
    "orthogonal, tall": lambda nn, p: p.orthogonal(nn.Linear(4, 6)),
    "orthogonal, wide": lambda nn, p: p.orthogonal(nn.Linear(4, 3)),
    "orthogonal, cayley": lambda nn, p: p.orthogonal(nn.Linear(4, 4), orthogonal_map="cayley"),
    "orthogonal, tall matrix_exp": lambda nn, p: p.orthogonal(
        nn.Linear(4, 6), orthogonal_map="matrix_exp"
    ),
    "orthogonal, free": lambda nn, p: p.orthogonal(nn.Linear(4, 3), use_trivialization=False),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_ready_made_ones_are_pytorchs(name: str):
    results = []
    for m, _, norms in SIDES:
        m.manual_seed(4)
        layer = MAKERS[name](m.nn, norms)
        x = m.tensor(floats(2, 4, 5) if "Conv" in type(layer).__name__ else floats(2, 4))
        seen = []
        for _ in range(2):
            out = layer(x)
            (out * out).sum().backward()
            seen.append(out)
        layer.eval()
        seen.append(layer(x))
        results.append((layer, seen))
    (theirs, expected), (ours, found) = results
    assert repr(ours).replace("jtorch", "torch") == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value, key)
    for a, b in zip(found, expected, strict=True):
        close(a, b)
    for (key, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), key
        if b.grad is not None:
            close(a.grad, b.grad, key)


def test_an_orthogonal_weight_takes_orthogonal_values():
    for map_ in ("matrix_exp", "cayley", "householder"):
        layer = our_norms.orthogonal(jtorch.nn.Linear(3, 5), orthogonal_map=map_)
        q = np.linalg.qr(floats(5, 3))[0].astype(np.float32)
        layer.weight = jtorch.tensor(q)
        np.testing.assert_allclose(array(layer.weight), q, atol=1e-5)
        product = layer.weight.T @ layer.weight
        np.testing.assert_allclose(array(product), np.eye(3), atol=1e-5)


def test_weight_norm_loads_what_the_hook_form_saved():
    with pytest.warns(FutureWarning):
        saved = torch.nn.utils.weight_norm(torch.nn.Linear(4, 3)).state_dict()
    layer = our_norms.weight_norm(jtorch.nn.Linear(4, 3))
    layer.load_state_dict({k: jtorch.tensor(array(v)) for k, v in saved.items()})
    close(layer.parametrizations.weight.original1, saved["weight_v"])


def symmetric(m: Any) -> Any:
    class Symmetric(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, a: Any) -> Any:
            return a.triu()

    return Symmetric()


def doubled(m: Any) -> Any:
    class Doubled(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

    return Doubled()


def test_registering_reading_assigning_and_removing():
    results = []
    for m, p, _ in SIDES:
        m.manual_seed(0)
        layer = m.nn.Linear(3, 3)
        parameter = layer.weight
        p.register_parametrization(layer, "weight", symmetric(m))
        assert type(layer).__name__ == "ParametrizedLinear"
        assert p.type_before_parametrizations(layer) is m.nn.Linear
        assert p.is_parametrized(layer) and p.is_parametrized(layer, "weight")
        assert not p.is_parametrized(layer, "bias")
        assert layer.parametrizations.weight.original is parameter
        seen = [layer.weight]
        layer.weight = m.tensor(floats(3, 3))
        seen += [layer.weight, parameter]
        p.register_parametrization(layer, "weight", doubled(m))
        seen.append(layer(m.tensor(floats(2, 3))))
        copied = copy.deepcopy(layer)
        seen.append(copied.weight)
        p.remove_parametrizations(layer, "weight")
        assert type(layer) is m.nn.Linear and isinstance(layer.weight, m.nn.Parameter)
        assert layer.weight is parameter and not hasattr(layer, "parametrizations")
        seen.append(layer.weight)
        p.register_parametrization(layer, "bias", doubled(m))
        p.remove_parametrizations(layer, "bias", leave_parametrized=False)
        seen.append(layer.bias)
        results.append(seen)
    for theirs, ours in zip(*results, strict=True):
        close(ours, theirs)


def test_cached_computes_once():
    layer = our_parametrize.register_parametrization(
        jtorch.nn.Linear(3, 3), "weight", symmetric(jtorch)
    )
    with our_parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight


def test_an_optimizer_trains_what_is_stored():
    for m, p, _ in SIDES:
        layer = p.register_parametrization(m.nn.Linear(3, 3), "weight", symmetric(m))
        optimizer = m.optim.SGD(layer.parameters(), lr=0.1)
        before = array(layer.weight).copy()
        layer(m.tensor(floats(2, 3))).sum().backward()
        optimizer.step()
        after = array(layer.weight)
        assert not np.allclose(after, before)
        np.testing.assert_allclose(after, after.T)


def test_transfer_puts_them_on_another_module():
    for m, p, _ in SIDES:
        a, b = m.nn.Linear(3, 3), m.nn.Linear(3, 3)
        p.register_parametrization(a, "weight", symmetric(m))
        assert p.transfer_parametrizations_and_params(a, b) is b
        np.testing.assert_array_equal(array(a.weight), array(b.weight))
        assert b.parametrizations.weight.original is a.parametrizations.weight.original


def bad(m: Any, result: Callable[[Any], Any], inverse: Any = None) -> Any:
    class Bad(m.nn.Module):
        def forward(self, *x: Any) -> Any:
            return result(x[0])

    if inverse is not None:
        Bad.right_inverse = lambda self, x: inverse(x)
    return Bad()


def outcome(f: Callable[[], Any]) -> str:
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def reg(m: Any, p: Any, parametrization: Any, times: int = 1, **options: Any) -> Any:
    layer = m.nn.Linear(3, 3)
    for _ in range(times - 1):
        p.register_parametrization(layer, "weight", symmetric(m))
    return p.register_parametrization(layer, "weight", parametrization, **options)


WRONG: list[Callable[[Any, Any, Any], Any]] = [
    lambda m, p, n: p.register_parametrization(m.nn.Linear(3, 3), "wait", symmetric(m)),
    lambda m, p, n: reg(m, p, bad(m, lambda x: 3)),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x.double())),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x[0])),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: 3)),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: x.double())),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: [x, 3])),
    lambda m, p, n: reg(m, p, bad(m, lambda x: 3), 2),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x.double()), 2),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x[0]), 2),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: 3), 2),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: x.double()), 2),
    lambda m, p, n: reg(m, p, bad(m, lambda x: x, lambda x: x[0]), 2),
    lambda m, p, n: setattr(reg(m, p, doubled(m)), "weight", m.zeros(3, 3)),
    lambda m, p, n: pickle.dumps(reg(m, p, doubled(m))),
    lambda m, p, n: p.remove_parametrizations(m.nn.Linear(3, 3), "weight"),
    lambda m, p, n: p.remove_parametrizations(n.weight_norm(m.nn.Linear(3, 3)), "weight", False),
    lambda m, p, n: p.ParametrizationList([], m.zeros(2)),
    lambda m, p, n: n.orthogonal(m.nn.Linear(3, 3), "nope"),
    lambda m, p, n: n.orthogonal(m.nn.Linear(3, 3), "bias"),
    lambda m, p, n: n.orthogonal(m.nn.Linear(3, 3), orthogonal_map="polar"),
    lambda m, p, n: n.spectral_norm(m.nn.Linear(3, 3), "nope"),
    lambda m, p, n: n.spectral_norm(m.nn.Linear(3, 3), dim=2),
    lambda m, p, n: n.spectral_norm(m.nn.Linear(3, 3), n_power_iterations=0),
    lambda m, p, n: setattr(n.orthogonal(m.nn.Linear(3, 3)), "weight", m.zeros(2, 2)),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any, Any, Any], Any]):
    expected, found = (outcome(lambda side=side: wrong(*side)) for side in SIDES)
    assert expected != "no error"
    assert found == expected
