"""`Module` and the containers behave as PyTorch's: one scenario, two libraries, one record."""

from __future__ import annotations

import gc
from collections import OrderedDict
from typing import Any

import pytest
from scenarios import Scenario, agree, compare, same

import jtorch


def net(nn: Any) -> Any:
    return nn.Sequential(
        OrderedDict(
            first=nn.Linear(3, 4),
            norm=nn.BatchNorm1d(4),
            inner=nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False)),
        )
    )


def scenario_module(nn: Any, t: Any) -> Any:
    """A module with a bit of everything."""

    class Everything(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(t.ones(2))
            self.register_parameter("absent", None)
            self.register_buffer("running", t.zeros(2))
            self.register_buffer("scratch", t.ones(1), persistent=False)
            self.declared = nn.Buffer(t.ones(3), persistent=False)
            self.child = nn.Linear(2, 2)
            self.shared = self.child
            self.nothing = None
            self.number = 3

        def forward(self, x: Any) -> Any:
            return self.child(x) * self.weight + self.running

    return Everything()


# --- registration and attributes ------------------------------------------------------------------


def traversal(t: Any, nn: Any) -> Any:
    m = scenario_module(nn, t)
    m.twice = nn.Sequential(m.child, nn.ReLU())
    return [
        [n for n, _ in m.named_parameters()],
        [n for n, _ in m.named_parameters("p", remove_duplicate=False)],
        [n for n, _ in m.named_parameters(recurse=False)],
        [n for n, _ in m.named_buffers()],
        [n for n, _ in m.named_modules()],
        [n for n, _ in m.named_modules(prefix="x", remove_duplicate=False)],
        [n for n, _ in m.named_children()],
        len(list(m.modules())),
        len(list(m.parameters())),
        len(list(m.buffers())),
        list(m.state_dict()),
        sorted(n for n in dir(m) if n in ("weight", "running", "child", "number", "forward")),
        hasattr(m, "absent"),
        m.absent,
        sorted(m._non_persistent_buffers_set),
    ]


def replacing_one_kind_by_another(t: Any, nn: Any) -> Any:
    m = scenario_module(nn, t)
    m.number = nn.Parameter(t.zeros(1))
    m.weight = None
    del m.running
    m.running = nn.Linear(1, 1)
    m.child = None
    m.scratch = t.zeros(4)
    m.declared = None
    del m.nothing
    m.nothing = nn.Buffer(t.zeros(1))
    del m.shared
    return [
        list(m._parameters),
        list(m._buffers),
        list(m._modules),
        sorted(m._non_persistent_buffers_set),
        sorted(k for k in vars(m) if not k.startswith("_")),
        m.scratch,
    ]


def lookups(t: Any, nn: Any) -> Any:
    m = net(nn)
    fresh = nn.Linear(4, 5)
    m.set_submodule("inner.1", fresh)
    m.set_submodule("inner.new", nn.Tanh())
    return [
        m.get_submodule("inner.1") is fresh,
        m.get_submodule("") is m,
        m.get_parameter("inner.1.weight") is fresh.weight,
        m.get_buffer("norm.running_mean"),
        m,
    ]


def user_forward(t: Any, nn: Any) -> Any:
    m = scenario_module(nn, t)
    out = m(t.ones(1, 2))
    out.sum().backward()
    grads = [p.grad for p in m.parameters()]
    m.zero_grad(set_to_none=False)
    zeros = [p.grad for p in m.parameters()]
    m.zero_grad()
    return [out, grads, zeros, [p.grad for p in m.parameters()]]


def modes(t: Any, nn: Any) -> Any:
    m = net(nn)
    before = [x.training for x in m.modules()]
    frozen = m.eval().requires_grad_(False)
    return [before, [x.training for x in m.modules()], [p.requires_grad for p in m.parameters()],
            frozen is m, m.train() is m]  # fmt: skip


def applying(t: Any, nn: Any) -> Any:
    seen: list[str] = []
    m = net(nn)
    m.apply(lambda x: seen.append(type(x).__name__))
    return seen


def registration_hooks(t: Any, nn: Any) -> Any:
    hooks = nn.modules.module
    seen: list[Any] = []
    handles = [
        hooks.register_module_parameter_registration_hook(lambda m, n, p: seen.append(("p", n))),
        hooks.register_module_buffer_registration_hook(lambda m, n, b: seen.append(("b", n))),
        hooks.register_module_module_registration_hook(lambda m, n, c: seen.append(("m", n))),
    ]
    try:
        net(nn)
    finally:
        for handle in handles:
            handle.remove()
    nn.Linear(1, 1)
    return seen


@same([traversal, replacing_one_kind_by_another, lookups, user_forward, modes, applying,
       registration_hooks])  # fmt: skip
def test_registration_and_traversal(scenario: Scenario):
    agree(scenario)


MISTAKES: list[Scenario] = [
    lambda t, nn: nn.Module(3),
    lambda t, nn: nn.Module(a=3),
    lambda t, nn: nn.Module()(3),
    lambda t, nn: nn.Module().nothing,
    lambda t, nn: nn.Module().register_buffer(3, None),
    lambda t, nn: nn.Module().register_buffer("a.b", None),
    lambda t, nn: nn.Module().register_buffer("", None),
    lambda t, nn: nn.Module().register_buffer("training", None),
    lambda t, nn: nn.Module().register_buffer("x", 3),
    lambda t, nn: nn.Module().register_parameter(3, None),
    lambda t, nn: nn.Module().register_parameter("a.b", None),
    lambda t, nn: nn.Module().register_parameter("", None),
    lambda t, nn: nn.Module().register_parameter("eval", None),
    lambda t, nn: nn.Module().register_parameter("x", t.ones(2)),
    lambda t, nn: nn.Module().register_parameter("x", "text"),
    lambda t, nn: nn.Module().add_module("x", 3),
    lambda t, nn: nn.Module().add_module(3, nn.Module()),
    lambda t, nn: nn.Module().add_module("eval", nn.Module()),
    lambda t, nn: nn.Module().add_module("a.b", nn.Module()),
    lambda t, nn: nn.Module().register_module("", nn.Module()),
    lambda t, nn: setattr(nn.Linear(1, 1), "weight", t.ones(1)),
    lambda t, nn: setattr(nn.Linear(1, 1), "weight", 3),
    lambda t, nn: setattr(net(nn), "first", 3),
    lambda t, nn: setattr(nn.BatchNorm1d(1), "running_mean", 3),
    lambda t, nn: setattr(scenario_module(nn, t), "nothing", nn.Buffer(t.ones(1))),
    lambda t, nn: nn.Module().train("yes"),
    lambda t, nn: nn.Linear(1, 1).to(t.int64),
    lambda t, nn: net(nn).get_submodule("inner.9"),
    lambda t, nn: net(nn).get_submodule("inner.1.weight"),
    lambda t, nn: net(nn).get_parameter("first.wait"),
    lambda t, nn: net(nn).get_parameter("inner"),
    lambda t, nn: net(nn).get_buffer("first.weight"),
    lambda t, nn: net(nn).set_submodule("", nn.ReLU()),
    lambda t, nn: net(nn).set_submodule("inner.1", 3),
    lambda t, nn: net(nn).set_submodule("first.weight", nn.ReLU()),
    lambda t, nn: net(nn).set_submodule("first.new", nn.ReLU(), strict=True),
    lambda t, nn: net(nn).load_state_dict(3),
    lambda t, nn: nn.Module().get_extra_state(),
    lambda t, nn: nn.Module.__new__(nn.Linear).__setattr__("w", nn.Parameter(t.ones(1))),
    lambda t, nn: nn.Module.__new__(nn.Linear).__setattr__("w", nn.Module()),
    lambda t, nn: nn.Module.__new__(nn.Linear).register_buffer("w", None),
    lambda t, nn: nn.Module.__new__(nn.Linear).register_parameter("w", None),
    lambda t, nn: nn.Parameter(t.ones(2, dtype=t.int64)),
    lambda t, nn: delattr(nn.Linear(1, 1), "nothing"),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_pytorchs_message(mistake: Scenario):
    agree(mistake, (mistake,))


# --- hooks ----------------------------------------------------------------------------------------


def forward_hooks(t: Any, nn: Any) -> Any:
    class Scale(nn.Module):
        def forward(self, x: Any, by: float = 1.0) -> Any:
            return x * by

    m, seen = Scale(), []
    m.register_forward_pre_hook(lambda m, args: seen.append(("pre", args)))
    m.register_forward_pre_hook(lambda m, args: args[0] + 1)
    m.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"by": kwargs.get("by", 1.0) * 2}), with_kwargs=True
    )
    m.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True)
    m.register_forward_hook(lambda m, args, out: seen.append(("post", args, out)))
    m.register_forward_hook(
        lambda m, args, kwargs, out: seen.append(("kw", kwargs)), with_kwargs=True
    )
    last = m.register_forward_hook(lambda m, args, out: out + 100)
    m.register_forward_hook(lambda m, args, out: seen.append("before"), prepend=True)
    results = [m(t.ones(2), by=3.0), m(t.ones(1))]
    last.remove()
    last.remove()
    with m.register_forward_hook(lambda m, args, out: (out, out)):
        results.append(m(t.ones(1)))
    return [results, m(t.zeros(1)), seen]


