"""`LinearCrossEntropyLoss` in chunks against PyTorch's, and how many rows a chunk has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from layer_cases import floats

import jtorch

LABELS = np.array([0, 6, -100, 3, 2, 1, 6])


def run(t: Any, options: dict[str, Any], **settings: Any) -> list[Any]:
    t.manual_seed(0)
    weight = t.tensor(np.linspace(0.5, 2, 7).astype(np.float32))
    loss = t.nn.LinearCrossEntropyLoss(
        5, 7, options=t.nn.LinearCrossEntropyOptions(**options), weight=weight, **settings
    )
    x = t.tensor(floats(7, 5)).requires_grad_()
    ignored = settings.get("ignore_index") or -100
    out = loss(x, t.tensor(np.where(LABELS < 0, ignored, LABELS)))
    (out * out).sum().backward()
    return [out, x.grad, *(p.grad for p in loss.parameters())]


@pytest.mark.parametrize("options,settings", [
    ({"batch_chunk_size": 3}, {"bias": True}),
    ({"batch_chunk_size": 2}, {"reduction": "sum", "bias": True, "ignore_index": 6}),
    ({}, {"reduction": "none"}),
    ({"chunking_method": "aspect_ratio:2"}, {}),
])  # fmt: skip
def test_values_and_gradients_are_pytorchs(options: Any, settings: Any):
    theirs, ours = run(torch, options, **settings), run(jtorch, options, **settings)
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("options", [
    {}, {"batch_chunk_size": 4, "chunking_method": None}, {"chunking_method": "aspect_ratio:4"},
    {"batch_chunk_size": 10**6},
])  # fmt: skip
@pytest.mark.parametrize("size", [(64, 8, 100), (7, 5, 3), (1000, 64, 50000)])
def test_chunks_have_pytorchs_sizes(options: Any, size: tuple[int, int, int]):
    theirs = torch.nn.LinearCrossEntropyOptions(**options)
    expected = theirs._adjust(*size, torch.float32).batch_chunk_size
    assert jtorch.nn.LinearCrossEntropyOptions(**options).rows(*size, False) == expected


@pytest.mark.parametrize("wrong", [
    {"acc_policy": "best"}, {"chunking_method": "half"}, {"chunking_method": "aspect_ratio:0"},
    {"batch_chunk_size": 0}, {"acc_dtype": "float32"},
])  # fmt: skip
def test_errors_are_pytorchs(wrong: dict[str, Any]):
    with pytest.raises(ValueError) as theirs:
        torch.nn.LinearCrossEntropyOptions(**wrong)
    with pytest.raises(ValueError) as ours:
        jtorch.nn.LinearCrossEntropyOptions(**wrong)
    assert str(ours.value) == str(theirs.value)
