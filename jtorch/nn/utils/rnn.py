"""Batches of sequences of several lengths: padded, packed, and lists of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np

from ..._engine import dtype as _dtype
from ..._engine.device import device as _device
from ..._functions import NAMESPACES
from ...composite.nn_recurrent import Padded, pack
from ...composite.nn_recurrent import pad_sequence as _pad_sequence
from ...creation import as_tensor, from_numpy
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

_TORCH = NAMESPACES["torch"]


class PackedSequence_(NamedTuple):
    """The fields of a `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """The steps of several sequences without padding: all first ones, then all second ones, ...

    `batch_sizes` (on the CPU) says how many sequences still run at each step; the two permutations
    lead from the caller's order to descending length and back. Between `pack_padded_sequence`,
    recurrent layers and `pad_packed_sequence` the steps stay padded; `data` packs them when asked.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. "
                "Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def fields(self) -> tuple[Any, ...]:
        """The four fields, the first one as it is kept."""
        return tuple(super().__iter__())

    def steps(self) -> Any:
        """`data`, or its steps in padded form while nobody has asked for `data`."""
        kept = super().__getitem__(0)
        return kept.packed if isinstance(kept, Padded) and kept.packed is not None else kept

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        """The packed steps."""
        kept = super().__getitem__(0)
        return kept.pack() if isinstance(kept, Padded) else kept

    def __getitem__(self, i: Any) -> Any:
        return (self.data, *self.fields()[1:])[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={x!r}" for n, x in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({shown})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """`data` with another dtype or device; the permutations follow it to the device."""
        before = self.steps()
        moved = before.map if isinstance(before, Padded) else lambda f: f(before)
        data = moved(lambda t: t.to(*args, **kwargs))
        if data is before:
            return self
        orders = (
            None if t is None else t.to(data.device)
            for t in (self.sorted_indices, self.unsorted_indices)
        )  # fmt: skip
        return type(self)(data, self.batch_sizes, *orders)

    def pin_memory(self) -> Self:
        """`data` and the permutations in pinned memory."""
        orders = (
            None if t is None else t.pin_memory()
            for t in (self.sorted_indices, self.unsorted_indices)
        )
        return type(self)(self.data.pin_memory(), self.batch_sizes, *orders)

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """On the accelerator."""
        return self._on("cuda", args, kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """On the CPU."""
        return self._on("cpu", args, kwargs)

    def _on(self, kind: str, args: Any, kwargs: dict[str, Any]) -> Self:
        given = args[0] if args else kwargs.get("device", kind)
        named = isinstance(given, int) or _device(given).type == kind
        if "device" in kwargs or not args:
            kwargs = {**kwargs, "device": given if named else kind}
        return self.to(*args, **kwargs)

    @property
    def is_cuda(self) -> bool:
        """Whether `data` is on an accelerator."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether `data` is in pinned memory."""
        return self.data.is_pinned()


def _caster(name: str) -> Any:
    def cast(self: PackedSequence) -> PackedSequence:
        return self.to(dtype=getattr(_dtype, name))

    cast.__doc__ = f"`data` as {name}."
    return cast


for _method, _name in {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
    "short": "int16", "char": "int8", "byte": "uint8",
}.items():  # fmt: skip
    setattr(PackedSequence, _method, _caster(_name))


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`."""
    if permutation is None:
        return None
    places = _TORCH["arange"](permutation.numel(), device=permutation.device)
    return _TORCH["empty_like"](permutation).scatter_(0, permutation, places)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch; `lengths` are on the host, in descending order if `enforce_sorted`."""
    if not isinstance(lengths, Tensor):
        lengths = as_tensor(lengths, dtype=_dtype.int64, device="cpu")
    elif lengths.dtype is not _dtype.int64:
        lengths = lengths.to(dtype=_dtype.int64)
    in_order = back = None
    if not enforce_sorted:
        # on the host, where lengths are: sorting as an op would run all that is pending
        known = lengths.numpy()
        order = np.argsort(-known, kind="stable")
        lengths = from_numpy(known[order])
        in_order = from_numpy(order).to(input.device)
        back = from_numpy(np.argsort(order)).to(input.device)
        input = input.index_select(0 if batch_first else 1, in_order)
    data, batch_sizes = pack(input, lengths, batch_first)
    return PackedSequence(data, batch_sizes, in_order, back)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch in the caller's order, and the lengths."""
    longest = sequence.batch_sizes.size(0)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being "
                f"{longest}"
            )
        longest = total_length
    padded, lengths = _TORCH["_pad_packed_sequence"](
        sequence.steps(), sequence.batch_sizes, batch_first, padding_value, longest
    )
    back = sequence.unsorted_indices
    if back is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Tensors (L, ...) of several lengths as one (T, B, ...), or (B, T, ...) with `batch_first`."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    return _pad_sequence(tuple(sequences), batch_first, padding_value, padding_side)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each with its own length.

    Differs from torch: without `batch_first` the argument is not transposed in place.
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    known = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    return [row[: int(n)] for row, n in zip(rows.unbind(0), known, strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of tensors (L, ...)."""
    lengths = as_tensor([t.size(0) for t in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
