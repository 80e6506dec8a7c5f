"""Every layer against PyTorch's: text, state, weights from a seed, values, gradients, buffers."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import jtorch


class Case(NamedTuple):
    """One construction of one layer, and arrays to call it with."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Any, ...]
    random: bool = False  # its forward draws, so training values are not compared here

    @property
    def id(self) -> str:
        settings = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.name}({','.join(settings)})".replace(" ", "")


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _positive(*shape: int) -> np.ndarray:
    return np.abs(_floats(*shape, seed=3)) + 0.1


def _unit(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape).astype(np.float32)


def _classes(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, n, shape)


def _signs(*shape: int) -> np.ndarray:
    return (np.random.default_rng(2).integers(0, 2, shape) * 2 - 1).astype(np.float32)


def _case(name: str, *args: Any, x: Any = None, random: bool = False, **kwargs: Any) -> Case:
    inputs = x if isinstance(x, tuple) else (_floats(2, 6, 5) if x is None else x,)
    return Case(name, args, kwargs, inputs, random)


X1, X2, X3 = _floats(2, 4, 9), _floats(2, 4, 8, 7), _floats(2, 4, 6, 5, 7)
BY_SPATIAL = {1: X1, 2: X2, 3: X3}

ACTIVATIONS = [
    _case("ReLU"), _case("ReLU", inplace=False), _case("ReLU6"), _case("Sigmoid"), _case("Tanh"),
    _case("Hardsigmoid"), _case("Hardswish"), _case("SiLU"), _case("Mish"), _case("SELU"),
    _case("ELU"), _case("ELU", 0.5), _case("CELU"), _case("CELU", 1.3), _case("GLU", 1),
    _case("GELU"), _case("GELU", "tanh"), _case("Hardshrink"), _case("Hardshrink", 0.2),
    _case("LeakyReLU"), _case("LeakyReLU", 0.2), _case("LogSigmoid"), _case("Softplus"),
    _case("Softplus", 2.0, 1.0), _case("Softshrink"), _case("Softshrink", 0.3), _case("PReLU"),
    _case("PReLU", 6, 0.1), _case("Softsign"), _case("Tanhshrink"), _case("Softmin", 1),
    _case("Softmax", -1), _case("LogSoftmax", 1), _case("Softmax2d", x=X2), _case("Hardtanh"),
    _case("Hardtanh", -0.5, 0.7), _case("Threshold", 0.1, 20.0), _case("RReLU", random=True),
    _case("RReLU", 0.1, 0.3, random=True),
]  # fmt: skip

LINEAR = [
    _case("Identity", 3, some="thing"), _case("Linear", 5, 3), _case("Linear", 5, 3, bias=False),
    _case("Bilinear", 5, 6, 3, x=(_floats(4, 5), _floats(4, 6, seed=1))),
    _case("Bilinear", 5, 6, 3, False, x=(_floats(4, 5), _floats(4, 6, seed=1))),
    _case("Embedding", 7, 3, x=_classes(7, 2, 4)),
    _case("Embedding", 7, 3, padding_idx=-2, x=_classes(7, 2, 4)),
    _case("Embedding", 7, 3, scale_grad_by_freq=True, norm_type=3.0, x=_classes(7, 2, 4)),
    _case("EmbeddingBag", 7, 3, x=_classes(7, 2, 4)),
    _case("EmbeddingBag", 7, 3, mode="sum", padding_idx=1, x=_classes(7, 2, 4)),
    _case("EmbeddingBag", 7, 3, mode="max", x=(_classes(7, 6), np.array([0, 2, 2]))),
]  # fmt: skip

