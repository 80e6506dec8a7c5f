"""utils.data in one process: datasets, samplers, collation and batches, against PyTorch."""

import collections
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.utils.data

import jtorch
import jtorch.utils.data

BOTH = {"torch": torch, "jtorch": jtorch}
X = np.random.default_rng(0).standard_normal((37, 3)).astype(np.float32)
Y = np.arange(37)
Point = collections.namedtuple("Point", "x y")


def plain(x):
    """Tensors as (dtype, nested list), the rest of a structure as it is, with its types."""
    if isinstance(x, torch.Tensor | jtorch.Tensor):
        return str(x.dtype), tuple(x.shape), x.tolist()
    if isinstance(x, collections.abc.Mapping):
        return type(x).__name__, {k: plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x).__name__, [plain(v) for v in x]
    return x


def outcome(f):
    """What a call gives, or the type and text of its error."""
    try:
        return plain(f())
    except Exception as e:
        return type(e), str(e)


def same(f):
    """The call gives the same with both libraries; the result."""
    results = {}
    for name, lib in BOTH.items():
        lib.manual_seed(11)
        results[name] = outcome(lambda lib=lib: f(lib)), lib.get_rng_state().numpy().tobytes()
    assert results["jtorch"][0] == results["torch"][0]
    assert results["jtorch"][1] == results["torch"][1], "the generators part"
    return results["jtorch"][0]


class Rich:
    """A dataset of nested samples."""

    def __init__(self, lib):
        self.x, self.lib = lib.tensor(X), lib

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {
            "row": self.x[i], "int": i, "float": i / 3, "numpy": X[i], "scalar": np.float32(i),
            "text": str(i), "bytes": b"%d" % i, "flag": i % 2 == 0, "point": Point(i, [i, -i]),
            "pair": (i, [self.x[i, 0], 2.5]), "twice": self.x[i] * 2 + self.lib.rand(3),
        }  # fmt: skip


def tensors(lib):
    return lib.utils.data.TensorDataset(lib.tensor(X), lib.tensor(Y))


