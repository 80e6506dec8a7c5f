"""torch.save and torch.load: files exchanged with PyTorch both ways, in every format."""

import collections
import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import jtorch
from jtorch import serialization
from jtorch._pth_names import torch_name

BOTH = {"torch": torch, "jtorch": jtorch}
DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
    "complex64", "complex128", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2",
]  # fmt: skip
NEW_DTYPES = DTYPES[-5:]  # torch cannot read these back from its own legacy format
ZIP, LEGACY = True, False


def write(lib, obj, **options):
    file = io.BytesIO()
    lib.save(obj, file, **options)
    file.seek(0)
    return file


def is_tensor(x):
    return isinstance(x, torch.Tensor | jtorch.Tensor)


def bits(t):
    """The numbers of a tensor as bytes, whatever the dtype."""
    if isinstance(t, torch.Tensor):
        t = t.detach().contiguous().reshape(-1)
        return t.view(torch.uint8).numpy().tobytes() if t.numel() else b""
    return np.ascontiguousarray(t.detach()._numpy("test")).tobytes()


def seen(x):
    """Everything about an object that must survive, in words that both libraries share."""
    if is_tensor(x):
        kind = type(x).__name__
        where = x.stride(), x.storage_offset()
        return (
            kind,
            str(x.dtype),
            tuple(x.shape),
            where,
            x.requires_grad,
            bits(x),
            seen(dict(x.__dict__)),
        )
    if isinstance(x, dict):
        return (
            type(x).__name__,
            [(k, seen(v)) for k, v in x.items()],
            seen(vars(x)) if hasattr(x, "__dict__") else None,
        )
    if isinstance(x, list | tuple) and type(x).__name__ != "Size":
        return type(x).__name__, [seen(v) for v in x]
    return type(x).__name__, repr(x)


def sample(lib, dtypes=DTYPES):
    """One of everything that goes into a checkpoint."""
    x = lib.arange(6.0).reshape(2, 3)
    named = lib.arange(3.0)
    named.note = "attribute"
    marked = lib.nn.Parameter(lib.ones(2))
    marked.rank = 3
    od = collections.OrderedDict(b=1, a=[x])
    od._metadata = {"": {"version": 1}}
    return {
        "dtypes": {d: (lib.arange(4) % 2).to(getattr(lib, d)) for d in dtypes},
        "x": x, "row": x[1], "column": x[:, 1:2], "transposed": x.t(), "steps": x.reshape(-1)[1::2],
        "again": x, "expanded": lib.arange(3.0)[:, None].expand(3, 2),
        "diagonal": x[:, :2].diagonal(),
        "parameter": lib.nn.Parameter(lib.ones(2, 2)),
        "frozen": lib.nn.Parameter(x, requires_grad=False),
        "leaf": lib.ones(2, requires_grad=True), "scalar": lib.tensor(3), "empty": lib.empty(0, 4),
        "named": named, "marked": marked, "ordered": od,
        "dtype": lib.float32, "device": lib.device("cpu"), "size": lib.Size([1, 2]),
        "layout": lib.strided, "numbers": [1, -1, 2**40, 2**70, 2.5, True, None, 1j, 1e308],
        "plain": ["é", b"bytes", (), (1, 2), {1}, {"k": [0]}],
        "counter": collections.Counter("aab"), "array": bytearray(b"abc"), 3: "int key",
    }  # fmt: skip


