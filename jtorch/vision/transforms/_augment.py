"""Transforms that filter and augment: affine maps, blurs, RandAugment, TrivialAugment."""

from __future__ import annotations

import math
from typing import Any

from ...distributions._names import torch
from ...tensor import Tensor
from . import functional as F
from ._geometry import _below, _Shown, _uniform
from .functional import InterpolationMode

__all__ = [
    "GaussianBlur", "RandAugment", "RandomAdjustSharpness", "RandomAffine", "RandomAutocontrast",
    "RandomEqualize", "RandomPosterize", "RandomSolarize", "TenCrop", "TrivialAugmentWide",
]  # fmt: skip


def _filled(fill: Any, img: Any) -> Any:
    """`fill` as a list of floats, one for each channel of a tensor."""
    if not isinstance(img, Tensor):
        return fill
    if isinstance(fill, int | float):
        return [float(fill)] * F.get_dimensions(img)[0]
    return None if fill is None else [float(f) for f in fill]


class TenCrop(_Shown):
    """The corners and the middle, of the picture and its mirror image."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size, self.vertical_flip = size, vertical_flip

    def forward(self, img: Any) -> Any:
        """Ten pictures."""
        return F.ten_crop(img, self.size, self.vertical_flip)


class GaussianBlur(_Shown):
    """Blurred, with a deviation of a range."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        for k in size:
            if k <= 0 or k % 2 == 0:
                raise ValueError("Kernel size value should be an odd and positive number.")
        self.kernel_size = size
        self.sigma = (sigma, sigma) if isinstance(sigma, int | float) else tuple(sigma)
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")

    def forward(self, img: Any) -> Any:
        """Blurred."""
        sigma = _uniform(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])


def _angles(x: Any) -> Any:
    return [-float(x), float(x)] if isinstance(x, int | float) else [float(a) for a in x]


class RandomAffine(_Shown):
    """Turned, moved, scaled and sheared by amounts of ranges."""

    def __init__(
        self, degrees: Any, translate: Any = None, scale: Any = None, shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST, fill: Any = 0, center: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if translate is not None and any(not 0.0 <= t <= 1.0 for t in translate):
            raise ValueError("translation values should be between 0 and 1")
        if scale is not None and any(s <= 0 for s in scale):
            raise ValueError("scale values should be positive")
        self.degrees, self.translate, self.scale = _angles(degrees), translate, scale
        self.shear = None if shear is None else _angles(shear)
        self.interpolation, self.fill, self.center = interpolation, fill or 0, center

    @staticmethod
    def get_params(
        degrees: Any, translate: Any, scale_ranges: Any, shears: Any, img_size: Any
    ) -> tuple[float, Any, float, Any]:
        """(angle, translation, scale, shear), drawn; `img_size` is (width, height)."""
        angle, moved, scale, shear = _uniform(*degrees), (0, 0), 1.0, [0.0, 0.0]
        if translate is not None:
            limits = [float(t * s) for t, s in zip(translate, img_size, strict=True)]
            moved = tuple(round(_uniform(-m, m)) for m in limits)  # type: ignore[assignment]
        if scale_ranges is not None:
            scale = _uniform(*scale_ranges)
        if shears is not None:
            shear[0] = _uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear[1] = _uniform(shears[2], shears[3])
        return angle, moved, scale, tuple(shear)

    def forward(self, img: Any) -> Any:
        """Mapped."""
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, (width, height)
        )
        return F.affine(
            img, *drawn, interpolation=self.interpolation, fill=_filled(self.fill, img),
            center=self.center,
        )  # fmt: skip


class _Sometimes(_Shown):
    """A function of the picture with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def _changed(self, img: Any) -> Any:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        """Changed, or not."""
        return self._changed(img) if torch.rand(1).item() < self.p else img


class RandomAutocontrast(_Sometimes):
    """Each channel stretched to the whole range, with probability p."""

    def _changed(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(_Sometimes):
    """Each channel's histogram made flat, with probability p."""

    def _changed(self, img: Any) -> Any:
        return F.equalize(img)


class RandomSolarize(_Sometimes):
    """Light parts inverted, with probability p."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _changed(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)


class RandomPosterize(_Sometimes):
    """Fewer bits, with probability p."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _changed(self, img: Any) -> Any:
        return F.posterize(img, self.bits)


