"""torchvision's functions of pictures, first half: conversions, crops, sizes, colours.

Tensors are (..., C, H, W); Pillow's pictures go by way of arrays.
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from ..._engine import dtype as _dtype
from ...creation import from_numpy
from ...distributions._names import F, torch
from ...tensor import Tensor
from .._image import from_array, is_picture


class InterpolationMode(enum.Enum):
    """How pixels between pixels are made."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def pil_to_tensor(pic: Any) -> Any:
    """A picture as bytes (C, H, W)."""
    array = np.asarray(pic)
    array = array[..., None] if array.ndim == 2 else array
    return from_numpy(np.array(array.transpose(2, 0, 1)))


def to_tensor(pic: Any) -> Any:
    """A picture or an (H, W, C) array as floats (C, H, W); bytes become [0, 1]."""
    if not (is_picture(pic) or isinstance(pic, np.ndarray)):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if isinstance(pic, np.ndarray) and pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    t = pil_to_tensor(pic)
    return t.to(_dtype.get_default_dtype()).div(255) if t.dtype is _dtype.NAMES["uint8"] else t


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or an array (H, W, C) as a picture."""
    if mode is not None:
        raise NotImplementedError("to_pil_image(mode=...): call .convert(mode) on the picture.")
    if isinstance(pic, Tensor):
        t = pic.unsqueeze(0) if pic.dim() == 2 else pic
        if t.dim() != 3:
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.dim()} dimensions.")
        t = t.mul(255).to(_dtype.NAMES["uint8"]) if t.is_floating_point() else t
        pic = t.cpu().numpy().transpose(1, 2, 0)
    array = np.asarray(pic)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return from_array(array.astype(np.uint8))


def _on_tensors(f: Any) -> Any:
    """`f` of tensors, also for pictures."""

    def g(img: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(img, Tensor):
            return f(img, *args, **kwargs)
        if not is_picture(img):
            raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
        return to_pil_image(f(pil_to_tensor(img), *args, **kwargs))

    g.__name__, g.__doc__ = f.__name__, f.__doc__
    return g


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    if isinstance(img, Tensor):
        return [img.shape[-3] if img.dim() > 2 else 1, *img.shape[-2:]]
    width, height = img.size
    return [len(img.mode), height, width]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    _, height, width = get_dimensions(img)
    return [width, height]


def convert_image_dtype(image: Any, dtype: Any = _dtype.float32) -> Any:
    """Another dtype, with values stretched to its range."""
    if image.dtype is dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        return image.mul(_dtype.iinfo(dtype).max + 1.0 - 1e-3).to(dtype)
    top = _dtype.iinfo(image.dtype).max
    if dtype.is_floating_point:
        return image.to(dtype) / top
    wide = _dtype.iinfo(dtype).max
    if top > wide:
        return torch.div(image, (top + 1) // (wide + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((wide + 1) // (top + 1))


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """(x - mean) / std by channel."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.dim() < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tensor.size()}"
        )
    shape = (-1, 1, 1)
    m, s = (from_numpy(np.array(v, tensor.dtype.np)).to(tensor.device) for v in (mean, std))
    if 0 in np.ravel(std):
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, leading to "
            "division by zero."
        )
    m, s = (v.view(shape) if v.dim() else v for v in (m, s))
    return tensor.sub_(m).div_(s) if inplace else (tensor - m) / s


def _target(size: Any, height: int, width: int, max_size: int | None) -> list[int]:
    if not isinstance(size, int) and len(size) == 2:
        return list(size)
    short = size if isinstance(size, int) else size[0]
    long = int(short * max(height, width) / min(height, width))
    if max_size is not None and long > max_size:
        short, long = int(max_size * short / long), max_size
    return [short, long] if height <= width else [long, short]


@_on_tensors
def resize(
    img: Any, size: Any, interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None, antialias: bool | None = True,
) -> Any:  # fmt: skip
    """Another size; a single number is that of the shorter side."""
    mode = InterpolationMode(interpolation) if isinstance(interpolation, str) else interpolation
    mode = {
        0: InterpolationMode.NEAREST,
        2: InterpolationMode.BILINEAR,
        3: InterpolationMode.BICUBIC,
    }.get(mode, mode)
    _, height, width = get_dimensions(img)
    new = _target(size, height, width, max_size)
    if [height, width] == new:
        return img
    smooth = mode in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    batch = img.reshape(-1, *img.shape[-3:])
    exact = batch if batch.is_floating_point() else batch.to(_dtype.float32)
    options = {"align_corners": False, "antialias": bool(antialias)} if smooth else {}
    out = F.interpolate(exact, size=new, mode=mode.value, **options)
    if not batch.is_floating_point():
        out = out.round().clamp(0, 255).to(batch.dtype)
    return out.reshape(*img.shape[:-2], *new)


