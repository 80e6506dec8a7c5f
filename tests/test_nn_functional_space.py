"""torch.nn.functional against PyTorch: attention, padding, resizing, grids, contractions."""

from __future__ import annotations

import numpy as np
import pytest
from nn_functional_tools import check, normal

QUERY, KEY = (2, 3, 4, 5), (2, 3, 6, 5)


@pytest.mark.parametrize("settings", [{}, {"is_causal": True}, {"scale": 0.3}])
def test_attention(settings):
    def call(m, F, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, **settings)

    check(call, normal(*QUERY), normal(*KEY), normal(*KEY, seed=1))


def test_attention_with_masks_and_a_blind_row():
    seen = np.arange(24).reshape(4, 6) % 3 != 0
    seen[1] = False
    arrays = normal(*QUERY), normal(*KEY), normal(*KEY, seed=1)
    check(lambda m, F, q, k, v, s: F.scaled_dot_product_attention(q, k, v, s), *arrays, seen)
    check(
        lambda m, F, q, k, v, s: F.scaled_dot_product_attention(q, k, v, s), *arrays, normal(4, 6)
    )


def test_attention_with_shared_keys():
    check(
        lambda m, F, q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        normal(2, 4, 4, 5),
        normal(2, 2, 6, 5),
        normal(2, 2, 6, 5, seed=1),
    )


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("extras", [True, False])
def test_multi_head_attention(need_weights, extras):
    hidden = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]], bool)

    def call(m, F, x, y, w, b, ow, ob, bk, bv, hide):
        biases = (bk, bv, True) if extras else (None, None, False)
        return F.multi_head_attention_forward(
            x,
            y,
            y,
            8,
            2,
            w,
            b,
            *biases,
            0.0,
            ow,
            ob,
            key_padding_mask=hide,
            need_weights=need_weights,
        )

    weights = normal(24, 8), normal(24), normal(8, 8), normal(8), normal(1, 1, 8), normal(1, 1, 8)
    check(call, normal(5, 2, 8), normal(6, 2, 8), *weights, hidden, atol=1e-4)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("sides", [(1, 2), (1, 2, 2, 1), (1, -1, 2, 1)])
def test_pad(mode, sides):
    check(
        lambda m, F, x: F.pad(x, sides, mode=mode),
        normal(2, 3, 4, 4) if len(sides) > 2 else normal(2, 3, 4),
    )


FLAT = ("nearest", "nearest-exact", "area")


@pytest.mark.parametrize("mode", [*FLAT, "bilinear", "bicubic"])
@pytest.mark.parametrize(
    "settings",
    [
        {"size": (7, 3)},
        {"scale_factor": 2},
        {"scale_factor": 1.7},
        {"scale_factor": 0.6},
    ],
)
def test_interpolate(mode, settings):
    for align in (None,) if mode in FLAT else (None, True):
        check(
            lambda m, F, x, a=align: F.interpolate(x, mode=mode, align_corners=a, **settings),
            normal(2, 3, 5, 5),
        )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_interpolate_antialiased(mode):
    check(lambda m, F, x: F.interpolate(x, (3, 9), mode=mode, antialias=True), normal(2, 3, 8, 8))


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [False, True])
def test_grid_sample(mode, padding, align):
    check(
        lambda m, F, x, g: F.grid_sample(x, g, mode, padding, align),
        normal(2, 3, 5, 6),
        normal(2, 4, 3, 2),
    )


def test_grids_in_space():
    check(
        lambda m, F, x, g: F.grid_sample(x, g, align_corners=False),
        normal(2, 3, 5, 6, 4),
        normal(2, 4, 3, 2, 3),
    )
    check(lambda m, F, t: F.affine_grid(t, (2, 3, 4, 5), False), normal(2, 2, 3))
    check(lambda m, F, t: F.affine_grid(t, (2, 3, 4, 5, 3), True), normal(2, 3, 4))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F, x: F.pixel_shuffle(x, 2),
        lambda m, F, x: F.pixel_unshuffle(x, 2),
        lambda m, F, x: F.channel_shuffle(x, 2),
        lambda m, F, x: F.unfold(x, (2, 3), padding=1, stride=2),
        lambda m, F, x: F.fold(F.unfold(x, 3, 2, 1, 1), (6, 8), 3, 2, 1, 1),
    ],
)
def test_rearrangements(call):
    check(call, normal(2, 4, 6, 8))


@pytest.mark.parametrize(
    "equation, shapes",
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (1, 4)]),
        ("i...,...j", [(2, 3, 4), (3, 4, 5)]),
        ("ii->i", [(3, 3)]),
        ("...ij,...jk->...ik", [(7, 2, 3), (3, 4)]),
        ("Ba,aB", [(2, 3), (3, 2)]),
        ("ij->i...", [(2, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("ij->", [(2, 3)]),
    ],
)
def test_einsum(equation, shapes):
    check(lambda m, F, *a: m.einsum(equation, *a), *(normal(*s) for s in shapes))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, a, b: m.einsum(a, [0, 1], b, [1, 2], [2, 0]),
        lambda m, a, b: m.tensordot(a, b, 1),
        lambda m, a, b: m.tensordot(a, b, ([1], [0])),
        lambda m, a, b: m.tensordot(a, b, 0),
        lambda m, a, b: m.addmm(m.ones(4), a, b, beta=0.5, alpha=2),
        lambda m, a, b: m.mv(a, b[:, 0]),
        lambda m, a, b: m.addmm(m.full((2, 4), float("nan")), a, b, beta=0),
        lambda m, a, b: m.outer(a[0], b[0]),
        lambda m, a, b: m.inner(a, b.t()),
        lambda m, a, b: m.dot(a[0], b[:, 0]),
        lambda m, a, b: m.addbmm(m.ones(2, 4), a[None], b[None]),
        lambda m, a, b: m.addr(m.ones(2, 3), a[:, 0], a[0]),
        lambda m, a, b: m.baddbmm(m.ones(1, 2, 4), a[None], b[None], beta=2),
        lambda m, a, b: m.nn.functional.bilinear(a, a, m.ones(5, 3, 3)),
    ],
)
def test_products(call):
    check(lambda m, F, a, b: call(m, a, b), normal(2, 3), normal(3, 4))


@pytest.mark.filterwarnings("ignore:.*chain_matmul")
def test_chain_of_products():
    check(lambda m, F, a, b, c: m.chain_matmul(a, b, c), normal(2, 9), normal(9, 3), normal(3, 5))
