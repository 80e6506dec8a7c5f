"""Connectionist temporal classification (Graves et al., 2006)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._define import Array, op
from .nn_common import not_implemented


def _check(
    logp: Any, targets: Any, inputs: Any, lengths: Any, *, blank: int, zero_infinity: bool
) -> None:
    if not logp.dtype.is_floating_point:
        raise not_implemented("ctc_loss_cpu", logp.dtype)
    if not 0 <= blank < logp.shape[2]:
        raise RuntimeError("blank must be in label range")


def _log_sum(*terms: Any) -> Any:
    """log of the sum of exponentials; all -inf gives -inf without a NaN in the gradient."""
    top = lax.stop_gradient(jnp.max(jnp.stack(terms), axis=0))
    empty = top == -np.inf
    top = jnp.where(empty, 0, top)
    total = sum(jnp.exp(t - top) for t in terms)
    return jnp.where(empty, -np.inf, jnp.log(jnp.where(empty, 1, total)) + top)


def _negative_log_likelihood(logp: Any, targets: Any, inputs: Any, lengths: Any, blank: int) -> Any:
    """One loss per sample: forward probabilities over the labels with blanks between, by a scan."""
    t, n, _ = logp.shape
    s = 2 * targets.shape[1] + 1
    labels = jnp.full((n, s), blank, jnp.int64).at[:, 1::2].set(targets.astype(jnp.int64))
    skip = (
        jnp.zeros((n, s), bool)
        .at[:, 2:]
        .set((labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2]))
    )
    low = jnp.asarray(-np.inf, logp.dtype)

    def emitted(at: Any) -> Any:
        return jnp.take_along_axis(at, labels, axis=1)

    state = jnp.arange(s)
    allowed = (state == 0) | ((state == 1) & (lengths > 0)[:, None])
    first = jnp.where(allowed, emitted(logp[0]), low)

    def step(alpha: Any, item: Any) -> Any:
        at, time = item
        one = jnp.pad(alpha, ((0, 0), (1, 0)), constant_values=low)[:, :-1]
        two = jnp.pad(alpha, ((0, 0), (2, 0)), constant_values=low)[:, :-2]
        new = _log_sum(alpha, one, jnp.where(skip, two, low)) + emitted(at)
        return jnp.where((time < inputs)[:, None], new, alpha), None

    times = jnp.arange(1, t, dtype=inputs.dtype)
    alpha, _ = lax.scan(step, first, (logp[1:], times))
    end = (2 * lengths)[:, None].astype(jnp.int64)
    last = jnp.take_along_axis(alpha, end, axis=1)[:, 0]
    before = jnp.take_along_axis(alpha, jnp.maximum(end - 1, 0), axis=1)[:, 0]
    return -_log_sum(last, jnp.where(lengths > 0, before, low))


@op("_ctc_loss", check=_check, namespaces=(), grad_name="CtcLoss", residuals=True)
def _ctc_loss(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int,
    zero_infinity: bool,
) -> Any:  # fmt: skip
    """Losses of padded targets (N, S) under log probabilities (T, N, C)."""

    value = _loss(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity)
    return jnp.where(jnp.isinf(value), jnp.zeros_like(value), value) if zero_infinity else value


def _forward(
    logp: Any, targets: Any, inputs: Any, lengths: Any, blank: int, zero_infinity: bool
) -> Any:
    value, back = jax.vjp(
        lambda x: _negative_log_likelihood(x, targets, inputs, lengths, blank), logp
    )
    return value, (logp, inputs, value, back)


def _backward(blank: int, zero_infinity: bool, kept: Any, ct: Any) -> Any:
    logp, inputs, value, back = kept
    # torch's gradient is that of the logits before log_softmax: it adds the probabilities
    times = jnp.arange(logp.shape[0], dtype=inputs.dtype)
    inside = times[:, None] < inputs
    if zero_infinity:
        ct = jnp.where(jnp.isinf(value), 0, ct)
    (own,) = back(ct)
    whole = own + jnp.exp(logp) * ct[:, None]
    if not zero_infinity:  # torch: infinity minus infinity
        whole = jnp.where(jnp.isinf(value)[:, None], jnp.nan, whole)
    return jnp.where(inside[..., None], whole, 0), None, None, None


def _value(
    logp: Any, targets: Any, inputs: Any, lengths: Any, blank: int, zero_infinity: bool
) -> Any:
    return _negative_log_likelihood(logp, targets, inputs, lengths, blank)


_loss = jax.custom_vjp(_value, nondiff_argnums=(4, 5))
_loss.defvjp(_forward, _backward)
