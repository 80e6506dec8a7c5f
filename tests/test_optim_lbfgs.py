"""L-BFGS against PyTorch, its line search and its memory; SparseAdam on sparse gradients."""

import numpy as np
import pytest
import torch

import jtorch
from jtorch._engine import stats
from jtorch.optim import _lbfgs_memory
from jtorch.optim._line_search import Point, cubic_minimum

OPTIONS = {
    "fixed steps": {"lr": 0.1},
    "full steps": {"lr": 1.0, "max_iter": 10},
    "line search": {"line_search_fn": "strong_wolfe"},
    "short history": {"lr": 0.5, "history_size": 3, "max_iter": 6},
    "search, short history": {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 5},
    "few evaluations": {"lr": 0.5, "max_eval": 3},
    "loose": {"lr": 0.5, "tolerance_grad": 1e-1},
    "loose change": {"lr": 0.5, "tolerance_change": 1e-2},
    "tensor lr": {"lr": "tensor"},
}


def minimise(lib, options, steps=5, unused=False, start=None):
    """Nonlinear least squares with a vector and a scalar, in float64."""
    rng = np.random.RandomState(0)
    a, y = lib.tensor(rng.standard_normal((30, 10))), lib.tensor(rng.standard_normal(30))
    w, b = (lib.zeros(s, dtype=lib.float64).requires_grad_() for s in ((10,), ()))
    if options.get("lr") == "tensor":
        options = {"lr": lib.tensor(0.3)}
    params = [w, b, lib.zeros(3, dtype=lib.float64).requires_grad_()] if unused else [w, b]
    opt = lib.optim.LBFGS(params, **options)
    losses = []

    def closure():
        opt.zero_grad()
        r = (a.matmul(w) + b).tanh() - y
        loss = (r * r).sum() + 0.01 * (w * w * (w * w)).sum()
        loss.backward()
        losses.append(float(loss.detach()))
        return loss.detach()

    for _ in range(steps):
        opt.step(closure)
    return w.detach().numpy(), losses, opt


@pytest.mark.parametrize("case", sorted(OPTIONS))
def test_same_path_as_torch(case):
    ours, theirs = minimise(jtorch, OPTIONS[case]), minimise(torch, OPTIONS[case])
    assert len(ours[1]) == len(theirs[1]), "evaluations of the closure"
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-8)
    state, expected = (o[2].state_dict()["state"][0] for o in (ours, theirs))
    assert state.keys() == expected.keys()
    for key in ("func_evals", "n_iter"):
        assert state[key] == expected[key]
    for key in ("old_dirs", "old_stps", "ro"):
        assert len(state.get(key) or ()) == len(expected.get(key) or ())


def test_a_parameter_that_the_loss_does_not_use():
    ours, theirs = (minimise(lib, {"lr": 0.3}, unused=True) for lib in (jtorch, torch))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)


def test_complex_parameters():
    def run(lib):
        w = lib.tensor([1.0 + 2j, -0.5j], dtype=lib.complex128).requires_grad_()
        opt = lib.optim.LBFGS([w], lr=0.5)

        def closure():
            opt.zero_grad()
            loss = ((w - (2 - 1j)).abs() ** 4).sum()
            loss.backward()
            return loss.detach()

        for _ in range(3):
            opt.step(closure)
        return w.detach().numpy()

    np.testing.assert_allclose(run(jtorch), run(torch), rtol=1e-6)


def test_a_longer_history_is_no_new_program():
    minimise(jtorch, {"lr": 0.2}, steps=1)
    stats.reset()
    _, losses, _ = minimise(jtorch, {"lr": 0.2}, steps=4)
    assert stats.counts["compiles"] <= 1
    assert len(losses) > 40


def test_large_histories_grow(monkeypatch):
    monkeypatch.setattr(_lbfgs_memory, "AT_ONCE", 0)
    monkeypatch.setattr(_lbfgs_memory, "FIRST_ROOM", 2)
    ours, theirs = (minimise(lib, {"lr": 0.3, "history_size": 5}) for lib in (jtorch, torch))
    assert ours[2]._memory.room == 5
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6)


def test_errors():
    p = jtorch.zeros(1).requires_grad_()
    opt = jtorch.optim.LBFGS([p], line_search_fn="golden")

    def closure():
        opt.zero_grad()
        loss = ((p - 1) ** 2).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        opt.step(closure)
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        jtorch.optim.LBFGS([p], lr=-1)


def test_cubic_minimum_of_a_parabola():
    f, slope = (lambda t: (t - 0.3) ** 2), (lambda t: 2 * (t - 0.3))
    a, b = (Point(t, f(t), None, slope(t)) for t in (0.0, 1.0))
    assert cubic_minimum(a, b) == pytest.approx(0.3)
    assert cubic_minimum(b, a) == pytest.approx(0.3)
    assert cubic_minimum(a, b, (0.5, 2.0)) == 0.5


# --- SparseAdam ------------------------------------


class Coo(jtorch.Tensor):
    """As much of a sparse tensor as an optimizer reads: indices and values, not yet added up."""

    is_sparse = property(lambda self: True)

    def _indices(self):
        return self.i

    def _values(self):
        return self.v


def coo(lib, shape, index, value):
    if lib is torch:
        i, v = torch.tensor(index), torch.tensor(value)
        return torch.sparse_coo_tensor(i, v, shape, check_invariants=False)
    sparse = jtorch.zeros(shape).as_subclass(Coo) if hasattr(jtorch.Tensor, "as_subclass") else None
    if sparse is None:
        from jtorch._gate import alias

        sparse = alias(jtorch.zeros(shape), Coo)
    sparse.i, sparse.v = jtorch.tensor(index), jtorch.tensor(value)
    return sparse


@pytest.mark.parametrize("maximize", [False, True])
def test_sparse_adam_moves_only_named_rows(maximize):
    def run(lib):
        rng = np.random.RandomState(0)
        shapes = [(5, 3), (4,), (2, 3, 2)]
        params = [lib.tensor(rng.standard_normal(s).astype("f")).requires_grad_() for s in shapes]
        opt = lib.optim.SparseAdam(params, lr=0.1, maximize=maximize)
        for i in range(4):
            for p, lead in zip(params, (1, 1, 2), strict=True):
                index = np.stack([rng.randint(0, n, 3) for n in tuple(p.shape)[:lead]])
                value = rng.standard_normal((3, *tuple(p.shape)[lead:])).astype("f")
                p.grad = coo(lib, tuple(p.shape), index, value) if i != 2 else None
            opt.step()
        states = [opt.state[p] for p in params]
        return [
            *(p.detach().numpy() for p in params),
            *(s[k].numpy() for s in states for k in ("exp_avg", "exp_avg_sq")),
            *(np.array(s["step"]) for s in states),
        ]

    for ours, theirs in zip(run(jtorch), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