DATASETS = {
    "tensors": tensors,
    "split": lambda lib: lib.utils.data.random_split(tensors(lib), [0.7, 0.3])[0],
    "concat": lambda lib: tensors(lib) + tensors(lib),
    "stack": lambda lib: lib.utils.data.StackDataset(a=tensors(lib), b=Rich(lib)),
    "nested": Rich,
    "list": lambda lib: list(zip(X, Y.tolist(), strict=True)),
}
LOADERS = {
    "batches": {"batch_size": 5},
    "shuffle": {"batch_size": 8, "shuffle": True},
    "drop_last": {"batch_size": 8, "shuffle": True, "drop_last": True},
    "samples": {"batch_size": None, "shuffle": True},
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_batches_and_the_generator_are_torchs(dataset, loader):
    def epochs(lib):
        batches = lib.utils.data.DataLoader(DATASETS[dataset](lib), **LOADERS[loader])
        return [list(batches) for _ in range(2)]

    same(epochs)


SAMPLERS = {
    "sequential": lambda d, g: d.SequentialSampler(Y),
    "random": lambda d, g: d.RandomSampler(Y, generator=g),
    "random_more": lambda d, g: d.RandomSampler(Y, num_samples=100, generator=g),
    "replacement": lambda d, g: d.RandomSampler(Y, replacement=True, generator=g),
    "replacement_more": lambda d, g: d.RandomSampler(Y, True, num_samples=100, generator=g),
    "subset": lambda d, g: d.SubsetRandomSampler([4, 8, 15, 16, 23, 42], g),
    "weighted": lambda d, g: d.WeightedRandomSampler([0.1, 3, 2.5, 1], 50, generator=g),
    "weighted_once": lambda d, g: d.WeightedRandomSampler([0.1, 3, 2.5, 1], 4, False, g),
    "batch": lambda d, g: d.BatchSampler(d.RandomSampler(Y, generator=g), 5, False),
    "batch_drop": lambda d, g: d.BatchSampler(iter(range(12)), 5, True),
    "distributed": lambda d, g: d.DistributedSampler(Y, 4, 1, seed=3),
    "distributed_drop": lambda d, g: d.DistributedSampler(Y, 4, 3, drop_last=True),
    "distributed_tiny": lambda d, g: d.DistributedSampler([7], 4, 3, shuffle=False),
}


@pytest.mark.parametrize("own", [False, True], ids=["default", "generator"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_draw_as_torchs(name, own):
    def draw(lib):
        generator = lib.Generator().manual_seed(5) if own else None
        sampler = SAMPLERS[name](lib.utils.data, generator)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(2)
        epochs = [list(sampler), list(sampler)]
        length = len(sampler) if name != "batch_drop" else None
        return epochs, length, generator.get_state() if own else None

    same(draw)


def test_a_sampler_may_change_its_mind_about_the_length():
    data = [1, 2, 3]
    sampler = jtorch.utils.data.RandomSampler(data)
    data.append(4)
    assert sorted(sampler) == [0, 1, 2, 3]
    assert len(sampler) == 4


@pytest.mark.parametrize(
    "lengths", [[30, 7], [0.5, 0.5], [0.3, 0.3, 0.4], [37], [30, 6], [1.5, -0.5]]
)
def test_random_split(lengths):
    def split(lib):
        generator = lib.Generator().manual_seed(1)
        first = lib.utils.data.random_split(range(37), lengths, generator)
        second = lib.utils.data.random_split(range(37), lengths)
        return [list(s) for s in first], [s.indices for s in second]

    same(split)


def test_an_empty_split_is_worth_a_warning():
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        jtorch.utils.data.random_split(range(2), [0.9, 0.1])


class Stream:
    """The base class is the library's, so the class is made per library."""

    @staticmethod
    def of(lib, n, length=None):
        class Numbers(lib.utils.data.IterableDataset):
            def __iter__(self):
                return iter(range(n))

            def __len__(self):
                if length is None:
                    raise TypeError("no length")
                return length

        return Numbers()


@pytest.mark.parametrize(
    "loader", [{"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None}]
)
def test_streams(loader):
    def read(lib):
        data = Stream.of(lib, 10) + Stream.of(lib, 5)
        return list(lib.utils.data.DataLoader(data, **loader))

    same(read)


def test_a_stream_longer_than_it_says_is_warned_about():
    for lib in (torch, jtorch):
        loader = lib.utils.data.DataLoader(Stream.of(lib, 7, 6), batch_size=None)
        assert len(loader) == 6
        with pytest.warns(UserWarning, match=r"reported to be 6.*but 7 samples have been fetched"):
            list(loader)


COLLATED = {
    "ints": [1, 2, 3],
    "bools": [True, False],
    "floats": [1.5, 2.0],
    "mixed": [1, 2.5],
    "large": [2**40, -1],
    "texts": ["a", "b"],
    "numpy_scalars": [np.float16(1), np.float16(2)],
    "numpy_ints": [np.int32(1), np.int32(2)],
    "numpy_bools": [np.bool_(1), np.bool_(0)],
    "arrays": [X[0], X[1]],
    "ints8": [np.int8([1, 2]), np.int8([3, 4])],
    "zero_d": [np.array(1.5), np.array(2)],
    "uneven": [X[0], X[0, :2]],
    "text_arrays": [np.array(["a"]), np.array(["b"])],
    "tuples": [(1, 2.0, "x"), (3, 4.0, "y")],
    "lists": [[1, [2, 3]], [4, [5, 6]]],
    "ragged": [[1, 2], [3]],
    "dicts": [{"a": 1, "b": [1.0]}, {"a": 2, "b": [2.0]}],
    "ordered": [collections.OrderedDict(b=1, a=2), collections.OrderedDict(b=3, a=4)],
    "default_dict": [collections.defaultdict(list, a=1), collections.defaultdict(list, a=2)],
    "points": [Point(1, 2), Point(3, 4)],
    "ranges": [range(2), range(2, 4)],
    "strange": [object(), object()],
    "none": [None, None],
}


@pytest.mark.parametrize("name", [n for n in COLLATED if n not in ("strange", "none")])
def test_default_collate(name):
    same(lambda lib: lib.utils.data.default_collate(COLLATED[name]))


@pytest.mark.parametrize("name", ["strange", "none"])
def test_default_collate_refuses(name):
    for lib in (torch, jtorch):
        with pytest.raises(TypeError, match="default_collate: batch must contain tensors, numpy"):
            lib.utils.data.default_collate(COLLATED[name])


def test_default_collate_of_tensors():
    def batch(lib):
        rows = [lib.tensor(x) for x in X[:4]]
        wide = [r.double() if i else r for i, r in enumerate(rows)]
        made = [r * 2 for r in rows]
        collate = lib.utils.data.default_collate
        return collate(rows), collate(wide), collate(made), collate([r[0] for r in rows])

    same(batch)


def test_default_collate_of_uneven_tensors_names_the_entry():
    same(lambda lib: lib.utils.data.default_collate([lib.zeros(3), lib.zeros(4)]))


def test_default_collate_keeps_gradients():
    w = jtorch.ones(2, requires_grad=True)
    jtorch.utils.data.default_collate([w, w * 3]).sum().backward()
    assert w.grad.tolist() == [4, 4]


@pytest.mark.parametrize(
    "name", ["arrays", "dicts", "points", "tuples", "lists", "texts", "ranges"]
)
def test_default_convert(name):
    same(lambda lib: lib.utils.data.default_convert(COLLATED[name]))


def test_collate_with_a_type_of_ones_own():
    from jtorch.utils.data._utils.collate import collate, default_collate_fn_map

    table = {SimpleNamespace: lambda batch, *, collate_fn_map: len(batch), **default_collate_fn_map}
    batch = [{"own": SimpleNamespace(), "x": i} for i in range(3)]
    assert plain(collate(batch, collate_fn_map=table)) == plain(
        {"own": 3, "x": jtorch.tensor([0, 1, 2])}
    )


BAD_LOADERS = {
    "shuffled_sampler": {"sampler": [1], "shuffle": True},
    "batch_sampler_and_size": {"batch_sampler": [[1]], "batch_size": 2},
    "drop_without_batches": {"batch_size": None, "drop_last": True},
    "negative_workers": {"num_workers": -1},
    "negative_timeout": {"timeout": -1},
    "prefetch_without_workers": {"prefetch_factor": 2},
    "persistent_without_workers": {"persistent_workers": True},
    "zero_batch": {"batch_size": 0},
    "context_without_workers": {"multiprocessing_context": "fork"},
    "no_such_context": {"num_workers": 1, "multiprocessing_context": "spoon"},
    "no_context": {"num_workers": 1, "multiprocessing_context": 3},
    "empty_shuffle": {"shuffle": True, "dataset": []},
}


@pytest.mark.parametrize("name", BAD_LOADERS)
def test_errors_of_the_loader(name):
    options = {"dataset": [1, 2, 3], **BAD_LOADERS[name]}
    same(lambda lib: lib.utils.data.DataLoader(**options))


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_streams_take_no_sampler(options):
    same(lambda lib: lib.utils.data.DataLoader(Stream.of(lib, 3), **options))


BAD_CALLS = {
    "tensor_sizes": lambda lib: lib.utils.data.TensorDataset(lib.zeros(2), lib.zeros(3)),
    "stack_sizes": lambda lib: lib.utils.data.StackDataset([1], [1, 2]),
    "stack_both": lambda lib: lib.utils.data.StackDataset([1], a=[1]),
    "stack_none": lambda lib: lib.utils.data.StackDataset(),
    "concat_none": lambda lib: lib.utils.data.ConcatDataset([]),
    "concat_far": lambda lib: lib.utils.data.ConcatDataset([[1, 2]])[-3],
    "no_getitem": lambda lib: lib.utils.data.Dataset()[0],
    "batch_size": lambda lib: lib.utils.data.BatchSampler([], True, False),
    "drop_last": lambda lib: lib.utils.data.BatchSampler([], 1, 0),
    "num_samples": lambda lib: lib.utils.data.RandomSampler([1], num_samples=0),
    "replacement": lambda lib: lib.utils.data.RandomSampler([1], replacement=1),
    "weights": lambda lib: lib.utils.data.WeightedRandomSampler([[1.0]], 1),
    "weighted_samples": lambda lib: lib.utils.data.WeightedRandomSampler([1.0], 0),
    "rank": lambda lib: lib.utils.data.DistributedSampler([1], 2, 2),
    "row": lambda lib: list(lib.utils.data.DataLoader(tensors(lib), sampler=[40])),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_errors(name):
    kind, _ = same(BAD_CALLS[name])
    assert issubclass(kind, Exception)


def test_what_a_loader_is_made_of_stays():
    loader = jtorch.utils.data.DataLoader([1, 2])
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 3
    loader.timeout = 1


def test_a_subset_must_load_batches_as_it_loads_samples():
    class Half(jtorch.utils.data.Subset):
        def __getitem__(self, i):
            return self.dataset[self.indices[i]] / 2

    with pytest.raises(
        NotImplementedError, match="Half overrides __getitem__ but not __getitems__"
    ):
        Half([2, 4], [0, 1])


def test_pin_memory_without_an_accelerator_is_warned_about():
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator"):
        list(jtorch.utils.data.DataLoader([1, 2], pin_memory=True))


def test_random_augmentation_compiles_nothing():
    """A coin for every sample must not make a program of every batch."""

    class Flipped(jtorch.utils.data.Dataset):
        def __len__(self):
            return 32

        def __getitem__(self, i):
            x = (jtorch.full((3, 8), float(i)) - 0.5) / 0.25
            x = x.flip(1) if jtorch.rand(1).item() < 0.5 else x
            return x[:, : jtorch.randint(4, 8, (1,)).item()].mean()

    from jtorch._engine import stats

    list(jtorch.utils.data.DataLoader(Flipped(), batch_size=8))
    before = stats.counts["compiles"]
    batches = list(jtorch.utils.data.DataLoader(Flipped(), batch_size=8))
    assert stats.counts["compiles"] == before
    assert all(type(b._value.array) is np.ndarray for b in batches)


def test_batches_of_a_tensor_dataset_stay_host_data():
    data = jtorch.utils.data.TensorDataset(jtorch.tensor(X), jtorch.tensor(Y) * 2)
    subset = jtorch.utils.data.Subset(data, range(5, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, doubles = next(iter(jtorch.utils.data.DataLoader(subset, batch_size=4)))
    assert type(rows._value.array) is np.ndarray
    assert np.array_equal(rows.numpy(), X[5:9])
    assert doubles.tolist() == [10, 12, 14, 16]


def test_writing_to_a_batch_leaves_the_dataset_alone():
    source = jtorch.tensor(X)
    for rows in jtorch.utils.data.DataLoader(jtorch.utils.data.TensorDataset(source), batch_size=9):
        rows[0].zero_()
    assert np.array_equal(source.numpy(), X)


def test_public_names_are_torchs():
    missing = set(torch.utils.data.__all__) - set(dir(jtorch.utils.data))
    assert {n for n in missing if "pipe" not in n.lower()} <= {
        "DataChunk", "argument_validation", "guaranteed_datapipes_determinism", "non_deterministic",
        "runtime_validation", "runtime_validation_disabled",
    }  # fmt: skip
