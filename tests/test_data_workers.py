"""DataLoader workers: PyTorch's batches and random numbers, and errors that say what happened."""

import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import jtorch
from jtorch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
REPOSITORY = Path(__file__).parent.parent

# A script as people write them: no __main__ guard, classes and lambdas on the spot.
SCRIPT = """
import random, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
torch = __import__(sys.argv[1])
data = __import__(sys.argv[1] + ".utils.data").utils.data

rows = torch.tensor(np.arange(120, dtype=np.float32).reshape(30, 4))

class Samples(data.Dataset):
    def __len__(self):
        return 30
    def __getitem__(self, i):
        w = data.get_worker_info()
        flipped = rows[i].flip(0) if torch.rand(1) < 0.5 else rows[i] * 2
        draws = random.random(), np.random.rand(), torch.randint(9, (2,)), torch.randperm(3)
        return i, (w.id, w.num_workers, w.seed), flipped, draws

class Stream(data.IterableDataset):
    def __iter__(self):
        w = data.get_worker_info()
        return iter(range(w.id, 17, w.num_workers))

def show(x):
    if isinstance(x, torch.Tensor):
        return str(x.dtype), [round(float(v), 5) for v in x.reshape(-1).tolist()]
    return [show(v) for v in x] if isinstance(x, (list, tuple)) else x

def run(name, dataset, **options):
    torch.manual_seed(7)
    loader = data.DataLoader(dataset, **options)
    for epoch in range(2):
        for batch in loader:
            print(name, epoch, show(batch))
    print(name, torch.get_rng_state().tolist()[-700:-600], torch.rand(1).item())

run("map", Samples(), num_workers=2, batch_size=8, shuffle=True)
run("three", Samples(), num_workers=3, batch_size=7, drop_last=True, prefetch_factor=1)
run("persistent", Samples(), num_workers=2, batch_size=8, persistent_workers=True)
run("stream", Stream(), num_workers=2, batch_size=4)
run("stream_drop", Stream(), num_workers=3, batch_size=4, drop_last=True)
run("stream_persistent", Stream(), num_workers=2, batch_size=4, persistent_workers=True)
run("samples", Stream(), num_workers=2, batch_size=None)
run("init", Samples(), num_workers=2, worker_init_fn=lambda i: random.seed(i), batch_size=15)
run("generator", Samples(), num_workers=1, batch_size=9, generator=torch.Generator().manual_seed(3))
"""


def output(library):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, library],
        capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_batches_order_and_random_numbers_are_torchs():
    ours, theirs = output("jtorch"), output("torch")
    assert len(ours) > 50
    for a, b in zip(ours, theirs, strict=True):
        assert a == b


class Function(Dataset):
    """Samples by a function of the index."""

    def __init__(self, f, n=8):
        self.f, self.n = f, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.f(i)


def load(f, **options):
    return list(DataLoader(Function(f), **{"num_workers": 1, **options}))


def test_an_exception_comes_with_its_traceback():
    def fail(i):
        raise ValueError(f"sample {i} is bad")

    with pytest.raises(ValueError, match=r"(?s)Caught ValueError in DataLoader worker process 0.*"
                       "Original Traceback.*in fail.*sample 0 is bad"):  # fmt: skip
        load(fail)


def test_a_key_error_is_readable():
    with pytest.raises(KeyError) as caught:
        load({}.__getitem__)
    assert "\\n" not in str(caught.value)
    assert "KeyError: 0" in str(caught.value)


def test_an_exception_that_takes_other_arguments():
    with pytest.raises(
        RuntimeError, match="Caught UnicodeDecodeError in DataLoader worker process 0"
    ):
        load(lambda i: b"\xff".decode())


def test_an_exception_in_worker_init_fn():
    def refuse(worker):
        raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        load(lambda i: i, worker_init_fn=refuse)


def test_what_cannot_be_pickled_is_an_error():
    with pytest.raises(Exception, match=r"(?is)Caught .*pickle"):
        load(lambda i: lambda: i, collate_fn=lambda batch: batch)


def test_after_an_error_the_loader_goes_on():
    def fail_once(i):
        if i == 1:
            raise ValueError("one")
        return i

    loader = iter(DataLoader(Function(fail_once), num_workers=2))
    seen = []
    while True:
        try:
            seen.append(next(loader).item())
        except ValueError:
            seen.append("error")
        except StopIteration:
            break
    assert seen == [0, "error", 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("death", "cause"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "is killed by signal: Killed"),
        (lambda: os._exit(3), "exited unexpectedly with exit code 3"),
    ],
    ids=["killed", "exits"],
)
def test_a_dead_worker_is_named(death, cause):
    loader = iter(DataLoader(Function(lambda i: death() if i == 5 else i), num_workers=2))
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited") as caught:
        list(loader)
    assert cause in str(caught.value.__cause__)
    assert not any(w.process.is_alive() for w in loader._workers)


def test_timeout(monkeypatch):
    monkeypatch.setattr("jtorch.utils.data._workers.STOP_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.2 seconds"):
        load(lambda i: threading.Event().wait(), timeout=0.2)


def test_workers_are_gone_after_the_last_batch_and_when_nobody_wants_more():
    loader = iter(DataLoader(Function(lambda i: i), num_workers=2))
    list(loader)
    half = iter(DataLoader(Function(lambda i: i), num_workers=2))
    next(half)
    processes = [w.process for w in (*loader._workers, *half._workers)]
    del half
    gc.collect()
    assert not any(p.is_alive() for p in processes)


