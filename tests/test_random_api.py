"""The public random state: seeds, states and generators, exchanged with PyTorch both ways."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import jtorch
from jtorch import random

SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**63, 2**64 - 1, -1, -(2**63), 3.7, "12", True]
BAD_SEEDS = [2**64, -(2**63) - 1, "a", None]


def state(lib):
    return lib.get_rng_state().numpy().tobytes()


def outcome(f):
    try:
        return f()
    except Exception as e:
        return type(e), str(e)


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_manual_seed(seed):
    generators = [lib.manual_seed(seed) for lib in (torch, jtorch)]
    assert generators[0].initial_seed() == generators[1].initial_seed() == jtorch.initial_seed()
    assert state(torch) == state(jtorch)
    assert generators[1] is jtorch.default_generator


@pytest.mark.parametrize("seed", BAD_SEEDS, ids=str)
def test_bad_seeds(seed):
    theirs, ours = (outcome(lambda lib=lib: lib.manual_seed(seed)) for lib in (torch, jtorch))
    assert ours == theirs


@pytest.mark.parametrize("seed", [1.5, "1", True, None, 2**64], ids=str)
def test_a_generator_takes_whole_numbers(seed):
    def run(lib):
        return outcome(lambda: lib.Generator().manual_seed(seed).initial_seed())

    assert run(jtorch) == run(torch)


DRAWS = {
    "rand": lambda lib, g: lib.rand(3, generator=g),
    "randn": lambda lib, g: lib.randn(3, generator=g),
    "randn_long": lambda lib, g: lib.randn(33, generator=g),
    "doubles": lambda lib, g: lib.randn(5, dtype=lib.float64, generator=g),
    "randint": lambda lib, g: lib.randint(0, 100, (5,), generator=g),
    "randperm": lambda lib, g: lib.randperm(9, generator=g),
}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(DRAWS)), max_size=6), st.integers(0, 2**63))
def test_states_go_both_ways_at_any_moment(names, seed):
    theirs, ours = torch.Generator().manual_seed(seed), jtorch.Generator().manual_seed(seed)
    for name in names:
        DRAWS[name](torch, theirs)
        DRAWS[name](jtorch, ours)
    assert theirs.get_state().numpy().tobytes() == ours.get_state().numpy().tobytes()
    there = torch.Generator().set_state(torch.from_numpy(ours.get_state().numpy()))
    here = jtorch.Generator().set_state(jtorch.tensor(theirs.get_state().numpy()))
    expected = torch.rand(700, generator=theirs).numpy()
    assert np.array_equal(torch.rand(700, generator=there).numpy(), expected)
    assert np.array_equal(jtorch.rand(700, generator=here).numpy(), expected)


def test_the_state_is_a_byte_tensor():
    got = jtorch.get_rng_state()
    assert (got.dtype, tuple(got.shape)) == (jtorch.uint8, (5056,))
    jtorch.rand(3)
    assert state(jtorch) != got.numpy().tobytes()
    jtorch.set_rng_state(got)
    assert state(jtorch) == got.numpy().tobytes()


BAD_STATES = {
    "floats": lambda lib: lib.zeros(5056),
    "short": lambda lib: lib.zeros(3, dtype=lib.uint8),
    "number": lambda lib: 3,
    "zeros": lambda lib: lib.zeros(5056, dtype=lib.uint8),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_bad_states(name):
    def run(lib):
        return outcome(lambda: lib.set_rng_state(BAD_STATES[name](lib)))

    assert run(jtorch) == run(torch)


def test_seed_is_new_every_time():
    seeds = {jtorch.seed() for _ in range(8)}
    assert len(seeds) == 8
    assert jtorch.initial_seed() in seeds


def test_generators_of_their_own():
    assert jtorch.Generator().initial_seed() == torch.Generator().initial_seed()
    g = jtorch.Generator(device="cpu").manual_seed(3)
    assert g.device == jtorch.device("cpu")
    before = state(jtorch)
    copies = [g.clone_state(), copy.deepcopy(g), pickle.loads(pickle.dumps(g))]
    draws = [jtorch.rand(5, generator=c).tolist() for c in (*copies, g)]
    assert draws == [torch.rand(5, generator=torch.Generator().manual_seed(3)).tolist()] * 4
    assert state(jtorch) == before
    assert {c.initial_seed() for c in copies} == {3}


def test_a_generator_of_the_cpu_has_no_offset():
    for lib in (torch, jtorch):
        with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
            lib.Generator().get_offset()
        with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
            lib.Generator().set_offset(3)


def test_a_generator_for_a_device_that_is_not_there():
    with pytest.raises(RuntimeError, match="No accelerator is available to JAX"):
        jtorch.Generator(device="cuda")


def test_a_generator_may_be_subclassed():
    class Counting(jtorch.Generator):
        def __init__(self):
            super().__init__()
            self.calls = 0

    g = Counting()
    assert g.calls == 0
    assert g.manual_seed(4) is g


def test_fork_rng():
    jtorch.manual_seed(3)
    expected = jtorch.rand(4).tolist()
    jtorch.manual_seed(3)
    with jtorch.random.fork_rng():
        jtorch.rand(100)
        jtorch.manual_seed(9)
    assert jtorch.rand(4).tolist() == expected
    before = state(jtorch)
    with pytest.raises(ZeroDivisionError), random.fork_rng(devices=[]):
        jtorch.rand(2)
        raise ZeroDivisionError
    assert state(jtorch) == before
    with random.fork_rng(enabled=False):
        jtorch.rand(2)
    assert state(jtorch) != before


def test_a_drawing_module_draws_what_torchs_draws():
    for lib in (torch, jtorch):
        lib.manual_seed(0)
    theirs, ours = torch.nn.Linear(5, 4), jtorch.nn.Linear(5, 4)
    assert np.array_equal(ours.weight.detach().numpy(), theirs.weight.detach().numpy())
    assert state(jtorch) == state(torch)


def test_public_names_are_torchs():
    assert set(torch.random.__all__) <= set(random.__all__)
