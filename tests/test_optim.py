"""Optimizer rules: every option against PyTorch for 100 steps, one op and one program per step."""

import numpy as np
import optax
import pytest
import torch

import jtorch
from jtorch._engine import executor, recorder, stats
from jtorch._engine.signature import TABLE

CASES = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.9, "dampening": 0.3, "maximize": True},
    ],
    "Adam": [
        {},
        {"weight_decay": 0.1},
        {"amsgrad": True, "weight_decay": 0.1, "maximize": True},
        {"betas": (0.3, 0.5), "eps": 1e-3},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True, "maximize": True}],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": [
        {"momentum_decay": 6e-3},
        {"weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "RAdam": [
        {"weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "Adagrad": [
        {"weight_decay": 0.1},
        {"lr_decay": 0.1, "initial_accumulator_value": 0.1, "maximize": True},
    ],
    "Adadelta": [{"weight_decay": 0.1}, {"rho": 0.95, "maximize": True}],
    "RMSprop": [
        {"weight_decay": 0.1},
        {"momentum": 0.9, "maximize": True},
        {"centered": True, "momentum": 0.1},
    ],
    "Rprop": [{}, {"etas": (0.3, 1.1), "step_sizes": (1e-3, 0.1), "maximize": True}],
    "ASGD": [{"lambd": 0.1, "maximize": True}, {"t0": 10, "weight_decay": 0.1}],
    "Adafactor": [
        {"weight_decay": 0.1},
        {"eps": (1e-5, 1e-2), "d": 1.5, "beta2_decay": -0.5, "maximize": True},
    ],
    "Muon": [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}],
}
CONFIGS = [(name, options) for name, cases in CASES.items() for options in cases]
SHAPES = [(4, 5), (1, 5), (2, 3, 2), (7,)]


def draw(rng, shape, dtype):
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype == "complex64" else a).astype(dtype)


def follow(lib, name, options, dtype, steps=100, shapes=SHAPES):
    """Parameters before and after steps with drawn gradients that also pull towards zero."""
    rng = np.random.RandomState(5)
    params = [lib.tensor(draw(rng, s, dtype)).requires_grad_() for s in shapes]
    start = [p.detach().numpy().copy() for p in params]
    opt = getattr(lib.optim, name)(params, **options)
    lr = opt.param_groups[0]["lr"]
    for i in range(steps):
        opt.param_groups[0]["lr"] = lr * 0.99**i
        for p in params:
            pull = p.detach().numpy() * np.array(0.3, dtype)
            p.grad = lib.tensor(draw(rng, tuple(p.shape), dtype) + pull)
        opt.step()
    return start, [p.detach().numpy() for p in params], opt


def distance(ours, theirs):
    """Largest difference relative to the largest parameter of its tensor."""
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize(("name", "options"), CONFIGS)
def test_100_steps(name, options, dtype, tolerance):
    shapes = [(4, 5), (1, 5), (5, 2)] if name == "Muon" else SHAPES
    if name == "Muon":
        tolerance = 2e-4  # its Newton-Schulz iteration rounds to bfloat16: a step is 1e-3 to 3e-2
    start, theirs, _ = follow(torch, name, options, dtype, shapes=shapes)
    _, ours, _ = follow(jtorch, name, options, dtype, shapes=shapes)
    assert distance(ours, theirs) < tolerance
    assert distance(start, theirs) > 1e-3, "the parameters moved"


@pytest.mark.parametrize("name", sorted(set(CASES) - {"Adafactor", "Muon"}))
def test_complex_parameters_are_pairs(name):
    _, theirs, _ = follow(torch, name, CASES[name][0], "complex64", 20)
    _, ours, _ = follow(jtorch, name, CASES[name][0], "complex64", 20)
    assert distance(ours, theirs) < 1e-6


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_halves_are_no_further_from_float32_than_torch(name):
    def run(lib, dtype):
        params = [lib.tensor([0.5, -1.0, 2.0, 0.1]).to(dtype).requires_grad_()]
        opt = getattr(lib.optim, name)(params, lr=0.01)
        for i in range(20):
            params[0].grad = lib.tensor([0.3, -0.2, 0.7, (-1.0) ** i]).to(dtype)
            opt.step()
        assert params[0].dtype == dtype
        return params[0].detach().float().numpy()

    exact = run(torch, torch.float32)
    theirs, ours = run(torch, torch.bfloat16), run(jtorch, jtorch.bfloat16)
    assert np.abs(ours - exact).max() <= np.abs(theirs - exact).max() * 1.01


# --- one op, one program ------------------------------------


def network(layers=3, width=4):
    """Parameters, and a loss of them."""
    rng = np.random.RandomState(0)
    params = [
        jtorch.tensor(draw(rng, (width, width), "float32")).requires_grad_() for _ in range(layers)
    ]
    x = jtorch.tensor(draw(rng, (2, width), "float32"))

    def loss():
        h = x
        for p in params:
            h = h.matmul(p).tanh()
        return (h * h).mean()

    return params, loss


