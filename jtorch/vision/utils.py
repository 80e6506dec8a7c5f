"""`make_grid` and `save_image`: batches of pictures as one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..distributions._names import torch
from ..tensor import Tensor
from ..utils.tensorboard._summary import png
from ._image import pillow

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False, value_range: Any = None,
    scale_each: bool = False, pad_value: float = 0.0,
) -> Any:  # fmt: skip
    """Pictures (B, C, H, W), or a list of them, beside and below each other."""
    if isinstance(tensor, list):
        tensor = torch.stack(tensor, dim=0)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    t = _as_batch(tensor)
    if normalize:
        t = _normalized(t.clone(), value_range, scale_each)
    if t.size(0) == 1:
        return t.squeeze(0)
    columns = min(nrow, t.size(0))
    rows = math.ceil(t.size(0) / columns)
    height, width = t.size(2) + padding, t.size(3) + padding
    shape = (t.size(1), height * rows + padding, width * columns + padding)
    grid = t.new_full(shape, pad_value)
    for k in range(t.size(0)):
        y, x = (k // columns) * height + padding, (k % columns) * width + padding
        grid[:, y : y + t.size(2), x : x + t.size(3)] = t[k]
    return grid


def _as_batch(t: Any) -> Any:
    if t.dim() == 2:
        t = t.unsqueeze(0)
    if t.dim() == 3:
        t = torch.cat((t, t, t), 0) if t.size(0) == 1 else t
        t = t.unsqueeze(0)
    return torch.cat((t, t, t), 1) if t.dim() == 4 and t.size(1) == 1 else t


def _normalized(t: Any, value_range: Any, scale_each: bool) -> Any:
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError(
            "value_range has to be a tuple (min, max) if specified. min and max are numbers"
        )
    if scale_each:
        return torch.stack([_normalized(x, value_range, False) for x in t])
    low, high = value_range or (float(t.min()), float(t.max()))
    return t.clamp(min=low, max=high).sub(low).div(max(high - low, 1e-5))


def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """A picture, or a batch as a grid, into a file.  PNG files need no Pillow."""
    grid = make_grid(tensor, **kwargs).mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0)
    array = grid.cpu().detach().numpy().astype(np.uint8)
    is_png = (format or str(getattr(fp, "name", fp)).rpartition(".")[2]).lower() == "png"
    image = pillow()
    if image is not None:
        image.fromarray(array).save(fp, format=format)
        return
    if not is_png:
        raise ModuleNotFoundError(
            "save_image writes only PNG files without Pillow: pip install pillow"
        )
    if hasattr(fp, "write"):
        fp.write(png(array))
        return
    with open(fp, "wb") as f:
        f.write(png(array))
