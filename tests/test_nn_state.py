"""State dicts, parameters and containers behave as PyTorch's, message by message."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest
from scenarios import Scenario, agree, same


def net(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)))


# --- state dicts ----------------------------------------------------------------------------------


def saving(t: Any, nn: Any) -> Any:
    m = net(nn)
    state, kept = m.state_dict(), m.state_dict(prefix="p.", keep_vars=True)
    own = OrderedDict()
    m.state_dict(own, "old.", True)
    return [state, dict(state._metadata), kept, dict(kept._metadata), list(own), type(state)]


def sharing(t: Any, nn: Any) -> Any:
    m = nn.Linear(1, 2)
    state = m.state_dict()
    with t.no_grad():
        m.weight.fill_(7)
    return [state, state["weight"].requires_grad]


def loading(t: Any, nn: Any) -> Any:
    m, other = net(nn), net(nn)
    weight = m[0].weight
    result = m.load_state_dict(other.state_dict())
    return [result, weight is m[0].weight, m.state_dict(), m[0].weight.requires_grad]


def loading_by_assignment(t: Any, nn: Any) -> Any:
    m = nn.Linear(1, 2)
    m.weight.requires_grad_(False)
    state = {"weight": t.ones(2, 1, dtype=t.float64), "bias": nn.Parameter(t.zeros(2))}
    m.load_state_dict(state, assign=True)
    return [m.weight, type(m.weight) is nn.Parameter, m.bias is state["bias"], m.bias]


def loading_not_strictly(t: Any, nn: Any) -> Any:
    m = net(nn)
    result = m.load_state_dict({"0.bias": t.ones(2), "new": t.ones(1)}, strict=False)
    return [result, result.missing_keys, m[0].bias]


def loading_all_that_can_go_wrong(t: Any, nn: Any) -> Any:
    m = net(nn)
    state = m.state_dict()
    del state["1.0.running_var"]
    state["0.weight"] = t.ones(3, 2)
    state["0.bias"] = 3
    state["extra.thing"] = t.ones(1)
    state["1.1.more"] = t.ones(1)
    state["0._extra_state"] = t.ones(1)
    m.load_state_dict(state)


def loading_what_cannot_be_copied(t: Any, nn: Any) -> Any:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scalar", t.tensor(1.0))

    m = Holder()
    m.load_state_dict({"scalar": t.tensor([5.0])})  # as torch 0.3 saved scalars
    return m.scalar


def an_old_checkpoint_has_no_batch_counter(t: Any, nn: Any) -> Any:
    m = nn.BatchNorm1d(2)
    m(t.ones(3, 2))
    state = dict(m.state_dict())
    del state["num_batches_tracked"]
    first = m.load_state_dict(state)
    state = m.state_dict()
    del state["num_batches_tracked"]
    return [first, m.num_batches_tracked, m.load_state_dict(state, strict=False)]


def an_old_instance_norm_checkpoint(t: Any, nn: Any) -> Any:
    nn.InstanceNorm1d(2).load_state_dict({"running_mean": t.ones(2), "running_var": t.ones(2)})


def _with_extra_state(nn: Any) -> Any:
    class Extra(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.extra = {"steps": 3}

        def get_extra_state(self) -> Any:
            return self.extra

        def set_extra_state(self, state: Any) -> None:
            self.extra = state

    return Extra()


def extra_state(t: Any, nn: Any) -> Any:
    m = nn.Sequential(_with_extra_state(nn))
    state = m.state_dict()
    state["0._extra_state"] = {"steps": 5}
    return [list(state), m.load_state_dict(state), m[0].extra]


def missing_extra_state(t: Any, nn: Any) -> Any:
    nn.Sequential(_with_extra_state(nn)).load_state_dict({})


def state_hooks(t: Any, nn: Any) -> Any:
    m, seen = nn.Sequential(nn.Linear(1, 1)), []
    m[0].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
    m[0].register_state_dict_post_hook(
        lambda m, state, prefix, meta: state.update({prefix + "added": t.ones(1)}))  # fmt: skip
    m._register_state_dict_hook(
        lambda m, state, prefix, meta: OrderedDict((k.upper(), v) for k, v in state.items())
    )
    m[0].register_load_state_dict_pre_hook(
        lambda m, state, prefix, *rest: seen.append(state.pop(prefix + "added", None))
    )
    m.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    state = m.state_dict()
    lower = OrderedDict((k.lower(), v) for k, v in state.items() if "BIAS" not in k)
    return [list(state), m.load_state_dict(lower), seen]


def a_post_hook_that_returns(t: Any, nn: Any) -> Any:
    m = nn.Linear(1, 1)
    m.register_state_dict_post_hook(lambda m, state, prefix, meta: state)
    m.state_dict()


def a_load_post_hook_that_returns(t: Any, nn: Any) -> Any:
    m = nn.Linear(1, 1)
    m.register_load_state_dict_post_hook(lambda m, keys: keys)
    m.load_state_dict(m.state_dict())


def one_hook_both_ways(t: Any, nn: Any) -> Any:
    m = nn.Linear(1, 1)

    def hook(*args: Any) -> None: ...

    m.register_state_dict_post_hook(hook)
    m._register_state_dict_hook(hook)


def stripping_a_prefix(t: Any, nn: Any) -> Any:
    holder = nn.Module()
    holder.module = net(nn)
    state = holder.state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    return [state, dict(state._metadata), net(nn).load_state_dict(state)]


@same([saving, sharing, loading, loading_by_assignment, loading_not_strictly,
       loading_all_that_can_go_wrong, loading_what_cannot_be_copied,
       an_old_checkpoint_has_no_batch_counter, an_old_instance_norm_checkpoint, extra_state,
       missing_extra_state, state_hooks, a_post_hook_that_returns, a_load_post_hook_that_returns,
       one_hook_both_ways, stripping_a_prefix])  # fmt: skip
def test_state_dicts(scenario: Scenario):
    agree(
        scenario,
        (
            loading_all_that_can_go_wrong,
            an_old_instance_norm_checkpoint,
            missing_extra_state,
            a_post_hook_that_returns,
            a_load_post_hook_that_returns,
            one_hook_both_ways,
        ),
    )


# --- parameters -----------------------------------------------------------------------------------


def parameters(t: Any, nn: Any) -> Any:
    data = t.tensor([1.0, 2.0])
    p = nn.Parameter(data)
    with t.no_grad():
        data.mul_(10)
    frozen = nn.Parameter(p, requires_grad=False)
    p.tag = "kept out of copies"
    again = copy.deepcopy(p)
    back = pickle.loads(pickle.dumps(p))
    return [p, repr(p), repr(frozen), p.is_leaf, isinstance(p, t.Tensor), type(p * 2) is t.Tensor,
            type(p.detach()) is t.Tensor, repr(again), again is p, type(again) is nn.Parameter,
            hasattr(again, "tag"), back, type(back) is nn.Parameter, nn.Parameter().shape,
            isinstance(data, nn.Parameter), p.data_ptr() == data.data_ptr()]  # fmt: skip


def parameters_of_a_subclass(t: Any, nn: Any) -> Any:
    class Mine(nn.Parameter):
        pass

    p = Mine(t.ones(2))
    m = nn.Module()
    m.p = p
    return [type(p) is Mine, list(m._parameters), isinstance(copy.deepcopy(p), Mine)]


def buffers(t: Any, nn: Any) -> Any:
    m = nn.Module()
    m.a, m.b = nn.Buffer(t.ones(2)), nn.Buffer(t.ones(1), persistent=False)
    m.a = t.zeros(3)
    return [m.state_dict(), isinstance(m.b, nn.Buffer), isinstance(m.a, nn.Buffer), m.b]


def uninitialized(t: Any, nn: Any) -> Any:
    p = nn.UninitializedParameter()
    kinds = [repr(p), isinstance(p, nn.Parameter), nn.parameter.is_lazy(p)]
    p.materialize((2, 3))
    return [*kinds, type(p) is nn.Parameter, tuple(p.shape), p.requires_grad]


def a_deep_copy_keeps_ties(t: Any, nn: Any) -> Any:
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    m.register_forward_hook(_no_op)
    again = copy.deepcopy(m)
    with t.no_grad():
        m[0].weight.zero_()
    return [again[1].weight is again[0].weight, again[0].weight is m[0].weight, again.state_dict(),
            len(again._forward_hooks)]  # fmt: skip


def _no_op(*args: Any) -> None:
    """A hook that pickles."""


def pickled_modules(t: Any, nn: Any) -> Any:
    m = net(nn)
    m[0].register_load_state_dict_pre_hook(_no_op)
    m(t.ones(3, 2))
    again = pickle.loads(pickle.dumps(m))
    return [repr(again), again.state_dict(), again(t.ones(3, 2)),
            len(again[0]._load_state_dict_pre_hooks)]  # fmt: skip


@same([parameters, parameters_of_a_subclass, buffers, uninitialized, a_deep_copy_keeps_ties,
       pickled_modules])  # fmt: skip
def test_parameters_copies_and_pickles(scenario: Scenario):
    agree(scenario)


# --- containers -----------------------------------------------------------------------------------


def sequential(t: Any, nn: Any) -> Any:
    m = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
    record = [len(m), m[0], m[-1], m[1:], m[::2], [type(x).__name__ for x in m]]
    m[1] = nn.ELU()
    del m[0]
    m.append(nn.GELU()).extend([nn.Mish()]).insert(1, nn.SELU())
    record += [repr(m), m + nn.Sequential(nn.ReLU()), m * 2, 2 * m, m.pop(-1), m.pop(slice(0, 2))]
    m += nn.Sequential(nn.CELU())
    m *= 3
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    return [*record, m, named, named[:1], list(named._modules), dir(m) == sorted(dir(m)),
            any(k.isdigit() for k in dir(m)), nn.Sequential()(t.ones(1))]  # fmt: skip


def module_list(t: Any, nn: Any) -> Any:
    m = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
    texts = [repr(m), repr(nn.ModuleList())]
    m[0] = nn.Tanh()
    m.insert(1, nn.ELU())
    m.insert(0, nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())]))
    m += [nn.GELU()]
    del m[1:3]
    return [*texts, m, m[-1], m[1:], m.__add__([nn.CELU()]), m.pop(-1), len(m), list(m._modules),
            [type(x).__name__ for x in m]]  # fmt: skip


def module_dict(t: Any, nn: Any) -> Any:
    m = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
    m.update([("c", nn.ELU())])
    m["d"] = nn.GELU()
    m.update(nn.ModuleDict({"a": nn.CELU()}))
    popped = m.pop("b")
    del m["d"]
    texts = [repr(m), list(m), list(m.keys()), list(m.items()), list(m.values()), "c" in m, popped]
    m.clear()
    return [*texts, len(m), m]


def parameter_list(t: Any, nn: Any) -> Any:
    m = nn.ParameterList([t.ones(2), nn.Parameter(t.zeros(1, 3)), "text"])
    m.append(t.ones(1, dtype=t.float64))
    m += [3]
    m[0] = t.zeros(4)
    return [m, len(m), m[0], m[-1], m[1:3], [type(p).__name__ for p in m],
            [n for n, _ in m.named_parameters()], m.state_dict()]  # fmt: skip


def parameter_dict(t: Any, nn: Any) -> Any:
    m = nn.ParameterDict({"b": t.ones(2), "a": nn.Parameter(t.zeros(1, 3))})
    m.update([("c", "text")])
    m.update(OrderedDict(e=t.ones(1), d=t.ones(1)))
    other = nn.ParameterDict({"z": t.ones(1)})
    texts = [m, list(m), list(reversed(m)), m | other, m.get("nothing"), m.get("c"), m.popitem()]
    m |= other
    m.setdefault("z", 3)
    m.setdefault("y", t.ones(3))
    return [*texts, m.pop("a"), m, m.copy(), m.fromkeys(["p", "q"], t.ones(1)), "b" in m,
            list(m.values()), [n for n, _ in m.named_parameters()], m.clear(), len(m)]  # fmt: skip


@same([sequential, module_list, module_dict, parameter_list, parameter_dict])
def test_containers(scenario: Scenario):
    agree(scenario)


MISTAKES: list[Scenario] = [
    lambda t, nn: nn.Sequential(nn.ReLU())[1],
    lambda t, nn: nn.Sequential(nn.ReLU()) + 3,
    lambda t, nn: nn.Sequential(nn.ReLU()).__iadd__([1]),
    lambda t, nn: nn.Sequential(nn.ReLU()) * 0,
    lambda t, nn: nn.Sequential(nn.ReLU()) * 1.5,
    lambda t, nn: nn.Sequential(nn.ReLU()).__imul__(-1),
    lambda t, nn: nn.Sequential(nn.ReLU()).insert(3, nn.ReLU()),
    lambda t, nn: nn.Sequential(OrderedDict(a=nn.ReLU())).insert(0, nn.ELU()),
    lambda t, nn: nn.Sequential(nn.ReLU()).append(3),
    lambda t, nn: nn.Sequential(3),
    lambda t, nn: nn.ModuleList([nn.ReLU()])[-2],
    lambda t, nn: nn.ModuleList(3),
    lambda t, nn: nn.ModuleList([nn.ReLU()])(t.ones(1)),
    lambda t, nn: nn.ModuleDict(3),
    lambda t, nn: nn.ModuleDict([3]),
    lambda t, nn: nn.ModuleDict([("a", nn.ReLU(), 3)]),
    lambda t, nn: nn.ModuleDict({"keys": nn.ReLU()}),
    lambda t, nn: nn.ParameterList(t.ones(2)),
    lambda t, nn: nn.ParameterList([1])(2),
    lambda t, nn: nn.ParameterDict(3),
    lambda t, nn: nn.ParameterDict([3]),
    lambda t, nn: nn.ParameterDict([("a", 1, 2)]),
    lambda t, nn: nn.ParameterDict()(2),
    lambda t, nn: nn.ParameterDict({"a": 1})[2],
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_pytorchs_message(mistake: Scenario):
    agree(mistake, (mistake,))
