"""The CPU generator and its samplers: every bit and every state against PyTorch's own."""

import copy
import math
import pickle
import warnings

import ml_dtypes
import numpy as np
import pytest
import torch

from jtorch._engine import rng, rng_discrete, rng_kernels

BFLOAT16 = ml_dtypes.bfloat16
SIZES = (0, 1, 15, 16, 17, 31, 32, 1000, 100003)
FLOATING = (np.float32, np.float64, np.float16, BFLOAT16)
INTEGERS = (np.int64, np.int32, np.int16, np.int8, np.uint8)
UNSIGNED = (np.uint16, np.uint32, np.uint64)
COMPLEX = (np.complex64, np.complex128)


def torch_dtype(dtype):
    return getattr(torch, np.dtype(dtype).name)


def bits(x):
    """The bytes of an array or tensor, element by element."""
    if isinstance(x, torch.Tensor):
        x = x.contiguous().view(torch.int16) if x.dtype == torch.bfloat16 else x
        x = x.numpy()
    parts = x.dtype.itemsize // 8 or 1  # complex128: its two halves
    return np.ascontiguousarray(x).reshape(*x.shape, 1).view(f"i{x.dtype.itemsize // parts}")


def same(ours, theirs):
    a, b = bits(ours), bits(theirs)
    assert a.shape == b.shape
    wrong = np.flatnonzero((a != b).ravel())
    assert wrong.size == 0, f"{wrong.size} of {a.size} differ, first {ours.flat[wrong[0]]}"


class Pair:
    """Our generator and torch's, in the same state: calls give the same bits and states."""

    def __init__(self, seed=0):
        self.ours = rng.Generator(seed)
        self.theirs = torch.Generator().manual_seed(seed)

    def same_state(self):
        assert np.array_equal(self.ours.get_state(), self.theirs.get_state().numpy())

    def method(self, name, shape, dtype, *args, sample=None, **kwargs):
        """`torch.empty(shape).name_(*args)` and our sampler of that name."""
        sample = getattr(rng, name) if sample is None else sample
        ours = sample(self.ours, shape, dtype, *args, **kwargs)
        empty = torch.empty(shape, dtype=torch_dtype(dtype))
        theirs = getattr(empty, f"{name}_")(*args, generator=self.theirs)
        self.check(ours, theirs, dtype)

    def function(self, name, ours, *args, **kwargs):
        """`torch.name(*args)` against a function of our generator."""
        theirs = getattr(torch, name)(*args, generator=self.theirs, **kwargs)
        self.check(ours(self.ours), theirs)

    def check(self, ours, theirs, dtype=None):
        same(ours, theirs)
        assert dtype is None or ours.dtype == dtype
        self.same_state()


# --- seeds and states -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed", [0, 1, 12345, -1, 2**32, 2**63 + 5, 2**64 - 1, -(2**63), np.int64(7)]
)
def test_seed(seed):
    ours, theirs = rng.Generator(), torch.Generator()
    assert ours.manual_seed(seed) is ours
    theirs.manual_seed(int(seed))
    assert ours.initial_seed() == theirs.initial_seed()
    assert np.array_equal(ours.get_state(), theirs.get_state().numpy())


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 1.5, "a", True, None])
def test_bad_seed(seed):
    with pytest.raises(Exception) as theirs:
        torch.Generator().manual_seed(seed)
    with pytest.raises(type(theirs.value)) as ours:
        rng.Generator().manual_seed(seed)
    assert str(ours.value) == str(theirs.value)


def test_new_generators_start_as_in_torch():
    assert rng.Generator().initial_seed() == torch.Generator().initial_seed()
    assert rng.default_generator.initial_seed() != rng.Generator().initial_seed()
    assert rng.Generator().device == "cpu"


def test_nondeterministic_seed():
    ours = rng.Generator()
    first, second = ours.seed(), ours.seed()
    assert first != second == ours.initial_seed()
    theirs = torch.Generator().manual_seed(second)
    assert np.array_equal(ours.get_state(), theirs.get_state().numpy())


@pytest.mark.parametrize("drawn", [0, 1, 311, 623, 624, 625, 1248, 5000])
def test_states_travel_both_ways(drawn):
    pair = Pair(3)
    pair.method("uniform", (drawn,), np.float32)
    pair.method("normal", (3,), np.float64)  # leaves a cached normal behind
    ours = rng.Generator().set_state(pair.theirs.get_state().numpy())
    theirs = torch.Generator()
    theirs.set_state(torch.from_numpy(pair.ours.get_state()))
    pair.ours, pair.theirs = ours, theirs
    assert ours.initial_seed() == 3
    pair.same_state()
    pair.method("normal", (5,), np.float32)
    pair.method("random", (700,), np.int64)


