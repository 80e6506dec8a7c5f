"""Every layer against PyTorch's: text, state, weights from a seed, values, gradients, buffers."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from layer_cases import CASES, NAMES, Case, build, floats, tensors
from layer_cases import case as layer_case

import jtorch

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def both(case: Case) -> tuple[Any, Any]:
    """PyTorch's layer and ours, from the same seed."""
    torch.manual_seed(5)
    theirs = build(torch.nn, case)
    jtorch.manual_seed(5)
    return theirs, build(jtorch.nn, case)


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def flat(result: Any) -> list[Any]:
    """The tensors of a result, whatever they are packed in."""
    if isinstance(result, tuple | list):
        return [t for part in result for t in flat(part)]
    return [] if result is None else [result]


def assert_close(ours: Any, theirs: Any, what: str) -> None:
    assert str(ours.dtype) == str(theirs.dtype), what
    np.testing.assert_allclose(array(ours), array(theirs), rtol=2e-4, atol=2e-5, err_msg=what)


def assert_same_state(ours: Any, theirs: Any) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for name in other:
        assert_close(mine[name], other[name], name)


@pytest.mark.parametrize("name", NAMES)
def test_the_constructor_takes_what_pytorchs_takes(name: str):
    ours = inspect.signature(getattr(jtorch.nn, name)).parameters.values()
    theirs = inspect.signature(getattr(torch.nn, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]


@every_case
def test_text_attributes_and_state_layout(case: Case):
    theirs, ours = both(case)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert dict(ours.state_dict()._metadata) == dict(theirs.state_dict()._metadata)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    plain = {k for k in vars(theirs) if not k.startswith("_")}
    assert {k for k in vars(ours) if not k.startswith("_")} == plain


@every_case
def test_weights_from_a_seed_are_pytorchs_bit_for_bit(case: Case):
    theirs, ours = both(case)
    if case.name.startswith("Lazy"):
        theirs(*tensors(torch.tensor, case))
        ours(*tensors(jtorch.tensor, case))
    mine = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert array(mine[name]).tobytes() == array(parameter).tobytes(), name
        assert mine[name].requires_grad == parameter.requires_grad


def run(layer: Any, make: Callable[[Any], Any], case: Case) -> tuple[list[Any], list[Any]]:
    """Results, and gradients of a weighted sum of them: of the inputs and of the parameters."""
    inputs = tensors(make, case)
    results = flat(layer(*inputs))
    total = None
    for t in results:
        if t.requires_grad:
            weights = make(floats(*t.shape, seed=9) if t.dim() else np.float32(1.5))
            part = (t * weights).sum()
            total = part if total is None else total + part
    if total is not None:
        total.backward()
    gradients = [t.grad for t in (*inputs, *layer.parameters())]
    return results, gradients


def compare(case: Case, theirs: Any, ours: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's advice on some of the arguments
        expected, expected_gradients = run(theirs, torch.tensor, case)
    found, gradients = run(ours, jtorch.tensor, case)
    assert len(found) == len(expected)
    for i, (mine, other) in enumerate(zip(found, expected, strict=True)):
        assert tuple(mine.shape) == tuple(other.shape)
        assert_close(mine, other, f"result {i}")
    for i, (mine, other) in enumerate(zip(gradients, expected_gradients, strict=True)):
        assert (mine is None) == (other is None), f"gradient {i}"
        if other is not None:
            assert_close(mine, other, f"gradient {i}")
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("case", [c for c in CASES if not c.random], ids=lambda case: case.id)
def test_training_values_gradients_and_buffers(case: Case):
    theirs, ours = both(case)
    compare(case, theirs, ours)
    assert repr(ours) == repr(theirs)  # a lazy layer has become another by now


MODAL = [
    c
    for c in CASES
    if "Norm" in c.name or c.name in ("MultiheadAttention", "LazyLinear")
    or c.random
]  # fmt: skip


@pytest.mark.parametrize("case", MODAL, ids=lambda case: case.id)
def test_evaluation_values_and_gradients_where_they_may_differ(case: Case):
    theirs, ours = both(case)
    compare(case, theirs.eval(), ours.eval())


@pytest.mark.parametrize("case", [c for c in CASES if c.random], ids=lambda case: case.id)
def test_layers_that_draw_keep_shape_and_dtype(case: Case):
    theirs, ours = both(case)
    expected = flat(theirs(*tensors(torch.tensor, case)))
    found = flat(ours(*tensors(jtorch.tensor, case)))
    assert [tuple(t.shape) for t in found] == [tuple(t.shape) for t in expected]
    assert [str(t.dtype) for t in found] == [str(t.dtype) for t in expected]


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_and_a_pickle_have_the_same_text_and_state(name: str):
    case = next(c for c in CASES if c.name == name)
    ours = build(jtorch.nn, case)
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(again) == repr(ours)
        assert list(again.state_dict()) == list(ours.state_dict())
        if not name.startswith("Lazy"):
            for key, value in ours.state_dict().items():
                np.testing.assert_array_equal(array(again.state_dict()[key]), array(value))


def outcome(f: Callable[[], Any]) -> str:
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Callable[[Any, Any], Any]] = [
    lambda t, nn: nn.Dropout(1.5),
    lambda t, nn: nn.Hardtanh(1.0, 0.5),
    lambda t, nn: nn.Conv2d(3, 4, 3, groups=0),
    lambda t, nn: nn.Conv2d(3, 4, 3, groups=2),
    lambda t, nn: nn.Conv2d(4, 3, 3, groups=2),
    lambda t, nn: nn.Conv2d(4, 4, 3, stride=2, padding="same"),
    lambda t, nn: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"),
    lambda t, nn: nn.ConvTranspose2d(4, 4, 3, 2)(t.zeros(1, 4, 5, 5), output_size=[9, 9]),
    lambda t, nn: nn.ConvTranspose2d(4, 4, 3)(t.zeros(1, 4, 5, 5), output_size=[9]),
    lambda t, nn: nn.BatchNorm1d(3)(t.zeros(3)),
    lambda t, nn: nn.BatchNorm2d(3)(t.zeros(3, 3)),
    lambda t, nn: nn.BatchNorm3d(3)(t.zeros(3, 3)),
    lambda t, nn: nn.SyncBatchNorm(3)(t.zeros(3)),
    lambda t, nn: nn.InstanceNorm1d(3)(t.zeros(3)),
    lambda t, nn: nn.InstanceNorm2d(3, affine=True)(t.zeros(2, 4, 5, 5)),
    lambda t, nn: nn.GroupNorm(3, 4),
    lambda t, nn: nn.Bilinear(0, 1, 1),
    lambda t, nn: nn.Embedding(3, 2, padding_idx=3),
    lambda t, nn: nn.EmbeddingBag(3, 2, padding_idx=-4),
    lambda t, nn: nn.Embedding(3, 2, _weight=t.zeros(2, 2)),
    lambda t, nn: nn.Embedding.from_pretrained(t.zeros(2)),
    lambda t, nn: nn.Softmax2d()(t.zeros(2)),
    lambda t, nn: nn.CircularPad2d(1)(t.zeros(2)),
    lambda t, nn: nn.Unflatten(1, 3),
    lambda t, nn: nn.Unflatten(1, (3, 2.0)),
    lambda t, nn: nn.HuberLoss(delta="1"),
    lambda t, nn: nn.MultiMarginLoss(3),
    lambda t, nn: nn.TripletMarginLoss(0.0),
    lambda t, nn: nn.TripletMarginWithDistanceLoss(margin=-1),
    lambda t, nn: nn.FractionalMaxPool2d(2),
    lambda t, nn: nn.FractionalMaxPool2d(2, 2, 0.5),
    lambda t, nn: nn.FractionalMaxPool2d(2, output_ratio=1.5),
    lambda t, nn: nn.FractionalMaxPool3d(0, 2),
    lambda t, nn: nn.MultiheadAttention(0, 2),
    lambda t, nn: nn.MultiheadAttention(5, 2),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, []),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.zeros(2, 4), t.tensor([0, 5])),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.zeros(3, 4), t.tensor([0, 4])),
    lambda t, nn: nn.LazyConv2d(3, 2)(t.zeros(2, 2)),
    lambda t, nn: nn.LazyConv2d(3, 2, groups=3)(t.zeros(1, 2, 4, 4)),
    lambda t, nn: nn.LazyLinear(3).weight.shape,
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any, Any], Any]):
    expected = outcome(lambda: wrong(torch, torch.nn))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch, jtorch.nn)) == expected