CONV = [
    _case("Conv1d", 4, 6, 3, x=X1), _case("Conv2d", 4, 6, 3, x=X2), _case("Conv3d", 4, 6, 3, x=X3),
    _case("Conv1d", 4, 6, (3,), 2, 1, 2, 2, False, x=X1),
    _case("Conv2d", 4, 6, (3, 2), (2, 1), (1, 0), groups=2, x=X2),
    _case("Conv2d", 4, 8, 3, padding="same", dilation=2, x=X2),
    _case("Conv2d", 4, 8, 3, padding="valid", x=X2),
    _case("Conv2d", 4, 4, 3, padding=1, padding_mode="reflect", groups=4, x=X2),
    _case("Conv2d", 4, 6, (2, 3), padding="same", padding_mode="circular", x=X2),
    _case("Conv1d", 4, 6, 3, padding=2, padding_mode="replicate", x=X1),
    _case("Conv3d", 4, 2, 2, stride=2, bias=False, x=X3),
    _case("ConvTranspose1d", 4, 6, 3, x=X1), _case("ConvTranspose2d", 4, 6, 3, x=X2),
    _case("ConvTranspose3d", 4, 2, 2, x=X3),
    _case("ConvTranspose2d", 4, 6, 3, 2, 1, 1, 2, False, x=X2),
    _case("ConvTranspose1d", 4, 6, 3, stride=2, dilation=2, x=X1),
]  # fmt: skip

NORM = [
    _case("BatchNorm1d", 4, x=_floats(5, 4)), _case("BatchNorm1d", 4, x=X1),
    _case("BatchNorm2d", 4, x=X2), _case("BatchNorm3d", 4, x=X3),
    _case("BatchNorm2d", 4, 1e-3, None, x=X2), _case("BatchNorm2d", 4, affine=False, x=X2),
    _case("BatchNorm2d", 4, track_running_stats=False, x=X2),
    _case("BatchNorm2d", 4, bias=False, x=X2), _case("SyncBatchNorm", 4, x=X2),
    _case("InstanceNorm1d", 4, x=X1), _case("InstanceNorm2d", 4, x=X2),
    _case("InstanceNorm3d", 4, affine=True, x=X3), _case("InstanceNorm1d", 4, x=_floats(4, 9)),
    _case("InstanceNorm2d", 4, affine=True, track_running_stats=True, x=X2),
    _case("LayerNorm", 5), _case("LayerNorm", (6, 5), 1e-3), _case("LayerNorm", [5], bias=False),
    _case("LayerNorm", 5, elementwise_affine=False), _case("RMSNorm", 5),
    _case("RMSNorm", (6, 5), 1e-3), _case("RMSNorm", 5, elementwise_affine=False),
    _case("GroupNorm", 2, 4, x=X2), _case("GroupNorm", 4, 4, affine=False, x=X2),
    _case("GroupNorm", 1, 4, bias=False, x=X2), _case("LocalResponseNorm", 3, x=X2),
]  # fmt: skip

DROPOUT = [
    _case("Dropout", 0.3, random=True), _case("Dropout", 0.0), _case("Dropout1d", random=True),
    _case("Dropout2d", 0.2, x=X2, random=True), _case("Dropout3d", x=X3, random=True),
    _case("AlphaDropout", random=True), _case("FeatureAlphaDropout", random=True),
]  # fmt: skip

POOL = [
    *[_case(f"MaxPool{n}d", 2, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"MaxPool{n}d", 3, 2, 1, 1, True, True, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"AvgPool{n}d", 2, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"AvgPool{n}d", 3, 2, 1, True, False, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"LPPool{n}d", 2, 3, 2, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"AdaptiveAvgPool{n}d", 3, x=x) for n, x in BY_SPATIAL.items()],
    *[_case(f"AdaptiveMaxPool{n}d", 3, x=x) for n, x in BY_SPATIAL.items()],
    _case("MaxPool2d", (3, 2), (2, 1), (1, 0), x=X2), _case("AvgPool2d", (3, 2), x=X2),
    _case("AvgPool2d", 2, divisor_override=3, x=X2), _case("AdaptiveAvgPool2d", (None, 2), x=X2),
    _case("AdaptiveMaxPool2d", (3, 2), return_indices=True, x=X2),
    _case("MaxUnpool1d", 2, x=(_floats(1, 2, 3), np.array([[[0, 3, 4], [1, 2, 5]]]))),
    _case("MaxUnpool2d", 2, 2, x=(_floats(1, 1, 1, 2), np.array([[[[4, 2]]]]))),
    _case("FractionalMaxPool2d", 2, output_size=3, x=X2, random=True),
    _case("FractionalMaxPool2d", 2, output_ratio=(0.5, 0.4), x=X2, random=True),
    _case("FractionalMaxPool3d", 2, 2, x=X3, random=True),
]  # fmt: skip

