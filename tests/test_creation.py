"""Factories and random tensors against PyTorch: values, dtypes, errors, the same random stream."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from differential import check_error

import jtorch


def attempt(module: Any, expression: str) -> Any:
    """An expression's value or exception, after seeding; with the categories of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module.manual_seed(7)
        try:
            result = eval(expression, {"torch": module, "np": np})
        except Exception as e:
            return type(e).__name__, str(e)
    return result, [w.category.__name__ for w in caught]


def shown(outcome: Any, module: Any) -> Any:
    x = outcome[0]
    if isinstance(x, module.Tensor):
        return (str(x.dtype), tuple(x.shape), x.requires_grad, x.tolist()), outcome[1]
    return outcome


def compare(expressions: list[str]) -> None:
    ours = [attempt(jtorch, e) for e in expressions]
    for expression, mine in zip(expressions, ours, strict=True):
        theirs = shown(attempt(torch, expression), torch)
        # repr: NaN equals itself, 1 differs from 1.0 and True
        assert repr(shown(mine, jtorch)) == repr(theirs), expression


def parts(groups: dict[str, str], size: int) -> list[Any]:
    """The expressions of each group in portions: one test each, and one program for jtorch."""
    found = []
    for name, text in groups.items():
        expressions = [
            e.strip() for line in text.split("\n") for e in line.split(" ; ") if e.strip()
        ]
        for i in range(0, len(expressions), size):
            found.append(pytest.param(expressions[i : i + size], id=f"{name}{i}"))
    return found


