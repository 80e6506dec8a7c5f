"""Max, average, adaptive and power-average pooling."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._define import Array, Promote, Scalar, op
from .nn_common import not_implemented, ntuple
from .nn_resample import gather_map, interval_means
from .nn_windows import (
    adaptive_table,
    max_windows,
    output_size,
    sum_windows,
    table_max,
)

Ints = tuple[int, ...]
_HIDDEN: Any = {"namespaces": ()}


def _check_windows(
    name: str, n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> None:
    """What torch's pools demand of their window settings."""
    if x.dtype.name == "bool" or x.dtype.is_complex:
        raise not_implemented(name, x.dtype)
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    for what, value in settings.items():
        if isinstance(value, tuple) and len(value) not in (
            1,
            n,
            *((0,) if what == "stride" else ()),
        ):
            raise RuntimeError(
                f"{name}: {what} must either be a single int, or a tuple of {_WORD[n]} ints"
            )
    kernel, padding, dilation = ntuple(kernel, n), ntuple(padding, n), ntuple(dilation, n)
    stride = strides(stride, kernel)
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got: {list(x.shape)}"
        )
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_hw('k', kernel)}")
    if min(stride) <= 0:
        raise RuntimeError(f"stride should be greater than zero, but got {_hw('d', stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(
            f"dilation should be greater than zero, but got {_hw('dilation', dilation)}"
        )
    if min(padding) < 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(padding)}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )
    _check_outputs(n, x, kernel, stride, padding, dilation, ceil)


_WORD = {1: "one", 2: "two", 3: "three"}


def _hw(prefix: str, values: Ints) -> str:
    names = {1: "W", 2: "HW", 3: "TWH"}[len(values)]
    order = values[::-1] if len(values) == 2 else values
    names = names[::-1] if len(values) == 2 else names
    return " ".join(f"{prefix}{a}: {v}" for a, v in zip(names, order, strict=True))


def _check_outputs(
    n: int, x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool
) -> None:
    spatial = x.shape[x.ndim - n :]
    if 0 in x.shape[x.ndim - n - 1 :]:
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(x.shape)}"
        )
    out = [
        output_size(*each, ceil)
        for each in zip(spatial, kernel, stride, padding, dilation, strict=True)
    ]
    if min(out) < 1:
        channels = x.shape[x.ndim - n - 1]
        before = "x".join(map(str, (channels, *spatial)))
        after = "x".join(map(str, (channels, *out)))
        raise RuntimeError(
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is "
            "too small"
        )


def strides(stride: Any, kernel: Ints) -> Ints:
    """No stride means windows side by side."""
    return kernel if stride is None or stride == () else ntuple(stride, len(kernel))


