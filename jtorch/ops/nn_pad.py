"""Padding, and rearrangements between channels and space."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from ._define import Array, Scalar, op
from .nn_common import ntuple

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad_check(input: Any, value: Any, *, pad: Any, mode: str) -> None:
    n = len(pad) // 2
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if mode == "constant":
        _check_constant(input, pad, n)
        return
    if mode not in _MODES:
        raise RuntimeError(f"Unrecognised padding mode {mode}")
    if value not in (None, int, float) or n not in (1, 2, 3) or input.ndim not in (n + 1, n + 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    for i in range(n):
        _check_sides(input, pad, i, mode)


def _check_constant(input: Any, pad: Any, n: int) -> None:
    if n > input.ndim:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad "
            f"length is {2 * n} while the input has {input.ndim} dimensions."
        )
    for i in range(n):
        d = input.ndim - 1 - i
        size = input.shape[d] + pad[2 * i] + pad[2 * i + 1]
        if size < 0:
            raise RuntimeError(
                f"The input size {input.shape[d]}, plus negative padding {pad[2 * i]} and "
                f"{pad[2 * i + 1]} resulted in a negative output size, which is invalid. Check "
                f"dimension {d} of your input."
            )


def _check_sides(input: Any, pad: Any, i: int, mode: str) -> None:
    d = input.ndim - 1 - i
    size, sides = input.shape[d], pad[2 * i : 2 * i + 2]
    if mode == "reflect" and max(sides) >= size:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({sides[0]}, {sides[1]}) at dimension {d} of input {list(input.shape)}"
        )
    if mode == "circular" and max(sides) > size:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if size + sum(sides) < 1 and mode != "circular":
        raise RuntimeError(
            f"input (size: {size}) is too small for padding {list(sides)} at dimension {d}"
        )


@op(check=_pad_check, namespaces=("nn.functional",), grad_name="ConstantPadNd")
def pad(input: Array, pad: Any, mode: str = "constant", value: Scalar | None = None) -> Any:
    """Extend (or, where negative, cut) the last dimensions, given last dimension first."""
    n = len(pad) // 2
    sides = [(0, 0)] * (input.ndim - n) + [
        tuple(pad[2 * i : 2 * i + 2]) for i in reversed(range(n))
    ]
    if mode == "constant":
        fill = jnp.asarray(0 if value is None else value).astype(input.dtype)
        return lax.pad(input, fill, [(a, b, 0) for a, b in sides])
    grown = [(max(a, 0), max(b, 0)) for a, b in sides]
    cut = tuple(
        slice(max(-a, 0), s - max(-b, 0)) for (a, b), s in zip(sides, input.shape, strict=True)
    )
    if mode == "circular":
        input, grown = input[cut], grown
        return jnp.pad(input, grown, mode="wrap")
    padded = jnp.pad(input, grown, mode=_MODES[mode])
    return padded[
        tuple(
            slice(max(-a, 0), s - max(-b, 0)) for (a, b), s in zip(sides, padded.shape, strict=True)
        )
    ]


def _shuffle_check(input: Any, *, upscale_factor: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    if upscale_factor <= 0:
        raise RuntimeError(
            f"pixel_shuffle expects a positive upscale_factor, but got {upscale_factor}"
        )
    if input.shape[-3] % upscale_factor**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the "
            "square of "
            f"upscale_factor, but input.size(-3)={input.shape[-3]} is not divisible by "
            f"{upscale_factor**2}"
        )


@op(check=_shuffle_check, linear=True, namespaces=("torch", "nn.functional"))
def pixel_shuffle(input: Array, upscale_factor: int) -> Any:
    """(*, C * r * r, H, W) to (*, C, H * r, W * r)."""
    r = upscale_factor
    *lead, c, h, w = input.shape
    split = input.reshape(*lead, c // (r * r), r, r, h, w)
    n = len(lead)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return jnp.transpose(split, order).reshape(*lead, c // (r * r), h * r, w * r)


def _unshuffle_check(input: Any, *, downscale_factor: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    if downscale_factor <= 0:
        raise RuntimeError(
            f"pixel_unshuffle expects a positive downscale_factor, but got {downscale_factor}"
        )
    for name, d in (("height", -2), ("width", -1)):
        if input.shape[d] % downscale_factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({d})={input.shape[d]} is not divisible by {downscale_factor}"
            )


@op(check=_unshuffle_check, linear=True, namespaces=("torch", "nn.functional"))
def pixel_unshuffle(input: Array, downscale_factor: int) -> Any:
    """(*, C, H * r, W * r) to (*, C * r * r, H, W)."""
    r = downscale_factor
    *lead, c, h, w = input.shape
    split = input.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return jnp.transpose(split, order).reshape(*lead, c * r * r, h // r, w // r)


def _channels_check(input: Any, *, groups: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if input.shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {input.shape[1]} channels and "
            f"{groups} groups."
        )


def _channel_shuffle(input: Any, groups: int) -> Any:
    n, c, *rest = input.shape
    return jnp.swapaxes(input.reshape(n, groups, c // groups, *rest), 1, 2).reshape(input.shape)


_SHUFFLE: Any = {"check": _channels_check, "linear": True, "namespaces": ("torch", "nn.functional")}


@op(**_SHUFFLE)
def channel_shuffle(input: Array, groups: int) -> Any:
    """Interleave the channels of `groups` groups."""
    return _channel_shuffle(input, groups)


@op(**_SHUFFLE)
def native_channel_shuffle(input: Array, groups: int) -> Any:
    """Interleave the channels of `groups` groups."""
    return _channel_shuffle(input, groups)


def _blocks(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[int, ...]:
    return tuple(
        (s + 2 * p - d * (k - 1) - 1) // t + 1
        for s, k, d, p, t in zip(size, kernel, dilation, padding, stride, strict=True)
    )


def _check_blocks(**settings: Any) -> None:
    for name, value in settings.items():
        least = 0 if name == "padding" else 1
        if min(value) < least:
            what = "non-negative" if least == 0 else "greater than zero"
            raise RuntimeError(
                f"{name} should be {what}, but got {name}_height: {value[0]} {name}_width: "
                f"{value[1]}"
            )


def _unfold_check(
    input: Any, *, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> None:
    _check_blocks(
        kernel=ntuple(kernel_size, 2),
        dilation=ntuple(dilation, 2),
        padding=ntuple(padding, 2),
        stride=ntuple(stride, 2),
    )
    if input.ndim not in (3, 4) or 0 in input.shape[1:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    blocks = _blocks(
        input.shape[-2:], *(ntuple(x, 2) for x in (kernel_size, dilation, padding, stride))
    )
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size ({input.shape[-2]}, {input.shape[-1]}), "
            f"kernel_size={_pair(kernel_size)}, dilation={_pair(dilation)}, "
            f"padding={_pair(padding)}, calculated shape of the array of sliding blocks as "
            f"({blocks[0]}, {blocks[1]}), but its components must be at least one."
        )


def _pair(x: Any) -> str:
    a, b = ntuple(x, 2)
    return f"({a}, {b})"


@op("_unfold", check=_unfold_check, linear=True, namespaces=(), grad_name="Im2Col")
def _unfold(
    input: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """Sliding blocks as columns: (N, C, H, W) to (N, C * kh * kw, blocks)."""
    x = input if input.ndim == 4 else input[None]
    kernel, dilation, padding, stride = (
        ntuple(a, 2) for a in (kernel_size, dilation, padding, stride)
    )
    blocks = _blocks(x.shape[-2:], kernel, dilation, padding, stride)
    padded = jnp.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    parts = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            parts.append(
                _block_elements(padded, (i * dilation[0], j * dilation[1]), blocks, stride)
            )
    columns = jnp.stack(parts, axis=2).reshape(x.shape[0], x.shape[1] * prod(kernel), prod(blocks))
    return columns if input.ndim == 4 else columns[0]


def _block_elements(padded: Any, start: Any, blocks: Any, stride: Any) -> Any:
    rows, cols = (
        slice(a, a + (b - 1) * t + 1, t) for a, b, t in zip(start, blocks, stride, strict=True)
    )
    return padded[:, :, rows, cols]


def _fold_check(
    input: Any, *, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> None:
    kernel = ntuple(kernel_size, 2)
    _check_blocks(
        output_size=ntuple(output_size, 2),
        kernel_size=kernel,
        dilation=ntuple(dilation, 2),
        padding=ntuple(padding, 2),
        stride=ntuple(stride, 2),
    )
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(input.shape)}"
        )
    if input.shape[-2] % prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of "
            "kernel_size, but "
            f"got input.size(1)={input.shape[-2]} and kernel_size={_pair(kernel)}."
        )
    settings = (output_size, kernel_size, dilation, padding, stride)
    blocks = _blocks(*(ntuple(x, 2) for x in settings))
    if min(blocks) < 1 or input.shape[-1] != prod(blocks):
        raise RuntimeError(
            f"Given output_size={_pair(output_size)}, kernel_size={_pair(kernel_size)}, "
            f"dilation={_pair(dilation)}, padding={_pair(padding)}, stride={_pair(stride)}, "
            "expected "
            f"size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{blocks[0]} * {blocks[1]} = {prod(blocks)}, but got input.size(2)={input.shape[-1]}."
        )


@op(check=_fold_check, linear=True, namespaces=("nn.functional",), grad_name="Col2Im")
def fold(
    input: Array,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Sum columns back into the places they were taken from by `unfold`."""
    x = input if input.ndim == 3 else input[None]
    size, kernel, dilation, padding, stride = (
        ntuple(a, 2) for a in (output_size, kernel_size, dilation, padding, stride)
    )
    blocks = _blocks(size, kernel, dilation, padding, stride)
    parts = x.reshape(x.shape[0], x.shape[1] // prod(kernel), *kernel, *blocks)
    grown = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    total = jnp.zeros((x.shape[0], parts.shape[1], *grown), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            total = total + _spread(
                parts[:, :, i, j], (i * dilation[0], j * dilation[1]), stride, grown
            )
    y = total[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return y if input.ndim == 3 else y[0]


def _spread(part: Any, start: Any, stride: Any, size: Any) -> Any:
    config = [(0, 0, 0), (0, 0, 0)]
    for a, s, n, b in zip(start, stride, size, part.shape[2:], strict=True):
        config.append((a, n - a - (b - 1) * s - 1, s - 1))
    return lax.pad(part, jnp.zeros((), part.dtype), config)