def test_persistent_workers_stay_and_drop_what_was_left_of_an_epoch():
    loader = DataLoader(
        Function(lambda i: os.getpid() * 0 + i), num_workers=2, persistent_workers=True
    )
    first = iter(loader)
    assert [next(first).item() for _ in range(2)] == [0, 1]
    pids = [w.process.pid for w in first._workers]
    assert [b.item() for b in loader] == list(range(8))
    assert [w.process.pid for w in iter(loader)._workers] == pids


def test_batches_out_of_order_are_all_there():
    loader = DataLoader(Function(lambda i: i), num_workers=2, in_order=False)
    assert sorted(b.item() for b in loader) == list(range(8))


def test_large_batches_are_shared_and_stay_when_the_loader_is_gone():
    rows = np.random.default_rng(0).standard_normal((64, 5000)).astype(np.float32)
    data = TensorDataset(jtorch.tensor(rows), jtorch.arange(64))
    batches = list(DataLoader(data, batch_size=8, num_workers=2))
    gc.collect()
    for i, (x, y) in enumerate(batches):
        assert type(x._value.array.base) is not type(None)
        assert np.array_equal(x.numpy(), rows[8 * i : 8 * i + 8])
        assert y.tolist() == list(range(8 * i, 8 * i + 8))


def test_shared_memory_is_used_again_only_when_it_is_free():
    """Kept batches keep their numbers; dropped ones give their memory back."""
    loader = iter(DataLoader(Function(lambda i: np.full(40000, i), 40), num_workers=1))
    kept = []
    for i, x in enumerate(loader):
        if i % 10 == 0:
            kept.append(x)
        maps = len(loader._workers[0].receiver._maps)
        del x
    assert maps < 15
    assert [k[0, 0].item() for k in kept] == [0, 10, 20, 30]
    assert all((k == k[0, 0]).all() for k in kept)


def test_a_worker_may_send_the_same_array_again():
    buffer = np.zeros(40000)

    def refill(i):
        buffer[:] = i
        return buffer

    loader = DataLoader(Function(refill), num_workers=1, batch_size=None, collate_fn=lambda x: x)
    assert [x[-1] for x in loader] == list(range(8))


def test_numpy_text_and_every_dtype_come_through():
    def sample(i):
        makes = {"bfloat16": jtorch.bfloat16, "uint16": jtorch.uint16, "bool": jtorch.bool}
        tensors = {k: (jtorch.arange(5) % 2).to(d) for k, d in makes.items()}
        big = {k: (jtorch.arange(70000) % 2).to(d) for k, d in makes.items()}
        return {**tensors, "big": big, "text": "é", "numpy": np.arange(3.0), "none": None}

    (got,) = load(sample, batch_size=None, collate_fn=lambda x: x)[:1]
    want = sample(0)
    for key in ("bfloat16", "uint16", "bool"):
        assert got[key].dtype is want[key].dtype
        assert got[key].tolist() == want[key].tolist()
        assert got["big"][key].float().sum().item() == 35000
    assert (got["text"], got["none"], got["numpy"].tolist()) == ("é", None, [0, 1, 2])


def test_tensors_that_were_still_to_be_computed_are_there():
    pending = (jtorch.arange(8) * 3).sqrt()
    values = [b.item() for b in DataLoader(Function(lambda i: pending[i]), num_workers=2)]
    assert values == pytest.approx(np.sqrt(np.arange(8) * 3.0))


def test_ops_in_a_worker_run_in_numpy():
    weight = jtorch.ones(2, 1, 3, 3)

    def sample(i):
        x = jtorch.arange(25.0).reshape(1, 1, 5, 5) + i
        y = jtorch.nn.functional.conv2d(x, weight, padding=1).relu()
        return y.softmax(-1).sum() + x.std() + x[0, 0, :, 1:4:2].mean() + (x @ x.mT).max().log()

    expected = [sample(i).item() for i in range(8)]
    assert [b.item() for b in DataLoader(Function(sample), num_workers=2)] == pytest.approx(
        expected
    )


def test_a_worker_says_what_it_cannot_do():
    with pytest.raises(RuntimeError, match="a forked process must not use JAX"):
        load(lambda i: jtorch.digamma(jtorch.ones(2)))


def test_a_worker_does_not_go_to_jax():
    with pytest.raises(RuntimeError, match="Moving a tensor to a device in a DataLoader worker"):
        load(lambda i: jtorch.arange(3).jax())


def test_gradients_do_not_cross():
    w = jtorch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        load(lambda i: w * 2, collate_fn=lambda batch: batch[0])


def test_worker_info_is_the_workers():
    assert get_worker_info() is None

    class Whole(IterableDataset):
        def __iter__(self):
            yield get_worker_info().dataset is self

    assert [b.item() for b in DataLoader(Whole(), num_workers=2, batch_size=None, collate_fn=jtorch.tensor)] == [True, True]  # fmt: skip  # noqa: E501


def test_spawned_workers():
    """Another start method: what is sent must pickle, and the batches are the same."""
    data = TensorDataset(jtorch.arange(6), jtorch.ones(6, 2))
    loader = DataLoader(data, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    assert [x.tolist() for x, _ in loader] == [[0, 1, 2, 3], [4, 5]]


def test_too_many_workers_are_warned_about():
    with pytest.warns(
        UserWarning, match="This DataLoader will create 1000 worker processes in total"
    ):
        DataLoader([1], num_workers=1000)