def test_legacy_reduction_flags_choose_pytorchs_reduction_and_warn():
    for flags in ((True, True), (False, True), (None, False), (False, False), (True, None)):
        texts = []
        for nn in (torch.nn, jtorch.nn):
            with pytest.warns(UserWarning) as caught:
                texts.append(nn.MSELoss(*flags).reduction)
            texts.append(str(caught[0].message))
        assert texts[:2] == texts[2:]


def test_an_output_size_chooses_the_output_padding():
    x = floats(2, 4, 5, 5)
    case = layer_case("ConvTranspose2d", 4, 6, 3, 2, x=x)
    theirs, ours = both(case)
    for size in ([11, 12], [2, 6, 12, 12]):
        expected = theirs(torch.tensor(x), output_size=size)
        assert_close(ours(jtorch.tensor(x), output_size=size), expected, str(size))


def test_adaptive_softmax_log_prob_and_predict():
    x = floats(30, 8) * 10
    theirs, ours = both(layer_case("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7], 2.0))
    assert_close(ours.log_prob(jtorch.tensor(x)), theirs.log_prob(torch.tensor(x)), "log_prob")
    expected = theirs.predict(torch.tensor(x))
    assert expected.max() > 3, "the tail must be asked"
    np.testing.assert_array_equal(array(ours.predict(jtorch.tensor(x))), array(expected))


def test_from_pretrained_freezes_and_shares():
    table = floats(5, 3)
    for name in ("Embedding", "EmbeddingBag"):
        ours = getattr(jtorch.nn, name).from_pretrained(jtorch.tensor(table), padding_idx=1)
        theirs = getattr(torch.nn, name).from_pretrained(torch.tensor(table), padding_idx=1)
        assert repr(ours) == repr(theirs)
        assert ours.weight.requires_grad is theirs.weight.requires_grad is False
        thawed = getattr(jtorch.nn, name).from_pretrained(jtorch.tensor(table), freeze=False)
        assert thawed.weight.requires_grad


def test_convert_sync_batchnorm_keeps_tensors_and_text():
    def model(nn: Any) -> Any:
        return nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))

    ours, theirs = model(jtorch.nn), model(torch.nn)
    weight = ours[1][0].weight
    converted = jtorch.nn.SyncBatchNorm.convert_sync_batchnorm(ours)
    assert repr(converted) == repr(torch.nn.SyncBatchNorm.convert_sync_batchnorm(theirs))
    assert converted[1][0].weight is weight


