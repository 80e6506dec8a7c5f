"""Functions of pictures under the names of torchvision's second version."""

from __future__ import annotations

from typing import Any

from ...._engine import dtype as _dtype
from ....tensor import Tensor
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype, get_dimensions, hflip, pil_to_tensor, vflip

horizontal_flip, vertical_flip = hflip, vflip


def get_size(inpt: Any) -> list[int]:
    """[height, width]."""
    return get_dimensions(inpt)[1:]


def get_num_channels(inpt: Any) -> int:
    """The number of channels."""
    return get_dimensions(inpt)[0]


def to_image(inpt: Any) -> Any:
    """A picture or an (H, W, C) array as a tensor (C, H, W); tensors stay.

    Differs from torchvision: an ordinary tensor, as there are no `tv_tensors`.
    """
    if isinstance(inpt, Tensor):
        return inpt
    return pil_to_tensor(inpt)


def to_dtype(inpt: Any, dtype: Any = _dtype.float32, scale: bool = False) -> Any:
    """Another dtype; `scale`: with values stretched to its range."""
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)
