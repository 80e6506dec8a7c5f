"""torch.nn.functional against PyTorch: activations, convolutions, pools, norms, losses,
embeddings.
"""

from __future__ import annotations

import numpy as np
import pytest
from nn_functional_tools import check, normal

KINKS = np.array([-30, -4, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 7, 20.5], np.float32)
ACTIVATIONS = [
    "relu",
    "relu6",
    "elu",
    "selu",
    "celu",
    "leaky_relu",
    "gelu",
    "silu",
    "mish",
    "hardtanh",
    "hardswish",
    "hardsigmoid",
    "hardshrink",
    "softshrink",
    "tanhshrink",
    "softsign",
    "softplus",
    "logsigmoid",
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_at_its_kinks(name):
    check(lambda m, F, x: getattr(F, name)(x), KINKS)


@pytest.mark.parametrize("name", ["relu", "elu", "hardtanh", "leaky_relu", "silu", "relu6", "selu"])
def test_activation_in_place_overwrites_and_differentiates(name):
    def call(m, F, x):
        y = x * 1
        z = getattr(F, name)(y, inplace=True)
        assert z is y
        return y

    check(call, KINKS)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F, x: F.gelu(x, approximate="tanh"),
        lambda m, F, x: F.glu(x, 0),
        lambda m, F, x: F.softmax(x, 0),
        lambda m, F, x: F.log_softmax(x, -1),
        lambda m, F, x: F.softmin(x, 1),
        lambda m, F, x: F.threshold(x, 0.1, 2.0),
        lambda m, F, x: F.softmax(x * 1e4, 1),
        lambda m, F, x: F.normalize(x * 0, dim=1),
        lambda m, F, x: F.prelu(x, m.tensor([0.3])),
        lambda m, F, x: F.softplus(x, 2.0, 1.0),
    ],
)
def test_activation_with_settings(call):
    check(call, normal(4, 6))