class RandomAdjustSharpness(_Sometimes):
    """Sharper or softer, with probability p."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _changed(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)


def _sheared(img: Any, shear: list[float], interpolation: Any, fill: Any) -> Any:
    degrees = [math.degrees(math.atan(s)) for s in shear]
    return F.affine(img, 0.0, [0, 0], 1.0, degrees, interpolation, fill, center=[0, 0])


_CHANGES: dict[str, Any] = {
    "Identity": lambda img, m, i, f: img,
    "ShearX": lambda img, m, i, f: _sheared(img, [m, 0.0], i, f),
    "ShearY": lambda img, m, i, f: _sheared(img, [0.0, m], i, f),
    "TranslateX": lambda img, m, i, f: F.affine(img, 0.0, [int(m), 0], 1.0, [0.0, 0.0], i, f),
    "TranslateY": lambda img, m, i, f: F.affine(img, 0.0, [0, int(m)], 1.0, [0.0, 0.0], i, f),
    "Rotate": lambda img, m, i, f: F.rotate(img, m, i, fill=f),
    "Brightness": lambda img, m, i, f: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda img, m, i, f: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda img, m, i, f: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda img, m, i, f: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda img, m, i, f: F.posterize(img, int(m)),
    "Solarize": lambda img, m, i, f: F.solarize(img, m),
    "AutoContrast": lambda img, m, i, f: F.autocontrast(img),
    "Equalize": lambda img, m, i, f: F.equalize(img),
}
_SIGNED = {
    "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness",
}  # fmt: skip
_UNMEASURED = {"Identity", "AutoContrast", "Equalize"}


def _levels(limits: tuple[float, ...], bits: int, n: int) -> dict[str, Any]:
    """Magnitudes from none to the limit in n steps, for each change that has one."""
    names = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
             "Contrast", "Sharpness")  # fmt: skip
    found: dict[str, Any] = {
        k: torch.linspace(0.0, v, n) for k, v in zip(names, limits, strict=True)
    }
    found["Posterize"] = 8 - (torch.arange(n) / ((n - 1) / bits)).round().int()
    found["Solarize"] = torch.linspace(255.0, 0.0, n)
    return found


class _Augment(_Shown):
    """What draws one change and its direction."""

    def _backwards(self) -> bool:
        """Whether a change goes the other way."""
        return bool(_below(2))

    def _changed(self, img: Any, name: str, magnitude: float) -> Any:
        if name in _SIGNED and self._backwards():
            magnitude = -magnitude
        return _CHANGES[name](img, magnitude, self.interpolation, _filled(self.fill, img))


class RandAugment(_Augment):
    """Several changes, drawn, of one magnitude: Cubuk et al. (2020)."""

    def __init__(
        self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST, fill: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_ops, self.magnitude = num_ops, magnitude
        self.num_magnitude_bins, self.interpolation = num_magnitude_bins, interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        """Changed."""
        _, height, width = F.get_dimensions(img)
        x, y = 150.0 / 331.0 * width, 150.0 / 331.0 * height
        limits = (0.3, 0.3, x, y, 30.0, 0.9, 0.9, 0.9, 0.9)
        levels = _levels(limits, 4, self.num_magnitude_bins)
        for _ in range(self.num_ops):
            name = list(_CHANGES)[_below(len(_CHANGES))]
            known = name not in _UNMEASURED
            magnitude = float(levels[name][self.magnitude]) if known else 0.0
            img = self._changed(img, name, magnitude)
        return img


class TrivialAugmentWide(_Augment):
    """One change of one magnitude, both drawn: Müller and Hutter (2021)."""

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_magnitude_bins, self.interpolation = num_magnitude_bins, interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        """Changed."""
        limits = (0.99, 0.99, 32.0, 32.0, 135.0, 0.99, 0.99, 0.99, 0.99)
        levels = _levels(limits, 6, self.num_magnitude_bins)
        name, magnitude = list(_CHANGES)[_below(len(_CHANGES))], 0.0
        if name not in _UNMEASURED:
            magnitude = float(levels[name][_below(self.num_magnitude_bins)])
        return self._changed(img, name, magnitude)
