"""Range checks of indices that are still host data: no wait, and torch's error at the user's
line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST = 1 << 16  # elements that are worth a look per call


def out_of_range(indices: Any, count: int, ignore: int | None = None) -> int | None:
    """An index outside [0, count), if the values are at hand and few; None otherwise."""
    value = indices._value
    array = value.array
    if type(array) is not np.ndarray or not 0 < array.size <= _MOST:
        return None
    if value.top is None and array.dtype.kind == "i":
        # as unsigned, a negative one is a very large one; the same batch may come back every epoch
        value.top = int(array.view(f"u{array.itemsize}").max())
    if value.top is not None and value.top < count:
        return None
    wrong = array[(array < 0) | (array >= count)]
    wrong = wrong if ignore is None else wrong[wrong != ignore]
    return int(wrong.flat[0]) if wrong.size else None


def check_lookup(indices: Any, count: int) -> None:
    """torch's error of an embedding."""
    if out_of_range(indices, count) is not None:
        raise IndexError("index out of range in self")


def check_target(target: Any, classes: int, ignore: int) -> None:
    """torch's error of a loss over classes."""
    wrong = out_of_range(target, classes, ignore)
    if wrong is not None:
        raise IndexError(f"Target {wrong} is out of bounds.")
