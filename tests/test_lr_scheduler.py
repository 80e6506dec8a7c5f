"""Learning rate schedulers against PyTorch: values, state dicts, warnings, errors, tensor rates."""

import pickle
import warnings

import pytest
import torch

import jtorch

STEPS = 14
CASES = {
    "lambda": lambda S, o: S.LambdaLR(o, lambda e: 0.9**e),
    "lambdas": lambda S, o: S.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: 0.5**e]),
    "multiplicative": lambda S, o: S.MultiplicativeLR(o, lambda e: 0.8),
    "step": lambda S, o: S.StepLR(o, 3, gamma=0.5),
    "milestones": lambda S, o: S.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "constant": lambda S, o: S.ConstantLR(o, factor=0.25, total_iters=7),
    "linear": lambda S, o: S.LinearLR(o, start_factor=0.1, end_factor=0.9, total_iters=8),
    "exponential": lambda S, o: S.ExponentialLR(o, 0.9),
    "polynomial": lambda S, o: S.PolynomialLR(o, total_iters=8, power=2.0),
    "cosine": lambda S, o: S.CosineAnnealingLR(o, 5, eta_min=0.001),
    "restarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 3),
    "longer restarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 2, T_mult=2, eta_min=1e-4),
    "triangular": lambda S, o: S.CyclicLR(o, 0.01, 0.1, step_size_up=3),
    "triangular2": lambda S, o: S.CyclicLR(o, 0.01, 0.1, 2, 4, mode="triangular2"),
    "exp_range": lambda S, o: S.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.95),
    "own cycle": lambda S, o: S.CyclicLR(
        o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x, cycle_momentum=False
    ),
    "one cycle": lambda S, o: S.OneCycleLR(o, 0.1, total_steps=20),
    "linear cycle": lambda S, o: S.OneCycleLR(
        o, 0.1, epochs=4, steps_per_epoch=5, anneal_strategy="linear"
    ),
    "three phases": lambda S, o: S.OneCycleLR(o, [0.1, 0.2], total_steps=14, three_phase=True),
    "chained": lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)]),
    "sequential": lambda S, o: S.SequentialLR(
        o, [S.LinearLR(o, 0.1, total_iters=4), S.ExponentialLR(o, 0.9)], [4]
    ),
    "three in sequence": lambda S, o: S.SequentialLR(
        o, [S.ConstantLR(o, 0.1, 2), S.StepLR(o, 2), S.CosineAnnealingLR(o, 5)], [2, 7]
    ),
    "swa": lambda S, o: S.SWALR(o, swa_lr=0.05, anneal_epochs=5),
    "linear swa": lambda S, o: S.SWALR(o, 0.01, anneal_epochs=4, anneal_strategy="linear"),
    "swa at once": lambda S, o: S.SWALR(o, 0.01, anneal_epochs=0),
}
PLATEAUS = {
    "default": {"patience": 2},
    "max abs": {"mode": "max", "factor": 0.5, "patience": 1, "threshold": 0.05}
    | {"threshold_mode": "abs", "cooldown": 1},
    "bounds": {"patience": 0, "min_lr": [0.003, 0.01]},
    "max rel": {"mode": "max", "patience": 0, "eps": 1e-3},
}
METRICS = [1.0, 0.9, 0.9, 0.9, 0.95, 0.5, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.4, 0.4]


class Names:
    """All schedulers of a library, those for weight averaging too."""

    def __init__(self, lib):
        self.lib = lib

    def __getattr__(self, name):
        optim = self.lib.optim
        return getattr(optim.swa_utils if name == "SWALR" else optim.lr_scheduler, name)


def optimizer(lib, name="SGD", lr=0.05, **options):
    params = [lib.ones(2).requires_grad_() for _ in range(2)]
    if name == "SGD":
        options = {"momentum": 0.9} | options
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": lr * 0.4}]
    return getattr(lib.optim, name)(groups, lr=lr, **options)


def row(opt, scheduler):
    """Everything a scheduler decides, as numbers."""
    rates = [float(g["lr"]) for g in opt.param_groups]
    momenta = [g["betas"][0] if "betas" in g else g["momentum"] for g in opt.param_groups]
    return rates + momenta + [float(lr) for lr in scheduler.get_last_lr()]


def table(lib, build, reload_at=None, metrics=None, name="SGD"):
    opt = optimizer(lib, name)
    scheduler = build(Names(lib), opt)
    rows = [row(opt, scheduler)]
    for i in range(STEPS):
        if i == reload_at:
            saved = scheduler.state_dict(), opt.state_dict()
            opt = optimizer(lib, name)
            scheduler = build(Names(lib), opt)
            opt.load_state_dict(saved[1])
            scheduler.load_state_dict(saved[0])
        opt.step()
        scheduler.step(*([] if metrics is None else [metrics[i]]))
        rows.append(row(opt, scheduler))
    return rows