def always_called_hooks(t: Any, nn: Any) -> Any:
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("as planned")

    m, seen = Fails(), []
    m.register_forward_hook(lambda m, args, out: seen.append("never"))
    m.register_forward_hook(lambda m, args, out: seen.append(("always", out)), always_call=True)

    def raises(m: Any, args: Any, out: Any) -> None:
        raise KeyError("in the hook")

    m.register_forward_hook(raises, always_call=True)
    whole = nn.modules.module.register_module_forward_hook(
        lambda m, args, out: seen.append("global"), always_call=True)  # fmt: skip
    try:
        m(t.ones(1))
    except ValueError as error:
        seen.append(str(error))
    finally:
        whole.remove()
    return seen


def a_pre_hook_of_the_wrong_shape(t: Any, nn: Any) -> Any:
    m = nn.ReLU()
    m.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    return m(t.ones(1))


def global_forward_hooks(t: Any, nn: Any) -> Any:
    seen: list[Any] = []
    hooks = nn.modules.module
    handles = [
        hooks.register_module_forward_pre_hook(lambda m, args: seen.append(type(m).__name__)),
        hooks.register_module_forward_hook(
            lambda m, args, kwargs, out: seen.append((kwargs, out)), with_kwargs=True),
    ]  # fmt: skip
    try:
        out = net(nn)(t.arange(9.0).reshape(3, 3))
    finally:
        for handle in handles:
            handle.remove()
    net(nn)(t.arange(9.0).reshape(3, 3))
    return [out, seen]