CONVOLUTIONS = [
    (1, {}),
    (1, {"stride": 2, "padding": 1}),
    (1, {"padding": "same", "dilation": 2}),
    (2, {"stride": (2, 1), "padding": 1}),
    (2, {"padding": "same"}),
    (2, {"groups": 2}),
    (2, {"groups": 4, "padding": 1}),
    (2, {"stride": (3, 2)}),
    (3, {"padding": 1, "stride": 2}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")
@pytest.mark.parametrize("n, settings", CONVOLUTIONS)
def test_convolution(n, settings):
    groups = settings.get("groups", 1)
    arrays = normal(2, 4, *(7,) * n), normal(8, 4 // groups, *(3, 2, 3)[:n]), normal(8)
    check(lambda m, F, x, w, b: getattr(F, f"conv{n}d")(x, w, b, **settings), *arrays)


@pytest.mark.parametrize(
    "shape, kernel, settings",
    [
        ((2, 4, 7, 7), (8, 4, 1, 1), {}),
        ((2, 4, 7, 7), (8, 2, 1, 1), {"groups": 2, "stride": 2}),
        ((2, 3, 9, 12), (5, 3, 4, 4), {"stride": 4}),
        ((2, 32, 6, 6), (32, 2, 3, 3), {"groups": 16}),
        ((2, 4, 7, 7), (12, 1, 3, 3), {"groups": 4, "stride": 2, "padding": 1}),
        ((2, 16, 20, 20), (5, 16, 3, 3), {"padding": 1}),
        ((16, 8, 8), (5, 16, 3, 3), {}),
        ((2, 4, 3, 2), (4, 2, 5, 4), {"groups": 2, "padding": "same", "dilation": 2}),
    ],
)
def test_every_way_to_compute_a_convolution(shape, kernel, settings):
    check(lambda m, F, x, w: F.conv2d(x, w, **settings), normal(*shape), normal(*kernel), atol=1e-4)


@pytest.mark.parametrize(
    "n, settings",
    [
        (1, {"stride": 2, "padding": 1, "output_padding": 1}),
        (2, {"groups": 2}),
        (3, {"stride": 2}),
        (2, {"stride": (2, 1), "padding": 1, "dilation": 2}),
        (2, {"stride": (3, 2)}),
        (2, {"groups": 4, "stride": 2}),
        (1, {"stride": 2, "padding": 1, "output_padding": 2, "dilation": 4}),
        (2, {"stride": (3, 2), "padding": (1, 3), "output_padding": (2, 3), "dilation": 4}),
    ],
)
def test_transposed_convolution(n, settings):
    groups = settings.get("groups", 1)
    arrays = normal(2, 4, *(5,) * n), normal(4, 8 // groups, *(3, 2, 3)[:n]), normal(8)
    check(lambda m, F, x, w, b: getattr(F, f"conv_transpose{n}d")(x, w, b, **settings), *arrays)


def test_convolution_of_integers():
    x = np.arange(2 * 4 * 6 * 6).reshape(2, 4, 6, 6) % 7
    w = np.arange(4 * 2 * 3 * 3).reshape(4, 2, 3, 3) % 5
    check(lambda m, F, x, w: F.conv2d(x, w, groups=2, padding=1), x, w)


def test_second_derivative_of_a_convolution():
    def call(m, F, x, w):
        (g,) = m.autograd.grad((F.conv2d(x, w, padding=1) ** 3).sum(), x, create_graph=True)
        return g

    check(call, normal(2, 3, 5, 5), normal(4, 3, 3, 3), atol=1e-3)


WINDOWS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 2, "stride": 2, "ceil_mode": True},
    {"kernel_size": 9, "stride": 3, "padding": 2},
]


@pytest.mark.parametrize("settings", [*WINDOWS, {"kernel_size": 2, "dilation": 2, "stride": 1}])
def test_max_pool_with_ties_and_indices(settings):
    x = np.round(normal(2, 3, 11, 11) * 2)
    check(lambda m, F, x: F.max_pool2d(x, return_indices=True, **settings), x)
    check(lambda m, F, x: F.max_pool2d(x, **settings), x)


@pytest.mark.parametrize("settings", WINDOWS)
@pytest.mark.parametrize("inside_only", [False, True])
def test_average_pool(settings, inside_only):
    check(
        lambda m, F, x: F.avg_pool2d(x, count_include_pad=not inside_only, **settings),
        normal(2, 3, 11, 11),
    )


@pytest.mark.parametrize("out", [1, 3, 7, 9])
def test_adaptive_pools(out):
    check(lambda m, F, x: F.adaptive_avg_pool2d(x, (out, 7)), normal(2, 3, 7, 7))
    check(
        lambda m, F, x: F.adaptive_max_pool2d(x, (out, 7), return_indices=True), normal(2, 3, 7, 7)
    )


def test_other_pools():
    check(lambda m, F, x: F.lp_pool2d(x * x, 3, 2), normal(2, 3, 6, 6))
    check(
        lambda m, F, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        normal(2, 3, 6, 6),
    )
    check(lambda m, F, x: F.max_pool3d(x, 2), normal(1, 2, 4, 4, 4))
    check(lambda m, F, x: F.avg_pool1d(x, 3, 2, 1), normal(2, 3, 9))


def test_unpooling_where_values_meet():
    places = np.array([[[[13, 10, 10]]]])
    check(
        lambda m, F, x, i: F.max_unpool2d(x, i, 3, 2, output_size=(3, 6)),
        normal(1, 1, 1, 3),
        places,
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F, x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        lambda m, F, x, w, b: F.instance_norm(x, None, None, w, b),
        lambda m, F, x, w, b: F.group_norm(x, 2, w, b),
        lambda m, F, x, w, b: F.layer_norm(x.transpose(1, 2), (4,), w, b),
        lambda m, F, x, w, b: F.rms_norm(x.transpose(1, 2), (4,), w),
        lambda m, F, x, w, b: F.local_response_norm(x, 3),
    ],
)
def test_norms(call):
    check(call, normal(3, 4, 5), normal(4), normal(4))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_running_statistics_are_written(dtype):
    def call(m, F, x, mean, var):
        mean, var = mean.detach(), var.detach()
        y = F.batch_norm(x.to(getattr(m, dtype)), mean, var, training=True, momentum=0.3)
        z = F.batch_norm(x, mean, var)
        return z, mean, var, y.float()

    check(
        call,
        normal(6, 4, 5),
        normal(4),
        np.abs(normal(4)),
        atol=2e-2 if dtype == "bfloat16" else 1e-5,
    )


CLASSES = np.array([1, 0, 2, 1])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignore", [-100, 1])
def test_cross_entropy_of_classes(reduction, smoothing, ignore):
    def call(m, F, x, w, t):
        return F.cross_entropy(
            x,
            t,
            w.abs().detach(),
            ignore_index=ignore,
            reduction=reduction,
            label_smoothing=smoothing,
        )

    check(call, normal(4, 3), normal(3), CLASSES)


def test_cross_entropy_of_probabilities_and_of_pixels():
    check(
        lambda m, F, x, t: F.cross_entropy(x, t.softmax(1), label_smoothing=0.1),
        normal(4, 3),
        normal(4, 3, seed=1),
    )
    check(
        lambda m, F, x, t: F.cross_entropy(x, t), normal(2, 3, 2, 2), np.ones((2, 2, 2), np.int64)
    )
    check(lambda m, F, x, t: F.cross_entropy(x, t), normal(3), np.array(1))


PAIRED = [
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "hinge_embedding_loss",
    "poisson_nll_loss",
    "multilabel_soft_margin_loss",
    "binary_cross_entropy_with_logits",
]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", PAIRED)
def test_losses_of_pairs(name):
    for reduction in ("mean", "none"):
        check(
            lambda m, F, x, t, r=reduction: getattr(F, name)(x, t, reduction=r),
            normal(4, 3),
            normal(4, 3, seed=1),
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F, x, t, v: F.binary_cross_entropy(x.sigmoid(), t.sigmoid(), v.abs().detach()),
        lambda m, F, x, t, v: F.gaussian_nll_loss(x, t, v.abs() + 0.1, full=True),
        lambda m, F, x, t, v: F.margin_ranking_loss(x, t, v.sign(), margin=0.5),
        lambda m, F, x, t, v: F.cosine_embedding_loss(x, t, v.sign()[:, 0]),
        lambda m, F, x, t, v: F.triplet_margin_loss(x, t, v, swap=True),
        lambda m, F, x, t, v: F.triplet_margin_with_distance_loss(x, t, v),
        lambda m, F, x, t, v: F.cosine_similarity(x, t),
        lambda m, F, x, t, v: F.cosine_similarity(x[0, 0], t[0, 0], dim=0),
        lambda m, F, x, t, v: F.normalize(x[0, 0], dim=-1) * x[0, 1],
        lambda m, F, x, t, v: F.pairwise_distance(x, t, 1.0),
        lambda m, F, x, t, v: F.pdist(x),
        lambda m, F, x, t, v: F.soft_margin_loss(x, t.sign().detach()),
        lambda m, F, x, t, v: F.multi_margin_loss(x, m.tensor(CLASSES), p=2),
    ],
)
def test_other_losses_and_distances(call):
    check(call, normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2))


