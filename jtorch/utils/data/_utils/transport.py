"""Batches from a worker to its loader: large arrays stay in shared memory, the rest is a pickle.

A worker owns segments of shared memory. Collation writes straight into one, the loader reads it in
place, and when the last array on it is gone there, the worker hears of it and uses it again.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import pickle
import socket
import struct
import weakref
from collections.abc import Callable
from multiprocessing import reduction
from typing import Any

import numpy as np

from ...._engine.value import from_array
from ...._gate import TensorBase, wrap

Array = np.ndarray[Any, Any]
LARGE = 1 << 16  # bytes from which an array goes through shared memory
_PAGE = mmap.PAGESIZE
HAS_SEGMENTS = hasattr(os, "memfd_create") and hasattr(socket, "SCM_RIGHTS")


class Segment:
    """A piece of shared memory in the process that made it."""

    def __init__(self, number: int, size: int) -> None:
        self.number, self.size, self.shown = number, size, False
        self.fd = os.memfd_create(f"jtorch-{number}")
        os.ftruncate(self.fd, size)
        self.map = mmap.mmap(self.fd, size)
        self.start = np.frombuffer(self.map, np.uint8).ctypes.data
        self.lent = 0  # how many messages with it the loader still holds
        self.used: Any = None  # a weak reference to what local arrays hang on

    def block(self) -> memoryview:
        """What a local array hangs on: while it lives, the segment is not free."""
        block = memoryview(self.map)
        self.used = weakref.ref(block)
        return block

    def is_free(self) -> bool:
        """Whether nobody here or in the loader looks at it."""
        return self.lent == 0 and (self.used is None or self.used() is None)


class Sender:
    """The worker's end."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._segments: dict[int, Segment] = {}

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A new array, in shared memory if it is large."""
        dtype = np.dtype(dtype)
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes < LARGE or not HAS_SEGMENTS:
            return np.empty(shape, dtype)
        flat = np.frombuffer(self._segment(nbytes).block(), np.uint8, nbytes)
        return flat.view(dtype).reshape(shape)

    def _segment(self, nbytes: int) -> Segment:
        size = -(-nbytes // _PAGE) * _PAGE
        for s in self._segments.values():
            if size <= s.size <= 2 * size and s.is_free():
                return s
        made = Segment(len(self._segments), size)
        self._segments[made.number] = made
        return made

    def release(self, numbers: Any) -> None:
        """The loader is done with these segments."""
        for number in numbers:
            self._segments[number].lent -= 1

    def send(self, index: Any, data: Any) -> None:
        """One result.  Raises what pickling raises, before anything has been sent."""
        buffers: list[pickle.PickleBuffer] = []
        out = io.BytesIO()
        _Pickler(out, buffers).dump((index, data))
        placed = [self._placed(b.raw()) for b in buffers]
        segments = {s.number: s for s, _, _, _ in placed}
        new = [s for s in segments.values() if not s.shown]
        for segment in segments.values():
            segment.shown = True
            segment.lent += 1
        places = [(s.number, offset, nbytes) for s, offset, nbytes, _ in placed]
        head = pickle.dumps((places, [(s.number, s.size) for s in new]))
        self._connection.send_bytes(struct.pack("<I", len(head)) + head + out.getvalue())
        for segment in new:
            reduction.send_handle(self._connection, segment.fd, None)
            os.close(segment.fd)

    def _placed(self, raw: memoryview) -> tuple[Segment, int, int, Any]:
        """Where a buffer lies in shared memory (copied there if it does not), and its hold."""
        array = np.frombuffer(raw, np.uint8)
        address = array.ctypes.data
        for s in self._segments.values():
            if s.start <= address and address + array.nbytes <= s.start + s.size:
                return s, address - s.start, array.nbytes, raw
        segment = self._segment(array.nbytes)
        block = segment.block()
        block[: array.nbytes] = array.data
        return segment, 0, array.nbytes, block


class _Pickler(reduction.ForkingPickler):
    """Takes large arrays out of the pickle, and tensors' arrays without a copy."""

    def __init__(self, file: Any, buffers: list[pickle.PickleBuffer]) -> None:
        super().__init__(file, 5, True, self._callback)
        self._buffers = buffers

    def _callback(self, buffer: pickle.PickleBuffer) -> bool:
        if not HAS_SEGMENTS or buffer.raw().nbytes < LARGE:
            return True  # in the pickle
        self._buffers.append(buffer)
        return False

    def reducer_override(self, obj: Any) -> Any:
        """Tensors as their arrays; NotImplemented for all others."""
        if not isinstance(obj, TensorBase):
            return NotImplemented
        if type(obj._edge()) is tuple:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since "
                "autograd does not support crossing process boundaries.  If you just want to "
                "transfer the data, call detach() on the tensor before serializing (e.g., putting "
                "it on the queue)."
            )
        array = np.ascontiguousarray(obj._numpy("DataLoader"))  # type: ignore[attr-defined]
        array = array.reshape(obj._value.aval.shape)
        if array.dtype.isbuiltin == 1:
            return _tensor, (type(obj), array, None, obj.requires_grad, dict(obj.__dict__))  # type: ignore[attr-defined]
        raw = array.reshape(-1).view(np.uint8)  # bfloat16 and kin have no buffer format
        own = (array.dtype, array.shape)
        return _tensor, (type(obj), raw, own, obj.requires_grad, dict(obj.__dict__))  # type: ignore[attr-defined]


def _tensor(cls: type, array: Array, own: Any, requires_grad: bool, attributes: Any) -> Any:
    if own is not None:
        array = array.view(own[0]).reshape(own[1])
    t = wrap(from_array(array), None, cls)
    t._req = requires_grad
    if attributes:
        t.__dict__.update(attributes)
    return t


class Receiver:
    """The loader's end of one worker's connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._maps: dict[int, mmap.mmap] = {}
        self.done: list[
            int
        ] = []  # segments that nobody looks at any more; the next task names them

    def receive(self) -> tuple[Any, Any]:
        """One (index, data).  EOFError when the worker is gone."""
        message = memoryview(self.connection.recv_bytes())
        (size,) = struct.unpack("<I", message[:4])
        places, new = pickle.loads(message[4 : 4 + size])
        for number, length in new:
            fd = reduction.recv_handle(self.connection)
            self._maps[number] = mmap.mmap(fd, length)
            os.close(fd)
        blocks = {number: self._block(number) for number in {n for n, _, _ in places}}
        buffers = [blocks[n][offset : offset + nbytes] for n, offset, nbytes in places]
        return pickle.loads(message[4 + size :], buffers=buffers)  # type: ignore[no-any-return]

    def _block(self, number: int) -> memoryview:
        held = _Block(self._maps[number])
        finalizer = weakref.finalize(held, self.done.append, number)
        finalizer.atexit = False
        return memoryview(held)

    def take_done(self) -> list[int]:
        """Which segments the worker may use again."""
        done = self.done[:]
        del self.done[: len(done)]
        return done


class _Block(np.ndarray):  # type: ignore[type-arg]
    """All of a segment, as one object whose end of life means that nobody looks at it."""

    def __new__(cls, source: Any) -> _Block:
        return np.frombuffer(source, np.uint8).view(cls)


_allocate: Callable[[tuple[int, ...], Any], Array] = np.empty


def use(allocate: Callable[[tuple[int, ...], Any], Array]) -> None:
    """Where `empty` finds its memory from now on (a worker begins)."""
    global _allocate
    _allocate = allocate


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """A new array for a batch: in a worker, where the loader can read it."""
    return _allocate(shape, dtype)
