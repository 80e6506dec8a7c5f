"""Optimizers as objects: state dicts to PyTorch and back, groups, hooks, copies, errors."""

import copy
import importlib
import io
import pickle

import numpy as np
import optax
import pytest
import torch

import jtorch
from jtorch._engine import stats

OPTIONS = {
    "SGD": {"momentum": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "Adagrad": {},
    "Adadelta": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Rprop": {},
    "ASGD": {},
    "Adafactor": {},
    "Muon": {},
    "LBFGS": {"max_iter": 3},
}


class Problem:
    """Two matrices with a loss, in either library."""

    def __init__(self, lib, name, start=None, **more):
        rng = np.random.RandomState(0)
        start = start or [rng.standard_normal((3, 3)).astype("float32") for _ in range(2)]
        self.lib = lib
        self.params = [lib.tensor(a.copy()).requires_grad_() for a in start]
        self.opt = getattr(lib.optim, name)(self.params, **OPTIONS[name], **more)

    def closure(self):
        self.opt.zero_grad()
        a, b = self.params
        loss = (a.matmul(b) - 1).pow(2).mean() + (a * a).mean()
        loss.backward()
        return loss.detach()

    def step(self, n=1):
        for _ in range(n):
            self.opt.step(self.closure)
        return self

    def values(self):
        return [p.detach().numpy().copy() for p in self.params]


def converted(x, lib):
    """A nested state dict with the other library's tensors as this library's."""
    if isinstance(x, dict):
        return {k: converted(v, lib) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(converted(v, lib) for v in x)
    return lib.tensor(x.detach().numpy()) if isinstance(x, torch.Tensor | jtorch.Tensor) else x


def layout(x):
    """A nested state dict with tensors as (dtype, shape)."""
    if isinstance(x, dict):
        return {k: layout(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [layout(v) for v in x]
    if isinstance(x, torch.Tensor | jtorch.Tensor):
        return str(x.dtype).replace("jtorch", "torch"), tuple(x.shape)
    return x


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"LBFGS"}))
def test_state_dict_has_torchs_layout(name):
    ours = Problem(jtorch, name).step(2).opt.state_dict()
    theirs = Problem(torch, name).step(2).opt.state_dict()
    assert layout(ours) == layout(theirs)


@pytest.mark.parametrize("name", sorted(OPTIONS))
@pytest.mark.parametrize(("source", "target"), [(jtorch, torch), (torch, jtorch), (jtorch, jtorch)])
def test_training_goes_on_in_the_other_library(name, source, target):
    first = Problem(source, name).step(2)
    second = Problem(target, name, first.values())
    second.opt.load_state_dict(converted(first.opt.state_dict(), target))
    expected = Problem(torch, name).step(4).values()
    tolerance = 1e-2 if name == "Muon" else 1e-4 if name == "LBFGS" else 2e-6
    for ours, theirs in zip(second.step(2).values(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_torchs_own_tensors_can_be_loaded_as_they_are():
    theirs = Problem(torch, "Adam").step(2)
    ours = Problem(jtorch, "Adam", theirs.values())
    ours.opt.load_state_dict(theirs.opt.state_dict())
    assert type(ours.opt.state[ours.params[0]]["exp_avg"]) is jtorch.Tensor
    for a, b in zip(ours.step().values(), theirs.step().values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_loading_is_no_new_program():
    first = Problem(jtorch, "AdamW").step(2)
    state = first.opt.state_dict()
    stats.reset()
    second = Problem(jtorch, "AdamW", first.values())
    second.opt.load_state_dict(copy.deepcopy(state))
    second.step(2)
    assert stats.counts["compiles"] == 0


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "ASGD", "LBFGS"])
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_copies_go_their_own_way(name, how):
    first = Problem(jtorch, name).step(2)
    both = first.params, first.opt
    second = copy.copy(first)
    second.params, second.opt = (
        copy.deepcopy(both) if how == "deepcopy" else pickle.loads(pickle.dumps(both))
    )
    before = first.values()
    second.step(2)
    np.testing.assert_array_equal(first.values()[0], before[0])
    for a, b in zip(second.values(), first.step(2).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_loaded_state_has_the_parameters_dtype():
    def run(lib):
        opts = []
        for dtype in (lib.float64, lib.float32, lib.float64):
            p = lib.tensor([1.0, 2.0], dtype=dtype).requires_grad_()
            opt = lib.optim.Adam([p])
            if opts:
                opt.load_state_dict(opts[-1].state_dict())
            p.grad = lib.ones(2, dtype=dtype)
            opt.step()
            opts.append(opt)
        return [layout(o.state_dict()["state"]) for o in opts]

    assert run(jtorch) == run(torch)


def test_old_state_dicts_with_numbers_for_steps():
    p = jtorch.tensor([1.0, 2.0]).requires_grad_()
    opt = jtorch.optim.Adam([p])
    p.grad = jtorch.tensor([1.0, 1.0])
    opt.step()
    state = opt.state_dict()
    state["state"][0]["step"] = 1
    del state["param_groups"][0]["maximize"]
    opt.load_state_dict(state)
    assert opt.state[p]["step"].dtype == jtorch.float32
    assert opt.param_groups[0]["maximize"] is False
    opt.step()
    assert float(opt.state[p]["step"]) == 2


def test_save_and_load(tmp_path):
    first = Problem(jtorch, "Adam").step(2)
    jtorch.save(first.opt.state_dict(), tmp_path / "opt.pt")
    second = Problem(jtorch, "Adam", first.values())
    second.opt.load_state_dict(jtorch.load(tmp_path / "opt.pt"))
    loaded = torch.load(tmp_path / "opt.pt")
    assert layout(loaded) == layout(Problem(torch, "Adam").step(2).opt.state_dict())
    for a, b in zip(second.step().values(), first.step().values(), strict=True):
        np.testing.assert_array_equal(a, b)


# --- groups, text, errors ------------------------------------


def test_repr():
    assert repr(Problem(jtorch, "Adam").opt) == repr(Problem(torch, "Adam").opt)


def test_named_parameters_and_added_groups():
    def run(lib):
        layer = lib.nn.Linear(2, 2)
        opt = lib.optim.SGD(layer.named_parameters(), lr=0.1)
        extra = lib.zeros(2).requires_grad_()
        opt.add_param_group({"params": [("extra", extra)], "lr": 0.5})
        extra.grad = lib.ones(2)
        opt.step()
        return opt.state_dict(), extra.detach().numpy()

    (ours, a), (theirs, b) = run(jtorch), run(torch)
    assert ours == theirs
    np.testing.assert_array_equal(a, b)


BAD = {
    "tensor": lambda lib, p: lib.optim.SGD(p),
    "empty": lambda lib, p: lib.optim.SGD([]),
    "set": lambda lib, p: lib.optim.SGD([{"params": {p}}]),
    "number": lambda lib, p: lib.optim.SGD([p, 3]),
    "nonleaf": lambda lib, p: lib.optim.SGD([p * 2]),
    "twice": lambda lib, p: lib.optim.SGD([{"params": [p]}, {"params": [p]}]),
    "names": lambda lib, p: lib.optim.SGD([("a", p), lib.zeros(1)]),
    "some names": lambda lib, p: lib.optim.SGD(
        [{"params": [("a", p)]}, {"params": [lib.zeros(1)]}]
    ),
    "lr": lambda lib, p: lib.optim.Adam([p], lr=-1.0),
    "eps": lambda lib, p: lib.optim.Adam([p], eps=-1.0),
    "betas": lambda lib, p: lib.optim.Adam([p], betas=(1.0, 0.9)),
    "beta kinds": lambda lib, p: lib.optim.Adam([p], betas=(lib.tensor(0.5), 0.9)),
    "long lr": lambda lib, p: lib.optim.RAdam([p], lr=lib.tensor([0.1, 0.2])),
    "foreach lr": lambda lib, p: lib.optim.Adam([p], lr=lib.tensor(0.1), foreach=True),
    "fused foreach": lambda lib, p: lib.optim.Adam([p], fused=True, foreach=True),
    "fused diff": lambda lib, p: lib.optim.SGD([p], fused=True, differentiable=True),
    "nesterov": lambda lib, p: lib.optim.SGD([p], nesterov=True),
    "rho": lambda lib, p: lib.optim.Adadelta([p], rho=1.5),
    "etas": lambda lib, p: lib.optim.Rprop([p], etas=(1.5, 2.0)),
    "sparse lr": lambda lib, p: lib.optim.SparseAdam([p], lr=0.0),
    "muon shape": lambda lib, p: lib.optim.Muon([p]),
    "muon adjust": lambda lib, p: lib.optim.Muon([lib.zeros(2, 2)], adjust_lr_fn="other"),
    "adafactor d": lambda lib, p: lib.optim.Adafactor([p], d=0.5),
    "lbfgs groups": lambda lib, p: lib.optim.LBFGS([{"params": [p]}, {"params": [lib.zeros(1)]}]),
    "group type": lambda lib, p: lib.optim.SGD([p]).add_param_group([p]),
    "group count": lambda lib, p: lib.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "group size": lambda lib, p: lib.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_errors_are_torchs(case):
    def error(lib):
        with pytest.raises(Exception) as info:  # the type is what is compared
            BAD[case](lib, lib.tensor([1.0, 2.0]).requires_grad_())
        return info.type, str(info.value).replace("jtorch", "torch")

    assert error(jtorch) == error(torch)


def test_steps_on_bad_gradients():
    c = jtorch.tensor([[1j]]).requires_grad_()
    c.grad = jtorch.tensor([[1j]])
    for name in ("Adafactor", "Muon"):
        with pytest.raises(RuntimeError, match=f"{name} does not support complex parameters"):
            getattr(jtorch.optim, name)([c]).step()
    with pytest.raises(RuntimeError, match="requires all the params to be floating point"):
        jtorch.optim.Adam([c], fused=True).step()
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients"):
        p = jtorch.tensor([1.0]).requires_grad_()
        p.grad = jtorch.tensor([1.0])
        jtorch.optim.SparseAdam([p]).step()


# --- hooks and subclasses ------------------------------------


def test_hooks_are_called_in_torchs_order():
    def run(lib):
        seen = []
        p = lib.tensor([1.0]).requires_grad_()
        opt = lib.optim.SGD([p], lr=0.1)
        module = importlib.import_module(f"{lib.__name__}.optim.optimizer")

        def note(name):
            return lambda *args: seen.append((name, len(args)))

        handles = [
            module.register_optimizer_step_pre_hook(note("global pre")),
            module.register_optimizer_step_post_hook(note("global post")),
            opt.register_step_pre_hook(note("pre")),
            opt.register_step_post_hook(note("post")),
            opt.register_state_dict_pre_hook(note("save")),
            opt.register_state_dict_pre_hook(note("save first"), prepend=True),
            opt.register_state_dict_post_hook(note("saved")),
            opt.register_load_state_dict_pre_hook(note("load")),
            opt.register_load_state_dict_post_hook(note("loaded")),
        ]
        p.grad = lib.ones(1)
        opt.step()
        opt.load_state_dict(opt.state_dict())
        for handle in handles:
            handle.remove()
        opt.step()
        return seen

    assert run(jtorch) == run(torch)


def test_hooks_may_replace_arguments_and_state():
    p = jtorch.tensor([1.0]).requires_grad_()
    opt = jtorch.optim.SGD([p], lr=0.1)
    handle = opt.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert opt.step() == 7
    handle.remove()
    opt.register_step_pre_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        opt.step()
    opt.register_state_dict_post_hook(lambda o, state: state | {"more": 1})
    assert opt.state_dict()["more"] == 1


class PlainSGD:
    """A user's optimizer, written once for both libraries."""

    @staticmethod
    def of(lib):
        required = importlib.import_module(f"{lib.__name__}.optim.optimizer").required

        class Mine(lib.optim.Optimizer):
            def __init__(self, params):
                super().__init__(params, {"lr": 0.1, "must": required})

            @lib.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        state["n"] = state.get("n", 0) + 1
                        p.add_(p.grad, alpha=-group["lr"] / state["n"])

        return Mine


def test_a_users_own_optimizer():
    def run(lib):
        p = lib.tensor([1.0, 2.0]).requires_grad_()
        opt = PlainSGD.of(lib)([{"params": [p], "must": 1}])
        for _ in range(3):
            opt.zero_grad()
            (p * p).sum().backward()
            opt.step()
        return p.detach().numpy(), opt.state_dict()

    (a, ours), (b, theirs) = run(jtorch), run(torch)
    np.testing.assert_allclose(a, b, rtol=1e-6)
    assert ours == theirs
    with pytest.raises(ValueError, match="required optimization parameter must"):
        PlainSGD.of(jtorch)([jtorch.zeros(1)])
    with pytest.raises(NotImplementedError):
        jtorch.optim.Optimizer([jtorch.zeros(1)], {}).step()


def test_swapped_in_parameters():
    p = jtorch.tensor([1.0]).requires_grad_()
    opt = jtorch.optim.SGD([p], lr=0.1, momentum=0.9)
    p.grad = jtorch.ones(1)
    opt.step()
    other = jtorch.tensor([5.0]).requires_grad_()
    other.grad = jtorch.ones(1)
    state = copy.deepcopy(opt.state_dict())
    state["param_groups"][0]["lr"] = 1.0
    before = p.detach().numpy().copy()
    with jtorch.optim.swap_in_optimizer_params_and_state(opt, {"p": other}, state):
        opt.step()
    np.testing.assert_allclose(other.detach().numpy(), [5 - 1.9], rtol=1e-6)
    np.testing.assert_array_equal(p.detach().numpy(), before)
    assert opt.param_groups[0]["lr"] == 0.1
    assert opt.param_groups[0]["params"][0] is p
    none = {"state": {}, "param_groups": []}
    swapped = jtorch.optim.swap_in_optimizer_params_and_state(opt, {}, none)
    with pytest.raises(RuntimeError, match="different number of parameter groups"):
        swapped.__enter__()


# --- optax ------------------------------------

TRANSFORMATIONS = {
    "adam": optax.adam(1e-2),
    "schedule": optax.adamw(optax.linear_schedule(1e-2, 1e-3, 5)),
    "chain": optax.chain(optax.clip_by_global_norm(0.5), optax.lion(1e-2)),
    "inject": optax.inject_hyperparams(optax.rmsprop)(learning_rate=1e-2),
    "plateau": optax.chain(optax.sgd(1e-2), optax.contrib.reduce_on_plateau(patience=2)),
}


@pytest.mark.parametrize("case", sorted(TRANSFORMATIONS))
@pytest.mark.parametrize("named", [False, True])
def test_any_optax_transformation_drives_parameters(case, named):
    tx = TRANSFORMATIONS[case]
    start = {"a": np.array([1.0, -2.0], np.float32), "b": np.array([[3.0]], np.float32)}
    params = {k: jtorch.tensor(v.copy()).requires_grad_() for k, v in start.items()}
    opt = jtorch.optim.from_optax(tx)(params.items() if named else params.values())
    tree, state = start, tx.init(start)
    stats.reset()
    for i in range(8):
        opt.zero_grad()
        loss = sum((p * p).sum() for p in params.values())
        loss.backward()
        opt.step(value=loss)
        value = np.float32(sum((v * v).sum() for v in tree.values()))
        grads = {k: 2 * v for k, v in tree.items()}
        updates, state = optax.with_extra_args_support(tx).update(grads, state, tree, value=value)
        tree = {k: np.asarray(v) for k, v in optax.apply_updates(tree, updates).items()}
        if i == 1:
            assert stats.counts["compiles"] == 1
    assert stats.counts["compiles"] == 1
    for k, p in params.items():
        np.testing.assert_allclose(p.detach().numpy(), tree[k], rtol=1e-5)


def test_optax_state_is_saved_and_driven_by_torchs_schedulers():
    tx = optax.adam(1e-2)

    def run(reload):
        p = jtorch.tensor([1.0, -2.0]).requires_grad_()
        opt = jtorch.optim.from_optax(tx)([p])
        schedule = jtorch.optim.lr_scheduler.ExponentialLR(opt, 0.5)
        for i in range(4):
            if reload and i == 2:
                buffer = io.BytesIO()
                jtorch.save(opt.state_dict(), buffer)
                buffer.seek(0)
                opt = jtorch.optim.from_optax(tx)([p])
                opt.load_state_dict(jtorch.load(buffer))
                assert int(opt.opt_state()[0].count) == 2
                assert opt.param_groups[0]["lr"] == 0.25
                schedule.optimizer = opt
            opt.zero_grad()
            (p * p).sum().backward()
            opt.step()
            schedule.step()
        return p.detach().numpy()

    np.testing.assert_array_equal(run(False), run(True))
    with pytest.raises(TypeError, match=r"optax\.GradientTransformation"):
        jtorch.optim.from_optax(0.1)([jtorch.zeros(1)])
