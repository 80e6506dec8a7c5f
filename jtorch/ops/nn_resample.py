"""Resizing along axes: tables of input places and weights, and the linear maps they stand for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Table = tuple[Any, Any]  # places (out, taps) and weights (out, taps); weight 0 means "no tap"
_FEW_TAPS = 8


def gather_map(x: Any, axis: int, table: Table, size: int) -> Any:
    """y[i] = sum over taps of weight[i, t] * x[place[i, t]], along `axis` of the given size.

    The gradient gathers too, by the transposed table: XLA's scatters are serial on CPU.
    """
    return _mapped(x, axis, table, transposed(table, size))


def _mapped(x: Any, axis: int, forward: Table, backward: Table) -> Any:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return _apply(x, axis, forward)

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (_mapped(ct, axis, backward, forward),))
    return f(x)


def _apply(x: Any, axis: int, table: Table) -> Any:
    places, weights = table
    shape = [1] * x.ndim
    shape[axis] = -1
    if places.shape[1] > _FEW_TAPS:
        return _apply_many(x, axis, table)
    total = None
    for t in range(places.shape[1]):
        part = jnp.take(x, places[:, t], axis=axis)
        w = weights[:, t]
        if not (w == 1).all():
            factor = jnp.asarray(w.reshape(shape), x.dtype)
            part = jnp.where(factor == 0, jnp.zeros_like(part), part * factor)
        total = part if total is None else total + part
    if total is None:  # no tap at all
        return jnp.zeros((*x.shape[:axis], len(places), *x.shape[axis + 1 :]), x.dtype)
    return total


def _apply_many(x: Any, axis: int, table: Table) -> Any:
    places, weights = table
    moved = jnp.moveaxis(x, axis, -1)
    parts = jnp.take(moved, places, axis=-1)
    factor = jnp.asarray(weights, x.dtype)
    summed = jnp.sum(jnp.where(factor == 0, jnp.zeros_like(parts), parts * factor), axis=-1)
    return jnp.moveaxis(summed, -1, axis)


def transposed(table: Table, size: int) -> Table:
    """The table of the transposed map, onto an axis of `size`."""
    places, weights = table
    rows, taps = np.nonzero(weights)
    targets = places[rows, taps]
    order = np.argsort(targets, kind="stable")
    rows, taps, targets = rows[order], taps[order], targets[order]
    counts = np.bincount(targets, minlength=size)
    slot = np.arange(len(targets)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (size, int(counts.max(initial=0)))
    back, back_weights = np.zeros(shape, places.dtype), np.zeros(shape, weights.dtype)
    back[targets, slot], back_weights[targets, slot] = rows, weights[rows, taps]
    return back, back_weights


def interval_means(size: int, out: int) -> Table:
    """Means over [floor(i * size / out), ceil((i + 1) * size / out))."""
    start = np.arange(out) * size // max(out, 1)
    stop = -(-(np.arange(out) + 1) * size // max(out, 1))
    length = stop - start
    step = np.arange(int(length.max(initial=0)))
    valid = step < length[:, None]
    places = np.where(valid, start[:, None] + step, 0)
    return places, np.where(valid, 1.0 / np.maximum(length, 1)[:, None], 0.0)


def _scale(size: int, out: int, scale: Any, real: Any) -> Any:
    """Input steps per output step: from the given factor if there is one."""
    if scale is not None and scale > 0:
        return real(1.0 / scale)
    return real(size) / real(out)


def nearest(size: int, out: int, scale: Any, exact: bool, real: Any) -> Table:
    """One tap each; `exact` looks at pixel centres."""
    step, at = _scale(size, out, scale, real), np.arange(out).astype(real)
    if exact:
        places = np.floor((at + real(0.5)) * step)
    elif out == size or out == 2 * size:
        places = np.arange(out) // (out // size)
    else:
        places = np.floor(at * step)
    places = np.minimum(places.astype(np.int64), size - 1)
    return places[:, None], np.ones((out, 1))


def _source(size: int, out: int, scale: Any, align: bool, real: Any) -> Any:
    at = np.arange(out).astype(real)
    if align:
        return at * (real(size - 1) / real(out - 1) if out > 1 else real(0))
    return _scale(size, out, scale, real) * (at + real(0.5)) - real(0.5)


def linear(size: int, out: int, scale: Any, align: bool, real: Any) -> Table:
    """Two taps, one if the sizes agree."""
    if size == out:
        return np.arange(out)[:, None], np.ones((out, 1))
    source = np.maximum(_source(size, out, scale, align, real), real(0))
    low = np.minimum(source.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    part = np.clip(source - low.astype(real), real(0), real(1))
    return np.stack([low, high], 1), np.stack([real(1) - part, part], 1)


def cubic_weights(part: Any, a: float = -0.75) -> list[Any]:
    """The four weights of Keys' cubic at a fraction between taps 1 and 2."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


def cubic(size: int, out: int, scale: Any, align: bool, real: Any) -> Table:
    """Four taps, those outside taken from the border."""
    source = _source(size, out, scale, align, real)
    low = np.floor(source)
    weights = np.stack(cubic_weights((source - low).astype(real)), 1)
    places = np.clip(low.astype(np.int64)[:, None] + np.arange(-1, 3), 0, size - 1)
    return places, weights


def _triangle(x: Any) -> Any:
    return np.maximum(1 - np.abs(x), 0)


def _keys(x: Any) -> Any:
    x, a = np.abs(x), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: Any) -> Any:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_FILTERS = {"bilinear": (_triangle, 2), "bicubic": (_keys, 4), "lanczos": (_lanczos, 6)}


def antialiased(mode: str, size: int, out: int, scale: Any, align: bool, real: Any) -> Table:
    """A filter as wide as the input pixels that one output pixel covers."""
    filter_of, width = _FILTERS[mode]
    step = _scale(size, out, scale, real)
    if align:
        step = real(size - 1) / real(out - 1) if out > 1 else real(0)
    support = width * 0.5 * max(step, 1.0)
    inverse = 1.0 / step if step >= 1 else 1.0
    centre = step * (np.arange(out) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + support + 0.5).astype(np.int64), size) - first
    taps = np.arange(max(int(count.max(initial=0)), 1))
    weights = filter_of((taps + first[:, None] - centre[:, None] + 0.5) * inverse)
    weights = np.where(taps < count[:, None], weights, 0)
    total = weights.sum(1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return np.minimum(first[:, None] + taps, size - 1), weights.astype(real)