@pytest.mark.parametrize("weights_only", [True, False], ids=["weights", "full"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", [ZIP, LEGACY], ids=["zip", "legacy"])
def test_what_torch_writes_is_read(form, protocol, weights_only):
    theirs = sample(torch)
    options = {"_use_new_zipfile_serialization": form, "pickle_protocol": protocol}
    got = jtorch.load(write(torch, theirs, **options), weights_only=weights_only)
    assert seen(got) == seen(theirs)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("form", [ZIP, LEGACY], ids=["zip", "legacy"])
def test_what_is_written_torch_reads(form, protocol):
    ours = sample(jtorch, DTYPES if form is ZIP else DTYPES[:-5])
    options = {"_use_new_zipfile_serialization": form, "pickle_protocol": protocol}
    file = write(jtorch, ours, **options)
    assert seen(torch.load(file, weights_only=False)) == seen(ours)
    if protocol == 2:  # torch's whitelist reads no other
        file.seek(0)
        assert seen(torch.load(file, weights_only=True)) == seen(ours)


@pytest.mark.parametrize("form", [ZIP, LEGACY], ids=["zip", "legacy"])
def test_our_own_files(form):
    ours = sample(jtorch)
    file = write(jtorch, ours, _use_new_zipfile_serialization=form)
    assert seen(jtorch.load(file)) == seen(ours)


@pytest.mark.parametrize(
    ("writer", "reader"), [("torch", "jtorch"), ("jtorch", "torch"), ("jtorch", "jtorch")]
)
@pytest.mark.parametrize("form", [ZIP, LEGACY], ids=["zip", "legacy"])
def test_what_was_shared_is_shared(writer, reader, form):
    lib = BOTH[writer]
    x = lib.arange(12.0).reshape(3, 4)
    p = lib.nn.Parameter(x)
    obj = {
        "row": x[1],
        "x": x,
        "t": x.t(),
        "p": p,
        "tied": [p, p],
        "flat": x.view(-1)[2:5],
        "alone": x.clone(),
    }
    file = write(lib, obj, _use_new_zipfile_serialization=form)
    got = BOTH[reader].load(file)
    assert got["tied"][0] is got["tied"][1] is got["p"]
    got["x"].mul_(10)
    assert got["row"].tolist() == [40, 50, 60, 70]
    assert got["t"].tolist()[1] == [10, 50, 90]
    assert got["flat"].tolist() == [20, 30, 40]
    assert got["p"].tolist()[0] == [0, 10, 20, 30]
    assert got["alone"].tolist()[0] == [0, 1, 2, 3]


def test_storages_are_written_once():
    x = jtorch.zeros(1000)
    file = write(jtorch, {"a": x, "b": x[10:], "c": jtorch.nn.Parameter(x)})
    assert len(file.getvalue()) < 6000


def test_records_are_aligned_and_the_archive_is_torchs():
    file = write(jtorch, {"a": jtorch.ones(3), "b": jtorch.zeros(1000, dtype=jtorch.uint8)})
    archive = zipfile.ZipFile(file)
    assert archive.testzip() is None
    assert [i.filename for i in archive.infolist()][:2] == ["archive/data.pkl", "archive/byteorder"]
    assert archive.read("archive/version") == b"3\n"
    for info in archive.infolist():
        start = info.header_offset + 26
        lengths = np.frombuffer(file.getvalue()[start : start + 4], "<u2")
        assert (info.header_offset + 30 + int(lengths.sum())) % 64 == 0


def test_the_archive_is_named_after_the_file(tmp_path):
    jtorch.save({}, tmp_path / "model.v2.pth")
    assert zipfile.ZipFile(tmp_path / "model.v2.pth").namelist()[0] == "model.v2/data.pkl"


def network(nn):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 8), nn.LayerNorm(8), nn.Dropout(0.5), nn.Linear(8, 3), nn.GELU(),
    )  # fmt: skip


OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.01, "amsgrad": True},
    "AdamW": {"lr": 0.01},
    "RMSprop": {"lr": 0.01},
    "Adagrad": {"lr": 0.01},
}
IMAGES = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)


def step(lib, model, optimizer):
    optimizer.zero_grad()
    model(lib.tensor(IMAGES)).pow(2).sum().backward()
    optimizer.step()
    return [p.detach().numpy() for p in model.parameters()]