CHANGES = {
    "SGD": {"lr": 0.3, "momentum": 0.5},
    "Adam": {"lr": 0.3, "betas": (0.8, 0.99), "eps": 1e-6},
    "AdamW": {"lr": 0.3, "weight_decay": 0.2},
    "RMSprop": {"lr": 0.3, "alpha": 0.9},
    "Rprop": {"etas": (0.4, 1.3)},
    "ASGD": {"lr": 0.3, "lambd": 1e-3},
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_compile_after_the_first_step_whatever_changes(name):
    options = {"SGD": {"momentum": 0.9, "dampening": 0.1}}.get(name, {})
    params, loss = network()
    opt = getattr(jtorch.optim, name)(params, **options)

    def step():
        opt.zero_grad()
        loss().backward()
        opt.step()

    stats.reset()
    step()
    assert stats.counts["compiles"] <= 1
    stats.reset()
    for _ in range(6):
        step()
    opt.param_groups[0].update(CHANGES.get(name, {"lr": 0.3}))
    step()
    assert stats.counts["compiles"] == 0
    assert stats.counts["runs"] == 7, "forward, backward and update are one program"


def recorded_by(opt, monkeypatch):
    """Names of the instructions that `opt.step()` records; they are not run."""
    place = opt.param_groups[0]["params"][0]._value.aval.place
    before = len(recorder.pending(place).ids())
    with monkeypatch.context() as patch:
        patch.setattr(recorder, "flush", lambda reason: None)
        opt.step()
    return [TABLE[i].name for i in recorder.pending(place).ids()[before:]]


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("layers", [2, 7])
def test_one_instruction_per_group(name, layers, monkeypatch):
    params, loss = network(layers)
    opt = getattr(jtorch.optim, name)(params)
    loss().backward()
    assert len(recorded_by(opt, monkeypatch)) == 1
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.5}]
    opt = getattr(jtorch.optim, name)(groups)
    assert len(recorded_by(opt, monkeypatch)) == 2


def test_old_parameters_and_state_are_overwritten_without_copies():
    params, loss = network(4, 64)
    opt = jtorch.optim.AdamW(params)
    for _ in range(2):
        opt.zero_grad()
        loss().backward()
        opt.step()
    entry = executor.entries()[-1]
    donated = entry.key[3]
    assert len(donated) == 3 * len(params), "parameters and both moments"
    text = executor.hlo(entry)
    copies = [line for line in text[text.index("ENTRY") :].splitlines() if " copy(" in line]
    # What jax.jit needs too: weights that the backward still reads when their update is due.
    assert len(copies) < len(params)


def test_set_gradients_to_zero_is_one_instruction():
    params, loss = network(5)
    opt = jtorch.optim.SGD(params)
    loss().backward()
    place = params[0]._value.aval.place
    before = len(recorder.pending(place).ids())
    opt.zero_grad(set_to_none=False)
    assert len(recorder.pending(place).ids()) == before + 1
    assert all((p.grad.numpy() == 0).all() for p in params)


# --- tensor options, differentiable steps, special parameters ------------------------------------


@pytest.mark.parametrize("name", sorted(set(CASES) - {"Muon"}))
def test_a_tensor_learning_rate_is_read_in_the_program(name):
    def run(lib):
        p = lib.tensor([[0.5, -1.0], [2.0, 0.1]]).requires_grad_()
        lr = lib.tensor(0.1)
        opt = getattr(lib.optim, name)([p], lr=lr)
        for i in range(3):
            p.grad = lib.tensor([[0.3, -0.2], [0.7, 1.0]])
            opt.step()
            lr.fill_(0.1 / (i + 1))
        return p.detach().numpy()

    np.testing.assert_allclose(run(jtorch), run(torch), rtol=1e-6, atol=1e-6)


def test_a_tensor_learning_rate_costs_no_sync():
    params, loss = network()
    lr = jtorch.tensor(0.1)
    opt = jtorch.optim.Adam(params, lr=lr)
    for i in range(3):
        if i == 1:
            stats.reset()
        opt.zero_grad()
        loss().backward()
        opt.step()
        lr.mul_(0.9)
    assert stats.counts["flush"] == stats.counts["flush:optimizer.step"] == 2


# PyTorch's differentiable Adam computes its bias corrections in float32; its Adamax fails in
# backward (its own step overwrites what the gradient needs).
DIFFERENTIABLE = {
    "SGD": (True, 1e-10), "Adam": (True, 2e-5), "AdamW": (True, 2e-5), "RMSprop": (False, 1e-10),
    "Adagrad": (False, 1e-10),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DIFFERENTIABLE))