def test_states_that_no_sampler_leaves():
    state = Pair(1).theirs.get_state().numpy()
    state[5048:5053] = np.array([0, 0, 128, 63, 1], np.uint8)  # a cached float32 normal
    state[16:24] = np.array([77], np.uint64).view(np.uint8)  # `next` is idle before a twist
    ours, theirs = rng.Generator().set_state(state), torch.Generator()
    theirs.set_state(torch.from_numpy(state))
    assert np.array_equal(ours.get_state(), theirs.get_state().numpy())
    same(rng.uniform(ours, (5,), np.float32), torch.rand(5, generator=theirs))
    assert np.array_equal(ours.get_state(), theirs.get_state().numpy())


@pytest.mark.parametrize(
    "state", [np.zeros(5056, np.uint8), np.zeros(50, np.uint8), np.zeros(5056, np.float32)]
)
def test_bad_states(state):
    with pytest.raises((RuntimeError, TypeError)) as theirs:
        torch.Generator().set_state(torch.from_numpy(state))
    with pytest.raises(theirs.type) as ours:
        rng.Generator().set_state(state)
    assert str(ours.value) == str(theirs.value)


def test_copies_are_independent():
    ours = rng.Generator(5)
    rng.normal(ours, (7,), np.float32)
    copies = [ours.clone_state(), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))]
    expected = rng.normal(ours, (9,), np.float64)
    for other in copies:
        same(rng.normal(other, (9,), np.float64), expected)


def test_single_and_bulk_draws_are_one_stream():
    a, b = rng.Generator(9), rng.Generator(9)
    single = [a.random() for _ in range(4)] + [a.random64() for _ in range(700)]
    assert single[:4] == b.draw32(4).tolist()
    assert single[4:] == b.draw64(700).tolist()
    expected = torch.empty(1, dtype=torch.int64).random_(generator=torch.Generator().manual_seed(9))
    assert rng.Generator(9).random64() & (2**63 - 1) == expected.item()


# --- samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATING + COMPLEX)
@pytest.mark.parametrize("size", SIZES)
def test_uniform(dtype, size):
    pair = Pair(size)
    for low, high in ((0, 1), (-1.1, 2.3), (3, 3.5), (-0.05, 0.05), (1, 1), (-1e4, 5e4)):
        pair.method("uniform", (size,), dtype, low, high)


@pytest.mark.parametrize("dtype", FLOATING + COMPLEX)
@pytest.mark.parametrize("size", SIZES)
def test_normal(dtype, size):
    pair = Pair(size)
    for mean, std in ((0, 1), (0.3, 1.7), (0, 0.02), (1, 0), (-2, 1)):
        pair.method("normal", (size,), dtype, mean, std)


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", [1, 2, 17, 1000, 30001])
def test_normal_into_a_strided_tensor(dtype, size):
    pair = Pair(size)
    for mean, std in ((0, 1), (0.3, 1.7)):
        theirs = torch.empty(size, 2, dtype=torch_dtype(dtype))[:, 0]
        theirs.normal_(mean, std, generator=pair.theirs)
        contiguous = theirs.is_contiguous()
        ours = rng.normal(pair.ours, (size,), dtype, mean, std, contiguous=contiguous)
        pair.check(ours, theirs)


@pytest.mark.parametrize("dtype", FLOATING)
def test_normal_of_tensors(dtype):
    data = np.random.default_rng(0)
    mean, std = data.normal(size=(3, 40)), data.random(40)
    arrays = [x.astype(dtype) for x in (mean, std)]
    tensors = [torch.from_numpy(x).to(torch_dtype(dtype)) for x in (mean, std)]
    pair = Pair()
    (a, b), (x, y) = arrays, tensors
    wide = torch.from_numpy(mean), torch.from_numpy(std)
    for ours, theirs in (
        ((a, b), (x, y)), ((b, np.abs(a)), (y, x.abs())), ((a, 0.5), (x, 0.5)),
        ((0.5, b), (0.5, y)), ((a, std), (x, wide[1])), ((mean, b), (wide[0], y)),
    ):  # fmt: skip
        expected = torch.normal(*theirs, generator=pair.theirs)
        pair.check(rng.normal_tensors(pair.ours, *ours), expected)


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", SIZES)
def test_inversions(dtype, size):
    pair = Pair(size)
    for rate in (1, 1.7, 1e-3, math.inf):
        pair.method("exponential", (size,), dtype, rate)
    for median, sigma in ((0, 1), (0.3, 2.1)):
        pair.method("cauchy", (size,), dtype, median, sigma)
    for mean, std in ((1, 2), (0.3, 0.7), (-400, 300)):
        pair.method("log_normal", (size,), dtype, mean, std)


