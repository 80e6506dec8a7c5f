"""Recurrent layers: one layer over all its steps is one scan; and the cells, one step each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._define import Array, Arrays, op

State = tuple[Any, ...]  # (h,), and (h, c) of an LSTM


def _lstm(gates: Any, recurrent: Any, state: State) -> State:
    i, f, g, o = jnp.split(gates + recurrent, 4, axis=-1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(gates: Any, recurrent: Any, state: State) -> State:
    xr, xz, xn = jnp.split(gates, 3, axis=-1)
    hr, hz, hn = jnp.split(recurrent, 3, axis=-1)
    new = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn)
    return ((state[0] - new) * jax.nn.sigmoid(xz + hz) + new,)


def _tanh(gates: Any, recurrent: Any, state: State) -> State:
    return (jnp.tanh(gates + recurrent),)


def _relu(gates: Any, recurrent: Any, state: State) -> State:
    return (jax.nn.relu(gates + recurrent),)


_CELLS: dict[str, Callable[[Any, Any, State], State]] = {
    "LSTM": _lstm, "GRU": _gru, "RNN_TANH": _tanh, "RNN_RELU": _relu,
}  # fmt: skip


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    out = jnp.matmul(x, weight.T)
    return out if bias is None else out + bias


@op("_rnn_layer", residuals=True, namespaces=(), grad_name="Rnn")
def _rnn_layer(
    input: Array,
    hx: Array,
    cx: Array | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    w_hr: Array | None,
    live: Array | None,
    mode: str,
    reverse: bool,
) -> Any:
    """One direction of one layer: (T, N, I) to (T, N, H) and the last state.

    Where `live` (T, N) is False a sequence has ended: its state stays as it was.
    """
    cell = _CELLS[mode]
    gates = _affine(input, w_ih, b_ih)  # of all steps at once: one large product
    start = (hx,) if cx is None else (hx, cx)

    def step(state: State, now: tuple[Any, Any]) -> tuple[State, Any]:
        x, alive = now
        new = cell(x, _affine(state[0], w_hh, b_hh), state)
        if w_hr is not None:
            new = (jnp.matmul(new[0], w_hr.T), *new[1:])
        if alive is not None:
            kept = zip(new, state, strict=True)
            new = tuple(jnp.where(alive[:, None], a, b) for a, b in kept)
        return new, new[0]

    last, output = lax.scan(step, start, (gates, live), reverse=reverse)
    return (output, *last)


def _check_cell(input: Any, states: Any, w_ih: Any, w_hh: Any) -> None:
    """torch's checks of one step: sizes of the input and of every state."""
    if input.shape[1] != w_ih.shape[1]:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}"
        )
    for i, h in enumerate(states):
        name = f"hidden{i}"
        if input.shape[0] != h.shape[0]:
            raise RuntimeError(
                f"Input batch size {input.shape[0]} doesn't match {name} batch size {h.shape[0]}"
            )
        if h.shape[1] != w_hh.shape[1]:
            raise RuntimeError(
                f"{name} has inconsistent hidden_size: got {h.shape[1]}, expected {w_hh.shape[1]}"
            )


def _check_lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> None:
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    _check_cell(input, hx, w_ih, w_hh)


def _check_one_state(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> None:
    _check_cell(input, (hx,), w_ih, w_hh)


@op("lstm_cell", namespaces=("torch",), check=_check_lstm_cell)
def lstm_cell(
    input: Array,
    hx: Arrays,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> Any:
    """One step of an LSTM: the new (h, c)."""
    return _lstm(_affine(input, w_ih, b_ih), _affine(hx[0], w_hh, b_hh), tuple(hx))


def _cell_row(name: str, mode: str, doc: str) -> None:
    cell = _CELLS[mode]

    def row(
        input: Array,
        hx: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None = None,
        b_hh: Array | None = None,
    ) -> Any:
        return cell(_affine(input, w_ih, b_ih), _affine(hx, w_hh, b_hh), (hx,))[0]

    op(name, namespaces=("torch",), check=_check_one_state, doc=doc)(row)


_cell_row("gru_cell", "GRU", "One step of a GRU: the new h.")
_cell_row("rnn_tanh_cell", "RNN_TANH", "One step of an Elman network with tanh: the new h.")
_cell_row("rnn_relu_cell", "RNN_RELU", "One step of an Elman network with ReLU: the new h.")
