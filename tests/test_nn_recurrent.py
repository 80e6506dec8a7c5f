"""Recurrent networks beyond one plain batch: packed batches, dropout's stream, states, errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.rnn as their_rnn
from engine_tools import counted, fresh_engine
from layer_cases import floats

import jtorch
import jtorch.nn.utils.rnn as our_rnn

LENGTHS = (5, 2, 4)
NETWORKS = [
    ("LSTM", {"num_layers": 2, "bidirectional": True, "dropout": 0.4}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {"bidirectional": True}),
    ("RNN", {"num_layers": 2, "nonlinearity": "relu", "bias": False}),
]


def array(t: Any) -> np.ndarray:
    return t.detach().numpy()


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(array(ours), array(theirs), rtol=2e-4, atol=2e-5)


def flat(x: Any) -> list[Any]:
    return [t for part in x for t in flat(part)] if isinstance(x, tuple | list) else [x]


def sequences(m: Any) -> list[Any]:
    return [m.tensor(floats(n, 3, seed=n)) for n in LENGTHS]


@pytest.mark.parametrize("name,options", NETWORKS, ids=lambda v: str(v))
def test_packed_batches_give_pytorchs_values_gradients_and_states(name: str, options: Any):
    results = []
    for m, rnn in ((torch, their_rnn), (jtorch, our_rnn)):
        m.manual_seed(3)
        net = getattr(m.nn, name)(3, 4, **options)
        packed = rnn.pack_sequence(sequences(m), enforce_sorted=False)
        directions = 2 if options.get("bidirectional") else 1
        n = options.get("num_layers", 1) * directions
        h = m.tensor(floats(n, 3, options.get("proj_size", 4), seed=7))
        state = (h, m.tensor(floats(n, 3, 4, seed=8))) if name == "LSTM" else h
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # PyTorch's advice on projections
            output, last = net(packed, state)
        assert isinstance(output, rnn.PackedSequence)
        padded, lengths = rnn.pad_packed_sequence(output, batch_first=True)
        total = (padded * padded).sum() + sum((t * t).sum() for t in flat(last))
        total.backward()
        results.append([padded, lengths, *flat(last), *(p.grad for p in net.parameters())])
    for theirs, ours in zip(*results, strict=True):
        close(ours, theirs)


def test_dropout_between_layers_draws_pytorchs_masks():
    outputs = []
    for m in (torch, jtorch):
        m.manual_seed(1)
        net = m.nn.GRU(3, 4, num_layers=3, dropout=0.5)
        outputs.append(net(m.tensor(floats(5, 2, 3)))[0])
    close(outputs[1], outputs[0])


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding_are_pytorchs(batch_first: bool):
    found = []
    for m, rnn in ((torch, their_rnn), (jtorch, our_rnn)):
        batch = rnn.pad_sequence(sequences(m), batch_first, -1.0, "left")
        right = rnn.pad_sequence(sequences(m), batch_first)
        packed = rnn.pack_padded_sequence(right, m.tensor(LENGTHS), batch_first, False)
        padded = rnn.pad_packed_sequence(packed, batch_first, 2.0, total_length=7)
        sorted_only = rnn.pack_padded_sequence(right, [5, 4, 4], batch_first)
        assert sorted_only.sorted_indices is None
        found.append(
            [batch, right, *packed, *padded, sorted_only.data, *rnn.unpack_sequence(packed)]
        )
    for theirs, ours in zip(*found, strict=True):
        assert str(ours.dtype) == str(theirs.dtype)
        close(ours, theirs)


def test_padding_takes_part_in_the_graph():
    grads = []
    for m, rnn in ((torch, their_rnn), (jtorch, our_rnn)):
        parts = [t.requires_grad_() for t in sequences(m)]
        padded = rnn.pad_sequence(parts, True)
        (padded * padded).sum().backward()
        grads.append([t.grad for t in parts])
    for theirs, ours in zip(*grads, strict=True):
        close(ours, theirs)


def test_a_packed_sequence_converts_and_stays_a_named_tuple():
    packed = our_rnn.pack_sequence(sequences(jtorch), enforce_sorted=False)
    assert packed.to(jtorch.float32) is packed
    assert packed.cpu() is packed
    assert packed.double().data.dtype is jtorch.float64
    assert packed.half().batch_sizes.dtype is jtorch.int64
    data, batch_sizes, order, back = packed
    assert our_rnn.invert_permutation(order).tolist() == back.tolist()
    again = our_rnn.PackedSequence(data, batch_sizes, order)
    assert again.unsorted_indices.tolist() == back.tolist()
    assert not packed.is_cuda


def test_one_layer_is_one_instruction_however_many_steps():
    net = jtorch.nn.LSTM(3, 4)
    for steps in (2, 50):
        net(jtorch.ones(steps, 2, 3))[0].sum().item()
        out, _ = net(jtorch.ones(steps, 2, 3))
        assert jtorch.pending().count("_rnn_layer") == 1
        del out


def test_a_replaced_weight_is_the_one_that_is_used():
    net = jtorch.nn.GRU(3, 4)
    x = jtorch.tensor(floats(5, 2, 3))
    zeros = {k: jtorch.zeros_like(v) for k, v in net.named_parameters()}
    out, _ = jtorch.nn.utils.stateless._functional_call(net, zeros, (x,))
    assert float(out.abs().sum()) == 0
    assert float(net(x)[0].abs().sum()) > 0
    assert [len(names) for names in net.all_weights] == [4]


def outcome(f: Callable[[], Any]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


WRONG: list[Callable[[Any, Any], Any]] = [
    lambda t, r: t.nn.LSTM(3, 4, dropout=1.5),
    lambda t, r: t.nn.LSTM(3, 4, dropout=0.5),
    lambda t, r: t.nn.LSTM(3, 4, proj_size=4),
    lambda t, r: t.nn.LSTM(3, 4, proj_size=-1),
    lambda t, r: t.nn.GRU(3, 4, proj_size=2),
    lambda t, r: t.nn.RNN(3, 4, nonlinearity="gelu"),
    lambda t, r: t.nn.RNN(0, 4),
    lambda t, r: t.nn.RNN(3, 4.0),
    lambda t, r: t.nn.GRU(3, 4, 0),
    lambda t, r: t.nn.GRU(3, 4, 1, 1),
    lambda t, r: t.nn.RNNBase("XX", 3, 4),
    lambda t, r: t.nn.LSTM(3, 4)(t.zeros(5, 2, 4)),
    lambda t, r: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3, dtype=t.float64)),
    lambda t, r: t.nn.LSTM(3, 4)(t.zeros(3)),
    lambda t, r: t.nn.GRU(3, 4)(t.zeros(3)),
    lambda t, r: t.nn.RNN(3, 4)(t.zeros(3)),
    lambda t, r: t.nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(2, 4)),
    lambda t, r: t.nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(2, 2, 4)),
    lambda t, r: t.nn.GRU(3, 4)(t.zeros(5, 3), t.zeros(1, 1, 4)),
    lambda t, r: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3), (t.zeros(1, 2, 4), t.zeros(2, 4))),
    lambda t, r: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3), (t.zeros(1, 2, 4), t.zeros(1, 2, 5))),
    lambda t, r: t.nn.LSTMCell(3, 4)(t.zeros(2, 4)),
    lambda t, r: t.nn.LSTMCell(3, 4)(t.zeros(2, 3), (t.zeros(2, 4), t.zeros(3, 4))),
    lambda t, r: t.nn.LSTMCell(3, 4)(t.zeros(2, 2, 3)),
    lambda t, r: t.nn.GRUCell(3, 4)(t.zeros(2, 3), t.zeros(2, 5)),
    lambda t, r: t.nn.RNNCell(3, 4)(t.zeros(2, 3), t.zeros(1, 2, 4)),
    lambda t, r: t.nn.RNNCell(3, 4, nonlinearity="x")(t.zeros(2, 3)),
    lambda t, r: r.pad_sequence(3),
    lambda t, r: r.pad_sequence([]),
    lambda t, r: r.pad_sequence([t.zeros(2)], padding_side="top"),
    lambda t, r: r.pack_padded_sequence(t.zeros(3, 2, 1), [1, 3]),
    lambda t, r: r.pack_padded_sequence(t.zeros(3, 2, 1), [3, 0]),
    lambda t, r: r.pack_padded_sequence(t.zeros(3, 2, 1), [3]),
    lambda t, r: r.pack_padded_sequence(t.zeros(3, 0, 1), [4, 3]),
    lambda t, r: r.pack_padded_sequence(t.zeros(3, 2, 1), t.ones(2, 1)),
    lambda t, r: r.pad_packed_sequence(r.pack_sequence([t.zeros(3)]), total_length=2),
    lambda t, r: r.PackedSequence(t.zeros(3)),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_errors_are_pytorchs(wrong: Callable[[Any, Any], Any]):
    expected = outcome(lambda: wrong(torch, their_rnn))
    assert expected != "no error"
    assert outcome(lambda: wrong(jtorch, our_rnn)).split("\n")[0] == expected.split("\n")[0]


def test_lengths_beyond_the_padding_are_refused():
    # PyTorch reads past the end of the batch here
    with pytest.raises(RuntimeError, match="at most 3, but got 4"):
        our_rnn.pack_padded_sequence(jtorch.zeros(3, 2, 1), [4, 3])


def test_batches_of_other_lengths_are_the_same_program():
    with fresh_engine():
        net = jtorch.nn.LSTM(3, 4, bidirectional=True)
        optimizer = jtorch.optim.SGD(net.parameters(), lr=0.1)

        def step(lengths: list[int]) -> None:
            packed = our_rnn.pack_padded_sequence(
                jtorch.tensor(floats(2, 8, 3)), lengths, batch_first=True, enforce_sorted=False
            )
            optimizer.zero_grad()
            out, _ = our_rnn.pad_packed_sequence(net(packed)[0], True, total_length=8)
            (out * out).sum().backward()
            optimizer.step()

        step([8, 5])
        step([8, 3])
        with counted() as c:
            step([2, 8])
            step([8, 7])
        assert c.compiles == 0


def test_writing_to_the_packed_steps_is_seen():
    for m, rnn in ((torch, their_rnn), (jtorch, our_rnn)):
        packed = rnn.pack_padded_sequence(m.ones(3, 2, 1), m.tensor([3, 1]))
        packed.data.mul_(2)
        padded, _ = rnn.pad_packed_sequence(packed, padding_value=-1.0)
        assert padded.flatten().tolist() == [2.0, 2.0, 2.0, -1.0, 2.0, -1.0]
        assert packed[0] is packed.data and len(packed[:2]) == 2
        assert type(packed)(*packed).data is packed.data
        assert repr(packed).startswith("PackedSequence(data=tensor(")


def test_garbage_in_the_padding_reaches_nothing():
    grads = []
    for fill in (0.0, float("nan")):
        x = jtorch.full((4, 2, 3), fill)
        x[:2] = 1.0
        net = jtorch.nn.GRU(3, 4)
        with jtorch.no_grad():
            for p in net.parameters():
                p.fill_(0.1)
        out, _ = net(our_rnn.pack_padded_sequence(x, [2, 2]))
        padded, _ = our_rnn.pad_packed_sequence(out, total_length=4)
        padded.sum().backward()
        grads.append(array(net.weight_ih_l0.grad))
    np.testing.assert_allclose(grads[1], grads[0])


def test_padding_beyond_the_longest_sequence_changes_nothing():
    results = []
    for m, rnn in ((torch, their_rnn), (jtorch, our_rnn)):
        m.manual_seed(1)
        net = m.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        x = m.tensor(floats(9, 3, 3)).requires_grad_()
        packed = rnn.pack_padded_sequence(x, m.tensor([2, 4, 1]), enforce_sorted=False)
        output, (h, c) = net(packed)
        padded, lengths = rnn.pad_packed_sequence(output, total_length=6)
        (padded * padded).sum().backward()
        results.append([padded, lengths, h, c, x.grad, net.weight_hh_l0_reverse.grad])
    for theirs, ours in zip(*results, strict=True):
        close(ours, theirs)


def test_a_parametrized_weight_is_used():
    from jtorch.nn.utils import parametrizations, prune

    net, x = jtorch.nn.LSTM(3, 4), jtorch.tensor(floats(5, 2, 3))
    expected = net(x)[0]
    parametrizations.weight_norm(net, "weight_hh_l0")
    out = net(x)[0]
    close(out, expected)
    out.sum().backward()
    assert net.parametrizations.weight_hh_l0.original0.grad is not None
    prune.l1_unstructured(net, "weight_ih_l0", 48)
    prune.l1_unstructured(net, "bias_ih_l0", 16)
    prune.l1_unstructured(net, "bias_hh_l0", 16)
    assert float(net(x)[0].abs().sum()) == 0
