"""torchvision's functions of pictures, second half: affine maps, filters, histograms."""

from __future__ import annotations

import math
from typing import Any

from ..._engine import dtype as _dtype
from ...creation import tensor
from ...distributions._names import F, torch
from ._functional_base import (
    InterpolationMode,
    _blend,
    _not_negative,
    _on_tensors,
    center_crop,
    crop,
    get_dimensions,
    hflip,
    invert,
    vflip,
)  # fmt: skip

__all__ = [
    "adjust_gamma", "adjust_sharpness", "affine", "autocontrast", "equalize", "five_crop",
    "gaussian_blur", "posterize", "rotate", "solarize", "ten_crop",
]  # fmt: skip
_UINT8 = _dtype.NAMES["uint8"]


def _top(dtype: Any) -> float:
    return 1.0 if dtype.is_floating_point else float(_dtype.iinfo(dtype).max)


def _as_floats(f: Any, img: Any) -> Any:
    """`f` of a batch of floats, rounded back to the picture's own dtype and shape."""
    exact = img if img.is_floating_point() else img.to(_dtype.float32)
    out = f(exact.reshape(-1, *img.shape[-3:]))
    out = out.reshape(*img.shape[:-3], *out.shape[-3:])
    return out if img.is_floating_point() else out.round().to(img.dtype)


# --- affine maps ----------------------------------------------------------------------------------


def _inverse(center: Any, angle: float, translate: Any, scale: float, shear: Any) -> list[float]:
    """The map from places of the result to places of the picture, both from its middle.

    Source: torchvision.transforms.functional._get_inverse_affine_matrix.
    """
    turn, sx, sy = (math.radians(a) for a in (angle, *shear))
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    m = [x / scale for x in (d, -b, -c, a)]
    x = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx
    y = m[2] * (-cx - tx) + m[3] * (-cy - ty) + cy
    return [m[0], m[1], x, m[2], m[3], y]


def _mapped(img: Any, matrix: list[float], mode: Any, fill: Any, size: Any = None) -> Any:
    """The picture at the places that `matrix` gives for each place of the result."""
    name = mode if isinstance(mode, str) else InterpolationMode(mode).value
    if name not in ("nearest", "bilinear"):
        raise ValueError(f"This interpolation mode ({name}) is unsupported with Tensor input")
    h, w = img.shape[-2:]
    oh, ow = (h, w) if size is None else size
    kind = img.dtype if img.is_floating_point() else _dtype.float32
    x = torch.linspace(-ow * 0.5 + 0.5, ow * 0.5 - 0.5, ow, dtype=kind)
    y = torch.linspace(-oh * 0.5 + 0.5, oh * 0.5 - 0.5, oh, dtype=kind)
    x, y = x.expand(oh, ow), y.unsqueeze(1).expand(oh, ow)
    places = torch.stack([x, y, torch.ones_like(x)], -1).view(1, oh * ow, 3)
    theta = tensor(matrix, dtype=kind).view(1, 2, 3).transpose(1, 2)
    theta = theta / tensor([0.5 * w, 0.5 * h], dtype=kind)
    grid = places.bmm(theta).view(1, oh, ow, 2).to(img.device)

    def sampled(batch: Any) -> Any:
        n, c = batch.shape[:2]
        if fill is not None:
            batch = torch.cat([batch, torch.ones_like(batch[:, :1])], 1)
        grids = grid.expand(n, -1, -1, -1)
        out = F.grid_sample(batch, grids, name, "zeros", align_corners=False)
        if fill is None:
            return out
        inside, out = out[:, c:], out[:, :c]
        colors = list(fill) if isinstance(fill, list | tuple) else [float(fill)]
        color = tensor(colors, dtype=out.dtype).view(1, -1, 1, 1)
        if name == "nearest":
            return torch.where(inside < 0.5, color, out)
        return out * inside + (1.0 - inside) * color

    return _as_floats(sampled, img)


def _middle(img: Any, center: Any) -> list[float]:
    """A center, counted from the picture's middle."""
    if center is None:
        return [0.0, 0.0]
    _, h, w = get_dimensions(img)
    return [c - s * 0.5 for c, s in zip(center, (w, h), strict=True)]


@_on_tensors
def affine(
    img: Any, angle: float, translate: Any, scale: float, shear: Any,
    interpolation: Any = InterpolationMode.NEAREST, fill: Any = None, center: Any = None,
) -> Any:  # fmt: skip
    """Turned, sheared, scaled and moved around the middle."""
    if not isinstance(translate, list | tuple):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    shear = [shear, 0.0] if isinstance(shear, int | float) else list(shear)
    shear = shear * 2 if len(shear) == 1 else shear
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    moved = [float(t) for t in translate]
    matrix = _inverse(_middle(img, center), angle, moved, scale, shear)
    return _mapped(img, matrix, interpolation, fill)


