"""`nn.utils`: clipping, flat vectors, functional calls, weight and spectral norm, fusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.grad
from engine_tools import counted, fresh_engine
from scenarios import Scenario, agree

import jtorch


def net(t: Any, nn: Any) -> Any:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    (m(t.arange(6.0).reshape(2, 3)).exp() * 5).sum().backward()
    return m


def grads(m: Any) -> list[Any]:
    return [p.grad for p in m.parameters()]


def _clip(**settings: Any) -> Scenario:
    def clip(t: Any, nn: Any) -> Any:
        m = net(t, nn)
        total = nn.utils.clip_grad_norm_(m.parameters(), **settings)
        return [total, grads(m), nn.utils.get_total_norm(grads(m), settings.get("norm_type", 2.0))]

    clip.__name__ = f"clip_grad_norm_ {settings}"
    return clip


def clip_one_parameter(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    return [nn.utils.clip_grad_norm_(m[0].weight, 0.5), grads(m)]


def clip_without_gradients(t: Any, nn: Any) -> Any:
    return [nn.utils.clip_grad_norm_(nn.Linear(2, 2).parameters(), 0.5),
            nn.utils.clip_grad_norm_([], 0.5), nn.utils.clip_grad_norm_(iter([]), 1.0),
            nn.utils.clip_grad_norm_((p for p in []), 1.0)]  # fmt: skip


def clip_in_two_steps(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    total = nn.utils.get_total_norm(grads(m))
    nn.utils.clip_grads_with_norm_(m.parameters(), 0.3, total)
    return [total, grads(m)]


def clip_values(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    nn.utils.clip_grad_value_(m.parameters(), 0.7)
    nn.utils.clip_grad_value_(m[0].bias, 0.1, foreach=False)
    return grads(m)


def nonfinite_is_an_error_on_request(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    m[0].weight.grad[0, 0] = float("inf")
    nn.utils.clip_grad_norm_(m.parameters(), 1.0, error_if_nonfinite=True)


def deprecated_clip(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    return [nn.utils.clip_grad_norm(m.parameters(), 1.0), grads(m)]


def flat_vectors(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    vec = nn.utils.parameters_to_vector(m.parameters())
    (vec * vec).sum().backward()
    before = grads(m)
    nn.utils.vector_to_parameters(t.arange(float(vec.numel())), m.parameters())
    return [vec, before, m.state_dict(), m(t.ones(1, 3))]


def vector_of_the_wrong_type(t: Any, nn: Any) -> Any:
    nn.utils.vector_to_parameters([1.0], nn.Linear(1, 1).parameters())


def _call(t: Any, nn: Any, m: Any, given: Any, x: Any, **settings: Any) -> Any:
    return nn.utils.stateless._functional_call(m, given, x, **settings)


def functional_calls(t: Any, nn: Any) -> Any:
    m = net(t, nn)
    own = {k: v.detach().clone() for k, v in m.named_parameters()}
    given = {"0.weight": t.ones(4, 3, requires_grad=True), "2.bias": t.zeros(2)}
    out = _call(t, nn, m, given, t.ones(1, 3))
    out.sum().backward()
    kept = all(bool((own[k] == v).all()) for k, v in m.named_parameters())
    return [out, given["0.weight"].grad, kept, m(t.ones(1, 3))]


def functional_calls_return_new_buffers(t: Any, nn: Any) -> Any:
    m = nn.BatchNorm1d(3)
    given = {k: v.clone() for k, v in m.named_buffers()}
    _call(t, nn, m, given, (t.arange(6.0).reshape(2, 3),), strict=False)
    return [given, dict(m.named_buffers())]


def functional_calls_with_ties(t: Any, nn: Any) -> Any:
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    x = t.ones(1, 2)
    return [_call(t, nn, m, {"0.weight": t.ones(2, 2)}, x),
            _call(t, nn, m, {"0.weight": t.ones(2, 2)}, x, tie_weights=False)]  # fmt: skip


def conflicting_ties(t: Any, nn: Any) -> Any:
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    _call(t, nn, m, {"0.weight": t.ones(2, 2), "1.weight": t.zeros(2, 2)}, t.ones(1, 2))


def strict_functional_calls(t: Any, nn: Any) -> Any:
    given = {"weight": t.ones(2, 2), "wait": t.ones(1)}
    _call(t, nn, nn.Linear(2, 2), given, t.ones(1, 2), strict=True)


def a_functional_call_that_fails_restores(t: Any, nn: Any) -> Any:
    m = nn.Linear(2, 2)
    try:
        _call(t, nn, m, {"weight": t.ones(2, 2)}, t.ones(1, 5))
    except RuntimeError:
        return [m.weight, isinstance(m.weight, nn.Parameter)]
    raise AssertionError("the shapes do not fit")


def a_functional_call_with_a_wrong_name(t: Any, nn: Any) -> Any:
    _call(t, nn, nn.Linear(2, 2), {"weight.deep": t.ones(2, 2)}, t.ones(1, 5))


def weight_norm(t: Any, nn: Any) -> Any:
    results = []
    for dim in (0, 1, None):
        m = nn.utils.weight_norm(nn.Linear(3, 4), dim=dim)
        m(t.arange(3.0)).sum().backward()
        results += [dict(m.state_dict()), grads(m), m.weight]
        nn.utils.remove_weight_norm(m)
        results += [m(t.arange(3.0)), list(m._parameters)]
    return results


def weight_norm_twice(t: Any, nn: Any) -> Any:
    nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(3, 4)))


def spectral_norm(t: Any, nn: Any) -> Any:
    results = []
    for layer in (nn.Linear(3, 4), nn.ConvTranspose2d(2, 3, 2)):
        m = nn.utils.spectral_norm(layer, n_power_iterations=2)
        x = t.ones(1, 3) if isinstance(m, nn.Linear) else t.ones(1, 2, 3, 3)
        m(x).sum().backward()
        results += [m(x), dict(m.state_dict()), grads(m), m.eval()(x), m(x)]
        state = m.state_dict()
        results += [dict(state._metadata), m.load_state_dict(state).missing_keys]
        nn.utils.remove_spectral_norm(m)
        results += [m(x), list(m._parameters), list(m.state_dict()._metadata[""])]
    return results


def spectral_norm_that_is_not_there(t: Any, nn: Any) -> Any:
    nn.utils.remove_spectral_norm(nn.ReLU())


def fusion(t: Any, nn: Any) -> Any:
    results = []
    for layer, norm, x in (
        (nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), t.ones(2, 2, 4, 4)),
        (nn.Conv2d(2, 3, 2, bias=False), nn.BatchNorm2d(3, affine=False), t.ones(2, 2, 4, 4)),
        (nn.Linear(2, 3), nn.BatchNorm1d(3), t.ones(2, 2)),
    ):
        norm(t.arange(48.0).reshape(4, 3, 2, 2) if x.dim() == 4 else t.arange(12.0).reshape(4, 3))
        fuse = nn.utils.fuse_conv_bn_eval if x.dim() == 4 else nn.utils.fuse_linear_bn_eval
        fused = fuse(layer.eval(), norm.eval())
        results += [fused(x), fused.weight.requires_grad, fused.bias.requires_grad]
        results.append(norm(layer(x)))
    return results


def fusion_in_training(t: Any, nn: Any) -> Any:
    nn.utils.fuse_conv_bn_eval(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3))


FAILS = (nonfinite_is_an_error_on_request, vector_of_the_wrong_type, conflicting_ties,
         strict_functional_calls, a_functional_call_with_a_wrong_name, weight_norm_twice,
         spectral_norm_that_is_not_there, fusion_in_training)  # fmt: skip

SCENARIOS = [
    _clip(max_norm=0.5),
    _clip(max_norm=1e6),
    _clip(max_norm=0.5, norm_type=1.0),
    _clip(max_norm=0.5, norm_type=float("inf")),
    _clip(max_norm=2, norm_type=3, foreach=True),
    _clip(max_norm=0.5, foreach=False, error_if_nonfinite=True),
    clip_one_parameter, clip_without_gradients, clip_in_two_steps, clip_values, deprecated_clip,
    flat_vectors, functional_calls, functional_calls_return_new_buffers,
    functional_calls_with_ties, a_functional_call_that_fails_restores, weight_norm, spectral_norm,
    fusion, *FAILS,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_as_in_pytorch(scenario: Scenario):
    agree(scenario, FAILS)


def test_skip_init_draws_nothing_and_gives_a_real_layer():
    state = jtorch.get_rng_state()
    m = jtorch.nn.utils.skip_init(jtorch.nn.Linear, 3, 4)
    assert jtorch.get_rng_state().tolist() == state.tolist()
    assert m.weight.device == jtorch.device("cpu")
    assert m(jtorch.ones(1, 3)).shape == (1, 4)
    with pytest.raises(RuntimeError, match="must support a 'device' arg"):
        jtorch.nn.utils.skip_init(jtorch.nn.ReLU)


def test_clipping_waits_for_no_number():
    m = jtorch.nn.Linear(3, 2)
    m(jtorch.ones(4, 3)).sum().backward()
    with fresh_engine():
        with counted() as seen:
            jtorch.nn.utils.clip_grad_norm_(m.parameters(), 0.1)
            jtorch.nn.utils.clip_grad_value_(m.parameters(), 0.01)
        with counted() as asked:
            jtorch.nn.utils.clip_grad_norm_(m.parameters(), 0.1, error_if_nonfinite=True)
    assert (seen.flush, asked.flush) == (0, 1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_of_convolutions_as_functions(n: int):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((2, 4) + (6,) * n).astype(np.float32)
    w = rng.standard_normal((6, 2) + (3,) * n).astype(np.float32)
    options = {"stride": 2, "padding": 1, "groups": 2}
    out = []
    for t in (torch, jtorch):
        a, b = t.tensor(x), t.tensor(w)
        g = getattr(t.nn.functional, f"conv{n}d")(a, b, **options)
        out.append((
            getattr(t.nn.grad, f"conv{n}d_input")(x.shape, b, g, **options),
            getattr(t.nn.grad, f"conv{n}d_weight")(a, w.shape, g, **options),
        ))  # fmt: skip
    for theirs, ours in zip(*out, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-4)


def test_attention_kernels_can_be_registered_and_taken_away():
    from jtorch.nn import attention

    calls = []

    class Handle:
        def remove(self) -> None:
            calls.append("removed")

    attention.register_flash_attention_impl("mine", register_fn=Handle)
    assert attention.list_flash_attention_impls() == ["mine"]
    attention.activate_flash_attention_impl("mine")
    assert attention.current_flash_attention_impl() == "mine"
    attention.restore_flash_attention_impl()
    assert (calls, attention.current_flash_attention_impl()) == (["removed"], None)
    with pytest.raises(ValueError, match="Unknown flash attention impl 'other'"):
        attention.activate_flash_attention_impl("other")
    with attention.sdpa_kernel(attention.SDPBackend.MATH):
        pass