DATA = """
torch.tensor([[1, 2], [3, 4.]]) ; torch.tensor([1, True]) ; torch.tensor([True, 1.5])
torch.tensor([1, 2j]) ; torch.tensor(3) ; torch.tensor(3.5) ; torch.tensor(True)
torch.tensor(2j) ; torch.tensor([]) ; torch.tensor([[], []]) ; torch.tensor(range(3))
torch.tensor([range(3), [1., 2, 3]]) ; torch.tensor([[1, 2], (3, 4)]) ; torch.tensor(())
torch.tensor([[1, 2, 3], [1, 2]]) ; torch.tensor([1, [2]]) ; torch.tensor([[2], 1])
torch.tensor([[2], [[1]]]) ; torch.tensor([[[1]], [[2, 3]]]) ; torch.tensor("abc")
torch.tensor(["a"]) ; torch.tensor(None) ; torch.tensor([1, None]) ; torch.tensor({})
torch.tensor(2**63) ; torch.tensor([2**63]) ; torch.tensor(2**63, dtype=torch.uint64)
torch.tensor(-1, dtype=torch.uint8) ; torch.tensor(300, dtype=torch.uint8)
torch.tensor([300], dtype=torch.int8) ; torch.tensor(1e50)
torch.tensor(1e5, dtype=torch.float16) ; torch.tensor([1.5, float('nan')], dtype=torch.int64)
torch.tensor(1.5, dtype=torch.int64) ; torch.tensor(1j, dtype=torch.float32)
torch.tensor([2, 0], dtype=torch.bool) ; torch.tensor([1.0, 2**70])
torch.tensor([2**70], dtype=torch.float32) ; torch.tensor([0.5], dtype=torch.bool)
torch.tensor(np.float64(1)) ; torch.tensor([np.float64(1)]) ; torch.tensor([np.float32(1), 2])
torch.tensor([np.int32(1)]) ; torch.tensor([np.bool_(True)])
torch.tensor(np.array([1, 2], np.uint16))
torch.tensor(np.arange(6.).reshape(2, 3).T) ; torch.tensor(np.array(['a']))
torch.tensor(np.float16([1, 2])) ; torch.tensor([torch.tensor(1), torch.tensor(3.)])
torch.tensor([torch.tensor(1, dtype=torch.int32), 2]) ; torch.tensor(torch.tensor([1.]))
torch.tensor([1], dtype=float) ; torch.tensor([1], dtype='int')
torch.tensor([1.], requires_grad=True) ; torch.tensor([1], requires_grad=True)
torch.tensor([1.], pin_memory=True) ; torch.as_tensor([1, 2]) ; torch.as_tensor(3.5)
torch.as_tensor(np.int8([1])) ; torch.as_tensor(torch.ones(2), dtype=torch.int32)
torch.from_numpy([1]) ; torch.from_numpy(np.array(['a'])) ; torch.from_numpy(np.eye(2))
torch.asarray([1., 2]) ; torch.asarray(np.array([1., 2]), dtype=torch.int32) ; torch.asarray(3)
torch.asarray([1], copy=False) ; torch.scalar_tensor(3)
torch.frombuffer(bytearray(b'abcdefgh'), dtype=torch.int16, offset=2)
torch.frombuffer(bytearray(b'abc'), dtype=torch.int16) ; torch.zeros(1).new_tensor([1, 2])
torch.zeros(1).new([1, 2])
"""
CONSTANTS = """
torch.zeros(2, 3) ; torch.ones((2, 3)) ; torch.zeros(()) ; torch.zeros([])
torch.zeros(size=(2,)) ; torch.zeros(np.int64(2)) ; torch.zeros(torch.tensor(2), 3)
torch.zeros((torch.tensor(2), 3)) ; torch.zeros() ; torch.zeros(2.) ; torch.zeros((2, 3.))
torch.zeros(-1) ; torch.zeros((2, -1)) ; torch.zeros(True) ; torch.zeros("a")
torch.zeros(2, dtype=float) ; torch.zeros(2, dtype="float32")
torch.zeros(2, dtype=torch.int32, requires_grad=True) ; torch.zeros(2, pin_memory=True)
torch.ones(2, dtype=torch.complex64, requires_grad=True) ; torch.ones(2, dtype=torch.bool)
torch.zeros(0, 3) ; torch.zeros(2, out=torch.zeros(5, dtype=torch.int32))
torch.zeros(2, dtype=torch.float32, out=torch.zeros(5, dtype=torch.int32))
torch.zeros(2, out=torch.zeros(5, requires_grad=True))
torch.empty((2, 3), memory_format=torch.channels_last)
torch.full((2,), 300, dtype=torch.uint8) ; torch.full((2,), 1.5, dtype=torch.int32)
torch.full((2,), 1j) ; torch.full((2,), True) ; torch.full((2,), 7) ; torch.full((2,), 0.1)
torch.full(2, 1.) ; torch.full((2,), 1j, dtype=torch.float32) ; torch.full((2,), "a")
torch.full((2,), torch.tensor(3., dtype=torch.float64)) ; torch.full((2,), torch.tensor(3))
torch.full((2,), torch.tensor([3.])) ; torch.full((2,), 2, out=torch.zeros(1))
torch.full((2,), 1e39) ; torch.full((2,), float('inf'), dtype=torch.int32)
torch.full((2,), float('inf'), dtype=torch.float16) ; torch.full((), 3)
torch.full((2,), float('nan')) ; torch.zeros_like([1])
torch.zeros_like(torch.tensor(1), dtype=torch.bool) ; torch.ones_like(torch.ones(2, 3).t())
torch.ones_like(torch.tensor(1.), requires_grad=True) ; torch.full_like(torch.tensor([1]), 2.7)
torch.full_like(torch.tensor([1]), 1j) ; torch.zeros(1).new_zeros(2, 3)
torch.zeros(1).new_full((2,), 1) ; torch.zeros(1, dtype=torch.int64).new_full((2,), 1.5)
torch.zeros(1).new_ones((2,), dtype=torch.int8)
torch.zeros(1, dtype=torch.int64).new_full((2,), 1j) ; torch.zeros(1).new_empty(2, 3).shape
torch.empty(2, 3).shape ; torch.empty_like(torch.ones(2)).dtype
torch.empty_strided((2, 3), (1, 2)).stride()
"""
SEQUENCES = """
torch.arange(5) ; torch.arange(5.) ; torch.arange(1, 2, 0.3)
torch.arange(1, 5, 2, dtype=torch.float32) ; torch.arange(5, 1, -1) ; torch.arange(5, 1)
torch.arange(1, 5, 0) ; torch.arange(0, float('nan')) ; torch.arange(0, float('inf'))
torch.arange("a") ; torch.arange(torch.tensor(3)) ; torch.arange(torch.tensor(3.), 5)
torch.arange(0, 1, 0.1, dtype=torch.int64) ; torch.arange(True) ; torch.arange(end=4)
torch.arange(start=1, end=4) ; torch.arange(1, end=4) ; torch.arange(1, step=2, end=4)
torch.arange(np.float64(3)) ; torch.arange(3, dtype=torch.bool)
torch.arange(3., requires_grad=True) ; torch.arange(0, 3, 0.25, dtype=torch.float64)
torch.arange(3, dtype=torch.bfloat16).float() ; torch.range(0, 3) ; torch.range(0, 3, 0.5)
torch.arange(0) ; torch.linspace(0, 1, 5) ; torch.linspace(0, 10, 5, dtype=torch.int32)
torch.linspace(0, 10, 0) ; torch.linspace(0, 10, 1) ; torch.linspace(0, 10, -1)
torch.linspace(0, 1j, 3) ; torch.linspace(torch.tensor(0.), torch.tensor([1.]), 3)
torch.linspace(3, -2, 6)
torch.linspace(torch.tensor(0), torch.tensor(1, dtype=torch.float64), 3)
torch.linspace(-1.5, 1.5, 7, dtype=torch.float64) ; torch.logspace(0, 2, 3)
torch.logspace(0, 2, 3, base=2, dtype=torch.int64) ; torch.logspace(0, 3, 7, dtype=torch.int64)
torch.logspace(0, 2, -1) ; torch.eye(2) ; torch.eye(2, 3, dtype=torch.bool) ; torch.eye(-1)
torch.eye(2, -1) ; torch.eye(2.) ; torch.eye(3, 2, requires_grad=True)
torch.eye(2, out=torch.zeros(2, 2, dtype=torch.int32)) ; torch.FloatTensor([1, 2])
"""
RANDOM = """
torch.rand(3) ; torch.rand(2, dtype=torch.int64) ; torch.rand(2, 3, dtype=torch.float64)
torch.randn(20) ; torch.randn(2, 3, 4) ; torch.randn(5, 5, dtype=torch.float64)
torch.randn(4, dtype=torch.complex64) ; torch.rand(2, requires_grad=True) ; torch.rand(())
torch.randint(5, (20,)) ; torch.randint(3, 3, (2,))
torch.randint(0, 10, (2,), dtype=torch.float32) ; torch.randint(10, size=(2,))
torch.randint(low=2, high=10, size=(2,)) ; torch.randint(2.5, (2,))
torch.randint_like(torch.zeros(2), 5) ; torch.randint_like(torch.zeros(2), low=2, high=5)
torch.randperm(9) ; torch.randperm(-1) ; torch.randperm(3, dtype=torch.float32)
torch.rand_like(torch.ones(2), dtype=torch.float64) ; torch.randn_like(torch.ones(2))
torch.rand((2,), out=torch.zeros(2, dtype=torch.float64))
torch.rand(2, generator=torch.Generator()) ; torch.normal(0, 1, (2,))
torch.normal(0., 1., size=(2,)) ; torch.normal(torch.zeros(2))
torch.normal(torch.zeros(20), 2) ; torch.normal(2., torch.ones(2))
torch.normal(torch.zeros(2), torch.ones(3)) ; torch.normal(0, -1, (2,))
torch.normal(0, 1, (2,), dtype=torch.float64)
torch.normal(torch.tensor([1., 2]), torch.tensor([-1., 1]))
torch.bernoulli(torch.tensor([2.])) ; torch.bernoulli(torch.tensor([.3] * 30))
torch.bernoulli(torch.full((30,), 0.3) + 0)
torch.bernoulli(torch.tensor([.3] * 30, dtype=torch.float64))
torch.bernoulli(torch.ones(2), 0.5) ; torch.bernoulli(torch.ones(2, dtype=torch.int64))
torch.bernoulli(torch.ones(2, dtype=torch.int64), 0.5) ; torch.zeros(2).bernoulli(0.3)
torch.zeros(2).bernoulli_(torch.tensor([.5, .5])) ; torch.zeros(20).bernoulli_(0.3)
torch.zeros(2, dtype=torch.int64).uniform_() ; torch.zeros(2).uniform_(2, 1)
torch.zeros(2).uniform_(2, 3) ; torch.zeros(2).uniform_(to=3) ; torch.zeros(3, 4).t().uniform_()
torch.zeros(6, 4)[::2].normal_(2, 3) ; torch.zeros(3, 4).t().normal_()
torch.zeros(6, 4)[::2, 1].random_(7) ; torch.zeros(2).random_(5) ; torch.zeros(2).random_(2, 5)
torch.zeros(2).random_(2, None) ; torch.zeros(2, dtype=torch.int64).random_(2, to=5)
torch.zeros(2).random_() ; torch.zeros(2, dtype=torch.uint8).random_()
torch.zeros(2).normal_(generator=torch.Generator().manual_seed(3))
torch.zeros(2).geometric_(0.5) ; torch.zeros(2).geometric_() ; torch.zeros(2).cauchy_()
torch.zeros(2).log_normal_() ; torch.zeros(20).exponential_(2.5)
torch.zeros(2).exponential_(lambd=2.5) ; torch.multinomial(torch.tensor([1., 2]), 1)
torch.multinomial(torch.tensor([1., 2, 3, 4, 5]), 3)
torch.multinomial(torch.tensor([1., 2, 3, 4, 5]) * 1, 3)
torch.multinomial(torch.tensor([1., 2, 3, 4, 5]) * 1, 30, replacement=True)
torch.multinomial(torch.tensor([1., 2, 3, 4, 5]), 30, True)
torch.multinomial(torch.rand(4, 7) * 2, 1) ; torch.multinomial(torch.ones(4, 7) * 2, 3, True)
torch.multinomial(torch.tensor([0., 0]), 1) ; torch.multinomial(torch.tensor([-1., 2]), 1)
torch.multinomial(torch.tensor([1., 0]) * 1, 3) ; torch.multinomial(torch.tensor([1, 0]) * 1, 1)
torch.zeros(2, requires_grad=True).uniform_() ; torch.poisson(torch.tensor([-1.]))
torch.bernoulli(torch.ones(2), out=torch.zeros(2, dtype=torch.int64))
"""
GROUPS = {"data": DATA, "constants": CONSTANTS, "sequences": SEQUENCES, "random": RANDOM}


