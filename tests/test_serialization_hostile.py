"""Files that are damaged or mean harm: a clear error each, no code run, bounded memory."""

import collections
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

import jtorch
from jtorch import serialization

REPOSITORY = Path(__file__).parent.parent


def archive(pickled, records=(), compression=zipfile.ZIP_STORED):
    """A zip checkpoint with this pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        z.writestr("archive/data.pkl", pickled)
        z.writestr("archive/version", b"3\n")
        for name, content in records:
            z.writestr(f"archive/{name}", content)
    out.seek(0)
    return out


def checkpoint():
    out = io.BytesIO()
    jtorch.save({"w": jtorch.arange(1000.0), "b": [1, "text", (2, 3)]}, out)
    return out.getvalue()


class Evil:
    """Unpickling it calls something."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


CALLS = {
    "system": Evil(os.system, "touch /tmp/harm"),
    "eval": Evil(eval, "1 + 1"),
    "exec": Evil(exec, "import os"),
    "getattr": Evil(getattr, [], "append"),
    "open": Evil(open, "/tmp/harm", "w"),
    "popen": Evil(subprocess.Popen, ["true"]),
    "import": Evil(__import__, "os"),
    "numpy": Evil(np.load, "/tmp/harm"),
    "jtorch": Evil(jtorch.load, "/tmp/harm"),
    "instance": collections.UserDict(a=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_other_global_is_called_and_torchs_words_name_it(name):
    file = archive(pickle.dumps(CALLS[name], protocol=2))
    texts = []
    for lib in (torch, jtorch):
        file.seek(0)
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as caught:
            lib.load(file, weights_only=True)
        texts.append(str(caught.value).split("WeightsUnpickler error:")[-1].split())
    assert texts[0] == texts[1] or name in ("system", "popen")
    assert "jtorch.serialization.load" in str(caught.value) or name != "jtorch"


def test_blocked_modules_stay_blocked():
    file = archive(pickle.dumps(CALLS["system"], protocol=2))
    allowed = serialization.safe_globals([(os.system, "posix.system")])
    with allowed, pytest.raises(pickle.UnpicklingError, match="whose module posix is blocked"):
        jtorch.load(file)


class Kept:
    """Safe when the user says so."""

    def __init__(self):
        self.x = 3


def test_safe_globals():
    file = archive(pickle.dumps([Kept(), Kept()], protocol=2))
    name = f"{__name__}.Kept"
    with pytest.raises(pickle.UnpicklingError, match=f"GLOBAL {name} was not an allowed global"):
        jtorch.load(file)
    assert serialization.get_unsafe_globals_in_checkpoint(file) == [name]
    with serialization.safe_globals([Kept]):
        assert serialization.get_safe_globals() == [Kept]
        assert serialization.get_unsafe_globals_in_checkpoint(file) == []
        assert [k.x for k in jtorch.load(file)] == [3, 3]
    with pytest.raises(pickle.UnpicklingError):
        jtorch.load(file)
    serialization.add_safe_globals([(Kept, name)])
    try:
        assert jtorch.load(file)[0].x == 3
    finally:
        serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []


def test_the_environment_decides(monkeypatch):
    file = archive(pickle.dumps(Kept(), protocol=2))
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(pickle.UnpicklingError):
        jtorch.load(file, weights_only=False)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="Only one of"):
        jtorch.load(file)
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    with pytest.warns(UserWarning, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected"):
        assert jtorch.load(file).x == 3


# --- pickles that ask for too much ---------------------------------------------------------------


def storage(kind="FloatStorage", count=1, key="0"):
    """The opcodes of a storage."""
    return (
        b"(X\x07\x00\x00\x00storagectorch\n" + kind.encode() + b"\nX\x01\x00\x00\x00" + key.encode()
        + b"X\x03\x00\x00\x00cpu\x8a\x08" + struct.pack("<q", count) + b"tQ"
    )  # fmt: skip


def tensor(size, stride, offset=0, count=1):
    """The opcodes of a tensor on a storage."""

    def numbers(ns):
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in ns) + b"t"

    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage(count=count) + b"\x8a\x08" + struct.pack("<q", offset)
        + numbers(size) + numbers(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


def nested_tuples(n):
    """A tuple whose parts are shared: as text or hash it is 2**n long."""
    return b")q\x00" + b"h\x00h\x00\x86q\x00" * n


PICKLES = {
    "empty": b"",
    "no_stop": b"\x80\x02}",
    "just_stop": b".",
    "pop_nothing": b"\x80\x020000.",
    "memo": b"\x80\x02h\x05.",
    "unknown_opcode": b"\x80\x02\xff.",
    "extension": b"\x80\x02\x82\x01.",
    "long_text": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "longer_text": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fabc.",
    "long_bytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.",
    "bytearray_size": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fabc.",
    "long_number": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
    "big_bytearray": b"\x80\x02c__builtin__\nbytearray\n\x8a\x06\xff\xff\xff\xff\xff\x0f\x85R.",
    "big_tensor": b"\x80\x02ctorch\nTensor\n\x8a\x06\xff\xff\xff\xff\xff\x0f\x85R.",
    "big_tensor_new": b"\x80\x02ctorch\nTensor\n\x8a\x06\xff\xff\xff\xff\xff\x0f\x85\x81.",
    "big_size": b"\x80\x02ctorch\nSize\n(K\x01]t\x85R.",
    "codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "key": b"\x80\x02}" + nested_tuples(80) + b"K\x01s.",
    "set": b"\x80\x02c__builtin__\nset\n](" + nested_tuples(80) + b"e\x85R.",
    "member": b"\x80\x04\x8f(" + nested_tuples(80) + b"\x90.",
    "frozen": b"\x80\x04(" + nested_tuples(80) + b"\x91.",
    "counter": b"\x80\x02ccollections\nCounter\n](" + nested_tuples(80) + b"e\x85R.",
    "called_tuple": b"\x80\x02" + nested_tuples(80) + b")R.",
    "copies": b"\x80\x02c__builtin__\nset\nq\x01]q\x02("
    + b"".join(b"M" + struct.pack("<H", i) for i in range(9999)) + b"e0"
    + b"h\x01h\x02\x85R" * 2000 + b".",
    "deep": b"\x80\x02" + b"]" * 100000 + b"a" * 99999 + b"}s.",
    "setattr": b"\x80\x02ctorch\nTensor\n(N}X\x04\x00\x00\x00itemNstb.",
    "build_function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aNsb.",
    "call_dtype": b"\x80\x02ctorch\nfloat32\n)R.",
    "storage_of_what": b"\x80\x02K\x05Q.",
    "module_id": b"\x80\x02(X\x06\x00\x00\x00modulecos\nsystem\nNNtQ.",
    "many_elements": b"\x80\x02" + storage(count=2**60) + b".",
    "negative_elements": b"\x80\x02" + storage(count=-1) + b".",
    "no_such_storage": b"\x80\x02" + storage(key="7") + b".",
    "far_away": b"\x80\x02" + storage(key="/") + b".",
    "quantized": b"\x80\x02" + storage("QInt8Storage") + b".",
    "outside": b"\x80\x02" + tensor([2], [1]) + b".",
    "outside_by_offset": b"\x80\x02" + tensor([1], [1], 5) + b".",
    "outside_by_stride": b"\x80\x02" + tensor([2], [2**40]) + b".",
    "negative_size": b"\x80\x02" + tensor([-1], [1]) + b".",
    "negative_stride": b"\x80\x02" + tensor([1, 1], [-1, 1]) + b".",
    "uneven": b"\x80\x02" + tensor([1], [1, 1]) + b".",
    "huge_empty": b"\x80\x02" + tensor([0, 2**62, 2**62], [1, 1, 1]) + b".",
}  # fmt: skip
ONE = [("data/0", struct.pack("<f", 1.5))]


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles(name):
    with pytest.raises((pickle.UnpicklingError, RuntimeError)) as caught:
        jtorch.load(archive(PICKLES[name], ONE))
    assert 10 < len(str(caught.value)) < 2000


def test_a_good_one_of_the_same_kind():
    got = jtorch.load(archive(b"\x80\x02" + tensor([1, 3], [1, 0]) + b".", ONE))
    assert got.tolist() == [[1.5, 1.5, 1.5]]


def test_a_tensor_larger_than_memory_is_refused():
    """A stride of 0 repeats one number 2**40 times; the view itself would have to be made."""
    with pytest.raises(pickle.UnpicklingError, match="more memory than there is"):
        jtorch.load(archive(b"\x80\x02" + tensor([2**20, 2**20], [0, 0]) + b".", ONE))


# --- archives ------------------------------------------------------------------------------------


def refused(data, match):
    for options in ({}, {"weights_only": False}):
        with pytest.raises(RuntimeError, match=match):
            jtorch.load(io.BytesIO(data), **options)


def test_truncated_files():
    data = checkpoint()
    for size in range(4, len(data), 97):
        with pytest.raises(RuntimeError):
            jtorch.load(io.BytesIO(data[:size]))
    for size in range(4):
        with pytest.raises((pickle.UnpicklingError, RuntimeError)):
            jtorch.load(io.BytesIO(data[:size]))


def test_a_flipped_bit_in_the_numbers_is_noticed():
    data = bytearray(checkpoint())
    data[data.index(struct.pack("<4f", 1, 2, 3, 4)) + 2] ^= 1
    refused(bytes(data), "does not match its checksum")


def test_files_without_checksums_are_read():
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        out = io.BytesIO()
        torch.save(torch.arange(5.0), out)
    finally:
        torch.serialization.set_crc32_options(before)
    out.seek(0)
    assert jtorch.load(out).tolist() == [0, 1, 2, 3, 4]


def test_compressed_files_are_read():
    pickled = zipfile.ZipFile(io.BytesIO(checkpoint())).read("archive/data.pkl")
    record = ("data/0", np.arange(1000, dtype=np.float32).tobytes())
    got = jtorch.load(archive(pickled, [record], zipfile.ZIP_DEFLATED))
    assert got["w"].tolist() == list(range(1000))
    refused(archive(pickled, [record], zipfile.ZIP_BZIP2).getvalue(), "compressed in a way")


def test_a_zip_bomb():
    content = bytes(1 << 24)
    bomb = archive(b"\x80\x02N.", [(f"data/{i}", content) for i in range(40)], zipfile.ZIP_DEFLATED)
    refused(bomb.getvalue(), "as a zip bomb's do")


def test_records_that_overlap():
    """Many entries of the directory that all mean one record."""
    data = checkpoint()
    end = data.rindex(b"PK\x05\x06")
    (start,) = struct.unpack("<L", data[end + 16 : end + 20])
    directory = data[start:end] * 50
    count = struct.unpack("<H", data[end + 8 : end + 10])[0] * 50
    tail = data[end : end + 8] + struct.pack("<2H2L", count, count, len(directory), start) + b"\0\0"
    refused(data[:start] + directory + tail, "overlap or are cut off")


def test_a_record_of_another_size_than_it_says():
    data = bytearray(archive(b"\x80\x02N." * 100, (), zipfile.ZIP_DEFLATED).getvalue())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<L", 17)
    refused(bytes(data), "has not the size that the archive says")


def test_paths_in_an_archive_are_only_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = archive(b"\x80\x02K\x05.", [("../../harm", b"x"), ("/harm", b"x")])
    assert jtorch.load(file) == 5
    assert os.listdir(tmp_path) == []


def test_an_encrypted_record():
    data = bytearray(checkpoint())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refused(bytes(data), "is encrypted")


def test_torchscript_and_other_zips():
    refused(
        archive(b"\x80\x02N.", [("constants.pkl", b"")]).getvalue(), "this is a TorchScript archive"
    )
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").writestr("notes/readme.txt", "hello")
    refused(out.getvalue(), "failed finding file 'data.pkl'")


def test_a_byte_order_of_its_own():
    with pytest.raises(ValueError, match="Unknown endianness type: middle"):
        jtorch.load(archive(b"\x80\x02N.", [("byteorder", b"middle")]))
    swapped = archive(
        b"\x80\x02" + tensor([2], [1], count=2) + b".",
        [("byteorder", b"big"), ("data/0", struct.pack(">2f", 1.5, 2.5))],
    )
    assert jtorch.load(swapped).tolist() == [1.5, 2.5]


# --- the legacy format ---------------------------------------------------------------------------


def legacy(pickled, keys=("0",), data=b""):
    from jtorch._pth import MAGIC_NUMBER, PROTOCOL_VERSION

    parts = [MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True}]
    head = b"".join(pickle.dumps(p, protocol=2) for p in parts)
    return io.BytesIO(head + pickled + pickle.dumps(list(keys), protocol=2) + data)


