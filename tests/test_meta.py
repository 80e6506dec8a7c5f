"""The meta device: shapes, dtypes and texts as in PyTorch, and no numbers."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from differential import assert_same

import jtorch

MODULES = (torch, jtorch)


def shown(v):
    if isinstance(v, torch.Tensor | jtorch.Tensor):
        return str(v.device), tuple(v.shape), str(v.dtype), v.requires_grad, v.is_meta, repr(v)
    return v


def backward(m, layer, x):
    layer(x).sum().backward()
    return layer.weight.grad


def stepped(m, layer, x):
    p = m.nn.Parameter(m.empty(2, device="meta"))
    p.grad = m.ones_like(p)
    m.optim.Adam([p]).step()
    return p


CASES = {
    "parameter": lambda m, layer, x: layer.weight,
    "layer": lambda m, layer, x: layer(x),
    "zeros": lambda m, layer, x: m.zeros(2, device="meta"),
    "tensor": lambda m, layer, x: m.tensor([1, 2], device="meta"),
    "like": lambda m, layer, x: m.zeros_like(m.ones(2), device="meta"),
    "arange": lambda m, layer, x: m.arange(5, device="meta"),
    "randperm": lambda m, layer, x: m.randperm(5, device="meta"),
    "randint": lambda m, layer, x: m.randint(5, (2,), device="meta"),
    "add": lambda m, layer, x: x + 1,
    "view": lambda m, layer, x: x.view(3, 5)[1],
    "strides": lambda m, layer, x: (x.t().stride(), x.t().is_contiguous()),
    "cat": lambda m, layer, x: m.cat([x, x.half()]),
    "softmax": lambda m, layer, x: x.softmax(-1),
    "dropout": lambda m, layer, x: m.nn.Dropout()(x),
    "in place": lambda m, layer, x: x.add_(1),
    "setitem": lambda m, layer, x: x.__setitem__(0, 1),
    "normal_": lambda m, layer, x: x.normal_(),
    "to": lambda m, layer, x: m.ones(2, 3).to("meta"),
    "half": lambda m, layer, x: x.half(),
    "backward": backward,
    "step": stepped,
    "deepcopy": lambda m, layer, x: copy.deepcopy(layer.weight),
    "state_dict": lambda m, layer, x: layer.state_dict()["bias"],
    "module.to": lambda m, layer, x: m.nn.Linear(3, 4).to("meta").weight,
    "large": lambda m, layer, x: m.nn.Linear(100_000, 100_000, device="meta").weight.numel(),
    "to_empty": lambda m, layer, x: layer.to_empty(device="cpu").weight.shape[0],
    "conv": lambda m, layer, x: m.nn.Conv2d(3, 8, 3).to("meta")(m.empty(2, 3, 8, 8, device="meta")),
    "skip_init": lambda m, layer, x: m.nn.utils.skip_init(m.nn.Linear, 3, 4).bias.shape[0],
}


def case(f):
    return [
        shown(f(m, m.nn.Linear(3, 4, device="meta"), m.ones(5, 3, device="meta"))) for m in MODULES
    ]


@pytest.mark.parametrize("name", CASES)
def test_shapes_and_texts(name):
    want, got = case(CASES[name])
    assert want == got


REFUSED = {
    "item": lambda x: x[0, 0].item(),
    "bool": lambda x: bool(x[0, 0] > 0),
    "float": lambda x: float(x[0, 0]),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_there_are_no_values(name):
    texts = []
    for m in MODULES:
        with pytest.raises((RuntimeError, TypeError)) as e:
            REFUSED[name](m.ones(5, 3, device="meta"))
        texts.append((type(e.value), str(e.value).split("\n")[0]))
    assert texts[0] == texts[1]


def test_module_does_not_leave_meta_by_to():
    for m in MODULES:
        with pytest.raises(NotImplementedError, match="to_empty"):
            m.nn.Linear(3, 4, device="meta").to("cpu")


def test_random_stream_stays_where_it_was():
    numbers = []
    for m in MODULES:
        m.manual_seed(3)
        m.nn.Linear(3, 4, device="meta")
        m.randn(7, device="meta").uniform_()
        numbers.append(m.rand(3))
    assert_same(*numbers, "stream")


def test_context_and_loading():
    results = []
    for m in MODULES:
        with m.device("meta"):
            layer = m.nn.Linear(2, 2)
            assert m.ones(2).is_meta and layer.weight.is_meta
        assert not m.ones(2).is_meta
        layer.load_state_dict({"weight": m.ones(2, 2), "bias": m.ones(2)}, assign=True)
        results.append(layer(m.ones(1, 2)).detach())
    assert_same(*results, "loaded")


def test_ensemble_over_a_meta_model():
    results = []
    for m in MODULES:
        layers = [m.nn.Linear(3, 2), m.nn.Linear(3, 2)]
        for i, p in enumerate([*layers[0].parameters(), *layers[1].parameters()]):
            m.nn.init.constant_(p, 0.5 - 0.25 * i)
        params, buffers = m.func.stack_module_state(layers)
        base = copy.deepcopy(layers[0]).to("meta")

        def call(p, b, x, m=m, base=base):
            return m.func.functional_call(base, (p, b), (x,))

        x = m.tensor(np.arange(6, dtype="f").reshape(2, 3))
        results.append(m.vmap(call, in_dims=(0, 0, None))(params, buffers, x).detach())
    assert_same(*results, "ensemble")


def saved(m, thing):
    file = io.BytesIO()
    m.save(thing, file)
    file.seek(0)
    return file


def test_files_with_meta_tensors_go_both_ways():
    for m in MODULES:
        things = {
            "w": m.ones(2, 3, device="meta").half(),
            "p": m.nn.Linear(2, 1, device="meta").bias,
        }
        texts = [repr(n.load(saved(m, things))) for n in MODULES]
        assert texts[0] == texts[1]


def test_loading_to_meta_reads_no_numbers():
    base = torch.arange(6.0)
    file = saved(torch, {"a": base, "b": base[2:4], "p": torch.nn.Parameter(torch.ones(2))})
    texts = []
    for m in MODULES:
        file.seek(0)
        texts.append(repr(m.load(file, map_location="meta")))
    assert texts[0] == texts[1]
