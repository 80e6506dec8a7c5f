"""Pictures outside of tensors: Pillow's where it is installed, else plain arrays."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def pillow() -> Any:
    """`PIL.Image`, or None."""
    try:
        return importlib.import_module("PIL.Image")
    except ModuleNotFoundError:
        return None


class Picture:
    """An (H, W) or (H, W, C) array of bytes with Pillow's `size` and `mode`."""

    def __init__(self, array: Array) -> None:
        self.array = array

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.array.shape[1], self.array.shape[0]

    @property
    def mode(self) -> str:
        """'L', 'LA', 'RGB' or 'RGBA'."""
        return (
            "L"
            if self.array.ndim == 2
            else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[self.array.shape[2]]
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.array if dtype is None else self.array.astype(dtype)


def from_array(array: Array) -> Any:
    """A picture of bytes."""
    image = pillow()
    array = np.ascontiguousarray(array)
    return Picture(array) if image is None else image.fromarray(array)


def is_picture(x: Any) -> bool:
    """Whether `x` is Pillow's or ours."""
    return isinstance(x, Picture) or (
        hasattr(x, "size") and hasattr(x, "mode") and hasattr(x, "convert")
    )


def open_rgb(path: str) -> Any:
    """The picture in a file, in RGB."""
    image = pillow()
    if image is None:
        raise ModuleNotFoundError(
            f"reading {path} needs Pillow: pip install pillow (or the extra jtorch-xla[examples])"
        )
    with open(path, "rb") as f:
        return image.open(f).convert("RGB")