@pytest.mark.parametrize("expressions", parts(GROUPS, 8))
def test_same_as_torch(expressions: list[str]) -> None:
    compare(expressions)


def test_the_comparison_can_fail() -> None:
    for theirs, ours in (
        ("torch.zeros(2)", "torch.ones(2)"),
        ("torch.rand(2)", "torch.rand(2) * 2"),
        ("torch.zeros(-1)", "torch.zeros(-2.5)"),
    ):
        with pytest.raises(AssertionError):
            compare([f"{theirs} if torch.__name__ == 'torch' else {ours}"])


@pytest.mark.parametrize("layout", ["sparse_coo"])
def test_layouts_are_refused(layout: str) -> None:
    with pytest.raises(NotImplementedError, match="strided"):
        jtorch.zeros(2, layout=getattr(jtorch, layout))


def test_numbers_do_not_recompile() -> None:
    from jtorch._engine import stats

    for step in range(6):
        if step == 3:
            before = stats.counts["compiles"]
        scale = jtorch.full((4,), 0.5 + step)
        places = jtorch.arange(step, step + 4) + jtorch.linspace(0, step + 1.0, 4)
        assert (scale * places).sum().item() == pytest.approx((0.5 + step) * (8 + 6 * step))
    assert stats.counts["compiles"] == before


