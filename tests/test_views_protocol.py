"""Python's protocol of tensors: copies that share or split storage, as PyTorch's do."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import jtorch

CASES = {
    "copy shares": lambda m: (lambda x: (copy.copy(x).add_(1), x.tolist())[1])(m.ones(2)),
    "copy keeps the leaf": lambda m: copy.copy(m.ones(2, requires_grad=True)).requires_grad,
    "deepcopy does not share": lambda m: (lambda x: (copy.deepcopy(x).add_(1), x.tolist())[1])(
        m.ones(2)
    ),
    "deepcopy keeps views": lambda m: written(copy.deepcopy(with_view(m.ones(3)))),
    "deepcopy of a part": lambda m: copy.deepcopy(m.arange(6.0).reshape(2, 3)[1]).tolist(),
    "deepcopy of .data": lambda m: copy.deepcopy(m.arange(3.0).data).tolist(),
    "deepcopy of detached": lambda m: written(copy.deepcopy([*with_view(m.ones(3).detach())])),
    "deepcopy of the same": lambda m: (lambda p: p[0] is p[1])(copy.deepcopy([m.ones(1)] * 2)),
    "deepcopy of grad": lambda m: copy.deepcopy(with_grad(m)).grad.tolist(),
    "deepcopy of a result": lambda m: copy.deepcopy(m.ones(2, requires_grad=True) * 2),
    "pickle": lambda m: pickle.loads(pickle.dumps(m.arange(3.0))).tolist(),
    "pickle of a leaf": lambda m: (
        pickle.loads(pickle.dumps(m.ones(2, requires_grad=True))).requires_grad
    ),
    "pickle of a parameter": lambda m: (
        type(pickle.loads(pickle.dumps(m.nn.Parameter(m.ones(2))))).__name__
    ),
    "legacy sizes": lambda m: tuple(m.Tensor(2, 3).shape),
    "legacy data": lambda m: m.FloatTensor([1, 2]).tolist(),
    "legacy dtype": lambda m: str(m.LongTensor([1, 2]).dtype),
    "isinstance": lambda m: [
        isinstance(x, t)
        for x in (m.ones(1), m.ones(1).double(), m.ones(1).long(), m.nn.Parameter(m.ones(1)))
        for t in (m.FloatTensor, m.DoubleTensor, m.LongTensor, m.Tensor, m.nn.Parameter)
    ],
    "hash": lambda m: len({m.ones(1), m.ones(1)}),
    "in a list": lambda m: (lambda x: x in [x])(m.ones(1)),
    "number in": lambda m: (2 in m.tensor([1, 2]), 3 in m.tensor([1, 2])),
    "index of a list": lambda m: [10, 20, 30][m.tensor(1)],
    "slice of a list": lambda m: [10, 20, 30][m.tensor(1) : m.tensor(3)],
    "unpacked": lambda m: [float(x) for x in m.arange(3)],
    "bool of many": lambda m: bool(m.ones(2)),
    "bool of none": lambda m: bool(m.tensor([])),
    "array": lambda m: np.asarray(m.ones(2), dtype=np.int32).tolist(),
    "format": lambda m: f"{m.tensor(2.5):.2f}",
    "grad deleted": lambda m: deleted(m),
}


def with_view(x):
    return [x, x[1:]]


def written(pair):
    pair[1].add_(1)
    return pair[0].tolist()


def with_grad(m):
    x = m.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    return x


def deleted(m):
    x = with_grad(m)
    del x.grad
    return x.grad


@pytest.mark.parametrize("name", CASES)
def test_protocol(name):
    found = []
    for m in (torch, jtorch):
        try:
            found.append(CASES[name](m))
        except Exception as e:
            found.append((type(e), str(e)))
    assert found[0] == found[1]


def test_as_strided_views_of_data_share_its_version_counter():
    found = []
    for m in (torch, jtorch):
        base = m.arange(12.0).reshape(3, 4).t()
        data = base.data
        view = data.as_strided((3,), (1,), 1)
        versions = []
        for write in (lambda d, v, b: d.add_(1), lambda d, v, b: v.mul_(2), lambda d, v, b: b.sub_(1)):  # fmt: skip  # noqa: E501
            write(data, view, base)
            versions.append([t._version for t in (base, data, view)])
        found.append((versions, base.tolist(), view.tolist()))
    assert found[0] == found[1]


def test_as_strided_counts_in_the_elements_of_the_view_it_is_given():
    found = []
    for m in (torch, jtorch):
        base = m.tensor([1 + 2j, 3 - 4j, 5j], dtype=m.complex64)
        part = base.real.as_strided((3,), (1,), 1)
        part.mul_(2)
        found.append((part.tolist(), base.tolist(), str(part.dtype)))
    assert found[0] == found[1]