def test_a_lazy_layer_takes_its_shape_from_a_checkpoint():
    full, lazy = jtorch.nn.Linear(5, 3), jtorch.nn.LazyLinear(3)
    lazy.load_state_dict(full.state_dict())
    np.testing.assert_array_equal(array(lazy.weight), array(full.weight))
    lazy(jtorch.ones(2, 5))
    assert repr(lazy) == repr(full)
    assert type(lazy) is jtorch.nn.Linear


def test_pytorchs_module_paths_name_our_classes():
    import jtorch.nn.modules.activation
    from jtorch.nn.modules.batchnorm import _BatchNorm
    from jtorch.nn.modules.conv import _ConvNd
    from jtorch.nn.modules.module import Module
    from jtorch.nn.modules.utils import _pair

    assert issubclass(jtorch.nn.BatchNorm2d, _BatchNorm)
    assert issubclass(jtorch.nn.ConvTranspose1d, _ConvNd)
    assert Module is jtorch.nn.Module
    assert _pair(3) == (3, 3)
    assert jtorch.nn.modules.activation.MultiheadAttention is jtorch.nn.MultiheadAttention
    for name in NAMES:
        there = getattr(torch.nn, name).__module__.removeprefix("torch.nn.modules.")
        assert getattr(getattr(jtorch.nn.modules, there), name) is getattr(jtorch.nn, name)
