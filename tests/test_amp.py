"""`autocast` against PyTorch's: dtypes op by op, nesting, decorators, cache, custom functions."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import jtorch

X = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)

# x is float32, h of the low precision, i int64.
EXPRESSIONS = [
    "x @ x", "t.addmm(x, x, h)", "t.bmm(x[None], h[None])", "t.baddbmm(x[None], x[None], x[None])",
    "t.einsum('ij,jk', x, h)", "t.tensordot(x, x, 1)", "t.mv(x, x[0])", "t.outer(x[0], x[0])",
    "t.mm(x.double(), x.double())", "F.linear(h, x, x[0])", "F.conv1d(x[None], x[:, :, None])",
    "F.conv2d(x[None, None], x[None, None, :2, :2])", "F.conv_transpose1d(x[None], x[:, :, None])",
    "F.prelu(x, x[0, :1])", "F.scaled_dot_product_attention(x[None], h[None], x[None])",
    "F.mse_loss(h, h)", "F.mse_loss(h.double(), h.double())", "F.l1_loss(h, x)",
    "F.smooth_l1_loss(h, h)", "F.huber_loss(h, h)", "F.cross_entropy(h, i)", "F.nll_loss(h, i)",
    "F.binary_cross_entropy_with_logits(h, h)", "F.soft_margin_loss(h, h)",
    "F.multi_margin_loss(h, i)",
    "F.triplet_margin_loss(h, h, x)", "t.softmax(h, -1)", "F.log_softmax(h, -1)", "t.sum(h)",
    "t.prod(h)", "h.sum(dtype=t.float64)", "t.exp(h)", "t.pow(h, 2)", "h.norm()", "h.mean()",
    "F.layer_norm(h, (4,), x[0], x[0])", "F.group_norm(h, 2, x[0], x[0])",
    "F.rms_norm(h, (4,), x[0])",
    "F.batch_norm(h, x[0].clone(), x[1].clone() ** 2, x[0], x[1], True)",
    "t.cat([h, x])", "t.stack([h, h])", "t.addcmul(h, x, x)", "h + x", "h * h",
    "t.where(h > 0, h, x)",
    "F.gelu(h)", "F.softplus(h)", "F.avg_pool2d(h[None], 2)",
    "F.avg_pool3d(h[None, None], (1, 2, 2))",
    "F.pad(h[None], (1, 1), 'reflect')", "F.pad(h, (1, 1))", "t.cdist(h, h)", "t.trace(h)",
    "nn.LSTM(4, 4)(x)[0]", "nn.GRU(4, 4)(x)[0]", "nn.RNN(4, 4)(x)[0]", "nn.RNNCell(4, 4)(x)",
    "nn.GRUCell(4, 4)(x)", "nn.LSTMCell(4, 4)(x)[0]", "nn.MultiheadAttention(4, 2)(x, x, x)[0]",
    "nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))(x)",
    "nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))(x)", "nn.Embedding(4, 3)(i)",
]  # fmt: skip


def evaluate(t: Any, expression: str, kind: str) -> Any:
    t.manual_seed(0)
    dtype = getattr(t, kind)
    names = {
        "t": t, "nn": t.nn, "F": t.nn.functional, "x": t.tensor(X), "h": t.tensor(X).to(dtype),
        "i": t.tensor([0, 1, 2, 3]),
    }  # fmt: skip
    with warnings.catch_warnings(), t.autocast("cpu", dtype=dtype):
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's advice on mixed dtypes
        return eval(expression, names).detach()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_dtypes_and_values_are_pytorchs(expression: str):
    kinds = ["bfloat16"] if "LSTM(" in expression else ["bfloat16", "float16"]  # oneDNN has no half
    for kind in kinds:
        expected = evaluate(torch, expression, kind)
        found = evaluate(jtorch, expression, kind)
        assert str(found.dtype) == str(expected.dtype), kind
        close = {"rtol": 2e-2, "atol": 2e-2 * float(expected.abs().max())}
        np.testing.assert_allclose(found.double().numpy(), expected.double().numpy(), **close)


@pytest.fixture
def on_accelerator_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU tensors cast by the lists for accelerators, which no test machine has."""
    from jtorch import _autocast_lists as lists

    monkeypatch.setitem(lists.POLICIES, "cpu", lists.POLICIES["cuda"])
    monkeypatch.delitem(lists.ONLY, ("cpu", "_rnn_layer"))


