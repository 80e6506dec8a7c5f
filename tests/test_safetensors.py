"""safetensors files and checkpoints of several: the bytes of the format, and what is refused."""

import json
import os
import struct

import numpy as np
import pytest

import jtorch
from jtorch import _safetensors as safetensors
from jtorch._safetensors import SafetensorError


def tensors():
    names = ("float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "uint16")
    made = {n: (jtorch.arange(6).reshape(2, 3) % 2).to(getattr(jtorch, n)) for n in names}
    return {**made, "empty": jtorch.empty(0, 3), "scalar": jtorch.tensor(1.5), "é": jtorch.ones(1)}


def same(got, want):
    assert set(got) == set(want)
    for name, t in want.items():
        assert got[name].dtype is t.dtype
        assert tuple(got[name].shape) == tuple(t.shape)
        assert got[name].tolist() == t.tolist()


def file_of(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_round_trip(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file(tensors(), path, {"made": "here"})
    same(jtorch.load(path), tensors())
    with safetensors.safe_open(path, "pt") as f:
        assert f.metadata() == {"made": "here"}
        assert f.get_slice("int64").get_shape() == [2, 3]
        assert f.get_slice("int64").get_dtype() == "I64"
        assert f.get_slice("int64")[1:, ::2].tolist() == [[1, 1]]


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file(
        {"b": jtorch.tensor([1, 2], dtype=jtorch.int8), "a": jtorch.tensor([0.5])}, path
    )
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "b": {"dtype": "I8", "shape": [2], "data_offsets": [4, 6]},
    }
    assert data[8 + length :] == struct.pack("<f2b", 0.5, 1, 2)


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
BAD = {
    "empty": b"",
    "short": b"abc",
    "header_too_large": struct.pack("<Q", 2**40),
    "header_cut_off": struct.pack("<Q", 100) + b"{}",
    "not_json": struct.pack("<Q", 2) + b"{]",
    "not_text": struct.pack("<Q", 2) + b"\xff\xff",
    "a_list": struct.pack("<Q", 2) + b"[]",
    "nested": struct.pack("<Q", 100000) + b"[" * 100000,
    "twice": struct.pack("<Q", 15) + b'{"a":{},"a":{}}',
}
BAD_HEADERS = {
    "dtype": {"a": {**ENTRY, "dtype": "F99"}},
    "shape": {"a": {**ENTRY, "shape": [2]}},
    "negative": {"a": {**ENTRY, "shape": [-1]}},
    "float": {"a": {**ENTRY, "shape": [1.0]}},
    "offsets": {"a": {**ENTRY, "data_offsets": [4, 0]}},
    "beyond": {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}},
    "overlap": {"a": ENTRY, "b": ENTRY},
    "gap": {"a": {**ENTRY, "data_offsets": [1, 5]}},
    "unread": {},
    "entry": {"a": 3},
}


@pytest.mark.parametrize("name", [*BAD, *BAD_HEADERS])
def test_damaged_files(name, tmp_path):
    path = tmp_path / "x.safetensors"
    if name in BAD:
        path.write_bytes(BAD[name])
    else:
        file_of(path, BAD_HEADERS[name], b"12345678" if name == "gap" else b"1234")
    with pytest.raises(SafetensorError, match="Error while deserializing header"):
        jtorch.load(path)


def test_shared_memory_is_refused(tmp_path):
    x = jtorch.ones(3)
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        safetensors.save_file({"a": x, "b": x[1:]}, tmp_path / "x.safetensors")
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_not_there(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": jtorch.ones(1)}, path)
    with pytest.raises(SafetensorError, match="does not contain tensor b"):
        safetensors.safe_open(path).get_tensor("b")


def test_checkpoints_of_several_files(tmp_path):
    want = {f"layer.{i}": jtorch.full((100,), float(i)) for i in range(5)}
    index = safetensors.save_sharded(want, tmp_path, max_shard_size="1KB")
    first = set(os.listdir(tmp_path))
    assert len(first) == 4  # two layers to a file, and the index
    same(jtorch.load(index), want)
    same(safetensors.load_sharded(tmp_path), want)
    assert json.loads((tmp_path / safetensors.INDEX).read_text())["metadata"] == {
        "total_size": 2000
    }
    safetensors.save_sharded({"only": jtorch.ones(2)}, tmp_path)
    assert len(os.listdir(tmp_path)) == 2
    assert not first & set(os.listdir(tmp_path)) - {safetensors.INDEX}
    same(jtorch.load(index), {"only": jtorch.ones(2)})


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    safetensors.save_sharded({"a": jtorch.ones(2), "b": jtorch.zeros(2)}, tmp_path, 8)
    original = safetensors._write
    calls = []

    def fail(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError("disk full")
        original(*args)

    monkeypatch.setattr(safetensors, "_write", fail)
    with pytest.raises(OSError, match="disk full"):
        safetensors.save_sharded({"a": jtorch.zeros(2), "b": jtorch.ones(2)}, tmp_path, 8)
    same(safetensors.load_sharded(tmp_path), {"a": jtorch.ones(2), "b": jtorch.zeros(2)})


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "..", ""])
def test_an_index_names_only_files_beside_it(name, tmp_path):
    (tmp_path / safetensors.INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(SafetensorError, match="names a file that is not beside it"):
        safetensors.load_sharded(tmp_path)


def test_map_location(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": jtorch.ones(1)}, path)
    assert jtorch.load(path, map_location="cpu")["a"].item() == 1
    with pytest.raises(RuntimeError, match="with dict map_location is not supported"):
        jtorch.load(path, map_location={})


def test_transposed_tensors_are_written_in_order(tmp_path):
    path = tmp_path / "x.safetensors"
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    safetensors.save_file({"t": jtorch.tensor(x).t()}, path)
    assert np.array_equal(jtorch.load(path)["t"].numpy(), x.T)
