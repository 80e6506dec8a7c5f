"""TensorBoard's event files: protocol-buffer messages in records with checksums."""

from __future__ import annotations

import struct
from collections.abc import Iterable

# Source: tensorflow/core/util/event.proto, framework/summary.proto and lib/io/record_writer.


def _crc_table() -> list[int]:
    table = []
    for i in range(256):
        c = i
        for _ in range(8):
            c = (c >> 1) ^ (0x82F63B78 if c & 1 else 0)
        table.append(c)
    return table


_TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as the record format wants."""
    c = 0xFFFFFFFF
    for byte in data:
        c = _TABLE[(c ^ byte) & 0xFF] ^ (c >> 8)
    c ^= 0xFFFFFFFF
    return (((c >> 15) | (c << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """One record of the file."""
    head = struct.pack("<Q", len(data))
    crcs = struct.pack("<I", masked_crc(head)), struct.pack("<I", masked_crc(data))
    return head + crcs[0] + data + crcs[1]


def varint(n: int) -> bytes:
    """A whole number; negative ones as 64-bit two's complement."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field: int, n: int) -> bytes:
    """An integer field."""
    return varint(field << 3) + varint(n)


def double(field: int, x: float) -> bytes:
    """A double field."""
    return varint(field << 3 | 1) + struct.pack("<d", x)


def single(field: int, x: float) -> bytes:
    """A float field."""
    return varint(field << 3 | 5) + struct.pack("<f", x)


def block(field: int, data: bytes | str) -> bytes:
    """A string, bytes or message field."""
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def doubles(field: int, xs: Iterable[float]) -> bytes:
    """A packed list of doubles."""
    return block(field, b"".join(struct.pack("<d", x) for x in xs))


def event(wall_time: float, step: int | None, what: bytes) -> bytes:
    """The record of one event."""
    steps = b"" if step is None else number(2, step)
    return record(double(1, wall_time) + steps + what)


def version(wall_time: float) -> bytes:
    """The first record of a file."""
    return event(wall_time, None, block(3, "brain.Event:2"))


def summary(values: bytes) -> bytes:
    """The part of an event that holds values."""
    return block(5, values)