def check(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-15), f"step {i}"


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("reload_at", [None, 6])
def test_values(case, reload_at):
    theirs = table(torch, CASES[case], reload_at)
    check(table(jtorch, CASES[case], reload_at), theirs)
    if case != "swa at once":  # it changes the rate before the first row
        assert len({tuple(r) for r in theirs}) > 1, "something changes"


@pytest.mark.parametrize("case", ["triangular", "one cycle", "cosine"])
def test_beta1_is_cycled_where_there_is_no_momentum(case):
    check(*(table(lib, CASES[case], name="Adam") for lib in (jtorch, torch)))


@pytest.mark.parametrize("case", sorted(PLATEAUS))
@pytest.mark.parametrize("reload_at", [None, 6])
def test_plateaus(case, reload_at):
    def build(S, o):
        return S.ReduceLROnPlateau(o, **PLATEAUS[case])

    check(*(table(lib, build, reload_at, METRICS) for lib in (jtorch, torch)))


def test_a_metric_may_be_a_tensor():
    opt = optimizer(jtorch)
    scheduler = jtorch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0)
    for value in (1.0, 2.0):
        scheduler.step(jtorch.tensor(value))
    assert scheduler.get_last_lr() == pytest.approx([0.005, 0.002])


PLAIN = sorted(set(CASES) - {"lambda", "lambdas", "multiplicative", "own cycle"})


@pytest.mark.parametrize("case", PLAIN)
def test_state_dicts_go_to_torch_and_back(case):
    def after(lib, steps):
        opt = optimizer(lib)
        scheduler = CASES[case](Names(lib), opt)
        for _ in range(steps):
            opt.step()
            scheduler.step()
        return opt, scheduler

    for source, target in ((jtorch, torch), (torch, jtorch)):
        opt, scheduler = after(source, 5)
        state = pickle.loads(pickle.dumps(scheduler.state_dict()))
        options = [{k: v for k, v in g.items() if k != "params"} for g in opt.param_groups]
        opt, scheduler = after(target, 0)
        scheduler.load_state_dict(state)
        for group, saved in zip(opt.param_groups, options, strict=True):
            group.update(saved)
        opt.step()
        scheduler.step()
        expected_opt, expected = after(torch, 6)
        assert row(opt, scheduler) == pytest.approx(row(expected_opt, expected), rel=1e-12)
        assert scheduler.state_dict().keys() == expected.state_dict().keys()


def test_callable_objects_are_saved():
    class Decay:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, epoch):
            return self.rate**epoch

    for name in ("LambdaLR", "MultiplicativeLR"):
        cls = getattr(jtorch.optim.lr_scheduler, name)
        state = cls(optimizer(jtorch), Decay(0.5)).state_dict()
        other = cls(optimizer(jtorch), Decay(0.9))
        other.load_state_dict(state)
        assert other.lr_lambdas[0].rate == 0.5
        assert "lr_lambdas" in state, "the caller's dict is left as it was"


# --- jumps, resuming, tensor rates ------------------------------------


CLOSED = [
    "lambda",
    "step",
    "milestones",
    "constant",
    "linear",
    "exponential",
    "polynomial",
    "cosine",
]


@pytest.mark.parametrize("case", CLOSED)
def test_deprecated_epochs_jump_by_the_closed_form(case):
    def run(lib):
        opt = optimizer(lib)
        scheduler = CASES[case](Names(lib), opt)
        opt.step()
        rows = []
        for epoch in (3, 1, 9, 20):
            with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step"):
                scheduler.step(epoch)
            rows.append(row(opt, scheduler))
        return rows

    check(run(jtorch), run(torch))


@pytest.mark.parametrize("mult", [1, 2])
def test_restarts_at_fractional_epochs(mult):
    def run(lib):
        opt = optimizer(lib)
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 3, T_mult=mult)
        rows = []
        for epoch in (0.5, 2.9, 3.0, 7.25, 1.0, 30):
            scheduler.step(epoch)
            rows.append(row(opt, scheduler))
        scheduler.step()
        with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
            scheduler.step(-1)
        return [*rows, row(opt, scheduler)]

    check(run(jtorch), run(torch))


@pytest.mark.parametrize("case", ["step", "exponential", "linear", "cosine", "polynomial"])
def test_resuming_at_an_epoch(case):
    classes = {
        "step": ("StepLR", (3,)),
        "exponential": ("ExponentialLR", (0.9,)),
        "linear": ("LinearLR", (0.1, 0.9, 8)),
        "cosine": ("CosineAnnealingLR", (5,)),
        "polynomial": ("PolynomialLR", (8,)),
    }
    name, args = classes[case]

    def run(lib):
        opt = optimizer(lib)
        for group in opt.param_groups:
            group["initial_lr"] = group["lr"] * 2
        scheduler = getattr(lib.optim.lr_scheduler, name)(opt, *args, last_epoch=3)
        rows = [row(opt, scheduler)]
        for _ in range(5):
            opt.step()
            scheduler.step()
            rows.append(row(opt, scheduler))
        return rows

    check(run(jtorch), run(torch))