@pytest.mark.parametrize("expression,expected", [
    ("x @ x", "float16"), ("t.mv(x, x[0])", "float16"), ("F.linear(x, x)", "float16"),
    ("nn.GRU(4, 4)(x)[0]", "float16"), ("nn.LSTMCell(4, 4)(x)[1]", "float16"),
    ("t.softmax(h, -1)", "float32"), ("h.sum()", "float32"), ("h.sum(dtype=t.float16)", "float16"),
    ("F.layer_norm(h, (4,))", "float32"), ("t.exp(h)", "float32"), ("h ** 2", "float32"),
    ("F.cross_entropy(h, i)", "float32"), ("F.mse_loss(h, h)", "float32"), ("h + h", "float16"),
    ("t.dot(h[0], x[0])", "float32"), ("t.dot(h[0], h[0])", "float16"), ("F.relu(h)", "float16"),
    ("F.interpolate(h[None], scale_factor=2)", "float32"), ("h.norm()", "float32"),
])  # fmt: skip
def test_the_lists_for_accelerators(on_accelerator_lists: None, expression: str, expected: str):
    assert str(evaluate(jtorch, expression, "float16").dtype) == f"torch.{expected}"


def test_binary_cross_entropy_is_banned_on_accelerators(on_accelerator_lists: None):
    with pytest.raises(RuntimeError, match="are unsafe to autocast"):
        evaluate(jtorch, "F.binary_cross_entropy(h.sigmoid(), h.sigmoid())", "float16")


def test_every_listed_name_is_a_row_or_waits_for_one():
    from jtorch._autocast_lists import POLICIES
    from jtorch.ops import TABLE

    rows = {name.lstrip("_") for name in TABLE}
    for needed in [
        "matmul", "linear", "conv2d", "attention", "rnn_layer", "cross_entropy", "softmax",
        "layer_norm", "sum", "mse_loss", "nll_loss", "upsample", "cat",
    ]:  # fmt: skip
        assert needed in rows and needed in POLICIES["cuda"] | POLICIES["cpu"], needed


def test_gradients_come_in_the_parameters_dtype():
    grads = []
    for t in (torch, jtorch):
        t.manual_seed(0)
        net = t.nn.Sequential(t.nn.Linear(4, 8), t.nn.ReLU(), t.nn.Linear(8, 3))
        with t.autocast("cpu", dtype=t.bfloat16):
            loss = t.nn.functional.cross_entropy(net(t.tensor(X)), t.tensor([0, 1, 2, 0]))
        loss.backward()
        grads.append([p.grad for p in net.parameters()])
    for theirs, ours in zip(*grads, strict=True):
        assert str(ours.dtype) == str(theirs.dtype) == "torch.float32"
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=3e-2, atol=1e-2)


def test_nesting_and_disabling():
    for t in (torch, jtorch):
        x, seen = t.ones(2, 2), []
        with t.autocast("cpu"):
            seen += [(x @ x).dtype, t.is_autocast_enabled("cpu")]
            with t.autocast("cpu", enabled=False):
                seen += [(x @ x).dtype, t.is_autocast_enabled("cpu")]
            with t.autocast("cpu", dtype=t.float16):
                seen += [(x @ x).dtype, t.get_autocast_dtype("cpu")]
            seen.append((x @ x).dtype)
        seen += [(x @ x).dtype, t.is_autocast_enabled("cpu"), t.get_autocast_dtype("cpu")]
        bf16, half, full = t.bfloat16, t.float16, t.float32
        assert seen == [bf16, True, full, False, half, half, bf16, full, False, bf16]


def test_an_exception_leaves_autocast_off():
    with pytest.raises(ZeroDivisionError), jtorch.autocast("cpu"):
        raise ZeroDivisionError
    assert not jtorch.is_autocast_enabled("cpu")
    from jtorch import _gate

    assert _gate.autocast is None, "the gate asks nobody when autocast is off"


def test_the_decorator_and_other_threads():
    @jtorch.autocast("cpu")
    def f(x: Any) -> Any:
        thread_dtypes: list[Any] = []
        worker = threading.Thread(target=lambda: thread_dtypes.append((x @ x).dtype))
        worker.start()
        worker.join()
        return (x @ x).dtype, thread_dtypes[0]

    assert f.__name__ == "f"
    assert f(jtorch.ones(2, 2)) == (jtorch.bfloat16, jtorch.float32)


