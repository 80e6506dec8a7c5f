"""Transforms that change values: conversions, normalisation, colours, erasing."""

from __future__ import annotations

import math
from typing import Any

from ..._engine import dtype as _dtype
from ...distributions._names import torch
from . import functional as F
from ._geometry import _below, _Shown, _uniform

__all__ = [
    "ColorJitter", "ConvertImageDtype", "Grayscale", "Normalize", "PILToTensor", "RandomErasing",
    "RandomGrayscale", "RandomInvert", "ToPILImage", "ToTensor",
]  # fmt: skip


class ToTensor:
    """A picture as floats in [0, 1]."""

    def __call__(self, pic: Any) -> Any:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """A picture as bytes."""

    def __call__(self, pic: Any) -> Any:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A tensor as a picture."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return "ToPILImage()" if self.mode is None else f"ToPILImage(mode={self.mode})"


class ConvertImageDtype(_Shown):
    """Another dtype, with values stretched to its range."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Any) -> Any:
        """Converted."""
        return F.convert_image_dtype(image, self.dtype)


class Normalize(_Shown):
    """(x - mean) / std by channel."""

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Any) -> Any:
        """Normalised."""
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Grayscale(_Shown):
    """Gray, in one channel or three."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        """Gray."""
        return F.rgb_to_grayscale(img, self.num_output_channels)


class RandomGrayscale(_Shown):
    """Gray with probability p."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """The picture, or it in gray."""
        channels = F.get_dimensions(img)[0]
        return F.rgb_to_grayscale(img, channels) if torch.rand(1) < self.p else img


class RandomInvert(_Shown):
    """A negative with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """The picture, or its negative."""
        return F.invert(img) if torch.rand(1) < self.p else img


def _range(
    value: Any, name: str, center: float = 1.0, low: float = 0.0, high: float = math.inf
) -> Any:
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        value = [center - value, center + value]
        value[0] = max(value[0], 0.0) if center == 1 else value[0]
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{name} values should be between {(low, high)}, but got {value}.")
    return None if value[0] == value[1] == center else tuple(map(float, value))


class ColorJitter(_Shown):
    """Brightness, contrast, saturation and hue changed at random, in a random order."""

    def __init__(
        self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0
    ) -> None:
        super().__init__()
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", 0, -0.5, 0.5)

    def forward(self, img: Any) -> Any:
        """Changed."""
        order = torch.randperm(4).tolist()
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [None if r is None else _uniform(*r) for r in ranges]
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order:
            if factors[i] is not None:
                img = steps[i](img, factors[i])
        return img


class RandomErasing(_Shown):
    """A rectangle of a tensor filled, with probability p."""

    def __init__(
        self, p: float = 0.5, scale: Any = (0.02, 0.33), ratio: Any = (0.3, 3.3), value: Any = 0,
        inplace: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    def forward(self, img: Any) -> Any:
        """Erased, or as it was."""
        if not torch.rand(1) < self.p:
            return img
        c, h, w = img.shape[-3:]
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        for _ in range(10):
            area = h * w * _uniform(self.scale[0], self.scale[1])
            aspect = float(torch.exp(torch.empty(1).uniform_(low, high)))
            eh, ew = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if eh >= h or ew >= w:
                continue
            value = self._fill(c, eh, ew)
            top = _below(h - eh + 1)
            return F.erase(img, top, _below(w - ew + 1), eh, ew, value, self.inplace)
        return img

    def _fill(self, c: int, h: int, w: int) -> Any:
        if self.value == "random":
            return torch.empty((c, h, w), dtype=_dtype.float32).normal_()
        if isinstance(self.value, int | float):
            return float(self.value)
        return torch.empty(0).new_tensor(list(self.value)).view(-1, 1, 1)
