"""Every op against PyTorch, on PyTorch's samples: values, dtypes, derivatives, errors, eager mode.

A group of entries is recorded as one program, so that XLA compiles a few large programs and not
thousands of small ones.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import op_samples
import pytest
import torch

import jtorch
from jtorch._engine import once, recorder, signature
from jtorch._engine.config import config
from jtorch.ops import TABLE

GROUP = 10
TOLERANCE = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float32: 1e-4}
ENTRIES = op_samples.entries()
GROUPS = [ENTRIES[i : i + GROUP] for i in range(0, len(ENTRIES), GROUP)]

# Entries whose results PyTorch draws at random from another stream, or whose answer is not unique.
RANDOM = {
    "bernoulli",
    "cauchy",
    "exponential",
    "geometric",
    "log_normal",
    "multinomial",
    "normal",
    "normal.in_place",
    "normal.number_mean",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "uniform",
    "pca_lowrank",  # a random subspace
    "svd_lowrank",
    "nn.functional.alpha_dropout",
    "nn.functional.dropout",
    "nn.functional.dropout2d",
    "nn.functional.dropout3d",
    "nn.functional.feature_alpha_dropout",
    "nn.functional.rrelu",
    "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d",
    "nn.functional.multi_head_attention_forward",
    "nn.functional.scaled_dot_product_attention",
}

# Factors that are unique up to signs or order: their derivatives go through PyTorch's own functions
# of them that are (`output_process_fn_grad`), and tests/test_linalg.py checks what they multiply to.
FACTORS = {"linalg.eig", "linalg.eigvals", "linalg.eigh"}


# Error samples that cannot be carried over: their tensors share memory, which copying them to jtorch
# undoes, or a reflected operator is called as a function of a number.
ERRORS_NOT_RAISED = {
    *("bernoulli", "cat", "gather", "index_select", "take"),
}

# Casts that round: the last bit may fall either way when a gradient passes through.
ROUNDED = {"bfloat16": 1e-2, "half": 1e-3, "float": 1e-6}

# Second derivatives that jtorch does not have (it says so at the call) or that PyTorch makes NaN.
ONCE = {
    "index_reduce.prod": "JAX does not differentiate scatter_mul twice",
    "scatter_reduce.prod": "JAX does not differentiate scatter_mul twice",
    "linalg.norm.subgradients_at_zero": "PyTorch's second derivative at 0 is NaN, jtorch's is 0",
}

# Not differentiated: PyTorch's gradient is wrong, finite differences agree with jtorch's.
# as_strided_scatter's reaches the elements that were replaced; istft's leaves the window out.
WRONG_IN_TORCH = {"as_strided_scatter", "istft"}

# Rows that no forward of PyTorch's samples reaches, and the tests that do.
ELSEWHERE = {
    *("_amp_count", "_amp_unscale", "_amp_update_scale"),  # test_amp_scaler
    *("_rnn_layer", "gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"),  # test_nn_recurrent
    *("_attention", "_keep_by_key", "_alpha_dropout", "_ctc_loss"),  # test_nn_functional*
    *("_affine_grid", "_batch_norm_eval", "_linear_cross_entropy", "_lp_pool", "_padded_rows"),
    *("conv_tbc", "fold", "native_channel_shuffle", "_one_hot_max"),  # test_nn_functional_space
    *("_fake_quantize_channels", "_fake_quantize_tensor", "_grouped_mm"),  # test_ops_names
    *("_dirichlet_of_sample", "_gamma_of_sample"),  # test_distributions
    *("_multinomial_race", "_multinomial_search"),  # test_random_api
    *("_broadcast", "_identity", "_ones_like", "_zeros_like", "_scalar"),  # every backward
    *(
        "_conj",
        "_real",
        "_view_dtype",
        "_mask_write",
        "masked_fill",
        "masked_scatter",
    ),  # test_views
    *("_qr_rigid", "_vander", "slice_scatter"),  # test_linalg, test_ops_shape
}


class Case:
    """One sample in both libraries: results, and gradients of a weighted sum of them.

    twice: and derivatives of these gradients.  One sample of each op is enough, and they take as
    long to compile as all the rest.
    """

    def __init__(self, op: Any, sample: Any, grad: bool, twice: bool) -> None:
        self.op, self.sample, self.grad = op, sample, grad
        self.twice = twice and op.supports_gradgrad and op_samples.title(op) not in ONCE
        self.known: dict[int, Any] = {}
        self.want: list[Any] = []
        self.got: list[Any] = []
        self.results = 0  # how many of them come before the derivatives
        self.again: list[int] = []  # first derivatives that PyTorch differentiates again

    def record(self) -> None:
        """Call jtorch and PyTorch; jtorch's results may still be pending."""
        s, op = self.sample, self.op
        args = op_samples.to_jtorch((s.input, s.args, s.kwargs), self.known)
        leaves = [t for t in op_samples.tensors((s.input, s.args, s.kwargs)) if t.requires_grad]
        ours = [self.known[id(t)] for t in leaves]
        call = op_samples.carried(op.op, op.name)
        self.want = self.run(torch, op.op, (s.input, s.args, s.kwargs), leaves, s)
        self.got = self.run(jtorch, call, args, ours, s)

    def run(self, m: Any, f: Any, arguments: Any, leaves: list[Any], s: Any) -> list[Any]:
        x, args, kwargs = arguments
        m.manual_seed(0)
        if self.grad and leaves:  # symmetric inputs stay symmetric, and the like
            wrapper = self.op.gradcheck_wrapper
            wrapper = wrapper if m is torch else op_samples.rebound(wrapper)
            out = wrapper(f, x, *args, **kwargs)
        else:
            out = f(x, *args, **kwargs)
        results = list(op_samples.tensors(out))
        self.results = len(results)
        if not self.grad or not leaves:
            return results or [out]
        if s.output_process_fn_grad is not None:
            process = s.output_process_fn_grad
            out = process(out) if m is torch else op_samples.rebound(process)(out)
        roots = [t for t in op_samples.tensors(out) if t.requires_grad]
        if not roots:
            return results
        first = derivatives(m, roots, leaves, self.twice)
        if m is torch:
            self.again = [i for i, g in enumerate(first) if self.twice and g.requires_grad]
        again = [first[i] for i in self.again if first[i].requires_grad]
        return results + first + (derivatives(m, again, leaves, False) if again else [])

    def compare(self) -> None:
        """The same number of results, shapes, dtypes and values."""
        want, got = self.want, self.got
        assert len(want) == len(got), f"{len(want)} tensors in PyTorch, {len(got)} here"
        for i, (a, b) in enumerate(zip(want, got, strict=True)):
            if not isinstance(a, torch.Tensor):
                assert a == b, f"result {i}: {a} in PyTorch, {b} here"
                continue
            array = op_samples.plain(b)
            assert str(a.dtype) == str(b.dtype), f"result {i}: {a.dtype}, here {b.dtype}"
            assert tuple(a.shape) == tuple(b.shape) == array.shape, (
                f"result {i}: {a.shape} {b.shape}"
            )
            if self.op.name in RANDOM or (self.op.name in FACTORS and i < self.results):
                continue
            near = ROUNDED.get(self.op.name) or TOLERANCE.get(a.dtype, 0)
            np.testing.assert_allclose(
                array,
                op_samples.plain(a),
                rtol=near,
                atol=near,
                equal_nan=True,
                err_msg=f"result {i}",
            )