@pytest.mark.parametrize("dtype", FLOATING + INTEGERS)
@pytest.mark.parametrize("size", SIZES)
def test_geometric(dtype, size):
    pair = Pair(size)
    for p in (0.3, 0.97, 0.003, 1e-10):
        pair.method("geometric", (size,), dtype, p)


@pytest.mark.parametrize("vectorised", [False, True])
def test_results_do_not_depend_on_numpys_vector_functions(monkeypatch, vectorised):
    """Every element goes the exact way: by `math`, or by NumPy where its loop is libm's."""
    monkeypatch.setattr(rng_kernels, "MARGIN", 1e-6)
    if not vectorised:
        monkeypatch.setattr(rng_kernels, "_is_libm", lambda name: False)
    pair = Pair(1)
    for name, args in (
        ("normal", ()), ("exponential", ()), ("cauchy", ()), ("log_normal", ()),
        ("geometric", (0.01,)),
    ):  # fmt: skip
        for dtype in (np.float32, np.float64):
            pair.method(name, (3000,), dtype, *args)


@pytest.mark.parametrize("dtype", (*FLOATING, *INTEGERS, np.bool_))
@pytest.mark.parametrize("size", SIZES)
def test_bernoulli(dtype, size):
    pair = Pair(size)
    for p in (0, 0.1, 0.5, 0.9, 1 - 2**-53, 2**-53, 1):
        pair.method("bernoulli", (size,), dtype, p)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.73])
def test_dropout_mask(p):
    torch.manual_seed(4)
    ours = rng.Generator(4)
    for shape in ((7,), (64, 33), (2, 3, 4)):
        kept = rng.dropout_mask(ours, shape, p)
        assert kept.dtype == bool
        same(kept, torch.dropout(torch.ones(shape), p, True) != 0)
    assert np.array_equal(ours.get_state(), torch.get_rng_state().numpy())


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", SIZES)
def test_bernoulli_of_a_tensor(dtype, size):
    pair = Pair(size)
    chances = np.linspace(0, 1, size)
    ours, theirs = chances.astype(dtype), torch.from_numpy(chances).to(torch_dtype(dtype))
    pair.check(
        rng.bernoulli_tensor(pair.ours, ours), torch.bernoulli(theirs, generator=pair.theirs)
    )
    for target in (*INTEGERS, np.bool_, np.float64, BFLOAT16):
        expected = torch.empty(3, size, dtype=torch_dtype(target))
        expected.bernoulli_(theirs, generator=pair.theirs)
        pair.check(rng.bernoulli_tensor(pair.ours, ours, target, (3, size)), expected)


RANGES = (
    (0, 2), (0, 10), (3, 1000), (-100, 100), (-40000, 60000), (0, 2**28 - 1), (0, 2**28),
    (-5, 2**31), (-(2**40), 2**50), (0, 2**62), (-(2**63), 2**63 - 1), (5, 5), (7, 3),
    (1000, 2049), (2049, 4099), (4097, 4098), (-3000, -2049), (2**24, 2**24 + 2),
    (100, None), (0, None), (255, None), (-(2**63), None),
)  # fmt: skip


