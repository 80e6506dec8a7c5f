"""The zip container of `.pth` files: aligned records out, checked and bounded records in."""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
import zlib
from typing import IO, Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

ALIGNMENT = 64  # where the content of a record begins, so that files can be mapped
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CHUNK = 1 << 24
# What compressed records may unfold to: more than any real checkpoint, less than a bomb.
_FREE_BYTES, _RATIO = 1 << 28, 100


class RecordWriter:
    """Writes records, uncompressed, each under the archive's name."""

    def __init__(self, file: Any, archive: str) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._archive = archive

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self._zip.close()

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Add one record."""
        info = zipfile.ZipInfo(f"{self._archive}/{name}")
        info.extra = self._padding(info, len(data))
        with self._zip.open(_sized(info, len(data)), "w", force_zip64=_is_big(len(data))) as record:
            record.write(data)

    def _padding(self, info: zipfile.ZipInfo, size: int) -> bytes:
        """An extra field that makes the content begin at a multiple of the alignment."""
        header = _LOCAL_HEADER.size + len(info.filename.encode()) + (20 if _is_big(size) else 0)
        start = self._zip.fp.tell() + header + 4  # type: ignore[union-attr]
        return struct.pack("<2sH", b"FB", -start % ALIGNMENT) + b"Z" * (-start % ALIGNMENT)


def _is_big(size: int) -> bool:
    return size >= 1 << 30


def _sized(info: zipfile.ZipInfo, size: int) -> zipfile.ZipInfo:
    info.file_size = size
    return info


class RecordReader:
    """Reads the records of an archive, refusing what does not fit the file it is in."""

    def __init__(self, file: IO[bytes], mapped: bool = False) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError) as e:
            raise RuntimeError(f"failed reading zip archive: {e}") from None
        if not infos:
            raise RuntimeError("failed reading zip archive: it holds no files")
        self.archive = infos[0].filename.partition("/")[0]
        self._infos = {i.filename: i for i in infos}
        self._check_sizes(infos)
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else None

    def _check_sizes(self, infos: list[zipfile.ZipInfo]) -> None:
        if sum(i.compress_size for i in infos) > self._size:
            raise RuntimeError("failed reading zip archive: its records overlap or are cut off")
        if sum(i.file_size for i in infos) > max(_FREE_BYTES, _RATIO * self._size):
            raise RuntimeError(
                f"failed reading zip archive: its records unfold to more than {_RATIO} times the "
                "file's size, as a zip bomb's do. If you trust the file, unpack it and pack it "
                "again without compression."
            )

    def __contains__(self, name: str) -> bool:
        return f"{self.archive}/{name}" in self._infos

    def read(self, name: str) -> bytes:
        """The content of a small record."""
        return self.array(name).tobytes()

    def array(self, name: str) -> Bytes:
        """The content of a record; a read-only view of the file if it is mapped."""
        info = self._infos.get(f"{self.archive}/{name}")
        if info is None:
            raise RuntimeError(f"failed finding file {name!r} in the archive")
        if info.flag_bits & 1:
            raise RuntimeError(f"record {name!r} is encrypted")
        if info.compress_type == zipfile.ZIP_DEFLATED:
            return self._inflated(info)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise RuntimeError(
                f"record {name!r} is compressed in a way that torch.load does not read"
            )
        return self._stored(info)

    def _start(self, info: zipfile.ZipInfo) -> int:
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"record {info.filename!r} has no valid header: the file is corrupt")
        name, extra = _LOCAL_HEADER.unpack(header)[-2:]
        start = info.header_offset + _LOCAL_HEADER.size + name + extra
        if start + info.compress_size > self._size:
            raise RuntimeError(f"record {info.filename!r} is cut off: the file is corrupt")
        return int(start)

    def _stored(self, info: zipfile.ZipInfo) -> Bytes:
        start = self._start(info)
        if self._map is not None:
            return np.frombuffer(self._map, np.uint8, info.file_size, start)
        out = np.empty(info.file_size, np.uint8)
        self._file.seek(start)
        crc = 0
        for begin in range(0, info.file_size, _CHUNK):
            part = memoryview(out)[begin : begin + _CHUNK]
            if _read_into(self._file, part) != len(part):
                raise RuntimeError(f"record {info.filename!r} is cut off: the file is corrupt")
            crc = zlib.crc32(part, crc)
        _check_crc(info, crc)
        return out

    def _inflated(self, info: zipfile.ZipInfo) -> Bytes:
        self._file.seek(self._start(info))
        packed = self._file.read(info.compress_size)
        unpacker = zlib.decompressobj(-15)
        try:
            data = unpacker.decompress(packed, info.file_size + 1)
        except zlib.error as e:
            raise RuntimeError(f"record {info.filename!r} is corrupt: {e}") from None
        if len(data) != info.file_size:
            raise RuntimeError(f"record {info.filename!r} has not the size that the archive says")
        _check_crc(info, zlib.crc32(data))
        return np.frombuffer(data, np.uint8)


def _read_into(file: IO[bytes], part: memoryview) -> int:
    if hasattr(file, "readinto"):
        return int(file.readinto(part) or 0)
    data = file.read(len(part))
    part[: len(data)] = data
    return len(data)


def _check_crc(info: zipfile.ZipInfo, crc: int) -> None:
    # torch writes 0 when it was told not to compute checksums
    if info.CRC not in (0, crc):
        raise RuntimeError(
            f"record {info.filename!r} does not match its checksum: the file is corrupt"
        )


def is_zip(file: Any) -> bool:
    """Whether the file begins like a zip archive; leaves its position where it was."""
    position = file.tell()
    start = file.read(4)
    file.seek(position)
    return bool(start == b"PK\x03\x04")