def test_differentiable_steps(name):
    """Gradients flow through steps to the start and, where torch can, to the learning rate."""
    with_lr, tolerance = DIFFERENTIABLE[name]

    def run(lib):
        w = lib.tensor([0.5, -1.0, 2.0], dtype=lib.float64).requires_grad_()
        lr = lib.tensor(0.1, dtype=lib.float64).requires_grad_() if with_lr else 0.1
        p = w.clone()
        opt = getattr(lib.optim, name)([p], lr=lr, differentiable=True, weight_decay=0.1)
        for i in range(3):
            p.grad = (p.detach() * (i + 1)).clone()
            opt.step()
        (p * p).sum().backward()
        return [p.detach().numpy(), w.grad.numpy(), *([lr.grad.numpy()] if with_lr else [])]

    for ours, theirs in zip(run(jtorch), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=1e-12)


def test_parameters_without_gradient_rest():
    def run(lib):
        a, b = (lib.tensor([1.0, 2.0]).requires_grad_() for _ in range(2))
        opt = lib.optim.Adam([a, b], lr=0.1)
        for i in range(5):
            a.grad = lib.tensor([0.5, 0.1])
            b.grad = lib.tensor([0.2, 0.3]) if i % 2 else None
            opt.step()
        return a.detach().numpy(), b.detach().numpy(), [float(opt.state[p]["step"]) for p in (a, b)]

    ours, theirs = run(jtorch), run(torch)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6)
    assert ours[2] == theirs[2] == [5.0, 2.0]


def test_one_group_of_several_dtypes():
    def run(lib):
        ps = [lib.tensor([1.0, 2.0], dtype=d).requires_grad_() for d in (lib.float32, lib.float64)]
        opt = lib.optim.AdamW(ps, lr=0.1)
        for _ in range(3):
            for p in ps:
                p.grad = p.detach() * 0.5
            opt.step()
        return [p.detach().numpy() for p in ps]

    for ours, theirs in zip(run(jtorch), run(torch), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_parameter_listed_twice_takes_two_steps():
    def run(lib):
        p = lib.tensor([1.0, 2.0]).requires_grad_()
        with pytest.warns(UserWarning, match="duplicate parameters"):
            opt = lib.optim.SGD([p, p], lr=0.1, momentum=0.9)
        p.grad = lib.tensor([1.0, 1.0])
        opt.step()
        opt.step()
        return p.detach().numpy()

    np.testing.assert_allclose(run(jtorch), run(torch), rtol=1e-6, atol=1e-6)


def test_a_parameter_that_is_a_view_of_a_buffer():
    buffer = jtorch.zeros(4)
    p = buffer[1:3].detach().requires_grad_()
    opt = jtorch.optim.SGD([p], lr=1.0)
    p.grad = jtorch.tensor([1.0, 2.0])
    opt.step()
    np.testing.assert_array_equal(buffer.numpy(), [0, -1, -2, 0])


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_functional_forms_write_into_their_lists(name):
    def run(lib):
        module = __import__(f"{lib.__name__}.optim.{name}", fromlist=[name])
        p, g = lib.tensor([1.0, 2.0]), lib.tensor([0.5, -0.5])
        zeros = [lib.zeros(2) for _ in range(2)]
        step = lib.tensor(0.0)
        with lib.no_grad():
            if name == "adam":
                options = {"amsgrad": False, "beta1": 0.9, "beta2": 0.99, "lr": 0.1, "eps": 1e-8}
                options |= {"weight_decay": 0.1, "maximize": False}
                module.adam([p], [g], [zeros[0]], [zeros[1]], [], [step], **options)
            elif name == "sgd":
                options = {"weight_decay": 0.1, "momentum": 0.9, "lr": 0.1, "dampening": 0.5}
                module.sgd([p], [g], [None], nesterov=False, maximize=False, **options)
            else:
                options = {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0}
                options |= {"momentum": 0.0, "centered": False}
                module.rmsprop([p], [g], [zeros[0]], [], [], [step], **options)
        return p.numpy(), zeros[0].numpy(), step.numpy()

    for ours, theirs in zip(run(jtorch), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_rule_is_an_optax_transformation_of_its_own():
    """In optax's hands, outside the engine, a rule does what the optimizer does."""
    from jtorch.optim._rules import ADAM

    flags = {"amsgrad": False, "maximize": False, "decay": "decoupled"}
    params = {"w": np.array([1.0, -2.0], np.float32)}
    state = ADAM.build(*ADAM.numbers((1.0,), 0.1, 0.9, 0.999, 1e-8, 0.1, **flags), **flags).init(
        params
    )
    p = jtorch.tensor(params["w"]).requires_grad_()
    opt = jtorch.optim.AdamW([p], lr=0.1, weight_decay=0.1)
    for step in (1.0, 2.0, 3.0):
        numbers = ADAM.numbers((step,), 0.1, 0.9, 0.999, 1e-8, 0.1, **flags)
        tx = ADAM.build(*(np.float32(n) for n in numbers), **flags)
        grads = {"w": np.array([0.3, 0.7], np.float32)}
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        p.grad = jtorch.tensor(grads["w"])
        opt.step()
    np.testing.assert_allclose(p.detach().numpy(), params["w"], rtol=1e-6)
