"""`torch.ops.aten`: operators by the dispatcher's names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import assert_same

import jtorch

MODULES = (torch, jtorch)
CALLS = {
    "add": lambda a, x: a.add.Tensor(x, x),
    "packet": lambda a, x: a.mul(x, 2),
    "scalar": lambda a, x: a.add.Scalar(x, 2),
    "mm": lambda a, x: a.mm.default(x, x),
    "view": lambda a, x: a.view.default(x, [9]),
    "sum": lambda a, x: a.sum.dim_IntList(x, [1]),
    "detach": lambda a, x: a.detach.default(x),
    "relu": lambda a, x: a.relu(x),
    "_to_copy": lambda a, x: a._to_copy.default(x, dtype=x.double().dtype),
    "softmax": lambda a, x: a.softmax.int(x, 1),
    "in place": lambda a, x: a.add_.Tensor(x.clone(), x),
    "pad": lambda a, x: a.constant_pad_nd(x, [1, 1], 2.0),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    x = np.arange(9, dtype="f").reshape(3, 3) - 4
    assert_same(*(CALLS[name](m.ops.aten, m.tensor(x)) for m in MODULES), name)


def test_objects_are_kept_and_named():
    for m in MODULES:
        aten = m.ops.aten
        assert aten.detach.default is aten.detach.default and aten.detach is aten.detach
        assert aten.add.Tensor in {aten.add.Tensor: 1} and aten.add.Tensor != aten.add.Scalar
        assert aten.add.Tensor.overloadpacket is aten.add
        with pytest.raises(AttributeError):
            _ = aten.there_is_no_such_operator
    names = [
        (str(a.add.Tensor), repr(a.add.Tensor), a.add.Tensor.name(), a.relu.default.name(),
         str(a.relu), repr(a.relu), a.add.Tensor.__name__)
        for a in (m.ops.aten for m in MODULES)
    ]  # fmt: skip
    assert names[0] == names[1]