def _max_check(n: int) -> Any:
    def check(
        x: Any, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> None:
        name = f"max_pool{n}d"
        _check_windows(name, n, x, kernel_size, stride, padding, dilation, ceil_mode)

    return check


def _declare_max(n: int) -> None:
    def plain(
        input: Array,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        kernel = ntuple(kernel_size, n)
        return max_windows(
            input,
            kernel,
            strides(stride, kernel),
            ntuple(padding, n),
            ntuple(dilation, n),
            ceil_mode,
            False,
        )

    def indexed(
        input: Array,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        kernel = ntuple(kernel_size, n)
        return max_windows(
            input,
            kernel,
            strides(stride, kernel),
            ntuple(padding, n),
            ntuple(dilation, n),
            ceil_mode,
            True,
        )

    what = f"The maximum of every window over the last {n} dimensions"
    name = f"max_pool{n}d"
    op(
        name,
        check=_max_check(n),
        namespaces=("torch",),
        grad_name=f"MaxPool{n}DWithIndices",
        doc=f"{what}.",
    )(plain)
    spaces = ("torch", "nn.functional") if n == 1 else ("nn.functional",)
    op(
        f"{name}_with_indices",
        check=_max_check(n),
        namespaces=spaces,
        grad_name=f"MaxPool{n}DWithIndices",
        doc=f"{what}, and where it is.",
    )(indexed)


for _n in (1, 2, 3):
    _declare_max(_n)


def _avg_check(n: int) -> Any:
    def check(
        x: Any,
        *,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: Any = None,
    ) -> None:
        _check_windows(f"avg_pool{n}d", n, x, kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")

    return check


def _average(
    x: Any,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: Any,
) -> Any:
    n = len(kernel)
    spatial = x.shape[x.ndim - n :]
    out = tuple(
        output_size(s, k, t, p, 1, ceil_mode)
        for s, k, t, p in zip(spatial, kernel, stride, padding, strict=True)
    )
    wide = x.astype(jnp.float32) if x.dtype.itemsize == 2 and x.dtype.kind != "i" else x
    total = sum_windows(wide, out, kernel, stride, padding)
    if divisor is None:
        divisor = _window_counts(spatial, out, kernel, stride, padding, count_include_pad)
    if jnp.issubdtype(x.dtype, jnp.integer):
        return jax.lax.div(total, jnp.broadcast_to(jnp.asarray(divisor, x.dtype), total.shape))
    return (total / jnp.asarray(divisor, total.dtype)).astype(x.dtype)


def _window_counts(
    spatial: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, include: bool
) -> Any:
    """How many elements each window has; torch cuts windows off at the padded input's end."""
    counts: Any = np.ones((), np.int64)
    for s, o, k, t, p in zip(spatial, out, kernel, stride, padding, strict=True):
        start = np.arange(o) * t - p
        stop = np.minimum(start + k, s + p)
        each = stop - start if include else np.minimum(stop, s) - np.maximum(start, 0)
        counts = counts[..., None] * each
    return counts if counts.min() != counts.max() else counts.flat[0]


@op(check=_avg_check(1), namespaces=("torch", "nn.functional"))
def avg_pool1d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean of every window over the last dimension."""
    kernel = ntuple(kernel_size, 1)
    return _average(
        input,
        kernel,
        strides(stride, kernel),
        ntuple(padding, 1),
        ceil_mode,
        count_include_pad,
        None,
    )


@op(out=True, check=_avg_check(2), namespaces=("nn.functional",))
def avg_pool2d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """The mean of every window over the last two dimensions."""
    kernel = ntuple(kernel_size, 2)
    return _average(
        input,
        kernel,
        strides(stride, kernel),
        ntuple(padding, 2),
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


@op(out=True, check=_avg_check(3), namespaces=("nn.functional",))
def avg_pool3d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """The mean of every window over the last three dimensions."""
    kernel = ntuple(kernel_size, 3)
    return _average(
        input,
        kernel,
        strides(stride, kernel),
        ntuple(padding, 3),
        ceil_mode,
        count_include_pad,
        divisor_override,
    )


@op("_lp_pool", promote=Promote.DEFAULT, **_HIDDEN)
def _lp_pool(
    input: Array, norm_type: Scalar, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Any:
    """(sum of x ** p) ** (1 / p) of every window."""
    ones = (0,) * len(kernel_size)
    mean = _average(
        input**norm_type, kernel_size, strides(stride, kernel_size), ones, ceil_mode, True, None
    )
    positive = jnp.sign(mean) * jnp.maximum(jnp.abs(mean), 0)
    return (positive * prod(kernel_size)) ** (1 / norm_type)


def _adaptive_out(x: Any, size: Any, n: int) -> Ints:
    wanted = size if isinstance(size, tuple) else (size,) * n
    if len(wanted) == 1:
        wanted = wanted * n
    spatial = x.shape[x.ndim - n :]
    return tuple(s if w is None else w for s, w in zip(spatial, wanted, strict=True))


def _adaptive_check(kind: str, n: int) -> Any:
    name = f"adaptive_{kind}_pool{n}d"

    def check(x: Any, *, output_size: Any) -> None:
        if isinstance(output_size, tuple) and len(output_size) not in (1, n):
            raise RuntimeError(f"{name}: output_size must be {n}")
        if n > 1 and x.ndim < n + 1:
            raise ValueError(f"Input dimension should be at least {n + 1}")
        if x.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got {list(x.shape)}"
            )
        if 0 in x.shape[1 if x.ndim == n + 2 else 0 :]:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(x.shape)} with dimension "
                f"{x.shape.index(0, 1 if x.ndim == n + 2 else 0)} being empty"
            )
        out = _adaptive_out(x, output_size, n)
        if min(out) < 0:
            raise RuntimeError(
                f"{name}: elements of output_size must be greater than or equal to 0 but received "
                f"{{{', '.join(map(str, out))}}}"
            )
        _adaptive_dtype(kind, name, x)

    return check


def _adaptive_dtype(kind: str, name: str, x: Any) -> None:
    if kind == "avg" and not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise not_implemented("adaptive_avg_pool", x.dtype)
    if kind == "max" and (x.dtype.name == "bool" or x.dtype.is_complex):
        raise not_implemented(name, x.dtype)


def _adaptive_mean(x: Any, out: Ints) -> Any:
    """Means over one dimension at a time: the windows are products of intervals."""
    n = len(out)
    for i, o in enumerate(out):
        axis = x.ndim - n + i
        size = x.shape[axis]
        if o and size % o == 0:
            split = x.reshape(*x.shape[:axis], o, size // o, *x.shape[axis + 1 :])
            x = jnp.mean(split, axis=axis + 1)
        else:
            x = gather_map(x, axis, interval_means(size, o), size)
    return x


def _declare_adaptive(n: int) -> None:
    def average(input: Array, output_size: Any) -> Any:
        out = _adaptive_out(input, output_size, n)
        if n == 2 and out == (1, 1):
            return jnp.mean(input, axis=(-2, -1), keepdims=True)
        return _adaptive_mean(input, out)

    def maximum(input: Array, output_size: Any) -> Any:
        out = _adaptive_out(input, output_size, n)
        spatial = input.shape[input.ndim - n :]
        if all(o and s % o == 0 for s, o in zip(spatial, out, strict=True)):
            kernel = tuple(s // o for s, o in zip(spatial, out, strict=True))
            return max_windows(input, kernel, kernel, (0,) * n, (1,) * n, False, True)
        return table_max(input, adaptive_table(spatial, out), out, True)

    spaces = ("torch", "nn.functional") if n == 1 else ("nn.functional",)
    op(
        f"adaptive_avg_pool{n}d",
        check=_adaptive_check("avg", n),
        namespaces=spaces,
        promote=Promote.INT_TO_FLOAT,
        linear=True,
        doc=f"Means over windows that share out the last {n} dimensions.",
    )(average)
    max_spaces: tuple[str, ...] = ("nn.functional:" + f"adaptive_max_pool{n}d_with_indices",)
    max_spaces += ("torch:adaptive_max_pool1d",) if n == 1 else ()
    op(
        f"adaptive_max_pool{n}d",
        check=_adaptive_check("max", n),
        namespaces=max_spaces,
        doc=f"Maxima over windows that share out the last {n} dimensions, and where.",
    )(maximum)


for _n in (1, 2, 3):
    _declare_adaptive(_n)


def _unpool_check(input: Any, indices: Any, *, size: Any) -> None:
    if indices.dtype.name != "int64":
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {indices.dtype.scalar_name}"
        )
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be: {list(input.shape)} but got: {list(indices.shape)}"
        )


@op("_max_unpool", check=_unpool_check, **_HIDDEN)
def _max_unpool(input: Array, indices: Array, size: Any) -> Any:
    """Zeros of spatial `size` with the input's values at their flat places."""
    n = len(size)
    lead = input.shape[: input.ndim - n]
    rows, cells = prod(lead), prod(size)
    shape = (rows, prod(input.shape[len(lead) :]))
    flat, place = input.reshape(shape), indices.reshape(shape)
    return _placed(cells, flat, place).reshape(*lead, *size)


def _placed_plain(cells: int, flat: Any, place: Any) -> Any:
    """Rows of zeros with values at places; of several at one place the last stays."""
    row = jnp.arange(flat.shape[0], dtype=jnp.int64)[:, None]
    return jnp.zeros((flat.shape[0], cells), flat.dtype).at[row, place].set(flat)


_placed = jax.custom_jvp(_placed_plain, nondiff_argnums=(0,))


@_placed.defjvp
def _placed_jvp(cells: int, primals: Any, tangents: Any) -> Any:
    flat, place = primals
    row = jnp.arange(flat.shape[0], dtype=jnp.int64)[:, None]
    # torch's gradient reads at every place, also where several values met: the transpose of a sum
    moved = jnp.zeros((flat.shape[0], cells), flat.dtype).at[row, place].add(tangents[0])
    return _placed(cells, flat, place), moved


@op("_fractional_max_pool", check=None, **_HIDDEN)
def _fractional_max_pool(input: Array, samples: Array, kernel_size: Any, output_size: Any) -> Any:
    """Maxima of windows whose places follow random samples in [0, 1), and where they are."""
    n = len(kernel_size)
    lead, spatial = input.shape[: input.ndim - n], input.shape[input.ndim - n :]
    flat = input.reshape(*lead, prod(spatial))
    place = jnp.zeros((*lead, *(1,) * (2 * n)), jnp.int64)
    samples = samples.reshape(*lead, n) if len(lead) == 2 else samples.reshape(-1, lead[0], n)[0]
    for i in range(n):
        # torch's samples are for (w, h) in two and (t, h, w) in three dimensions
        u = samples[..., (n - 1 - i) if n == 2 else i]
        starts = _fractional_starts(u, spatial[i], output_size[i], kernel_size[i])
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = output_size[i], kernel_size[i]
        each = (starts[..., None] + np.arange(kernel_size[i])).reshape(*lead, *shape)
        place = place * spatial[i] + each
    place = place.reshape(*lead, prod(output_size), prod(kernel_size))
    at = place.reshape(*lead, prod(output_size) * prod(kernel_size))
    values = jnp.take_along_axis(jax.lax.stop_gradient(flat), at, axis=-1).reshape(place.shape)
    chosen = jnp.argmax(values, axis=-1)[..., None]
    where = jnp.take_along_axis(place, chosen, axis=-1)[..., 0]
    best = jnp.take_along_axis(flat, where, axis=-1)
    return best.reshape(*lead, *output_size), where.reshape(*lead, *output_size)


def _fractional_starts(u: Any, size: int, out: int, kernel: int) -> Any:
    if out == 1:
        return jnp.full((*u.shape, 1), size - kernel, jnp.int64)
    alpha = jnp.asarray((size - kernel) / (out - 1), u.dtype)
    steps = jnp.arange(out, dtype=u.dtype)
    starts = jnp.trunc((steps + u[..., None]) * alpha) - jnp.trunc(u[..., None] * alpha)
    return starts.astype(jnp.int64).at[..., -1].set(size - kernel)