def test_a_parameter_is_cast_once_per_region():
    net, x = jtorch.nn.Linear(4, 4), jtorch.tensor(X)

    def casts(**options: Any) -> int:
        before = jtorch.pending().count(" = _to_dtype")
        with jtorch.autocast("cpu", **options):
            total = net(x) + net(x)
            count = jtorch.pending().count(" = _to_dtype") - before
        total.sum().item()
        return count

    assert casts() == 4, "x twice, weight and bias once"
    assert casts(cache_enabled=False) == 6


def test_the_cache_sees_a_weight_that_changed():
    net, x = jtorch.nn.Linear(4, 4, bias=False), jtorch.tensor(X)
    with jtorch.autocast("cpu"):
        net(x)
        with jtorch.no_grad():
            net.weight.zero_()
        assert float(net(x).abs().sum()) == 0
        assert net(x).requires_grad


def test_custom_functions_remember_autocast():
    for t in (torch, jtorch):
        seen: list[Any] = []

        class Product(t.autograd.Function):
            @staticmethod
            @t.amp.custom_fwd(device_type="cpu")
            def forward(ctx: Any, a: Any, b: Any, seen: Any = seen, t: Any = t) -> Any:
                ctx.save_for_backward(a, b)
                seen.append(t.is_autocast_enabled("cpu"))
                return a.mm(b)

            @staticmethod
            @t.amp.custom_bwd(device_type="cpu")
            def backward(ctx: Any, g: Any, seen: Any = seen, t: Any = t) -> Any:
                a, b = ctx.saved_tensors
                seen.append(t.is_autocast_enabled("cpu"))
                return g.mm(b.t()).float(), a.t().mm(g).float()

        class InFull(t.autograd.Function):
            @staticmethod
            @t.amp.custom_fwd(device_type="cpu", cast_inputs=t.float32)
            def forward(ctx: Any, a: Any, seen: Any = seen, t: Any = t) -> Any:
                seen.append((a.dtype, t.is_autocast_enabled("cpu")))
                return a * 2

            @staticmethod
            @t.amp.custom_bwd(device_type="cpu")
            def backward(ctx: Any, g: Any, seen: Any = seen, t: Any = t) -> Any:
                seen.append(t.is_autocast_enabled("cpu"))
                return g * 2

        a = t.tensor(X, requires_grad=True)
        with t.autocast("cpu"):
            out = Product.apply(a, a)
            full = InFull.apply(t.tensor(X).bfloat16().requires_grad_())
        out.sum().backward()
        full.sum().backward()
        assert seen == [True, (t.float32, False), True, False]


def outcome(f: Callable[[], Any]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            f()
    except (Exception, Warning) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Callable[[Any], Any]] = [
    lambda t: t.autocast(3),
    lambda t: t.autocast("cpu", dtype=t.float64),
    lambda t: t.autocast("cuda"),
    lambda t: t.autocast("cpu")(3),
    lambda t: t.amp.custom_fwd(device_type=3),
    lambda t: t.amp.custom_bwd(device_type=3),
    lambda t: t.cuda.amp.autocast(),
    lambda t: t.amp.GradScaler("cuda"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_and_warnings_are_pytorchs(wrong: Callable[[Any], Any]):
    expected = outcome(lambda: wrong(torch))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch)) == expected


def test_the_settings_functions():
    for t in (torch, jtorch):
        assert t.get_autocast_dtype("cuda") is t.float16
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert t.get_autocast_gpu_dtype() is t.float16
            assert t.get_autocast_cpu_dtype() is t.bfloat16
            t.set_autocast_cpu_dtype(t.float16)
        assert t.get_autocast_dtype("cpu") is t.float16
        t.set_autocast_dtype("cpu", t.bfloat16)
        t.set_autocast_cache_enabled(False)
        assert not t.is_autocast_cache_enabled()
        t.set_autocast_cache_enabled(True)
        assert t.amp.is_autocast_available("cpu")
        t.set_autocast_enabled("cpu", True)
        assert t.is_autocast_enabled("cpu") and not t.is_autocast_enabled()
        t.set_autocast_enabled("cpu", False)
        assert (t.autocast_increment_nesting(), t.autocast_decrement_nesting()) == (1, 0)
    from jtorch.cuda.amp import autocast

    assert issubclass(autocast, jtorch.autocast)