def outcome(function):
    """What a call returns or raises, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function()
        except Exception as error:
            result = error
    return result, [str(w.message).split(" (Triggered")[0] for w in caught]


@pytest.mark.parametrize("dtype", (*FLOATING, *INTEGERS, *UNSIGNED, np.bool_, np.complex64))
@pytest.mark.parametrize("size", [0, 1, 2000])
def test_random(dtype, size):
    pair = Pair(size)
    for arguments in ((), *RANGES):
        empty = torch.empty(size, dtype=torch_dtype(dtype))
        theirs, _ = outcome(lambda e=empty, a=arguments: e.random_(*a, generator=pair.theirs))
        ours, _ = outcome(lambda a=arguments: rng.random(pair.ours, (size,), dtype, *a))
        if isinstance(theirs, Exception):
            assert (type(ours), str(ours)) == (type(theirs), str(theirs)), arguments
        else:
            pair.check(ours, theirs, dtype)


def test_random_warns_of_numbers_a_float_cannot_tell_apart():
    torch.set_warn_always(True)
    try:
        empty = torch.empty(3)
        _, theirs = outcome(lambda: empty.random_(-(2**25), 2**26))
    finally:
        torch.set_warn_always(False)
    _, ours = outcome(lambda: rng.random(rng.Generator(), (3,), np.float32, -(2**25), 2**26))
    assert ours == theirs
    assert len(ours) == 2


@pytest.mark.parametrize("shape", [(), (0,), (5,), (20, 30)])
def test_randint(shape):
    pair = Pair()
    for dtype in (np.int64, np.uint8, np.float32):
        pair.function(
            "randint", lambda g, t=dtype: rng.randint(g, shape, t, 3, 77), 3, 77, shape,
            dtype=torch_dtype(dtype),
        )  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATING + INTEGERS)
@pytest.mark.parametrize("size", (*SIZES[:-1], 2, 3, 127, 2049))
def test_randperm(dtype, size):
    pair = Pair(size)
    call = {"dtype": torch_dtype(dtype)}
    theirs, _ = outcome(lambda: torch.randperm(size, generator=pair.theirs, **call))
    ours, _ = outcome(lambda: rng.randperm(pair.ours, size, dtype))
    if isinstance(theirs, Exception):
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    else:
        pair.check(ours, theirs, dtype)


def test_long_randperm():
    pair = Pair()
    pair.function("randperm", lambda g: rng.randperm(g, 100003), 100003)
    pair.function("randperm", lambda g: rng.randperm(g, 10), 10)


def test_shuffle_is_the_loop_it_replaces():
    for seed in range(200):
        data = np.random.default_rng(seed)
        n = int(data.integers(1, 60))
        choice = np.array([data.integers(0, n - k) for k in range(n - 1)], np.int64)
        expected = list(range(n))
        for k, step in enumerate(choice):
            expected[k], expected[k + step] = expected[k + step], expected[k]
        assert rng_discrete._shuffle(choice).tolist() == expected


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", [1, 2, 17, 1000, 100003])
def test_multinomial(dtype, size):
    pair = Pair(size)
    weights = np.random.default_rng(size).random(size).astype(dtype)
    theirs = torch.from_numpy(weights.astype(np.float64)).to(torch_dtype(dtype))
    for count, replacement in ((1, False), (1, True), (7, True), (size, True)):
        pair.function(
            "multinomial", lambda g, c=count, r=replacement: rng.multinomial(g, weights, c, r),
            theirs, count, replacement,
        )  # fmt: skip
    if dtype == np.float64:  # the narrow types have equal quotients, which torch orders by chance
        pair.function("multinomial", lambda g: rng.multinomial(g, weights, size), theirs, size)


def test_multinomial_of_rows():
    pair = Pair()
    weights = np.random.default_rng(0).random((3, 50))
    weights[:, ::7] = 0
    for count, replacement in ((1, False), (20, False), (1, True), (200, True)):
        pair.function(
            "multinomial", lambda g, c=count, r=replacement: rng.multinomial(g, weights, c, r),
            torch.from_numpy(weights), count, replacement,
        )  # fmt: skip


def test_calls_in_any_order():
    """200 random calls in a row; the generators swap their states on the way."""
    data, pair = np.random.default_rng(0), Pair(77)
    calls = (
        ("uniform", FLOATING, ()), ("normal", FLOATING, ()), ("normal", FLOATING, (1, 0.5)),
        ("random", FLOATING + INTEGERS, ()), ("bernoulli", FLOATING, (0.3,)),
        ("exponential", FLOATING, ()), ("log_normal", FLOATING, ()), ("cauchy", FLOATING, ()),
        ("geometric", FLOATING + INTEGERS, (0.4,)),
    )  # fmt: skip
    for _ in range(200):
        name, dtypes, arguments = calls[data.integers(len(calls))]
        dtype = dtypes[data.integers(len(dtypes))]
        pair.method(name, (int(data.integers(0, 40)),), dtype, *arguments)
        if data.random() < 0.1:
            state = pair.theirs.get_state()
            pair.theirs.set_state(torch.from_numpy(pair.ours.get_state()))
            pair.ours.set_state(state.numpy())


# --- errors ---------------------------------------------------------------------------------------

BAD_CALLS = [
    *(("uniform", t, a) for t in (np.float32, np.float16, BFLOAT16, np.float64)
      for a in ((2, 1.123456789), (0, math.inf), (-math.inf, 0), (math.nan, 1), (-1e300, 1e300))),
    ("uniform", np.float32, (-3e38, 3e38)), ("uniform", np.int32, ()), ("uniform", np.bool_, ()),
    ("normal", np.float32, (0, -1.5)), ("normal", np.float32, (0, math.nan)),
    ("normal", np.int32, ()), ("normal", np.float32, (1e3, 1e38)), ("normal", np.float16, (0, 1e5)),
    ("exponential", np.float32, (0,)), ("exponential", np.float32, (math.nan,)),
    ("exponential", np.int32, ()), ("exponential", np.complex64, ()),
    ("exponential", np.float16, (1e-9,)), ("cauchy", np.float32, (0, -1.5)),
    ("cauchy", np.int64, ()), ("cauchy", np.uint8, ()), ("cauchy", np.complex64, ()),
    ("cauchy", np.float16, (0, 1e5)), ("log_normal", np.float32, (0, 0)),
    ("log_normal", np.int32, ()), ("log_normal", np.complex64, ()),
    ("log_normal", np.float64, (700, 1000)), ("geometric", np.float32, (0,)),
    ("geometric", np.float32, (1,)), ("geometric", np.float32, (math.nan,)),
    ("geometric", np.bool_, (0.5,)), ("geometric", np.uint16, (0.5,)),
    ("geometric", np.complex64, (0.5,)), ("bernoulli", np.float32, (1.5,)),
    ("bernoulli", np.float32, (-1e-7,)), ("bernoulli", np.complex64, (0.5,)),
    ("bernoulli", np.uint16, (0.5,)), ("random", np.uint16, ()), ("random", np.complex64, ()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dtype", "arguments"), BAD_CALLS)
@pytest.mark.parametrize("size", [0, 3, 20])
def test_bad_calls(name, dtype, arguments, size):
    """The same error, or (where the arguments are only extreme) the same numbers."""
    pair = Pair()
    empty = torch.empty(size, dtype=torch_dtype(dtype))
    theirs, _ = outcome(lambda: getattr(empty, f"{name}_")(*arguments, generator=pair.theirs))
    ours, _ = outcome(lambda: getattr(rng, name)(pair.ours, (size,), dtype, *arguments))
    if isinstance(theirs, Exception):
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
        pair.same_state()
    else:
        pair.check(ours, theirs, dtype)


@pytest.mark.parametrize(
    ("weights", "count", "replacement"),
    [
        (np.ones(3), 5, False), (np.ones(3), 0, False), (np.ones((3, 3, 3)), 1, False),
        (np.ones(()), 1, False), (np.ones(3, np.int64), 1, False), (-np.ones(3), 1, False),
        (-np.ones(3), 1, True), (-np.ones(3), 2, True), (np.zeros(3), 1, False),
        (np.zeros(3), 2, True), (np.array([1, math.nan]), 2, True),
        (np.array([1, math.nan]), 1, False), (np.array([1, math.inf]), 2, True),
        (np.array([1, math.inf]), 1, True), (np.array([[1.0, 1], [0, 0]]), 1, False),
        (np.array([[1.0, 1], [0, 0]]), 2, True), (np.ones((0, 3)), 2, True),
        (np.ones((0, 3)), 2, False), (np.ones(0), 1, True), (np.ones(0), 2, True),
        (np.ones(0), 1, False), (np.ones((2, 0)), 1, True), (np.ones((2, 0)), 2, True),
        (np.ones(2**24 + 1, np.float16), 1, False),
    ],
)  # fmt: skip
def test_bad_multinomials(weights, count, replacement):
    theirs, _ = outcome(
        lambda: torch.multinomial(torch.from_numpy(np.array(weights)), count, replacement)
    )
    ours, _ = outcome(lambda: rng.multinomial(rng.Generator(), weights, count, replacement))
    if isinstance(theirs, Exception):
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    else:
        same(ours, theirs)


def test_bad_tensors():
    generator = rng.Generator()
    for chance in (np.full(3, 1.5), np.full(3, math.nan), np.ones(3, np.int32)):
        theirs, _ = outcome(lambda p=chance: torch.bernoulli(torch.from_numpy(p)))
        ours, _ = outcome(lambda p=chance: rng.bernoulli_tensor(generator, p))
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    zeros, ones = np.zeros(3), np.ones(3)
    for mean, std in ((zeros, -ones), (zeros, -1.0), (1.0, ones * 1j), (zeros, np.ones(2))):
        tensors = [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in (mean, std)]
        theirs, _ = outcome(lambda a=tensors: torch.normal(*a))
        ours, _ = outcome(lambda a=(mean, std): rng.normal_tensors(generator, *a))
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    with pytest.raises(NotImplementedError, match="shuffle in pieces"):
        rng.randperm(generator, 2**28)
