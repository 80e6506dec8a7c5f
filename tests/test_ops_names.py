"""Rarer names: layouts that jtorch has none of, storages, host functions, fake quantisation."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from differential import MODULES, check_error, check_gradient, check_value, evaluate, sample

import jtorch

VALUES = """
x.dense_dim()
x.sparse_dim()
x.to_dense()
x.to_dense(m.float64)
x.dequantize()
m.dequantize(x)
x.is_inference()
[x.is_sparse_csr, x.is_mkldnn, x.is_mps, x.is_xpu, x.is_xla, x.is_vulkan, x.is_ipu]
x.is_pinned()
x.is_shared()
x.dim_order()
x.t().dim_order()
x.is_set_to(x)
x.is_set_to(x.view(3, 4))
x.is_set_to(x[1:])
x.module_load(m.ones(3, 4))
m.concat([x, x], axis=1)
m.segment_reduce(x, "max", lengths=m.tensor([1, x.shape[0] - 1, 0]))
m.segment_reduce(x, "mean", offsets=m.tensor([0, 2, 2, x.shape[0]]), initial=3.0)
m.segment_reduce(x.t().contiguous(), "min", lengths=m.tensor([x.shape[1]]), initial=0.5)
m.segment_reduce(x / 9, "prod", lengths=m.tensor([2, x.shape[0] - 2]))
str(m.cov(x.bfloat16(), aweights=m.ones(x.shape[1])).dtype)[6:]
m.cov(x.long(), aweights=m.arange(1.0 + x.shape[1])[1:].double())
m.cat(tensors=[x, x], dim=-1, out=m.empty(0))
x.__rdiv__(5)
x.apply_(lambda v: 2 * v + 1)
x.map_(m.ones(4), lambda a, b: a - b)
m.arange(3).apply_(lambda v: v + 0.5)
m.unravel_index(m.tensor([4, 1, 11]), (3, 4))
m.unravel_index(m.tensor(5), 6)
m.unravel_index(m.tensor(-1), (2, 3))
m.hash_tensor(x)
m.hash_tensor(x, 1, keepdim=True)
m.hash_tensor(x.to(m.int8))
m.hash_tensor(x > 0)
m.sym_max(1, 2.5)
m.sym_min(3, 2)
m.sym_sum(1, 2, 3)
m.sym_sum([1, 2])
m.sym_ite(True, 1, 2)
m.sym_not(False)
[m.sym_int(2.5), m.sym_float(2)]
m.cond(True, lambda a: a + 1, lambda a: a - 1, (x,))
m.get_device(x)
m.is_storage(x.storage())
m.is_storage(x)
x.storage().tolist()
x[1:].storage().tolist()
x.t().storage()[1]
[len(x.storage()), x.storage().nbytes(), x.storage().element_size(), x.storage().size()]
x.untyped_storage().tolist()
x.untyped_storage()[3]
str(x[:1, :2].clone().storage())
x[1:].untyped_storage().data_ptr() == x.data_ptr()
x.clone().untyped_storage().data_ptr() == x.data_ptr()
m.ones(2).resize_as_(x).shape
m.resize_as_(m.ones(20), x).shape
m.fake_quantize_per_tensor_affine(x, 0.1, 3, 0, 20)
m.fake_quantize_per_tensor_affine(x, m.tensor(0.25), m.tensor(1), -8, 7)
m.fake_quantize_per_channel_affine(x, m.tensor([0.1, 0.5, 1.0]), m.tensor([0, 1, 2]).int(), 0, 0, 9)
""".strip().split("\n")

ERRORS = """
m.dist(x, 3)
m.segment_reduce(x, "max", lengths=m.tensor([1, 1]))
m.segment_reduce(x, "sum")
m.Tensor.__radd__(5, x)
m.Tensor.__rmul__(5, 3)
m.Tensor.__rdiv__(5, x)
m.Tensor.__rxor__(5, x.long())
m.cat((x[:2], x[2:]), out=x)
x.coalesce()
x.is_coalesced()
x.indices()
x.values()
x.crow_indices()
x.col_indices()
m.values_copy(x)
m.smm(x, x.t())
x.sspaddmm(x, x)
x.ipu()
m.unravel_index(x, (2, 3))
m.unravel_index(m.tensor(1), (-2, 3))
m.hash_tensor(x, mode=1)
m.hash_tensor(m.ones(0))
m.ones(2, requires_grad=True).apply_(abs)
m.ones(2).map_(m.ones(2).long(), max)
m.fake_quantize_per_tensor_affine(x, 0.1, 0, 5, 1)
m.fake_quantize_per_tensor_affine(x, 0.1, 300, 0, 255)
m.fake_quantize_per_tensor_affine(x.long(), 0.1, 0, 0, 255)
m.fake_quantize_per_channel_affine(x, m.ones(2), m.zeros(2).int(), 1, 0, 255)
m.fake_quantize_per_channel_affine(x, m.ones(6), m.zeros(6).long(), 1, 0, 255)
m.aminmax(x, dim=0, out=(m.empty(6), m.empty(6, dtype=m.float64)))
m.gather(x, 0, x.long() % 4, out=m.empty(4, 6, dtype=m.float64))
m.mm(x, x.t(), out=m.empty(4, 4, dtype=m.float64))
m.take(x, m.tensor([0]), out=x)
m.masked_select(x, x > 2, out=x)
m.multinomial(x, 2, out=x)
m.cov(x[0], fweights=m.tensor([-1, 1, 1, 1, 1, 1]))
""".strip().split("\n")

KERNELLESS = """
x.int_repr()
x.q_scale()
x.qscheme()
x.sparse_mask(x)
x.to_padded_tensor(0.0)
""".strip().split("\n")


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression: str) -> None:
    check_value(expression)


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression: str) -> None:
    check_error(expression)


@pytest.mark.parametrize("expression", KERNELLESS)
def test_what_only_other_layouts_can_do(expression: str) -> None:
    """torch lists its backends at length; the first sentence is what is the same."""
    want, got = (evaluate(m, expression, x=sample(m, "float32")) for m in MODULES)
    assert isinstance(want, NotImplementedError), want
    assert isinstance(got, NotImplementedError), got
    assert str(want).startswith(str(got))


@pytest.mark.parametrize("module", MODULES)
def test_a_storage_is_written_through(module) -> None:
    x = module.arange(6.0).reshape(2, 3)
    row = x[1]
    row.storage()[4] = 40.0
    assert x.tolist() == [[0, 1, 2], [3, 40, 5]]
    assert row.tolist() == [3, 40, 5]
    x.storage().fill_(7)
    assert row.tolist() == [7, 7, 7]
    assert x.storage() is not None
    assert x.untyped_storage().data_ptr() == row.untyped_storage().data_ptr()


def test_gradient_of_fake_quantisation() -> None:
    values = np.array([-0.06, -0.05, 0.05, 0.31, 25.5, 25.6, np.inf, np.nan], np.float32)
    check_gradient("m.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)", values)
    check_gradient(
        "m.fake_quantize_per_channel_affine(x.reshape(2, 4), m.tensor([0.1, 1.0]), "
        "m.tensor([0, 5]).int(), 0, 0, 30)",
        values,
    )


@pytest.mark.parametrize("module", MODULES)
def test_default_device(module) -> None:
    assert module.get_default_device() == module.device("cpu")
    with module.device("cpu"):
        assert module.ones(2).device.type == "cpu"
    module.set_default_device("cpu")
    assert module.get_default_device() == module.device("cpu")
    module.set_default_device(None)


def test_dlpack_both_ways() -> None:
    x = jtorch.arange(6).reshape(2, 3)
    assert torch.from_dlpack(x).tolist() == x.tolist()
    back = jtorch.from_dlpack(torch.arange(4.0))
    assert back.dtype is jtorch.float32
    assert back.tolist() == [0, 1, 2, 3]
    assert jtorch.from_dlpack(jtorch.to_dlpack(x)).tolist() == x.tolist()
    assert jtorch.from_dlpack(np.arange(3)).dtype is jtorch.int64


def test_an_absent_name_says_why() -> None:
    with pytest.raises(AttributeError, match=r"'to_sparse'.*strided tensors only"):
        jtorch.ones(2).to_sparse()
    with pytest.raises(AttributeError, match=r"quantize_per_tensor.*fake_quantize"):
        _ = jtorch.quantize_per_tensor
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        _ = jtorch.nonsense
    assert not hasattr(jtorch, "sparse_coo_tensor")


@pytest.mark.parametrize(
    "name", ("int1", "int4", "uint7", "bits8", "bits1x8", "bits16", "bit", "float4_e2m1fn_x2")
)
def test_dtypes_that_are_names_only(name: str) -> None:
    want, got = (getattr(m, name) for m in MODULES)
    assert str(got) == str(want)
    assert (got.itemsize, got.is_floating_point, got.is_complex) == (
        want.itemsize, want.is_floating_point, want.is_complex,
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(got)) is got
    with pytest.raises(NotImplementedError):
        jtorch.zeros(2, dtype=got)
    for m in MODULES:
        with pytest.raises(NotImplementedError):
            m.ones(2).to(getattr(m, name))


@pytest.mark.parametrize("m", MODULES)
def test_futures(m) -> None:
    assert m.wait(m.fork(lambda a, b: a + b, 1, b=2)) == 3
    first, second = m.futures.Future(), m.futures.Future()
    double = first.then(lambda f: 2 * f.wait())
    both = m.futures.collect_all([first, second])
    assert not first.done()
    first.set_result(4)
    assert double.wait() == 8
    assert not both.done()
    second.set_result(5)
    assert m.futures.wait_all([first, second]) == [4, 5]
    assert both.wait()[1].value() == 5
    failed = first.then(lambda f: 1 / 0)
    with pytest.raises(Exception, match="division by zero"):
        failed.wait()


_ENDS = (3, 8)
_GROUPED = (
    ((8, 4), (2, 4, 8), _ENDS), ((2, 4, 8), (2, 8, 4), None), ((2, 4, 8), (8, 8), _ENDS),
    ((4, 8), (8, 4), _ENDS),
)  # fmt: skip


@pytest.mark.parametrize(("left", "right", "ends"), _GROUPED)
def test_grouped_mm(left, right, ends) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in (left, right)]
    found = []
    for m in MODULES:
        a, b = (m.tensor(x, requires_grad=True) for x in arrays)
        offs = None if ends is None else m.tensor(ends, dtype=m.int32)
        out = m.nn.functional.grouped_mm(a, b, offs=offs)
        out.square().sum().backward()
        found.append([t.detach().numpy() for t in (out, a.grad, b.grad)])
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


NATIVE = """
m.native_layer_norm(x, (4,), None, None, 1e-5)
m.native_layer_norm(x, (3, 4), m.full((3, 4), 2.0), m.ones(3, 4), 1e-5)
m.native_group_norm(x.reshape(1, 4, 3), None, None, 1, 4, 3, 2, 1e-5)
m.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)
m.native_batch_norm(x, None, None, m.zeros(4), m.ones(4), False, 0.1, 1e-5)
m.native_dropout(x, 0.3, False)
[m.manual_seed(3) and 0, m.native_dropout(x, 0.3, True)]
m.embedding_renorm_(x, m.tensor([0, 2, 2]), 1.0, 2.0)
m.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5, out=[m.empty(0) for _ in range(3)])
m.nn.functional.max_pool2d_with_indices(x[None], 2, return_indices=False)
m.nn.functional.adaptive_max_pool1d_with_indices(x, 2, return_indices=False)
m.zeros(1).addbmm_(x[None], x.t()[None])
m.ones(3, 1).addbmm_(x[None], x.t()[None], beta=2, alpha=-1)
""".strip().split("\n")


@pytest.mark.parametrize("expression", NATIVE)
def test_atens_own_names(expression: str) -> None:
    check_value(expression)


def test_a_result_of_another_shape_has_a_gradient() -> None:
    found = []
    for m in MODULES:
        x, b = m.ones(1, requires_grad=True), m.ones(2, 3, 4, requires_grad=True)
        y = x.clone()
        same = y.addbmm_(b, m.ones(2, 4, 5), beta=2)
        assert same is y
        (y * y).sum().backward()
        found.append([t.detach().numpy() for t in (y, x.grad, b.grad)])
    for want, got in zip(*found, strict=True):
        np.testing.assert_array_equal(got, want)