STORAGE = b"\x80\x02" + storage() + b"."
LEGACY = {
    "magic": (io.BytesIO(pickle.dumps(5, protocol=2)), "Invalid magic number"),
    "text": (io.BytesIO(b"hello"), "Weights only load failed"),
    "many_elements": (legacy(STORAGE, data=struct.pack("<q", 2**60)), "is cut off"),
    "negative": (legacy(STORAGE, data=struct.pack("<q", -5)), "is cut off"),
    "no_size": (legacy(STORAGE), "is cut off"),
    "unknown_key": (legacy(b"\x80\x02N."), "a storage that no tensor uses"),
    "keys": (legacy(b"\x80\x02N.", keys=[]), None),
    "global": (legacy(b"\x80\x02cos\nsystem\n.", keys=[]), "whose module os is blocked"),
    "geometry": (
        legacy(b"\x80\x02" + tensor([9], [1]) + b".", data=struct.pack("<qf", 1, 1.5)),
        "out of bounds",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGACY)
def test_hostile_legacy_files(name):
    file, message = LEGACY[name]
    file.seek(0)
    if message is None:
        assert jtorch.load(file) is None
        return
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=message):
        jtorch.load(file)


FUZZ = """
import io, os, pickle, random, resource, sys, warnings, zipfile
import numpy as np
import jtorch

warnings.simplefilter("ignore")
draw = random.Random(0)
x = jtorch.arange(6.0).reshape(2, 3)
sample = {"x": x, "row": x[1], "p": jtorch.nn.Parameter(jtorch.ones(2)), "plain": [1, "a", {3}]}
whole = []
for options in ({}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}):
    out = io.BytesIO()
    jtorch.save(sample, out, **options)
    whole.append(out.getvalue())
archive = zipfile.ZipFile(io.BytesIO(whole[0]))
records = {n: archive.read(n) for n in archive.namelist()}

def damaged(data):
    data, kind = bytearray(data), draw.random()
    i, j = sorted(draw.randrange(len(data)) for _ in range(2))
    if kind < 0.25:
        return data[:i]
    if kind < 0.35:
        return data[:i] + data[j:]
    if kind < 0.45:
        return data[:j] + data[i:]
    for _ in range(draw.choice([1, 1, 2, 5])):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return data

def packed(pickled):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in records.items():
            z.writestr(name, pickled if name.endswith("data.pkl") else content)
    return out.getvalue()

ran = []
HARM = ("os.system", "subprocess.Popen", "os.exec", "socket.connect", "os.remove", "ctypes.dlopen")
def audit(event, args):
    if event in HARM:
        ran.append(event)
jtorch.load(io.BytesIO(whole[0]))  # whatever is imported at the first use
sys.addaudithook(audit)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
errors = 0
for i in range(5000):
    data = damaged(draw.choice(whole))
    if i % 2:
        data = packed(bytes(damaged(records["archive/data.pkl"])))
    try:
        jtorch.load(io.BytesIO(bytes(data)))
    except (pickle.UnpicklingError, RuntimeError, ValueError) as e:
        assert str(e)
        errors += 1
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(errors, grown // 1024, ran)
"""


def test_5000_damaged_files():
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", FUZZ], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    errors, grown, ran = done.stdout.split(maxsplit=2)
    assert int(errors) > 3000
    assert int(grown) < 100, "megabytes"
    assert ran.strip() == "[]"


def test_the_checksum_is_zlibs():
    """The fixture above relies on it: a record's CRC is that of its content."""
    info = zipfile.ZipFile(io.BytesIO(checkpoint())).getinfo("archive/data/0")
    assert zlib.crc32(np.arange(1000, dtype=np.float32).tobytes()) == info.CRC