def derivatives(m: Any, roots: list[Any], leaves: list[Any], graph: bool) -> list[Any]:
    """Gradients of a weighted sum of `roots`, zeros where there is none."""
    found = m.autograd.grad(weighted(m, roots), leaves, create_graph=graph, allow_unused=True)
    return [m.zeros_like(x) if g is None else g for g, x in zip(found, leaves, strict=True)]


def weighted(m: Any, roots: list[Any]) -> Any:
    """A sum over all results that gives every element another weight."""
    total = 0.0
    for t in roots:
        t = m.view_as_real(t.resolve_conj()) if t.is_complex() else t
        weights = m.linspace(0.5, 1.5, max(t.numel(), 1), dtype=t.dtype)[: t.numel()]
        total = total + (t * weights.reshape(t.shape)).sum()
    return total


def dtype_of(op: Any) -> torch.dtype | None:
    """The dtype an entry is compared in."""
    supported = op.supported_dtypes("cpu")
    for d in (torch.float64, torch.int64, torch.complex128, torch.float32, torch.bool):
        if d in supported:
            return d
    return None


def cases(op: Any, most: int, grad: bool) -> Iterator[Case]:
    """An entry's samples, differentiated where PyTorch differentiates them."""
    dtype = dtype_of(op)
    if dtype is None:
        return
    grad = (
        grad
        and op.name not in WRONG_IN_TORCH
        and bool(op.supports_autograd and (dtype.is_floating_point or dtype.is_complex))
    )
    samples = op_samples.samples(op, dtype, grad, most)
    for number, s in enumerate(samples):
        yield Case(op, s, grad, number == len(samples) // 2)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def group_id(group: Any) -> str:
    return f"{op_samples.title(group[0])}-{op_samples.title(group[-1])}"


def outcome(found: list[tuple[str, Case]], wrong: list[str]) -> None:
    """Run what is pending, compare every case, and fail with all that differs."""
    recorder.flush("test")
    for name, case in found:
        try:
            case.compare()
        except AssertionError as e:
            wrong.append(f"{name}: {' '.join(str(e).split())}"[:400])
    assert not wrong, "\n".join(wrong)


def record_all(group: Any, most: int, grad: bool, wrong: list[str]) -> list[tuple[str, Case]]:
    """Record every sample of a group; what raises goes to `wrong`."""
    found = []
    for op in group:
        for number, case in enumerate(cases(op, most, grad)):
            name = f"{op_samples.title(op)} {number}"
            try:
                case.record()
                found.append((name, case))
            except Exception as e:
                wrong.append(f"{name}: {type(e).__name__}: {e}"[:400])
    return found


@pytest.mark.parametrize("group", GROUPS, ids=group_id)
def test_values_and_derivatives(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As XLA computes them: a group's program runs once, and would not be compiled otherwise."""
    monkeypatch.setattr(config, "once", "0")
    wrong: list[str] = []
    with quiet():
        outcome(record_all(group, op_samples.SAMPLES, True, wrong), wrong)


@pytest.mark.parametrize("group", GROUPS, ids=group_id)
def test_in_numpy(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NumPy computes programs that are not worth compiling.

    Without derivatives of factors: eigenvalues come in another order, and the weights go by order.
    """
    monkeypatch.setattr(once, "_expected_once", lambda program: True)
    wrong: list[str] = []
    unique = [op for op in group if op.name not in FACTORS]
    others = [op for op in group if op.name in FACTORS]
    with quiet():
        found = record_all(unique, 1, True, wrong) + record_all(others, 1, False, wrong)
        outcome(found, wrong)


@pytest.mark.parametrize("group", GROUPS, ids=group_id)
def test_eager_mode(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Op by op, each with an executable of its own: the same values."""
    monkeypatch.setattr(config, "execution", "eager")
    wrong: list[str] = []
    with quiet():
        outcome(record_all(group, 1, False, wrong), wrong)


def raised(f: Any, s: Any) -> BaseException | None:
    """What a call raises."""
    x, args, kwargs = s
    try:
        f(x, *args, **kwargs)
        recorder.flush("test")
    except Exception as e:
        return e
    return None


@pytest.mark.parametrize("group", GROUPS, ids=group_id)
def test_errors(group: Any) -> None:
    """PyTorch's error samples raise PyTorch's exception type here, at the call."""
    wrong = []
    with quiet():
        for op in group:
            if op.error_inputs_func is None:
                continue
            for number, error in enumerate(op.error_inputs("cpu")):
                s = error.sample_input
                theirs = raised(op.op, (s.input, s.args, s.kwargs))
                try:
                    given = op_samples.to_jtorch((s.input, s.args, s.kwargs), {})
                except (TypeError, ValueError):  # a sparse tensor, a generator, 65 dimensions
                    continue
                ours = raised(op_samples.carried(op.op, op.name), given)
                known = op_samples.title(op) in ERRORS_NOT_RAISED
                if theirs is not None and not known and not isinstance(ours, type(theirs)):
                    wrong.append(
                        f"{op_samples.title(op)} {number}: {theirs!r}, here {ours!r}"[:400]
                    )
    assert not wrong, "\n".join(wrong)


def test_every_row_has_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that no sample reaches is a row that nothing tests."""
    seen: set[str] = set()
    known = signature._known

    class Noting(dict):  # type: ignore[type-arg]
        """The signatures that are known, and which rows were asked for."""

        def get(self, key: Any, default: Any = None) -> Any:
            seen.add(key[0].name)
            return known.get(key, default)

        def __setitem__(self, key: Any, value: Any) -> None:
            known[key] = value

    for module in ("jtorch._engine.signature", "jtorch._gate"):
        monkeypatch.setattr(f"{module}._known", Noting())
    with quiet():
        for op in ENTRIES:
            call = op_samples.carried(op.op, op.name)
            for case in cases(op, 2, False):
                s = case.sample
                with contextlib.suppress(Exception):
                    x, args, kwargs = op_samples.to_jtorch((s.input, s.args, s.kwargs), {})
                    call(x, *args, **kwargs)
                recorder._local.pending.clear()
    missing = sorted(set(TABLE) - seen - ELSEWHERE)
    assert not missing, f"no sample reaches {missing}"
    assert not ELSEWHERE - set(TABLE), "names in ELSEWHERE that are no rows"
