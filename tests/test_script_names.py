"""Names that scripts import at their top: they answer, as PyTorch does where it can be compared."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
import torch.utils._pytree as theirs_tree

import jtorch
from jtorch.utils import _pytree as tree
from jtorch.utils.tensorboard import SummaryWriter, _events

Point = namedtuple("Point", "x y")
TREES = [
    1, (1, [2, {"a": 3, "b": (4,)}]), OrderedDict(b=1, a=[2]), Point(1, (2, 3)), [], {"k": []},
]  # fmt: skip


@pytest.mark.parametrize("t", TREES, ids=str)
def test_pytree(t):
    leaves, spec = tree.tree_flatten(t)
    wanted, their_spec = theirs_tree.tree_flatten(t)
    assert leaves == wanted and spec.num_leaves == their_spec.num_leaves
    assert tree.tree_unflatten(leaves, spec) == t
    double = tree.tree_map(lambda x: x * 2, t)
    assert double == theirs_tree.tree_map(lambda x: x * 2, t) and type(double) is type(t)
    assert tree.tree_map(lambda x, y: x + y, t, double) == theirs_tree.tree_map(lambda x: x * 3, t)


def test_pytree_errors():
    _, spec = tree.tree_flatten([1, 2])
    with pytest.raises(
        ValueError, match="has length 1 but the spec refers to a pytree that holds 2"
    ):
        tree.tree_unflatten([1], spec)
    with pytest.raises(ValueError, match="Node type mismatch"):
        tree.tree_map(lambda x, y: x, [1], (1,))


def _records(path):
    data, i = path.read_bytes(), 0
    while i < len(data):
        (size,) = struct.unpack_from("<Q", data, i)
        body = data[i + 12 : i + 12 + size]
        assert _events.record(body) == data[i : i + 16 + size]  # both checksums
        yield body
        i += 16 + size


def _fields(data):
    i = 0

    def varint():
        nonlocal i
        n = shift = 0
        while True:
            byte = data[i]
            i += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 128:
                return n

    while i < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        yield key >> 3, data[i : i + size]
        i += size


def test_tensorboard_files(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", jtorch.tensor(0.5), 7)
        writer.add_histogram("w", jtorch.arange(10.0), 8)
        writer.add_image("i", jtorch.zeros(3, 2, 2), 9)
        writer.add_text("t", "hello", 10)
        writer.add_scalars("both", {"a": 1, "b": 2}, 11)
    (path,) = tmp_path.glob("events.out.tfevents.*")
    version, *events = [dict(_fields(body)) for body in _records(path)]
    assert version[3] == b"brain.Event:2"
    assert [e[2] for e in events] == [7, 8, 9, 10]
    values = [dict(_fields(dict(_fields(e[5]))[1])) for e in events]
    assert [v[1] for v in values] == [b"loss", b"w", b"i", b"t/text_summary"]
    assert struct.unpack("<f", values[0][2]) == (0.5,)
    histogram = dict(_fields(values[1][5]))
    assert struct.unpack("<d", histogram[3]) == (10.0,)
    counts = np.frombuffer(histogram[7], "<f8")
    assert counts.sum() == 10 and len(counts) == len(histogram[6]) // 8
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {"both_a", "both_b"}
    with (
        SummaryWriter(tmp_path / "x") as other,
        pytest.raises(NotImplementedError, match="add_graph"),
    ):
        other.add_graph(None)


def test_crc_of_the_record_format():
    assert _events.masked_crc(b"123456789") == (
        ((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8
    ) % (1 << 32)


def test_a_group_of_one(monkeypatch):
    dist = jtorch.distributed
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        dist.get_rank()
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="environment variable RANK expected"):
        dist.init_process_group("gloo")
    with pytest.raises(NotImplementedError, match=r"nn\.DataParallel"):
        dist.init_process_group("gloo", rank=0, world_size=2)
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        t, parts = jtorch.tensor([1.0, 2.0]), [jtorch.zeros(2)]
        dist.all_reduce(t)
        dist.all_gather(parts, t)
        assert parts[0].tolist() == t.tolist() == [1.0, 2.0]
        model = jtorch.nn.parallel.DistributedDataParallel(jtorch.nn.Linear(2, 1))
        assert list(model.state_dict()) == ["module.weight", "module.bias"]
        model(t).sum().backward()
        assert model.module.weight.grad.tolist() == [[1.0, 2.0]]
    finally:
        dist.destroy_process_group()
    assert not dist.is_initialized()


def test_swap_tensors():
    for library in (jtorch, torch):
        a, b = library.ones(2, requires_grad=True), library.zeros(3)
        a.mark = "a"
        (a * 2).sum().backward()
        library.utils.swap_tensors(a, b)
        assert a.shape == (3,) and b.tolist() == [1.0, 1.0] and b.requires_grad
        assert b.grad.tolist() == [2.0, 2.0] and b.mark == "a" and not hasattr(a, "mark")


SETTINGS = [
    "t.set_num_threads(0)", "t.set_float32_matmul_precision('low')",
    "t.set_deterministic_debug_mode('loud')", "t.typename(t.ones(1))", "t.typename(3)",
    "t.backends.mps.is_available()", "t.jit.is_scripting()", 
    "t.distributed.is_available()", "t.accelerator.current_accelerator()",
    "t.set_default_tensor_type(t.IntTensor)", "t.pi", "t.inf", "t.newaxis",
]  # fmt: skip


@pytest.mark.parametrize("code", SETTINGS)
def test_settings_answer_as_torchs(code):
    def answer(library):
        try:
            return eval(code, {"t": library})
        except Exception as e:
            return type(e)

    assert answer(jtorch) == answer(torch)


def test_timer():
    timer = jtorch.utils.benchmark.Timer("x + 1", globals={"x": jtorch.ones(2)}, label="add")
    m = timer.timeit(3)
    assert m.number_per_run == 3 and m.median > 0 and "add" in repr(m) and "3 runs" in repr(m)
    assert timer.blocked_autorange(min_run_time=0.01).times


def test_onnx_is_there_and_says_what_to_do():
    with pytest.raises(AttributeError, match="cannot write ONNX files"):
        jtorch.onnx.export(None)


SPAWN = """\
import torch, torch.multiprocessing as mp
def work(i, x):
    assert torch.__name__ == "jtorch"
    if x == 9: raise ValueError("nine")
if __name__ == "__main__":
    mp.spawn(work, args=(1,), nprocs=2)
    try:
        mp.spawn(work, args=(9,), nprocs=1)
    except mp.ProcessRaisedException as e:
        print("nine" in str(e), e.error_index)
"""


def test_spawned_processes_see_jtorch(tmp_path):
    (tmp_path / "s.py").write_text(SPAWN)
    done = subprocess.run(
        [sys.executable, "-m", "jtorch", "s.py"], capture_output=True, text=True, cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert done.stdout == "True 0\n", done.stderr
