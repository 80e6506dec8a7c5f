"""Every layer with arguments and inputs: the table that the layer tests run through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


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


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _positive(*shape: int) -> np.ndarray:
    return np.abs(floats(*shape, seed=3)) + 0.1


def _unit(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape).astype(np.float32)


def _classes(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, n, shape)


def _signs(*shape: int) -> np.ndarray:
    return (np.random.default_rng(2).integers(0, 2, shape) * 2 - 1).astype(np.float32)


def case(name: str, *args: Any, x: Any = None, random: bool = False, **kwargs: Any) -> Case:
    inputs = x if isinstance(x, tuple) else (floats(2, 6, 5) if x is None else x,)
    return Case(name, args, kwargs, inputs, random)


X1, X2, X3 = floats(2, 4, 9), floats(2, 4, 8, 7), floats(2, 4, 6, 5, 7)
BY_SPATIAL = {1: X1, 2: X2, 3: X3}

ACTIVATIONS = [
    case("ReLU"), case("ReLU", inplace=False), case("ReLU6"), case("Sigmoid"), case("Tanh"),
    case("Hardsigmoid"), case("Hardswish"), case("SiLU"), case("Mish"), case("SELU"),
    case("ELU"), case("ELU", 0.5), case("CELU"), case("CELU", 1.3), case("GLU", 1),
    case("GELU"), case("GELU", "tanh"), case("Hardshrink"), case("Hardshrink", 0.2),
    case("LeakyReLU"), case("LeakyReLU", 0.2), case("LogSigmoid"), case("Softplus"),
    case("Softplus", 2.0, 1.0), case("Softshrink"), case("Softshrink", 0.3), case("PReLU"),
    case("PReLU", 6, 0.1), case("Softsign"), case("Tanhshrink"), case("Softmin", 1),
    case("Softmax", -1), case("LogSoftmax", 1), case("Softmax2d", x=X2), case("Hardtanh"),
    case("Hardtanh", -0.5, 0.7), case("Threshold", 0.1, 20.0), case("RReLU", random=True),
    case("RReLU", 0.1, 0.3, random=True),
]  # fmt: skip

LINEAR = [
    case("Identity", 3, some="thing"), case("Linear", 5, 3), case("Linear", 5, 3, bias=False),
    case("Bilinear", 5, 6, 3, x=(floats(4, 5), floats(4, 6, seed=1))),
    case("Bilinear", 5, 6, 3, False, x=(floats(4, 5), floats(4, 6, seed=1))),
    case("Embedding", 7, 3, x=_classes(7, 2, 4)),
    case("Embedding", 7, 3, padding_idx=-2, x=_classes(7, 2, 4)),
    case("Embedding", 7, 3, scale_grad_by_freq=True, norm_type=3.0, x=_classes(7, 2, 4)),
    case("EmbeddingBag", 7, 3, x=_classes(7, 2, 4)),
    case("EmbeddingBag", 7, 3, mode="sum", padding_idx=1, x=_classes(7, 2, 4)),
    case("EmbeddingBag", 7, 3, mode="max", x=(_classes(7, 6), np.array([0, 2, 2]))),
]  # fmt: skip

CONV = [
    case("Conv1d", 4, 6, 3, x=X1), case("Conv2d", 4, 6, 3, x=X2), case("Conv3d", 4, 6, 3, x=X3),
    case("Conv1d", 4, 6, (3,), 2, 1, 2, 2, False, x=X1),
    case("Conv2d", 4, 6, (3, 2), (2, 1), (1, 0), groups=2, x=X2),
    case("Conv2d", 4, 8, 3, padding="same", dilation=2, x=X2),
    case("Conv2d", 4, 8, 3, padding="valid", x=X2),
    case("Conv2d", 4, 4, 3, padding=1, padding_mode="reflect", groups=4, x=X2),
    case("Conv2d", 4, 6, (2, 3), padding="same", padding_mode="circular", x=X2),
    case("Conv1d", 4, 6, 3, padding=2, padding_mode="replicate", x=X1),
    case("Conv3d", 4, 2, 2, stride=2, bias=False, x=X3),
    case("ConvTranspose1d", 4, 6, 3, x=X1), case("ConvTranspose2d", 4, 6, 3, x=X2),
    case("ConvTranspose3d", 4, 2, 2, x=X3),
    case("ConvTranspose2d", 4, 6, 3, 2, 1, 1, 2, False, x=X2),
    case("ConvTranspose1d", 4, 6, 3, stride=2, dilation=2, x=X1),
]  # fmt: skip

NORM = [
    case("BatchNorm1d", 4, x=floats(5, 4)), case("BatchNorm1d", 4, x=X1),
    case("BatchNorm2d", 4, x=X2), case("BatchNorm3d", 4, x=X3),
    case("BatchNorm2d", 4, 1e-3, None, x=X2), case("BatchNorm2d", 4, affine=False, x=X2),
    case("BatchNorm2d", 4, track_running_stats=False, x=X2),
    case("BatchNorm2d", 4, bias=False, x=X2), case("SyncBatchNorm", 4, x=X2),
    case("InstanceNorm1d", 4, x=X1), case("InstanceNorm2d", 4, x=X2),
    case("InstanceNorm3d", 4, affine=True, x=X3), case("InstanceNorm1d", 4, x=floats(4, 9)),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, x=X2),
    case("CrossMapLRN2d", 3, x=floats(2, 7, 3, 4)), case("CrossMapLRN2d", 4, 0.5, k=2.0, x=X2),
    case("LayerNorm", 5), case("LayerNorm", (6, 5), 1e-3), case("LayerNorm", [5], bias=False),
    case("LayerNorm", 5, elementwise_affine=False), case("RMSNorm", 5),
    case("RMSNorm", (6, 5), 1e-3), case("RMSNorm", 5, elementwise_affine=False),
    case("GroupNorm", 2, 4, x=X2), case("GroupNorm", 4, 4, affine=False, x=X2),
    case("GroupNorm", 1, 4, bias=False, x=X2), case("LocalResponseNorm", 3, x=X2),
]  # fmt: skip

DROPOUT = [
    case("Dropout", 0.3, random=True), case("Dropout", 0.0), case("Dropout1d", random=True),
    case("Dropout2d", 0.2, x=X2, random=True), case("Dropout3d", x=X3, random=True),
    case("AlphaDropout", random=True), case("FeatureAlphaDropout", random=True),
]  # fmt: skip

POOL = [
    *[case(f"MaxPool{n}d", 2, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"MaxPool{n}d", 3, 2, 1, 1, True, True, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"AvgPool{n}d", 2, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"AvgPool{n}d", 3, 2, 1, True, False, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"LPPool{n}d", 2, 3, 2, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"AdaptiveAvgPool{n}d", 3, x=x) for n, x in BY_SPATIAL.items()],
    *[case(f"AdaptiveMaxPool{n}d", 3, x=x) for n, x in BY_SPATIAL.items()],
    case("MaxPool2d", (3, 2), (2, 1), (1, 0), x=X2), case("AvgPool2d", (3, 2), x=X2),
    case("AvgPool2d", 2, divisor_override=3, x=X2), case("AdaptiveAvgPool2d", (None, 2), x=X2),
    case("AdaptiveMaxPool2d", (3, 2), return_indices=True, x=X2),
    case("MaxUnpool1d", 2, x=(floats(1, 2, 3), np.array([[[0, 3, 4], [1, 2, 5]]]))),
    case("MaxUnpool2d", 2, 2, x=(floats(1, 1, 1, 2), np.array([[[[4, 2]]]]))),
    case("FractionalMaxPool2d", 2, output_size=3, x=X2),
    case("FractionalMaxPool2d", 2, output_ratio=(0.5, 0.4), x=X2),
    case("FractionalMaxPool3d", 2, 2, x=X3),
]  # fmt: skip

PAD = [
    *[case(f"{kind}Pad{n}d", 2, x=x) for n, x in BY_SPATIAL.items()
      for kind in ("Circular", "Reflection", "Replication", "Zero")],
    *[case(f"ConstantPad{n}d", 2, 3.5, x=x) for n, x in BY_SPATIAL.items()],
    case("ZeroPad2d", (1, 0, 2, -1), x=X2), case("ReflectionPad1d", (3, 1), x=X1),
    case("CircularPad2d", (1, 0, 2, 0), x=X2), case("ConstantPad1d", (3, 1), -1, x=X1),
]  # fmt: skip

SHAPE = [
    case("Flatten", x=X2), case("Flatten", 0, 2, x=X2), case("Unflatten", 1, (2, 3)),
    case("Unfold", 3, x=X2), case("Unfold", (3, 2), padding=1, stride=(2, 1), x=X2),
    case("Fold", (4, 5), (2, 2), x=floats(2, 12, 12)), case("PixelShuffle", 2, x=X2),
    case("PixelUnshuffle", 2, x=floats(2, 3, 6, 4)), case("ChannelShuffle", 2, x=X2),
    case("Upsample", scale_factor=2, x=X2), case("Upsample", (5, 9), mode="bilinear", x=X2),
    case("Upsample", None, (2.0, 1.5), "bicubic", True, x=X2), case("Upsample", 7, x=X1),
    case("UpsamplingNearest2d", scale_factor=2, x=X2),
    case("UpsamplingBilinear2d", (3, 4), x=X2),
]  # fmt: skip

PAIR = (floats(4, 5), floats(4, 5, seed=1))
TRIPLET = (*PAIR, floats(4, 5, seed=2))
LOSS = [
    *[case(name, reduction=reduction, x=PAIR)
      for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")
      for reduction in ("mean", "sum", "none")],
    case("SmoothL1Loss", beta=0.3, x=PAIR), case("HuberLoss", delta=0.3, x=PAIR),
    case("NLLLoss", x=(PAIR[0], _classes(5, 4))),
    case("CrossEntropyLoss", x=(PAIR[0], _classes(5, 4))),
    case("CrossEntropyLoss", ignore_index=2, label_smoothing=0.1, x=(PAIR[0], _classes(5, 4))),
    case("CrossEntropyLoss", x=(PAIR[0], _unit(4, 5))),
    case("PoissonNLLLoss", x=(PAIR[0], _positive(4, 5))),
    case("PoissonNLLLoss", False, True, x=(_positive(4, 5), _positive(4, 5) * 2)),
    case("GaussianNLLLoss", full=True, x=(*PAIR, _positive(4, 5))),
    case("KLDivLoss", reduction="batchmean", x=(PAIR[0], _unit(4, 5))),
    case("KLDivLoss", reduction="sum", log_target=True, x=PAIR),
    case("BCELoss", x=(_unit(4, 5), _unit(4, 5, seed=1))),
    case("BCEWithLogitsLoss", x=(PAIR[0], _unit(4, 5))),
    case("HingeEmbeddingLoss", 0.7, x=(PAIR[0], _signs(4, 5))),
    case("SoftMarginLoss", x=(PAIR[0], _signs(4, 5))),
    case("MultiLabelMarginLoss", x=(PAIR[0], np.array([[1, 3, -1, 0, 0]] * 4))),
    case("MultiLabelSoftMarginLoss", x=(PAIR[0], (_unit(4, 5) > 0.5).astype(np.float32))),
    case("MultiMarginLoss", x=(PAIR[0], _classes(5, 4))),
    case("MultiMarginLoss", 2, 0.5, x=(PAIR[0], _classes(5, 4))),
    case("CosineEmbeddingLoss", 0.2, x=(*PAIR, _signs(4))),
    case("MarginRankingLoss", 0.2, x=(*PAIR, _signs(4, 5))),
    case("TripletMarginLoss", x=TRIPLET), case("TripletMarginLoss", 0.5, swap=True, x=TRIPLET),
    case("TripletMarginWithDistanceLoss", x=TRIPLET),
    case("CTCLoss", x=(floats(6, 2, 5), np.array([[1, 2, 2], [3, 1, 4]]), np.array([6, 5]),
                        np.array([3, 2]))),
    case("LinearCrossEntropyLoss", 5, 7, x=(PAIR[0], _classes(7, 4))),
    case("LinearCrossEntropyLoss", 5, 3, out_features=(2,), bias=True, label_smoothing=0.1,
          ignore_index=1, x=(PAIR[0], _classes(3, 4, 2))),
    case("CosineSimilarity", x=PAIR), case("CosineSimilarity", 0, 1e-4, x=PAIR),
    case("PairwiseDistance", x=PAIR), case("PairwiseDistance", 1.0, 1e-3, True, x=PAIR),
]  # fmt: skip

QKV = (floats(5, 2, 8), floats(6, 2, 8, seed=1), floats(6, 2, 8, seed=2))
OTHER = [
    case("MultiheadAttention", 8, 2, x=QKV), case("MultiheadAttention", 8, 4, bias=False, x=QKV),
    case("MultiheadAttention", 8, 2, batch_first=True,
          x=tuple(q.transpose(1, 0, 2) for q in QKV)),
    case("MultiheadAttention", 8, 2, add_bias_kv=True, add_zero_attn=True, x=QKV),
    case("MultiheadAttention", 8, 2, kdim=8, vdim=6, x=(QKV[0], QKV[1], floats(6, 2, 6))),
    case("AdaptiveLogSoftmaxWithLoss", 8, 12, [3, 7], 2.0,
          x=(floats(6, 8), np.array([0, 2, 3, 8, 11, 5]))),
    case("AdaptiveLogSoftmaxWithLoss", 8, 12, [4], head_bias=True,
          x=(floats(8), np.array(9))),
    case("LazyLinear", 3), case("LazyLinear", 3, False), case("LazyConv1d", 6, 3, x=X1),
    case("LazyConv2d", 6, 3, padding=1, groups=2, x=X2), case("LazyConv3d", 6, 2, x=X3),
    case("LazyConvTranspose1d", 6, 3, x=X1), case("LazyConvTranspose2d", 6, 3, 2, x=X2),
    case("LazyConvTranspose3d", 2, 2, bias=False, x=X3),
    case("LazyBatchNorm1d", x=X1), case("LazyBatchNorm2d", x=X2), case("LazyBatchNorm3d", x=X3),
    case("LazyInstanceNorm1d", affine=True, x=X1), case("LazyInstanceNorm2d", affine=True, x=X2),
    case("LazyInstanceNorm3d", affine=True, x=X3),
]  # fmt: skip

SEQUENCE = floats(5, 2, 3)
RECURRENT = [
    case("LSTM", 3, 4, x=SEQUENCE), case("GRU", 3, 4, x=SEQUENCE), case("RNN", 3, 4, x=SEQUENCE),
    case("LSTM", 3, 4, 2, False, True, bidirectional=True, x=SEQUENCE),
    case("LSTM", 3, 4, num_layers=2, proj_size=2, x=SEQUENCE), case("GRU", 3, 4, x=floats(5, 3)),
    case("GRU", 3, 4, num_layers=2, bidirectional=True, batch_first=True, x=SEQUENCE),
    case("RNN", 3, 4, 2, "relu", False, bidirectional=True, x=SEQUENCE),
    case("RNN", 3, 4, nonlinearity="relu", x=(SEQUENCE, floats(1, 2, 4, seed=1))),
    case("LSTMCell", 3, 4, x=floats(2, 3)), case("LSTMCell", 3, 4, False, x=floats(3)),
    case("GRUCell", 3, 4, x=(floats(2, 3), floats(2, 4, seed=1))),
    case("GRUCell", 3, 4, x=floats(3)), case("RNNCell", 3, 4, x=floats(2, 3)),
    case("RNNCell", 3, 4, nonlinearity="relu", x=floats(2, 3)),
]  # fmt: skip

CASES = [
    *ACTIVATIONS,
    *LINEAR,
    *CONV,
    *NORM,
    *DROPOUT,
    *POOL,
    *PAD,
    *SHAPE,
    *LOSS,
    *OTHER,
    *RECURRENT,
]
NAMES = sorted({case.name for case in CASES})


def build(nn: Any, case: Case) -> Any:
    """The case's layer, from `torch.nn` or from ours."""
    return getattr(nn, case.name)(*case.args, **case.kwargs)


# Inputs of 1 and -1, for which PyTorch has no gradient.
LABELS = {("SoftMarginLoss", 1), ("HingeEmbeddingLoss", 1), ("CosineEmbeddingLoss", 2)}


def tensors(make: Callable[[Any], Any], case: Case) -> list[Any]:
    """The case's inputs as tensors; floating point ones require grad."""
    made = []
    for i, array in enumerate(case.inputs):
        t = make(array.copy())
        wanted = array.dtype == np.float32 and (case.name, i) not in LABELS
        made.append(t.requires_grad_() if wanted else t)
    return made
