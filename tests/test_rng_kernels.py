"""The arithmetic under the samplers, its extremes, and the same stream in compiled programs."""

import functools
import math
from fractions import Fraction

import jax
import numpy as np
import pytest
import torch

from jtorch._engine import rng, rng_kernels, rng_xla
from jtorch._engine.mt19937 import STATE_BYTES

EXTREMES = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFE, 0xFFFFFF, 0xFFFFFFFF, 0x4AFB0C]


def untemper(word):
    """The state word that MT19937 turns into this draw."""
    word ^= word >> 18
    word ^= (word << 15) & 0xEFC60000
    once = word
    for _ in range(5):
        once = word ^ ((once << 7) & 0x9D2C5680)
    return (once ^ (once >> 11) ^ (once >> 22)) & 0xFFFFFFFF


def generators_that_draw(draws):
    """Ours and torch's, whose next draws are these (623 at most)."""
    state = np.zeros(STATE_BYTES, np.uint8)
    state[8:16] = np.array([624, 1], np.int32).view(np.uint8)  # left, seeded
    state[16:24] = np.array([1], np.uint64).view(np.uint8)  # next
    words = np.zeros(624, np.uint64)
    words[1 : len(draws) + 1] = [untemper(int(d)) for d in draws]
    state[24 : 24 + 624 * 8] = words.view(np.uint8)
    theirs = torch.Generator()
    theirs.set_state(torch.from_numpy(state))
    return rng.Generator().set_state(state), theirs


def test_generators_that_draw():
    ours, theirs = generators_that_draw(EXTREMES)
    assert ours.draw32(len(EXTREMES)).tolist() == EXTREMES
    drawn = torch.empty(len(EXTREMES), dtype=torch.int32).random_(generator=theirs)
    assert drawn.tolist() == [x & 0x7FFFFFFF for x in EXTREMES]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shift", range(4))
def test_extreme_draws(dtype, shift):
    """Uniforms of 0 and just below 1 in every place: the ends of logarithms and clamps."""
    draws = np.resize(np.roll(np.repeat(EXTREMES, 1 + shift), shift), 600)
    t = getattr(torch, np.dtype(dtype).name)
    samples = {
        "uniform": ((), (-0.1, 0.1), (1e-3, 7)), "normal": ((), (0, 0.02), (5, 3)),
        "exponential": ((),), "cauchy": ((),), "log_normal": ((),), "geometric": ((0.3,),),
        "bernoulli": ((0.5,), (2**-53,), (1 - 2**-53,), (5e-324,)), "random": ((), (0, 100)),
    }  # fmt: skip
    for name, all_arguments in samples.items():
        for arguments in all_arguments:
            ours, theirs = generators_that_draw(draws)
            a = getattr(rng, name)(ours, (150,), dtype, *arguments)
            b = getattr(torch.empty(150, dtype=t), f"{name}_")(*arguments, generator=theirs).numpy()
            assert a.tobytes() == b.tobytes(), (name, arguments)


# --- fused multiply-add ---------------------------------------------------------------------------


def exact(a, b, c):
    return Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))


def nearest_float32(x):
    """The float32 nearest to a fraction; ties to even."""
    guess = np.float32(float(x))
    around = [np.nextafter(guess, np.float32(s), dtype=np.float32) for s in (-np.inf, np.inf)]
    candidates = [guess, *around]
    return min(candidates, key=lambda f: (abs(Fraction(float(f)) - x), f.view(np.int32) & 1))


def test_fma64():
    data = np.random.default_rng(0)
    a = np.concatenate([data.normal(size=300), np.round(data.normal(size=300) * 64) / 64, [0, 1]])
    for b, c in ((1.7, 0.3), (1 + 2**-30, -1.0), (3.0, 1e-17), (1e300, -1e299), (1 / 3, -a[0] / 3)):
        assert rng_kernels.fma64(a, b, c).tolist() == [float(exact(x, b, c)) for x in a]


def test_fma32():
    data = np.random.default_rng(0)
    a = np.concatenate([data.normal(size=300), [0, 1, -1]]).astype(np.float32)
    for b, c in ((1.7, 0.3), (0.02, 0), (1 / 3, -1 / 3), (3, 1e-9)):
        b, c = np.float32(b), np.float32(c)
        expected = [nearest_float32(exact(x, b, c)) for x in a]
        assert rng_kernels.fma32(a, b, c).tolist() == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_fma32_where_rounding_twice_goes_wrong(sign):
    """a * b is a hair off half a unit of c; a double cannot hold the sum, and gets a tie."""
    a = np.array([1 + 2**-23], np.float32)
    b = np.float32((1 - 2**-23) * 2**-24 * sign)
    for c in (1 + 2**-23, -1 - 2**-23, 1.5 + 2**-23):
        c = np.float32(c)
        expected = nearest_float32(exact(a[0], b, c))
        assert rng_kernels.fma32(a, b, c)[0] == expected
    twice = (a.astype(float) * float(b) + (1 + 2**-23)).astype(np.float32)[0]
    assert sign == -1 or twice != nearest_float32(exact(a[0], b, 1 + 2**-23))