PAD = [
    *[_case(f"{kind}Pad{n}d", 2, x=x) for n, x in BY_SPATIAL.items()
      for kind in ("Circular", "Reflection", "Replication", "Zero")],
    *[_case(f"ConstantPad{n}d", 2, 3.5, x=x) for n, x in BY_SPATIAL.items()],
    _case("ZeroPad2d", (1, 0, 2, -1), x=X2), _case("ReflectionPad1d", (3, 1), x=X1),
    _case("CircularPad2d", (1, 0, 2, 0), x=X2), _case("ConstantPad1d", (3, 1), -1, x=X1),
]  # fmt: skip

SHAPE = [
    _case("Flatten", x=X2), _case("Flatten", 0, 2, x=X2), _case("Unflatten", 1, (2, 3)),
    _case("Unfold", 3, x=X2), _case("Unfold", (3, 2), padding=1, stride=(2, 1), x=X2),
    _case("Fold", (4, 5), (2, 2), x=_floats(2, 12, 12)), _case("PixelShuffle", 2, x=X2),
    _case("PixelUnshuffle", 2, x=_floats(2, 3, 6, 4)), _case("ChannelShuffle", 2, x=X2),
    _case("Upsample", scale_factor=2, x=X2), _case("Upsample", (5, 9), mode="bilinear", x=X2),
    _case("Upsample", None, (2.0, 1.5), "bicubic", True, x=X2), _case("Upsample", 7, x=X1),
    _case("UpsamplingNearest2d", scale_factor=2, x=X2),
    _case("UpsamplingBilinear2d", (3, 4), x=X2),
]  # fmt: skip

PAIR = (_floats(4, 5), _floats(4, 5, seed=1))
TRIPLET = (*PAIR, _floats(4, 5, seed=2))
LOSS = [
    *[_case(name, reduction=reduction, x=PAIR)
      for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")
      for reduction in ("mean", "sum", "none")],
    _case("SmoothL1Loss", beta=0.3, x=PAIR), _case("HuberLoss", delta=0.3, x=PAIR),
    _case("NLLLoss", x=(PAIR[0], _classes(5, 4))),
    _case("CrossEntropyLoss", x=(PAIR[0], _classes(5, 4))),
    _case("CrossEntropyLoss", ignore_index=2, label_smoothing=0.1, x=(PAIR[0], _classes(5, 4))),
    _case("CrossEntropyLoss", x=(PAIR[0], _unit(4, 5))),
    _case("PoissonNLLLoss", x=(PAIR[0], _positive(4, 5))),
    _case("PoissonNLLLoss", False, True, x=(_positive(4, 5), _positive(4, 5) * 2)),
    _case("GaussianNLLLoss", full=True, x=(*PAIR, _positive(4, 5))),
    _case("KLDivLoss", reduction="batchmean", x=(PAIR[0], _unit(4, 5))),
    _case("KLDivLoss", reduction="sum", log_target=True, x=PAIR),
    _case("BCELoss", x=(_unit(4, 5), _unit(4, 5, seed=1))),
    _case("BCEWithLogitsLoss", x=(PAIR[0], _unit(4, 5))),
    _case("HingeEmbeddingLoss", 0.7, x=(PAIR[0], _signs(4, 5))),
    _case("SoftMarginLoss", x=(PAIR[0], _signs(4, 5))),
    _case("MultiLabelMarginLoss", x=(PAIR[0], np.array([[1, 3, -1, 0, 0]] * 4))),
    _case("MultiLabelSoftMarginLoss", x=(PAIR[0], (_unit(4, 5) > 0.5).astype(np.float32))),
    _case("MultiMarginLoss", x=(PAIR[0], _classes(5, 4))),
    _case("MultiMarginLoss", 2, 0.5, x=(PAIR[0], _classes(5, 4))),
    _case("CosineEmbeddingLoss", 0.2, x=(*PAIR, _signs(4))),
    _case("MarginRankingLoss", 0.2, x=(*PAIR, _signs(4, 5))),
    _case("TripletMarginLoss", x=TRIPLET), _case("TripletMarginLoss", 0.5, swap=True, x=TRIPLET),
    _case("TripletMarginWithDistanceLoss", x=TRIPLET),
    _case("CTCLoss", x=(_floats(6, 2, 5), np.array([[1, 2, 2], [3, 1, 4]]), np.array([6, 5]),
                        np.array([3, 2]))),
    _case("CosineSimilarity", x=PAIR), _case("CosineSimilarity", 0, 1e-4, x=PAIR),
    _case("PairwiseDistance", x=PAIR), _case("PairwiseDistance", 1.0, 1e-3, True, x=PAIR),
]  # fmt: skip

