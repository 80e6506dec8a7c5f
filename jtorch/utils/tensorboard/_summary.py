"""Scalars, histograms, images, text and audio as TensorBoard's summary values."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from . import _events as pb

Array = np.ndarray[Any, Any]


def as_array(x: Any) -> Array:
    """Numbers, lists, arrays and tensors as an array."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
        return np.asarray(x.numpy())
    return np.asarray(x)


def _value(tag: str, body: bytes) -> bytes:
    return pb.block(1, pb.block(1, tag) + body)


def _plugin(name: str, content: bytes = b"") -> bytes:
    return pb.block(9, pb.block(1, pb.block(1, name) + pb.block(2, content)))


def scalar(tag: str, x: Any) -> bytes:
    """One number."""
    a = as_array(x)
    if a.size != 1:
        raise AssertionError("scalar should be 0D")
    return _value(tag, pb.single(2, float(a.reshape(()))))


def text(tag: str, string: str) -> bytes:
    """Markdown."""
    shape = pb.block(2, pb.block(2, pb.number(1, 1)))
    tensor = pb.number(1, 7) + shape + pb.block(8, string)
    return _value(f"{tag}/text_summary", pb.block(8, tensor) + _plugin("text"))


def _default_edges() -> Array:
    positive, v = [], 1e-12
    while v < 1e20:
        positive.append(v)
        v *= 1.1
    return np.array([-x for x in reversed(positive)] + [0.0] + positive)


def histogram(
    tag: str, values: Any, bins: Any = "tensorflow", max_bins: int | None = None
) -> bytes:
    """How often values fall between edges."""
    a = as_array(values).reshape(-1).astype(np.float64)
    if a.size == 0:
        raise ValueError("The input has no element.")
    edges = _default_edges() if isinstance(bins, str) and bins == "tensorflow" else bins
    counts, limits = np.histogram(a, bins=edges)
    if max_bins is not None and len(counts) > max_bins:
        step = -(-len(counts) // max_bins)
        counts = np.add.reduceat(counts, np.arange(0, len(counts), step))
        limits = np.append(limits[:-1:step], limits[-1])
    used = np.flatnonzero(counts)
    if not used.size:
        raise ValueError("The histogram is empty, please file a bug report.")
    first, last = used[0], used[-1] + 1
    # a bucket is named by its upper edge; an empty one before the first fixes the lower edge
    body = pb.double(1, a.min()) + pb.double(2, a.max()) + pb.double(3, a.size)
    body += pb.double(4, a.sum()) + pb.double(5, float(a @ a))
    body += pb.doubles(6, limits[first : last + 1])
    body += pb.doubles(7, [0.0, *counts[first:last].astype(float)])
    return _value(tag, pb.block(5, body))


def image(tag: str, tensor: Any, dataformats: str = "CHW") -> bytes:
    """A picture: floats in [0, 1] or bytes."""
    a = _as_hwc(as_array(tensor), dataformats)
    if a.dtype != np.uint8:
        a = np.clip(a.astype(np.float32) * 255, 0, 255).astype(np.uint8)
    h, w, c = a.shape
    body = pb.number(1, h) + pb.number(2, w) + pb.number(3, c) + pb.block(4, png(a))
    return _value(tag, pb.block(4, body))


def _as_hwc(a: Array, dataformats: str) -> Array:
    axes = dataformats.upper()
    if len(set(axes)) != len(axes) or a.ndim != len(axes) or set(axes) - set("NCHW"):
        raise AssertionError(
            f"size of input tensor and input format are different. tensor shape: {a.shape}, "
            f"input_format: {dataformats}"
        )
    if "N" in axes:
        a = a.transpose([axes.index(x) for x in axes if x == "N"] + [axes.index(x) for x in "CHW"])
        a = _tiled(a)
        axes = "CHW"
    a = a[..., None] if "C" not in axes else a.transpose([axes.index(x) for x in "HWC"])
    return np.repeat(a, 3, axis=2) if a.shape[2] == 1 else a


def _tiled(a: Array) -> Array:
    """Pictures beside and below each other, as a square as nearly as can be."""
    n, c, h, w = a.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    whole = np.zeros((rows * columns, c, h, w), a.dtype)
    whole[:n] = a
    return whole.reshape(rows, columns, c, h, w).transpose(2, 0, 3, 1, 4).reshape(
        c, rows * h, columns * w
    )  # fmt: skip


def png(a: Array) -> bytes:
    """A PNG file of an (H, W, C) array of bytes, C in 1 to 4."""
    h, w, c = a.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[c]
    rows = np.zeros((h, 1 + w * c), np.uint8)
    rows[:, 1:] = a.reshape(h, w * c)

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    head = struct.pack(">IIBBBBB", w, h, 8, kind, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def audio(tag: str, tensor: Any, sample_rate: int = 44100) -> bytes:
    """Sound: floats in [-1, 1]."""
    a = np.clip(as_array(tensor).reshape(-1), -1, 1)
    samples = (a * np.iinfo(np.int16).max).astype("<i2").tobytes()
    header = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16
    )  # fmt: skip
    wav = header + b"data" + struct.pack("<I", len(samples)) + samples
    body = pb.single(1, sample_rate) + pb.number(2, 1) + pb.number(3, a.size)
    return _value(tag, pb.block(6, body + pb.block(4, wav) + pb.block(5, "audio/wav")))
