"""Pruning against PyTorch's: every method, chains, global pruning, removal, state, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.prune as their_prune
from layer_cases import floats

import jtorch
import jtorch.nn.utils.prune as our_prune

SIDES = ((torch, their_prune), (jtorch, our_prune))


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def net(m: Any) -> Any:
    m.manual_seed(6)
    return m.nn.Sequential(m.nn.Conv2d(2, 3, 3), m.nn.ReLU(), m.nn.Flatten(), m.nn.Linear(12, 5))


def small_scores(m: Any) -> Any:
    return m.tensor(floats(5, 12, seed=3))


def keep_even(m: Any, p: Any) -> Any:
    class KeepEven(p.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t: Any, default_mask: Any) -> Any:
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    return KeepEven


METHODS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "identity": lambda m, p, n: p.identity(n[3], "weight"),
    "random_unstructured": lambda m, p, n: p.random_unstructured(n[3], "weight", 0.3),
    "random_unstructured, count": lambda m, p, n: p.random_unstructured(n[0], "bias", 2),
    "l1_unstructured": lambda m, p, n: p.l1_unstructured(n[3], "weight", 0.4),
    "l1_unstructured, scores": lambda m, p, n: p.l1_unstructured(
        n[3], "weight", 7, small_scores(m)
    ),
    "random_structured": lambda m, p, n: p.random_structured(n[3], "weight", 2, 0),
    "ln_structured": lambda m, p, n: p.ln_structured(n[0], "weight", 0.4, 2, 0),
    "ln_structured, inf": lambda m, p, n: p.ln_structured(n[3], "weight", 1, float("inf"), -1),
    "custom_from_mask": lambda m, p, n: p.custom_from_mask(
        n[3], "bias", m.tensor([1, 0, 1, 1, 0])
    ),
    "a method of one's own": lambda m, p, n: keep_even(m, p).apply(n[3], "weight"),
    "nothing": lambda m, p, n: p.random_structured(n[3], "weight", 0, 1),
    "a chain": lambda m, p, n: (
        p.l1_unstructured(n[3], "weight", 0.4),
        p.ln_structured(n[3], "weight", 2, 1, 0),
        p.random_unstructured(n[3], "weight", 0.5),
    ),
    "global": lambda m, p, n: p.global_unstructured(
        [(n[0], "weight"), (n[3], "weight"), (n[3], "bias")], p.L1Unstructured, amount=0.5
    ),
    "global, scores": lambda m, p, n: p.global_unstructured(
        ((n[0], "bias"), (n[3], "weight")), p.L1Unstructured, {(n[3], "weight"): small_scores(m)},
        amount=20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_masks_state_forward_gradients_and_removal(name: str):
    results = []
    for m, p in SIDES:
        model = net(m)
        METHODS[name](m, p, model)
        assert p.is_pruned(model)
        out = model(m.tensor(floats(2, 2, 4, 4)))
        (out * out).sum().backward()
        state = model.state_dict()
        grads = {k: v.grad for k, v in model.named_parameters()}
        hooks = [type(h).__name__ for layer in model for h in layer._forward_pre_hooks.values()]
        for layer in model:
            for key in ("weight", "bias"):
                if hasattr(layer, key + "_mask"):
                    p.remove(layer, key)
        assert not p.is_pruned(model)
        results.append((state, grads, out, hooks, model.state_dict()))
    theirs, ours = results
    assert ours[3] == theirs[3]
    np.testing.assert_allclose(array(ours[2]), array(theirs[2]), rtol=1e-4, atol=1e-5)
    for i in (0, 1, 4):
        assert list(ours[i]) == list(theirs[i])
        for key, value in theirs[i].items():
            np.testing.assert_allclose(
                array(ours[i][key]), array(value), rtol=1e-4, atol=1e-5, err_msg=key
            )
    assert any(key.endswith("_mask") for key in ours[0])


def test_a_tensor_can_be_pruned_without_a_module():
    for m, p in SIDES:
        t = m.tensor([3.0, -1.0, 2.0])
        assert p.L1Unstructured(1).prune(t).tolist() == [3.0, 0.0, 2.0]
        assert p.L1Unstructured(1).prune(t, importance_scores=-t + 5).tolist() == [0.0, -1.0, 2.0]


def test_a_failure_leaves_the_module_as_it_was():
    for m, p in SIDES:
        model = net(m)
        before = sorted(model.state_dict())
        with pytest.raises(ValueError):
            p.l1_unstructured(model[3], "weight", 1000)
        assert sorted(model.state_dict()) == before


def outcome(f: Callable[[], Any]) -> str:
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("jtorch", "torch")
    return "no error"


def bad_type(m: Any, p: Any) -> Any:
    method = keep_even(m, p)
    method.PRUNING_TYPE = "partial"
    return method


WRONG: list[Callable[[Any, Any], Any]] = [
    lambda m, p: p.l1_unstructured(net(m)[3], "weight", "many"),
    lambda m, p: p.l1_unstructured(net(m)[3], "weight", -1),
    lambda m, p: p.l1_unstructured(net(m)[3], "weight", 1.5),
    lambda m, p: p.l1_unstructured(net(m)[3], "weight", 0.5, m.zeros(2)),
    lambda m, p: p.L1Unstructured(1).prune(m.zeros(2), importance_scores=m.zeros(3)),
    lambda m, p: p.ln_structured(net(m)[3], "bias", 1, 2, 0),
    lambda m, p: p.ln_structured(net(m)[3], "weight", 1, 2, 3),
    lambda m, p: p.random_structured(net(m)[3], "weight", 100, 0),
    lambda m, p: p.custom_from_mask(net(m)[3], "weight", m.zeros(2)),
    lambda m, p: p.remove(net(m)[3], "weight"),
    lambda m, p: p.global_unstructured(3, p.L1Unstructured, amount=1),
    lambda m, p: p.global_unstructured([(net(m)[3], "bias")], p.L1Unstructured, [], amount=1),
    lambda m, p: p.global_unstructured([(net(m)[3], "bias")], p.LnStructured, amount=1, n=2),
    lambda m, p: p.PruningContainer().add_pruning_method(3),
    lambda m, p: bad_type(m, p).apply(p.identity(net(m)[3], "bias"), "bias"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any, Any], Any]):
    expected, found = (outcome(lambda side=side: wrong(*side)) for side in SIDES)
    assert expected != "no error"
    assert found == expected