def test_random_numbers_are_inputs_of_one_program() -> None:
    from jtorch._engine import stats

    seen = set()
    for step in range(5):
        if step == 3:
            before = stats.counts["compiles"]
        probability = jtorch.rand(3) * 0.5
        kept = jtorch.bernoulli(probability) + jtorch.randn(3)
        seen.add(kept.sum().item())
    assert len(seen) == 5
    assert stats.counts["compiles"] == before


def test_probabilities_that_are_pending_cost_no_sync() -> None:
    from jtorch._engine import stats

    jtorch.manual_seed(0)
    logits = jtorch.randn(4, 6)
    before = stats.counts["runs"]
    weights = (logits * 2).exp()
    token = jtorch.multinomial(weights, 1)
    jtorch.bernoulli(weights / weights.sum())
    assert stats.counts["runs"] == before
    assert token.shape == (4, 1)


def test_host_arrays_are_copied() -> None:
    array = np.zeros(3, np.float32)
    tensors = [jtorch.tensor(array), jtorch.from_numpy(array), jtorch.as_tensor(array)]
    array[:] = 1
    assert [t.tolist() for t in tensors] == [[0.0] * 3] * 3


def test_gradients_of_random_numbers_are_zero() -> None:
    for module in (torch, jtorch):
        p = module.full((3,), 0.4, requires_grad=True)
        mean = module.zeros(3, requires_grad=True)
        module.bernoulli(p).sum().backward()
        module.normal(mean, module.ones(3)).sum().backward()
        assert p.grad.tolist() == mean.grad.tolist() == [0.0] * 3


def test_poisson_and_binomial_have_the_right_mean() -> None:
    jtorch.manual_seed(1)
    rates = jtorch.full((20000,), 3.5)
    assert jtorch.poisson(rates).mean().item() == pytest.approx(3.5, abs=0.1)
    drawn = jtorch.binomial(jtorch.full((20000,), 10.0), jtorch.full((20000,), 0.25))
    assert drawn.mean().item() == pytest.approx(2.5, abs=0.1)


REFUSED = """
m.full((-1,), 1)
m.empty(-2)
m.zeros(-2)
x.new_zeros(-1)
m.rand(2, -1)
m.arange(1j)
m.linspace(m.ones(2), 1, 3)
m.tensor([1, 'a'])
m.tensor([m.ones(2), m.ones(2)])
x.new_tensor('a')
x.uniform_('a')
x.geometric_()
m.triu_indices(2, 3.5)
m.tril_indices(-1, 2)
m.randint(5, 2, (3,))
m.randperm(2.5)
m.multinomial(x, 2, out=x)
""".strip().split("\n")


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_in_torchs_words(expression: str) -> None:
    check_error(expression)