@_on_tensors
def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part; what lies outside of the picture is 0."""
    _, h, w = get_dimensions(img)
    bottom, right = top + height, left + width
    out = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if min(top, left) < 0 or bottom > h or right > w:
        low = (max(min(right, 0) - left, 0), max(min(bottom, 0) - top, 0))
        sides = [low[0], max(right - max(w, left), 0), low[1], max(bottom - max(h, top), 0)]
        out = F.pad(out, sides)
    return out


@_on_tensors
def pad(img: Any, padding: Any, fill: float = 0, padding_mode: str = "constant") -> Any:
    """A frame: one number, [left/right, top/bottom], or [left, top, right, bottom]."""
    p = [padding] * 4 if isinstance(padding, int) else list(padding)
    p = p * 4 if len(p) == 1 else [*p, *p] if len(p) == 2 else p
    sides = [p[0], p[2], p[1], p[3]]
    if padding_mode == "constant":
        return F.pad(img, sides, value=fill)
    mode = {"edge": "replicate", "reflect": "reflect", "symmetric": None}[padding_mode]
    if mode is None:
        raise NotImplementedError("pad(padding_mode='symmetric'): use 'reflect' or 'edge'.")
    exact = img.to(_dtype.float32) if not img.is_floating_point() else img
    return F.pad(exact.unsqueeze(0), sides, mode=mode).squeeze(0).to(img.dtype)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle; 0 around a picture that is smaller."""
    size = [output_size] * 2 if isinstance(output_size, int) else list(output_size)
    height, width = size * 2 if len(size) == 1 else size
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        x, y = max(width - w, 0), max(height - h, 0)
        img = pad(img, [x // 2, y // 2, (x + 1) // 2, (y + 1) // 2])
        _, h, w = get_dimensions(img)
    return crop(img, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def resized_crop(
    img: Any, top: int, left: int, height: int, width: int, size: Any,
    interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True,
) -> Any:  # fmt: skip
    """A part, resized."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


@_on_tensors
def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    return img.flip(-1)


@_on_tensors
def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    return img.flip(-2)


@_on_tensors
def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Luma by ITU-R 601, in one channel or three equal ones."""
    if img.shape[-3] == 3:
        r, g, b = img.unbind(-3)
        img = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(-3)
    return img.expand(*img.shape[:-3], 3, *img.shape[-2:]) if num_output_channels == 3 else img


to_grayscale = rgb_to_grayscale


def _blend(a: Any, b: Any, ratio: float) -> Any:
    top = 1.0 if a.is_floating_point() else 255
    ratio = float(ratio)  # a whole number would multiply bytes as bytes
    return (ratio * a + (1.0 - ratio) * b).clamp(0, top).to(a.dtype)


def _not_negative(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


@_on_tensors
def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 is black, 1 the picture."""
    _not_negative("brightness_factor", brightness_factor)
    return _blend(img, torch.zeros_like(img), brightness_factor)


@_on_tensors
def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 is the mean gray, 1 the picture."""
    _not_negative("contrast_factor", contrast_factor)
    gray = rgb_to_grayscale(img)
    gray = gray if gray.is_floating_point() else gray.to(_dtype.float32)
    return _blend(img, gray.mean(dim=(-3, -2, -1), keepdim=True), contrast_factor)


@_on_tensors
def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 is gray, 1 the picture."""
    _not_negative("saturation_factor", saturation_factor)
    return img if img.shape[-3] == 1 else _blend(img, rgb_to_grayscale(img), saturation_factor)


@_on_tensors
def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn the colours by `hue_factor` of the circle, -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if img.shape[-3] == 1:
        return img
    x = convert_image_dtype(img, _dtype.float32)
    high, low = x.amax(-3), x.amin(-3)
    spread = high - low
    safe = torch.where(spread == 0, 1.0, spread)
    r, g, b = ((high - c) / safe for c in x.unbind(-3))
    hue = torch.where(
        high == x[..., 0, :, :], b - g, torch.where(high == x[..., 1, :, :], 2 + r - b, 4 + g - r)
    )
    hue = ((hue / 6 + 1) % 1 + hue_factor) % 1
    saturation = spread / torch.where(high == 0, 1.0, high)
    parts = []
    for shift in (5.0, 3.0, 1.0):
        k = (shift + hue * 6) % 6
        parts.append(high - high * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return convert_image_dtype(torch.stack(parts, -3), img.dtype)


@_on_tensors
def invert(img: Any) -> Any:
    """Light and dark exchanged."""
    return (1.0 if img.is_floating_point() else 255) - img


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """A rectangle filled with `v`."""
    out = img if inplace else img.clone()
    out[..., i : i + h, j : j + w] = v
    return out