@_on_tensors
def rotate(
    img: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
    center: Any = None, fill: Any = None,
) -> Any:  # fmt: skip
    """Turned counter-clockwise; `expand` makes room for all of the picture."""
    matrix = _inverse(_middle(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = _room(matrix, *img.shape[-2:]) if expand else None
    return _mapped(img, matrix, interpolation, fill, size)


def _room(matrix: list[float], h: int, w: int) -> tuple[int, int]:
    """(height, width) of a turned picture."""
    corners = [(sx * 0.5 * w, sy * 0.5 * h) for sx in (-1, 1) for sy in (-1, 1)]
    xs = [matrix[0] * x + matrix[1] * y + matrix[2] + w * 0.5 for x, y in corners]
    ys = [matrix[3] * x + matrix[4] * y + matrix[5] + h * 0.5 for x, y in corners]
    tolerance = 1e-4
    found = []
    for v in (ys, xs):
        low, high = (math.trunc(b / tolerance) * tolerance for b in (min(v), max(v)))
        found.append(math.ceil(round(high, 6)) - math.floor(round(low, 6)))
    return found[0], found[1]


# --- filters and histograms -----------------------------------------------------------------------


def _line(size: int, sigma: float) -> Any:
    x = torch.linspace(-(size - 1) * 0.5, (size - 1) * 0.5, size)
    pdf = torch.exp(-0.5 * (x / sigma).pow(2))
    return pdf / pdf.sum()


@_on_tensors
def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Convolved with a normal density of `sigma` pixels (x, y)."""
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    sizes = sizes * 2 if len(sizes) == 1 else sizes
    for k in sizes:
        if k % 2 == 0 or k < 0:
            raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    if sigma is None:
        sigma = [k * 0.15 + 0.35 for k in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, int | float) else [float(s) for s in sigma]
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    for s in sigmas:
        if s <= 0.0:
            raise ValueError(f"sigma should have positive values. Got {sigmas}")
    kernel = torch.mm(_line(sizes[1], sigmas[1])[:, None], _line(sizes[0], sigmas[0])[None, :])
    sides = [sizes[0] // 2, sizes[0] // 2, sizes[1] // 2, sizes[1] // 2]

    def blurred(batch: Any) -> Any:
        c = batch.shape[1]
        weight = kernel.to(batch.dtype).expand(c, 1, *kernel.shape)
        return F.conv2d(F.pad(batch, sides, mode="reflect"), weight, groups=c)

    return _as_floats(blurred, img)


@_on_tensors
def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """0 is blurred, 1 the picture, 2 sharper."""
    _not_negative("sharpness_factor", sharpness_factor)
    if min(img.shape[-2:]) <= 2:
        return img

    def smoothed(batch: Any) -> Any:
        c = batch.shape[1]
        kernel = tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=batch.dtype) / 13
        return F.conv2d(batch, kernel.expand(c, 1, 3, 3), groups=c)

    blurred = img.clone()
    blurred[..., 1:-1, 1:-1] = _as_floats(smoothed, img)
    return _blend(img, blurred, sharpness_factor)


@_on_tensors
def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain * x ** gamma, of values in [0, 1]."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    top = _top(img.dtype)
    x = img if img.is_floating_point() else img.to(_dtype.float32) / top
    out = (gain * x**gamma).clamp(0, 1)
    return out if img.is_floating_point() else (out * (top + 1.0 - 1e-3)).to(img.dtype)


@_on_tensors
def autocontrast(img: Any) -> Any:
    """Each channel stretched to the whole range."""
    top = _top(img.dtype)
    x = img if img.is_floating_point() else img.to(_dtype.float32)
    low, high = x.amin((-2, -1), keepdim=True), x.amax((-2, -1), keepdim=True)
    flat = high == low
    scale = torch.where(flat, 1.0, top / torch.where(flat, 1.0, high - low))
    return ((x - torch.where(flat, 0.0, low)) * scale).clamp(0, top).to(img.dtype)


def _only_bytes(img: Any) -> None:
    if img.dtype is not _UINT8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")


@_on_tensors
def equalize(img: Any) -> Any:
    """Each channel's histogram made flat."""
    _only_bytes(img)
    channels = img.reshape(-1, img.shape[-2] * img.shape[-1])
    return torch.stack([_equalized(c) for c in channels.unbind(0)]).view(img.shape)


def _equalized(channel: Any) -> Any:
    histogram = torch.bincount(channel, minlength=256)
    last = histogram[int(channel.max())]
    step = torch.div(channel.numel() - last, 255, rounding_mode="floor")
    safe = torch.where(step == 0, 1, step)
    half = torch.div(safe, 2, rounding_mode="floor")
    table = torch.div(histogram.cumsum(0) + half, safe, rounding_mode="floor")
    table = F.pad(table, [1, 0])[:-1].clamp(0, 255).to(_UINT8)
    return torch.where(step == 0, channel, table[channel.to(_dtype.int64)])


@_on_tensors
def posterize(img: Any, bits: int) -> Any:
    """Only the highest `bits` bits of each byte."""
    _only_bytes(img)
    return img & (256 - 2 ** (8 - bits))


@_on_tensors
def solarize(img: Any, threshold: float) -> Any:
    """What is at least as light as the threshold, inverted."""
    if threshold > _top(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return torch.where(img >= threshold, invert(img), img)


# --- several crops --------------------------------------------------------------------------------


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The corners and the middle."""
    both = [size] * 2 if isinstance(size, int) else list(size)
    height, width = both * 2 if len(both) == 1 else both
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(
            f"Requested crop size {(height, width)} is bigger than input size {(h, w)}"
        )
    corners = [(t, le) for t in (0, h - height) for le in (0, w - width)]
    return (*(crop(img, t, le, height, width) for t, le in corners),
            center_crop(img, [height, width]))  # fmt: skip


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the picture and of its mirror image."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)