@pytest.mark.parametrize("whole", [False, True], ids=["state_dict", "module"])
@pytest.mark.parametrize(("writer", "reader"), [("torch", "jtorch"), ("jtorch", "torch")])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_in_the_other_library(name, writer, reader, whole):
    """Model and optimizer, as state dicts or as the objects themselves, take the same next step."""
    source, target = BOTH[writer], BOTH[reader]
    source.manual_seed(0)
    model = network(source.nn).eval()
    optimizer = getattr(source.optim, name)(model.parameters(), **OPTIMIZERS[name])
    step(source, model, optimizer)
    if whole:
        got = target.load(write(source, (model, optimizer)), weights_only=False)
        new_model, new_optimizer = got
        assert type(new_model) is target.nn.Sequential
    else:
        got = target.load(write(source, {"m": model.state_dict(), "o": optimizer.state_dict()}))
        new_model = network(target.nn).eval()
        new_optimizer = getattr(target.optim, name)(new_model.parameters(), lr=9)
        new_model.load_state_dict(got["m"])
        new_optimizer.load_state_dict(got["o"])
    expected = step(source, model, optimizer)
    for a, b in zip(step(target, new_model, new_optimizer), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_every_layer_and_optimizer_is_written_under_torchs_name():
    wrong = {}
    for place in ("nn", "optim"):
        for name, theirs in vars(getattr(torch, place)).items():
            ours = getattr(getattr(jtorch, place), name, None)
            if isinstance(theirs, type) and isinstance(ours, type):
                expected = theirs.__module__, theirs.__qualname__
                if torch_name(ours) != expected:
                    wrong[name] = torch_name(ours)
    assert not wrong


def test_functions_are_written_under_torchs_name():
    obj = [jtorch.nn.functional.relu, jtorch.relu]
    got = torch.load(write(jtorch, obj), weights_only=False)
    assert got == [torch.nn.functional.relu, torch.relu]
    back = jtorch.load(write(torch, [*got, torch.nn.functional.gelu]), weights_only=False)
    assert back == [*obj, jtorch.nn.functional.gelu]


def test_lazy_conjugation_arrives_as_numbers():
    x = torch.tensor([1 + 2j, 3 - 1j])
    got = jtorch.load(write(torch, {"c": x.conj(), "i": x.clone().conj().imag}))
    assert got["c"].tolist() == [1 - 2j, 3 + 1j]
    assert got["i"].tolist() == [-2, 1]


def test_a_generator():
    jtorch.manual_seed(3)
    got = jtorch.load(write(jtorch, jtorch.default_generator), weights_only=False)
    assert got.get_state().tolist() == jtorch.get_rng_state().tolist()


class Custom(jtorch.Tensor):
    pass


def test_a_tensor_class_of_ones_own():
    t = jtorch.ones(2).detach()
    t.__class__ = Custom
    t.extra = 5
    file = write(jtorch, t)
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL \S*Custom was not an allowed global"):
        jtorch.load(file)
    file.seek(0)
    with serialization.safe_globals([Custom]):
        got = jtorch.load(file)
    assert (type(got), got.extra, got.tolist()) == (Custom, 5, [1, 1])


# --- where ---------------------------------------------------------------------------------------


MAPS = {
    "string": "cpu",
    "device": jtorch.device("cpu"),
    "dict": {"cuda:0": "cpu"},
    "function": lambda storage, location: storage,
    "cpu_method": lambda storage, location: storage.cpu(),
}


def on_cuda():
    """A file of a machine with a GPU: the location in the pickle is another one."""
    file = write(jtorch, {"x": jtorch.arange(3.0)})
    data = zipfile.ZipFile(file)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name in data.namelist():
            content = data.read(name)
            content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            z.writestr(name, content)
    out.seek(0)
    return out


@pytest.mark.parametrize("name", MAPS)
def test_map_location(name):
    assert jtorch.load(on_cuda(), map_location=MAPS[name])["x"].tolist() == [0, 1, 2]


def test_a_device_that_is_not_there():
    for lib in (torch, jtorch):
        with pytest.raises(
            RuntimeError, match=r"Attempting to deserialize object on a CUDA device but"
        ):
            lib.load(on_cuda())
        with pytest.raises(RuntimeError, match="don't know how to restore data location"):
            lib.load(on_cuda(), map_location="moon")


def test_the_function_is_asked_once_for_each_storage():
    asked = []
    x = jtorch.ones(3)
    jtorch.load(
        write(jtorch, [x, x[1:], x.clone()]),
        map_location=lambda s, at: asked.append((s.nbytes(), at)),
    )
    assert asked == [(12, "cpu"), (12, "cpu")]


def test_mmap(tmp_path):
    path = tmp_path / "x.pth"
    x = torch.arange(1000.0)
    torch.save({"x": x, "v": x[3:]}, path)
    got = jtorch.load(path, mmap=True)
    assert not got["x"]._value.array.flags.writeable
    got["x"].add_(1)
    assert got["v"][0].item() == 4
    assert jtorch.load(path)["x"][0].item() == 0
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap"):
        jtorch.load(io.BytesIO(path.read_bytes()), mmap=True)
    jtorch.save({}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        jtorch.load(path, mmap=True)


def test_paths_and_files(tmp_path):
    for target in (str(tmp_path / "a"), tmp_path / "b"):
        jtorch.save([1], target)
        assert jtorch.load(target) == [1]
    with open(tmp_path / "c", "wb") as f:
        jtorch.save([2], f)
    with open(tmp_path / "c", "rb") as f:
        assert jtorch.load(f) == [2]
    with pytest.raises(
        AttributeError, match="expected 'f' to be string, path, or a file-like object"
    ):
        jtorch.save([1], 3)
    with pytest.raises(
        AttributeError, match=r"You can only torch\.load from a file that is seekable"
    ):
        jtorch.load(object())
    with pytest.raises(FileNotFoundError):
        jtorch.load(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        jtorch.save([1], tmp_path / "no" / "such")


# --- whole or not at all --------------------------------------------------------------------------


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pth"
    jtorch.save([1], path)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        jtorch.save([jtorch.ones(9), lambda: 1], path)
    assert jtorch.load(path) == [1]
    assert os.listdir(tmp_path) == ["x.pth"]


def test_links_modes_and_devices(tmp_path):
    path, link = tmp_path / "x.pth", tmp_path / "link.pth"
    jtorch.save([1], path)
    path.chmod(0o640)
    link.symlink_to(path)
    jtorch.save([2], link)
    assert link.is_symlink()
    assert jtorch.load(path) == [2]
    assert path.stat().st_mode & 0o777 == 0o640
    jtorch.save([1], "/dev/null")
    assert not os.path.isfile("/dev/null")


KILLED = """
import os, signal, sys
import numpy as np
from jtorch import serialization, tensor, _pth_zip

path, when = sys.argv[1], int(sys.argv[2])
writes = 0
original = _pth_zip.RecordWriter.write
def write(self, name, data):
    global writes
    writes += 1
    original(self, name, data)
    if writes == when:
        self._zip.fp.flush()
        os.kill(os.getpid(), signal.SIGKILL)
_pth_zip.RecordWriter.write = write
for step in range(3):
    serialization.save({"step": step, "w": tensor(np.full(50000, step))}, path)
"""


@pytest.mark.parametrize("when", [1, 7, 12])
def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path, when):
    path = tmp_path / "x.pth"
    jtorch.save({"step": -1, "w": jtorch.full((3,), -1)}, path)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(when)],
        env=environment,
        check=False,
        timeout=120,
    )
    assert done.returncode == -9
    got = jtorch.load(path)
    assert got["step"] == (when - 1) // 4 - 1
    assert (got["w"] == got["step"]).all()