def test_tensor_rates_are_written_in_place_and_never_shared():
    def run(lib):
        p = lib.ones(2).requires_grad_()
        lr = lib.tensor(0.5)
        opt = lib.optim.SGD([p], lr=lr)
        scheduler = lib.optim.lr_scheduler.ExponentialLR(opt, 0.5)
        opt.step()
        scheduler.step()
        assert opt.param_groups[0]["lr"] is lr
        last = scheduler.get_last_lr()[0]
        last.fill_(7.0)
        return float(lr), float(scheduler.base_lrs[0])

    assert run(jtorch) == run(torch) == (0.25, 0.5)


# --- warnings and errors ------------------------------------


def warned(lib, f):
    """Category and text of the warnings that `f` gives."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        f(lib)
    return [(w.category, str(w.message)) for w in seen]


def before_the_optimizer(lib):
    scheduler = lib.optim.lr_scheduler.StepLR(optimizer(lib), 3)
    scheduler.step()


def overridden_step(lib):
    opt = optimizer(lib)
    scheduler = lib.optim.lr_scheduler.StepLR(opt, 3)
    opt.step = lambda: None
    opt.step()
    scheduler.step()


def get_lr_outside_step(lib):
    lib.optim.lr_scheduler.StepLR(optimizer(lib), 3).get_lr()


@pytest.mark.parametrize("f", [before_the_optimizer, overridden_step, get_lr_outside_step])
def test_warnings_are_torchs(f):
    ours, theirs = warned(jtorch, f), warned(torch, f)
    assert ours == theirs
    assert len(theirs) == 1


BAD = {
    "no optimizer": lambda S, o: S.StepLR(3, 1),
    "plateau optimizer": lambda S, o: S.ReduceLROnPlateau(3),
    "resume": lambda S, o: S.StepLR(o, 1, last_epoch=4),
    "lambda count": lambda S, o: S.LambdaLR(o, [abs]),
    "lambda type": lambda S, o: S.MultiplicativeLR(o, [abs, 3]),
    "constant factor": lambda S, o: S.ConstantLR(o, factor=2.0),
    "start factor": lambda S, o: S.LinearLR(o, start_factor=0.0),
    "end factor": lambda S, o: S.LinearLR(o, end_factor=1.5),
    "T_0": lambda S, o: S.CosineAnnealingWarmRestarts(o, 0),
    "T_mult": lambda S, o: S.CosineAnnealingWarmRestarts(o, 1, T_mult=0),
    "eta_min": lambda S, o: S.CosineAnnealingWarmRestarts(o, 1, eta_min="0"),
    "plateau factor": lambda S, o: S.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda S, o: S.ReduceLROnPlateau(o, mode="mean"),
    "plateau threshold": lambda S, o: S.ReduceLROnPlateau(o, threshold_mode="log"),
    "plateau min_lr": lambda S, o: S.ReduceLROnPlateau(o, min_lr=[0.1]),
    "cycle mode": lambda S, o: S.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cycle count": lambda S, o: S.CyclicLR(o, [0.1], 0.2),
    "total steps": lambda S, o: S.OneCycleLR(o, 0.1),
    "bad total": lambda S, o: S.OneCycleLR(o, 0.1, total_steps=-1),
    "bad epochs": lambda S, o: S.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=1),
    "bad epoch length": lambda S, o: S.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=0),
    "pct_start": lambda S, o: S.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    "anneal": lambda S, o: S.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="x"),
    "swa anneal": lambda S, o: S.SWALR(o, 0.1, anneal_strategy="x"),
    "swa epochs": lambda S, o: S.SWALR(o, 0.1, anneal_epochs=-1),
    "empty sequence": lambda S, o: S.SequentialLR(o, [], []),
    "milestones": lambda S, o: S.SequentialLR(o, [S.StepLR(o, 1)], [1]),
    "plateau in sequence": lambda S, o: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []),
    "empty chain": lambda S, o: S.ChainedScheduler([]),
    "plateau in chain": lambda S, o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_errors_are_torchs(case):
    def error(lib):
        with pytest.raises(Exception) as info:  # the type is what is compared
            BAD[case](Names(lib), optimizer(lib))
        return info.type, str(info.value)

    assert error(jtorch) == error(torch)


def test_no_cycle_of_momentum_without_one():
    def error(lib):
        with pytest.raises(ValueError, match="must support momentum or beta1") as info:
            lib.optim.lr_scheduler.CyclicLR(
                lib.optim.Adagrad([lib.ones(1).requires_grad_()]), 0.1, 0.2
            )
        return str(info.value)

    assert error(jtorch) == error(torch)


def test_stepping_past_the_end_of_one_cycle():
    def error(lib):
        opt = optimizer(lib)
        scheduler = lib.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=3)
        with pytest.raises(ValueError, match="Tried to step") as info:
            for _ in range(6):
                opt.step()
                scheduler.step()
        return str(info.value)

    assert error(jtorch) == error(torch)


def test_names():
    ours, theirs = jtorch.optim.lr_scheduler, torch.optim.lr_scheduler
    assert set(ours.__all__) == set(theirs.__all__)
    assert set(theirs.__all__) <= set(dir(ours))