def test_multilabel_margin():
    labels = np.array([[3, 0, -1, 1], [1, -1, 0, 0]])
    check(lambda m, F, x, t: F.multilabel_margin_loss(x, t), normal(2, 4), labels)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc(reduction, zero_infinity):
    targets = np.array([[1, 2, 2], [3, 4, 1], [1, 1, 1]])

    def call(m, F, x, t):  # the last sample is too short for its three equal labels
        return F.ctc_loss(
            x,
            t,
            m.tensor([9, 7, 4]),
            m.tensor([3, 2, 3]),
            reduction=reduction,
            zero_infinity=zero_infinity,
        )

    check(call, normal(9, 3, 5), targets)


INDICES = np.array([[1, 2, 4, 1], [0, 3, 2, 1]])


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F, w, i: F.embedding(i, w, padding_idx=1),
        lambda m, F, w, i: F.embedding(i, w, scale_grad_by_freq=True),
        lambda m, F, w, i: F.embedding_bag(i, w, mode="mean"),
        lambda m, F, w, i: F.embedding_bag(i, w, mode="max"),
        lambda m, F, w, i: F.embedding_bag(
            i.reshape(-1), w, m.tensor([0, 3, 3, 6]), mode="sum", padding_idx=1
        ),
    ],
)
def test_embeddings(call):
    check(call, normal(5, 3), INDICES)


def test_renormalised_embedding_and_one_hot():
    def call(m, F, w, i):
        w = w.detach() * 3
        return F.embedding(i[:, :2], w, max_norm=1.0), w, F.one_hot(i), F.one_hot(i, 7)

    check(call, normal(5, 3), INDICES)