QKV = (_floats(5, 2, 8), _floats(6, 2, 8, seed=1), _floats(6, 2, 8, seed=2))
OTHER = [
    _case("MultiheadAttention", 8, 2, x=QKV), _case("MultiheadAttention", 8, 4, bias=False, x=QKV),
    _case("MultiheadAttention", 8, 2, batch_first=True,
          x=tuple(q.transpose(1, 0, 2) for q in QKV)),
    _case("MultiheadAttention", 8, 2, add_bias_kv=True, add_zero_attn=True, x=QKV),
    _case("MultiheadAttention", 8, 2, kdim=8, vdim=6, x=(QKV[0], QKV[1], _floats(6, 2, 6))),
    _case("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7], 2.0,
          x=(_floats(6, 8), np.array([0, 2, 3, 8, 11, 5]))),
    _case("AdaptiveLogSoftmaxWithLoss", 8, 12, [4], head_bias=True,
          x=(_floats(8), np.array(9))),
    _case("LazyLinear", 3), _case("LazyLinear", 3, False), _case("LazyConv1d", 6, 3, x=X1),
    _case("LazyConv2d", 6, 3, padding=1, groups=2, x=X2), _case("LazyConv3d", 6, 2, x=X3),
    _case("LazyConvTranspose1d", 6, 3, x=X1), _case("LazyConvTranspose2d", 6, 3, 2, x=X2),
    _case("LazyConvTranspose3d", 2, 2, bias=False, x=X3),
    _case("LazyBatchNorm1d", x=X1), _case("LazyBatchNorm2d", x=X2), _case("LazyBatchNorm3d", x=X3),
    _case("LazyInstanceNorm1d", affine=True, x=X1), _case("LazyInstanceNorm2d", affine=True, x=X2),
    _case("LazyInstanceNorm3d", affine=True, x=X3),
]  # fmt: skip

CASES = [*ACTIVATIONS, *LINEAR, *CONV, *NORM, *DROPOUT, *POOL, *PAD, *SHAPE, *LOSS, *OTHER]
NAMES = sorted({case.name for case in CASES})


def build(nn: Any, case: Case) -> Any:
    """The case's layer, from `torch.nn` or from ours."""
    return getattr(nn, case.name)(*case.args, **case.kwargs)


def tensors(make: Callable[[Any], Any], case: Case) -> list[Any]:
    """The case's inputs as tensors; floating point ones require grad."""
    made = []
    for i, array in enumerate(case.inputs):
        t = make(array.copy())
        # PyTorch has no gradient for this one's target
        wanted = array.dtype == np.float32 and (case.name, i) != ("SoftMarginLoss", 1)
        made.append(t.requires_grad_() if wanted else t)
    return made


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
            weights = make(_floats(*t.shape, seed=9) if t.dim() else np.float32(1.5))
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


@every_case
def test_evaluation_values_and_gradients(case: Case):
    if case.name.startswith("FractionalMaxPool"):
        pytest.skip("it draws in evaluation mode too")
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
    x = _floats(2, 4, 5, 5)
    case = _case("ConvTranspose2d", 4, 6, 3, 2, x=x)
    theirs, ours = both(case)
    for size in ([11, 12], [2, 6, 12, 12]):
        expected = theirs(torch.tensor(x), output_size=size)
        assert_close(ours(jtorch.tensor(x), output_size=size), expected, str(size))


def test_adaptive_softmax_log_prob_and_predict():
    x = _floats(30, 8) * 10
    theirs, ours = both(_case("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7], 2.0))
    assert_close(ours.log_prob(jtorch.tensor(x)), theirs.log_prob(torch.tensor(x)), "log_prob")
    expected = theirs.predict(torch.tensor(x))
    assert expected.max() > 3, "the tail must be asked"
    np.testing.assert_array_equal(array(ours.predict(jtorch.tensor(x))), array(expected))


def test_from_pretrained_freezes_and_shares():
    table = _floats(5, 3)
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