class _Backward:
    """Leaves and a module with two inputs and two outputs, one of which has no gradient."""

    def __init__(self, t: Any, nn: Any) -> None:
        class Two(nn.Module):
            def forward(self, a: Any, b: Any, c: Any = None) -> Any:
                return a * 2 * b, b + 1, 3

        self.module, self.seen = Two(), []
        self.a = t.ones(2, requires_grad=True)
        self.b = t.ones(2) * 3


def full_backward_hooks(t: Any, nn: Any) -> Any:
    s = _Backward(t, nn)
    s.module.register_full_backward_hook(lambda m, gi, go: s.seen.append(("full", gi, go)))
    s.module.register_full_backward_pre_hook(lambda m, go: s.seen.append(("pre", go)))
    s.module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10, None, None))
    s.module.register_full_backward_hook(lambda m, gi, go: s.seen.append("first"), prepend=True)
    s.module.register_full_backward_pre_hook(lambda m, go: (go[0] * 7, None, None))
    out = s.module(s.a, s.b, "text")
    out[0].sum().backward()
    return [out, s.a.grad, s.seen]


def backward_hooks_without_input_gradients(t: Any, nn: Any) -> Any:
    seen: list[Any] = []
    m = nn.Linear(2, 2)
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    m(t.ones(1, 2)).sum().backward()
    with t.no_grad():
        m(t.ones(1, 2))
    return [seen, m.weight.grad]


