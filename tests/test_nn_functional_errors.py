"""torch.nn.functional refuses what PyTorch refuses, with its exception and its words."""

from __future__ import annotations

import pytest
import torch
from nn_functional_tools import error

import jtorch

CALLS = {
    "mm shapes": lambda m, F: m.mm(m.ones(2, 3), m.ones(4, 5)),
    "mm dtypes": lambda m, F: m.mm(m.ones(2, 3), m.ones(3, 4).double()),
    "mm vector": lambda m, F: m.mm(m.ones(2, 3), m.ones(3)),
    "matmul batch": lambda m, F: m.ones(7, 2, 3) @ m.ones(6, 3, 5),
    "bmm sizes": lambda m, F: m.bmm(m.ones(7, 2, 3), m.ones(7, 4, 5)),
    "dot sizes": lambda m, F: m.dot(m.ones(2), m.ones(3)),
    "addmm bias": lambda m, F: m.addmm(m.ones(2, 4), m.ones(2, 3), m.ones(3, 5)),
    "linear shapes": lambda m, F: F.linear(m.ones(2, 3), m.ones(4, 5)),
    "linear bias": lambda m, F: F.linear(m.ones(2, 3), m.ones(5, 3), m.ones(4)),
    "bool product": lambda m, F: m.mm(m.ones(2, 2).bool(), m.ones(2, 2).bool()),
    "einsum size": lambda m, F: m.einsum("ij,jk->ik", m.ones(2, 3), m.ones(4, 5)),
    "einsum output": lambda m, F: m.einsum("ij->il", m.ones(2, 3)),
    "einsum operands": lambda m, F: m.einsum("ij,jk", m.ones(2, 3)),
    "einsum letters": lambda m, F: m.einsum("i1", m.ones(2, 3)),
    "conv channels": lambda m, F: F.conv2d(m.ones(2, 3, 5, 5), m.ones(4, 2, 3, 3)),
    "conv bias": lambda m, F: F.conv2d(m.ones(2, 3, 5, 5), m.ones(4, 3, 3, 3), m.ones(3)),
    "conv reach": lambda m, F: F.conv2d(m.ones(2, 3, 5, 5), m.ones(4, 3, 7, 7)),
    "conv rank": lambda m, F: F.conv2d(m.ones(2, 5), m.ones(4, 3, 3, 3)),
    "conv stride": lambda m, F: F.conv2d(m.ones(1, 1, 5, 5), m.ones(1, 1, 3, 3), stride=(1, 2, 3)),
    "conv same": lambda m, F: F.conv2d(
        m.ones(1, 1, 5, 5), m.ones(1, 1, 3, 3), padding="same", stride=2
    ),
    "conv groups": lambda m, F: F.conv2d(m.ones(2, 3, 5, 5), m.ones(4, 3, 3, 3), groups=3),
    "transposed padding": lambda m, F: F.conv_transpose1d(
        m.ones(1, 1, 5), m.ones(1, 1, 3), output_padding=1
    ),
    "pool window": lambda m, F: F.max_pool2d(m.ones(1, 1, 4), 2),
    "pool padding": lambda m, F: F.avg_pool2d(m.ones(1, 4, 4), 2, padding=2),
    "pool divisor": lambda m, F: F.avg_pool2d(m.ones(1, 4, 4), 2, divisor_override=0),
    "adaptive size": lambda m, F: F.adaptive_avg_pool2d(m.ones(1, 1, 4, 4), (-1, 0)),
    "relu bool": lambda m, F: F.relu(m.ones(2).bool()),
    "gelu int": lambda m, F: F.gelu(m.ones(2).long()),
    "gelu mode": lambda m, F: F.gelu(m.ones(2), approximate="no"),
    "softmax dim": lambda m, F: F.softmax(m.ones(2, 3), 2),
    "softmax int": lambda m, F: F.softmax(m.ones(2, 3).long(), 1),
    "glu odd": lambda m, F: F.glu(m.ones(3)),
    "layer norm": lambda m, F: F.layer_norm(m.ones(2, 3), (4,)),
    "group norm": lambda m, F: F.group_norm(m.ones(2, 3), 2),
    "one value": lambda m, F: F.batch_norm(m.ones(1, 3), None, None, training=True),
    "dropout p": lambda m, F: F.dropout(m.ones(3), 1.5),
    "nll batch": lambda m, F: F.nll_loss(m.ones(2, 3), m.zeros(3).long()),
    "nll float": lambda m, F: F.nll_loss(m.ones(2, 3), m.zeros(2)),
    "target range": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 3])),
    "smoothing": lambda m, F: F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), label_smoothing=2.0),
    "bce size": lambda m, F: F.binary_cross_entropy(m.ones(2), m.ones(3)),
    "reduction": lambda m, F: F.mse_loss(m.ones(2), m.ones(2), reduction="average"),
    "index range": lambda m, F: F.embedding(m.tensor([0, 5]), m.ones(4, 2)),
    "padding_idx": lambda m, F: F.embedding(m.tensor([0]), m.ones(4, 2), padding_idx=9),
    "bag mode": lambda m, F: F.embedding_bag(m.tensor([[0]]), m.ones(4, 2), mode="min"),
    "pad odd": lambda m, F: F.pad(m.ones(2, 3), (1,)),
    "reflect": lambda m, F: F.pad(m.ones(1, 2, 3), (3, 0), mode="reflect"),
    "shuffle": lambda m, F: F.pixel_shuffle(m.ones(1, 3, 2, 2), 2),
    "interpolate both": lambda m, F: F.interpolate(m.ones(1, 1, 4), size=3, scale_factor=2),
    "interpolate rank": lambda m, F: F.interpolate(m.ones(1, 1, 4), size=3, mode="bilinear"),
    "grid batch": lambda m, F: F.grid_sample(
        m.ones(1, 2, 3, 3), m.ones(2, 2, 2, 2), align_corners=True
    ),
    "attention": lambda m, F: F.scaled_dot_product_attention(
        m.ones(2, 3), m.ones(2, 3), m.ones(2, 3), m.ones(2, 2), is_causal=True
    ),
    "ctc blank": lambda m, F: F.ctc_loss(
        m.ones(5, 2, 4), m.ones(2, 3).long(), (5, 5), (3, 2), blank=4
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_same_error(name):
    assert error(CALLS[name], jtorch) == error(CALLS[name], torch)


def test_targets_of_ignored_index_may_lie_outside():
    F = jtorch.nn.functional
    loss = F.cross_entropy(jtorch.zeros(2, 3), jtorch.tensor([0, -100]))
    assert loss.item() == pytest.approx(1.0986123)
