"""Recurrent networks of several layers and directions, on padded batches and on packed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._functions import NAMESPACES, composite, derived
from ._arguments import from_host, host


def _torch(name: str) -> Callable[..., Any]:
    return NAMESPACES["torch"][name]  # type: ignore[no-any-return]


# --- packed batches: places of the steps of all sequences, on the host ----------------------------


def _sizes(batch_sizes: Any) -> np.ndarray:
    return np.asarray(host(batch_sizes, "PackedSequence.batch_sizes"), np.int64)


def _alive(sizes: np.ndarray, steps: int = 0) -> np.ndarray:
    """(T, N): which sequences (longest first) still run at each step; T is at least `steps`."""
    alive = np.zeros((max(steps, len(sizes)), sizes[0]), bool)
    alive[: len(sizes)] = np.arange(sizes[0]) < sizes[:, None]
    return alive


class Padded:
    """Steps that nobody has asked for in packed form: still (T, N, ...), with the batch sizes.

    A packed tensor's size is the sum of the lengths, so that every batch would be another program.
    """

    def __init__(self, padded: Any, sizes: np.ndarray) -> None:
        self.padded, self.sizes = padded, sizes
        self.packed: Any = None

    def pack(self) -> Any:
        """The packed tensor; from then on it is what counts, since it may be written to."""
        if self.packed is None:
            self.packed = _gather(self.padded, self.sizes)
        return self.packed

    def map(self, f: Callable[[Any], Any]) -> Any:
        """`f` of the steps: itself if nothing changes, in packed form if that has been seen."""
        if self.packed is not None:
            return f(self.packed)
        new = f(self.padded)
        return self if new is self.padded else Padded(new, self.sizes)

    def fill(self, value: float, steps: int) -> Any:
        """(steps, N, ...) with `value` where no sequence runs."""
        if self.packed is not None:
            return _filled(_spread(self.packed, self.sizes, steps), self.sizes, value)
        own = self.padded
        if own.size(0) < steps:
            pad = NAMESPACES["nn.functional"]["pad"]
            own = pad(own, (0, 0) * (own.dim() - 1) + (0, steps - own.size(0)))
        return _filled(own[:steps] if own.size(0) > steps else own, self.sizes, value)

    # what the checks of recurrent layers ask of a packed tensor

    @property
    def dtype(self) -> Any:
        """The dtype of the steps."""
        return self.padded.dtype

    @property
    def device(self) -> Any:
        """Where the steps are."""
        return self.padded.device

    def dim(self) -> int:
        """Of the packed tensor."""
        return int(self.padded.dim()) - 1

    def size(self, dim: int) -> int:
        """Of the packed tensor."""
        return int(self.sizes.sum()) if dim == 0 else int(self.padded.size(dim))


def _filled(padded: Any, sizes: np.ndarray, value: float) -> Any:
    dead = ~_alive(sizes, padded.size(0))
    shape = (*dead.shape, *(1,) * (padded.dim() - 2))
    return padded.masked_fill(from_host(dead.reshape(shape), padded), value)


def _spread(data: Any, sizes: np.ndarray, steps: int) -> Any:
    """Packed steps at their places in (steps, N, ...); what lies between is not defined."""
    alive = _alive(sizes, steps)
    places = np.zeros(alive.shape, np.int64)
    places[alive] = np.arange(len(data))
    rows = data.index_select(0, from_host(places.reshape(-1), data))
    return rows.reshape(*places.shape, *data.shape[1:])


def _gather(padded: Any, sizes: np.ndarray) -> Any:
    """The live steps of (T, N, ...), packed."""
    n = padded.shape[1]
    steps, which = np.nonzero(_alive(sizes))
    flat = padded.reshape(-1, *padded.shape[2:])
    return flat.index_select(0, from_host(steps * n + which, padded))


@composite("torch")
def _pack_padded_sequence(input: Any, lengths: Any, batch_first: bool) -> tuple[Any, Any]:
    """Steps of a padded batch whose lengths descend, without the padding; and how many at each."""
    steps, batch_sizes = pack(input, lengths, batch_first)
    return steps.pack(), batch_sizes


def pack(input: Any, lengths: Any, batch_first: bool) -> tuple[Padded, Any]:
    """The same, not packed before somebody asks for it."""
    if lengths.device.type != "cpu" or lengths.dim() != 1:
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D {lengths.device} {lengths.dtype.scalar_name} tensor"
        )
    known = np.asarray(host(lengths, "pack_padded_sequence()"), np.int64)
    padded = input.transpose(0, 1) if batch_first else input
    _check_lengths(padded, known)
    steps = np.arange(known[0])
    sizes = (steps[:, None] < known).sum(1)
    return Padded(_without_tail(padded, int(known[0])), sizes), from_host(sizes)


def _without_tail(padded: Any, longest: int) -> Any:
    """The padding that all sequences have cut off, in eighths: there are few lengths to compile."""
    eighth = max(1, -(-padded.size(0) // 8))
    steps = min(-(-longest // eighth) * eighth, padded.size(0))
    return padded[:steps] if steps < padded.size(0) else padded


def _check_lengths(padded: Any, lengths: np.ndarray) -> None:
    if padded.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != padded.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={padded.shape[1]})"
        )
    if (lengths[:-1] < lengths[1:]).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if lengths[0] > padded.shape[0]:
        raise RuntimeError(
            f"Expected sequence length to be at most {padded.shape[0]}, but got {lengths[0]}"
        )


@composite("torch")
def _pad_packed_sequence(
    data: Any, batch_sizes: Any, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Any, Any]:
    """A padded batch of packed sequences, and their lengths."""
    sizes = _sizes(batch_sizes)
    steps = max(total_length, len(sizes))
    if isinstance(data, Padded):
        padded = data.fill(padding_value, steps)
    else:
        padded = _filled(_spread(data, sizes, steps), sizes, padding_value)
    return padded.transpose(0, 1) if batch_first else padded, from_host(_alive(sizes).sum(0))


# --- layers ---------------------------------------------------------------------------------------


class _Net(NamedTuple):
    """How a network is built; `sizes` are the batch sizes of a packed input."""

    mode: str
    has_biases: bool
    num_layers: int
    dropout: float
    train: bool
    bidirectional: bool
    sizes: Any = None

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1


def _weights(net: _Net, params: Any, projected: bool) -> Iterator[tuple[Any, ...]]:
    """(w_ih, w_hh, b_ih, b_hh, w_hr) of each layer and direction, None for the absent."""
    params = iter(params)
    for _ in range(net.num_layers * net.directions):
        products = (next(params), next(params))
        biases = (next(params), next(params)) if net.has_biases else (None, None)
        yield (*products, *biases, next(params) if projected else None)


def _run(net: _Net, input: Any, states: tuple[Any, ...], params: Any) -> tuple[Any, ...]:
    """All layers over (T, N, I): the output, and each state (layers * directions, N, H)."""
    cat, dropout = _torch("cat"), NAMESPACES["nn.functional"]["dropout"]
    layer_row = derived["_rnn_layer"]
    live = None if net.sizes is None else from_host(_alive(net.sizes, input.size(0)), input)
    weights = _weights(net, params, len(states) == 2 and _projected(states))
    ends: list[tuple[Any, ...]] = []
    x = input
    for layer in range(net.num_layers):
        outputs = []
        for direction in range(net.directions):
            i = layer * net.directions + direction
            h, c = states[0][i], states[1][i] if len(states) == 2 else None
            out, *last = layer_row(x, h, c, *next(weights), live, net.mode, direction == 1)
            outputs.append(out)
            ends.append(tuple(last))
        x = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        if net.train and net.dropout > 0 and layer < net.num_layers - 1:
            x = _dropped(dropout, x, net)
    stack = _torch("stack")
    return x, *(stack(parts) for parts in zip(*ends, strict=True))


def _projected(states: tuple[Any, ...]) -> bool:
    return states[0].shape[-1] != states[1].shape[-1]


def _dropped(dropout: Callable[..., Any], x: Any, net: _Net) -> Any:
    if net.sizes is None:
        return dropout(x, net.dropout, True)
    # torch draws for the live steps only
    packed = dropout(_gather(x, net.sizes), net.dropout, True)
    return _spread(packed, net.sizes, x.size(0))


def _padded(
    mode: str, input: Any, states: tuple[Any, ...], params: Any, has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Any, ...]:  # fmt: skip
    net = _Net(mode, has_biases, num_layers, dropout, train, bidirectional)
    x = input.transpose(0, 1) if batch_first else input
    output, *ends = _run(net, x, states, params)
    return (output.transpose(0, 1) if batch_first else output, *ends)


def _packed(
    mode: str, data: Any, batch_sizes: Any, states: tuple[Any, ...], params: Any,
    has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
) -> tuple[Any, ...]:  # fmt: skip
    sizes = _sizes(batch_sizes)
    net = _Net(mode, has_biases, num_layers, dropout, train, bidirectional, sizes)
    if isinstance(data, Padded) and data.packed is None:
        # zeros for the padding: whatever it holds must not reach a gradient
        output, *ends = _run(net, data.fill(0, data.padded.size(0)), states, params)
        return (Padded(output, sizes), *ends)
    data = data.pack() if isinstance(data, Padded) else data
    output, *ends = _run(net, _spread(data, sizes, len(sizes)), states, params)
    return (_gather(output, sizes), *ends)


def _pair(hx: Any) -> tuple[Any, ...]:
    if len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    return tuple(hx)


@composite("torch")
def lstm(*args: Any) -> tuple[Any, ...]:
    """lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    or lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional).
    """
    if isinstance(args[1], tuple | list):
        return _padded("LSTM", args[0], _pair(args[1]), *args[2:])
    return _packed("LSTM", args[0], args[1], _pair(args[2]), *args[3:])


def _one_state(name: str, mode: str) -> None:
    """torch.gru and kin, which keep one state."""

    def network(*args: Any) -> tuple[Any, ...]:
        if isinstance(args[2], tuple | list):
            return _padded(mode, args[0], (args[1],), *args[2:])
        return _packed(mode, args[0], args[1], (args[2],), *args[3:])

    network.__name__ = network.__qualname__ = name
    network.__doc__ = (
        f"{name}(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, "
        f"batch_first) or {name}(data, batch_sizes, hx, params, has_biases, num_layers, dropout, "
        "train, bidirectional)."
    )
    composite("torch")(network)


_one_state("gru", "GRU")
_one_state("rnn_tanh", "RNN_TANH")
_one_state("rnn_relu", "RNN_RELU")


# --- padding --------------------------------------------------------------------------------------


def pad_sequence(sequences: Any, batch_first: bool, padding_value: float, side: str) -> Any:
    """Tensors (L, ...) of several lengths as one batch."""
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {side}.")
    ready = [t._value.array for t in sequences]
    if all(type(a) is np.ndarray for a in ready) and not any(t.requires_grad for t in sequences):
        return _padded_on_host(sequences[0], ready, batch_first, padding_value, side)
    longest = max(t.size(0) for t in sequences)
    pad, stack = NAMESPACES["nn.functional"]["pad"], _torch("stack")

    def grown(t: Any) -> Any:
        missing = longest - t.size(0)
        ends = (0, missing) if side == "right" else (missing, 0)
        return pad(t, (0, 0) * (t.dim() - 1) + ends, value=padding_value) if missing else t

    return stack([grown(t) for t in sequences], 0 if batch_first else 1)


def _padded_on_host(
    like: Any, arrays: list[np.ndarray], batch_first: bool, padding_value: float, side: str
) -> Any:
    """The same for data that no program has read yet (collation): nothing to compile per length."""
    first, longest = arrays[0], max(len(a) for a in arrays)
    batch = np.full((len(arrays), longest, *first.shape[1:]), padding_value, first.dtype)
    for row, a in zip(batch, arrays, strict=True):
        row[slice(len(a)) if side == "right" else slice(longest - len(a), None)] = a
    return from_host(batch if batch_first else batch.swapaxes(0, 1), like)