def a_backward_hook_returning_too_little(t: Any, nn: Any) -> Any:
    s = _Backward(t, nn)
    s.module.register_full_backward_hook(lambda m, gi, go: gi[:1])
    s.module(s.a, s.b)[0].sum().backward()


def a_backward_pre_hook_returning_too_little(t: Any, nn: Any) -> Any:
    s = _Backward(t, nn)
    s.module.register_full_backward_pre_hook(lambda m, go: go[:1])
    s.module(s.a, s.b)[0].sum().backward()


def both_kinds_of_backward_hook(t: Any, nn: Any) -> Any:
    m = nn.ReLU()
    m.register_full_backward_hook(lambda *args: None)
    m.register_backward_hook(lambda *args: None)


def global_backward_hooks(t: Any, nn: Any) -> Any:
    seen: list[Any] = []
    hooks = nn.modules.module
    handles = [
        hooks.register_module_full_backward_pre_hook(lambda m, go: seen.append(("pre", go))),
        hooks.register_module_full_backward_hook(lambda m, gi, go: seen.append((gi, go))),
    ]
    x = t.ones(1, 2, requires_grad=True)
    try:
        nn.Sequential(nn.Tanh(), nn.ReLU())(x).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    return [seen, x.grad]


def an_output_that_is_no_tensor(t: Any, nn: Any) -> Any:
    class Packs(nn.Module):
        def forward(self, x: Any) -> Any:
            return [x * 2]

    m = Packs()
    m.register_full_backward_hook(lambda m, gi, go: None)
    m(t.ones(1, requires_grad=True))
    return None


def hooks_and_double_backward(t: Any, nn: Any) -> Any:
    m = nn.Tanh()
    m.register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,))
    x = t.tensor([0.5, -1.0], requires_grad=True)
    (g,) = t.autograd.grad(m(x).sum(), x, create_graph=True)
    (gg,) = t.autograd.grad(g.sum(), x)
    return [g.detach(), gg]


@same([forward_hooks, always_called_hooks, a_pre_hook_of_the_wrong_shape, global_forward_hooks,
       full_backward_hooks, backward_hooks_without_input_gradients,
       a_backward_hook_returning_too_little, a_backward_pre_hook_returning_too_little,
       both_kinds_of_backward_hook, global_backward_hooks, an_output_that_is_no_tensor,
       hooks_and_double_backward])  # fmt: skip
def test_hooks(scenario: Scenario):
    agree(
        scenario,
        (
            a_pre_hook_of_the_wrong_shape,
            a_backward_hook_returning_too_little,
            a_backward_pre_hook_returning_too_little,
            both_kinds_of_backward_hook,
        ),
    )


def test_a_removed_module_is_not_kept_alive_by_its_load_hook():
    m = jtorch.nn.Linear(1, 1)
    hook = jtorch.nn.modules.module._hooks.WrappedHook(lambda *args: None, m)
    del m
    gc.collect()
    with pytest.raises(RuntimeError, match="dead Module"):
        hook()


# --- conversion -----------------------------------------------------------------------------------


def conversions(t: Any, nn: Any) -> Any:
    m = net(nn)
    first = m.first.weight
    (m(t.arange(9.0).reshape(3, 3)) ** 2).sum().backward()
    kinds = []
    for convert in (m.double, m.float, m.half, m.bfloat16, lambda: m.to(t.float64),
                    lambda: m.to("cpu", t.float32), lambda: m.to(t.ones(1, dtype=t.float64)),
                    lambda: m.to(dtype=t.float32, device="cpu"), lambda: m.type(t.float64),
                    m.cpu):  # fmt: skip
        convert()
        kinds.append([str(v.dtype) for v in m.state_dict().values()])
        kinds.append(str(m.first.weight.grad.dtype))
    return [kinds, m.first.weight is first, m.first.weight.grad]


def test_conversions():
    agree(conversions)


def test_the_comparison_can_fail() -> None:
    for found, expected in (
        (1.0, 1.001), ([1.0], [1.0, 2.0]), ({"a": 1.0}, {"b": 1.0}), ("a", "b"), (1.0, "1.0"),
        ({"a": [1.0]}, {"a": [2.0]}), (float("nan"), 1.0),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            compare(found, expected, "")
