"""Transforms, constraints' bijections and KL pairs against PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from distribution_cases import CASES, make

import jtorch

TRANSFORMS = {
    "ExpTransform()": (3,),
    "AbsTransform()": (3,),
    "PowerTransform(2.0)": (3,),
    "SigmoidTransform()": (3,),
    "SoftplusTransform()": (3,),
    "TanhTransform()": (3,),
    "AffineTransform(1.0, -2.0)": (3,),
    "AffineTransform(1.0, 2.0, event_dim=1)": (2, 3),
    "AffineTransform(torch.tensor([1., 2.]), torch.tensor([0.5, -1.]))": (2,),
    "ComposeTransform([ExpTransform(), AffineTransform(1.0, 2.0)])": (3,),
    "IndependentTransform(ExpTransform(), 1)": (2, 3),
    "ReshapeTransform((6,), (2, 3))": (4, 6),
    "SoftmaxTransform()": (2, 3),
    "StickBreakingTransform()": (2, 3),
    "CorrCholeskyTransform()": (2, 3),
    "LowerCholeskyTransform()": (2, 3, 3),
    "PositiveDefiniteTransform()": (3, 3),
    "CatTransform([ExpTransform(), AffineTransform(0.0, 2.0)], 1, [1, 2])": (2, 3),
    "StackTransform([ExpTransform(), TanhTransform()], 1)": (3, 2),
    "CumulativeDistributionTransform(Normal(0.0, 1.0))": (3,),
    "ComposeTransform([StickBreakingTransform(), AffineTransform(0.0, 3.0, 1)])": (2, 3),
}


def close(mine, theirs, tolerance: float = 1e-8) -> None:
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=tolerance, atol=tolerance)


def build(library, text: str):
    return eval(text, {**vars(library.distributions), "torch": library})


@pytest.mark.parametrize("text", TRANSFORMS)
def test_transform(text):
    x = np.random.default_rng(0).uniform(0.1, 0.9, TRANSFORMS[text])
    results = {}
    for library in (jtorch, torch):
        f, t = build(library, text), library.tensor(x)
        y = f(t)
        results[library] = [y, f.inv(y)]
        try:
            results[library].append(f.log_abs_det_jacobian(t, y))
            results[library].append(f.inv.log_abs_det_jacobian(y, t))
        except NotImplementedError:
            pass
        assert f.inv.inv is f
        results[library].append(tuple(f.forward_shape(t.shape)) + tuple(f.inverse_shape(y.shape)))
        results[library].append((f.domain.event_dim, f.codomain.event_dim, bool(f.bijective)))
    assert len(results[jtorch]) == len(results[torch])
    for mine, theirs in zip(results[jtorch], results[torch], strict=True):
        if isinstance(theirs, tuple):
            assert mine == theirs
        else:
            close(mine, theirs)


def test_a_cache_gives_back_what_went_in():
    f = jtorch.distributions.TanhTransform(cache_size=1)
    x = jtorch.tensor([20.0])
    assert f.inv(f(x)) is x
    assert f.with_cache(1) is f and f.with_cache(0) is not f


def test_equality():
    D = jtorch.distributions
    assert D.ExpTransform() == D.ExpTransform() and D.ExpTransform() != D.TanhTransform()
    assert D.AffineTransform(1, 2) == D.AffineTransform(1, 2) != D.AffineTransform(1, 3)
    assert D.PowerTransform(2.0) == D.PowerTransform(2.0)
    assert D.ComposeTransform([D.ExpTransform()]) == D.ComposeTransform([D.ExpTransform()])


CONSTRAINTS = [
    "real", "positive", "nonnegative", "greater_than(2.0)", "greater_than_eq(2.0)",
    "less_than(2.0)", "interval(1.0, 3.0)", "half_open_interval(1.0, 3.0)", "unit_interval",
    "simplex", "corr_cholesky", "real_vector", "independent(positive, 1)", "lower_cholesky",
    "positive_definite", "cat([positive, real], 0, [1, 2])", "stack([positive, real, real], 0)",
]  # fmt: skip


@pytest.mark.parametrize("text", CONSTRAINTS)
def test_constraints_map_from_all_numbers(text):
    shape = (3, 3) if text in ("lower_cholesky", "positive_definite") else (3,)
    x = np.random.default_rng(1).normal(size=shape)
    for registry in ("biject_to", "transform_to"):
        results = []
        for library in (jtorch, torch):
            constraint = eval(text, vars(library.distributions.constraints))
            try:
                f = getattr(library.distributions, registry)(constraint)
                results.append(f(library.tensor(x)))
                assert bool(constraint.check(results[-1]).all())
            except NotImplementedError:
                results.append(None)
        assert (results[0] is None) == (results[1] is None)
        if results[1] is not None:
            close(*results)


CHECKS = {
    "boolean": [0.0, 1.0, 0.5], "one_hot": [0.0, 1.0, 0.0], "nonnegative_integer": [0.0, -1.0, 1.5],
    "positive_integer": [0.0, 1.0, 2.0], "integer_interval(0, 3)": [3.0, 4.0, 1.5],
    "simplex": [0.2, 0.3, 0.5], "multinomial(3)": [1.0, 2.0, 0.0], "real": [1.0, float("nan"), 2.0],
    "lower_triangular": [[1.0, 0.0], [2.0, 1.0]], "lower_cholesky": [[1.0, 0.0], [2.0, -1.0]],
    "positive_definite": [[1.0, 2.0], [2.0, 1.0]], "less_than(1.0)": [0.0, 1.0, 2.0],
    "positive_semidefinite": [[1.0, 1.0], [1.0, 1.0]],
    "symmetric": [[1.0, 2.0], [2.0, 1.0]], "square": [[1.0, 2.0]],
    "half_open_interval(0.0, 1.0)": [0.0, 1.0, 0.5],
}  # fmt: skip


@pytest.mark.parametrize("text", CHECKS)
def test_constraint_checks(text):
    mine, theirs = (
        eval(text, vars(library.distributions.constraints)).check(library.tensor(CHECKS[text]))
        for library in (jtorch, torch)
    )
    assert mine.tolist() == theirs.tolist()


def _kl_pairs():
    rules = torch.distributions.kl._KL_REGISTRY
    for p, q in itertools.product(sorted(CASES), repeat=2):
        a, b = type(make(torch, p)[0]), type(make(torch, q)[0])
        if (a, b) in rules and " " not in p + q:
            yield p, q


def test_all_kl_pairs():
    pairs = list(_kl_pairs())
    assert len(pairs) > 60
    wrong = []
    for p, q in pairs:
        try:
            theirs = torch.distributions.kl_divergence(make(torch, p)[0], make(torch, q)[0])
        except NotImplementedError:
            continue
        mine = jtorch.distributions.kl_divergence(make(jtorch, p)[0], make(jtorch, q)[0])
        if not np.allclose(mine.numpy(), theirs.numpy(), rtol=1e-7, atol=1e-9, equal_nan=True):
            wrong.append((p, q, mine.tolist(), theirs.tolist()))
    assert not wrong


def test_every_registered_pair_is_registered_here():
    def names(registry):
        return {(p.__name__, q.__name__) for p, q in registry}

    theirs = names(torch.distributions.kl._KL_REGISTRY)
    assert names(jtorch.distributions.kl._RULES) == theirs


def test_the_nearest_rule_is_taken():
    D = jtorch.distributions

    class Mine(D.Normal):
        pass

    p = Mine(jtorch.zeros(2), jtorch.ones(2))
    assert D.kl_divergence(p, D.Normal(1.0, 1.0)).tolist() == [0.5, 0.5]

    @D.register_kl(Mine, D.Normal)
    def _(p, q):
        return "mine"

    assert D.kl_divergence(p, D.Normal(1.0, 1.0)) == "mine"