def test_box_muller_is_accurate():
    """Sine and cosine agree with the right quadrants, and the logarithm with the right exponent."""
    draws = np.random.default_rng(1).integers(0, 2**24, 3 * 2**15) | np.int64(1)
    u1, u2 = (draws[::2] / 2**24).astype(np.float32), (draws[1::2] / 2**24).astype(np.float32)
    n = rng_kernels.BoxMuller.PAIRS
    cos, sin = rng_kernels.BoxMuller(n)(u1[:n], u2[:n])
    radius = np.sqrt(-2 * np.log1p(-u1[:n].astype(float)))
    angle = 2 * math.pi * u2[:n].astype(float)
    assert np.abs(cos - radius * np.cos(angle)).max() < 3e-6
    assert np.abs(sin - radius * np.sin(angle)).max() < 3e-6


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "sin", "cos", "tan"])
def test_libm_is_the_c_library(name):
    low, high = rng_kernels._DOMAIN[name]
    x = np.random.default_rng(0).uniform(low, high, 5000)
    assert rng_kernels.libm(name, x).tolist() == [getattr(math, name)(v) for v in x.tolist()]


def test_libm_overflows_as_in_c():
    assert rng_kernels.libm("exp", np.array([1e3, 709.5, -1e3])).tolist() == [
        math.inf, math.exp(709.5), 0.0
    ]  # fmt: skip


# --- compiled programs ----------------------------------------------------------------------------

COUNTS = [16, 625, 20001]


@functools.cache
def compiled(name):
    return jax.jit(getattr(rng_xla, name), static_argnums=1)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("used", [0, 1, 300, 623, 624])
def test_compiled_stream(count, used):
    """Every function in turn, on the words that the one before it left."""
    host = rng.Generator(count)
    host.draw32(used)
    threshold = np.uint64(rng.bernoulli_threshold(0.3))
    calls = (
        ("draw32", (), lambda: host.draw32(count)),
        ("uniform24", (), lambda: rng.uniform(host, (count,), np.float32)),
        ("normal", (), lambda: rng.normal(host, (count,), np.float32)),
        ("uniform53", (), lambda: rng.uniform(host, (count,), np.float64)),
        ("bernoulli", (threshold,), lambda: rng.bernoulli(host, (count,), bool, 0.3)),
    )
    with jax.enable_x64(True):
        words = host.words()
        for name, arguments, sample in calls:
            words, values = compiled(name)(words, count, *arguments)
            expected = sample()
            assert values.dtype == expected.dtype
            assert np.asarray(values).tobytes() == expected.tobytes(), name
            assert np.array_equal(words, host.words()), name


def test_compiled_normal_on_many_numbers():
    """XLA may not round where it pleases: a conversion left out would show here."""
    host = rng.Generator(3)
    with jax.enable_x64(True):
        _, values = compiled("normal")(host.words(), 200_000)
        expected = torch.randn(200_000, generator=torch.Generator().manual_seed(3))
        assert np.asarray(values).tobytes() == expected.numpy().tobytes()


def test_compiled_thresholds():
    with jax.enable_x64(True):
        for p in (0.0, 2**-53, 0.1, 0.5, 1 - 2**-53, 1.0):
            threshold = np.uint64(rng.bernoulli_threshold(p))
            _, values = compiled("bernoulli")(rng.Generator(1).words(), 1000, threshold)
            expected = torch.empty(1000, dtype=torch.bool)
            expected.bernoulli_(p, generator=torch.Generator().manual_seed(1))
            assert np.array_equal(values, expected.numpy())


def test_lent_words_come_home_when_needed():
    host, other = rng.Generator(1), rng.Generator(1)
    fetched = []

    def fetch():
        fetched.append(1)
        return np.asarray(words)

    words, _ = compiled("draw32")(host.words(), 1000)
    host.lend(fetch)
    assert not fetched
    other.draw32(1000)
    assert np.array_equal(host.get_state(), other.get_state())
    words, _ = compiled("draw32")(host.words(), 30)
    host.lend(fetch)
    other.draw32(30)
    assert host.random() == other.random()
    assert len(fetched) == 2
    host.lend(fetch)
    host.manual_seed(5)  # a new seed needs nothing from the program
    assert len(fetched) == 2
    assert host.random() == rng.Generator(5).random()
