"""The op table: pure JAX functions and their metadata.  No Tensor, no recorder, no state."""

from . import (
    _internal,
    elementwise,
    factory,
    indexing,
    join,
    matmul,
    norm,
    random,
    reduce,
    shape,
    stats,
    strided,
)
from ._define import TABLE as TABLE

__all__ = [
    "TABLE",
    "_internal",
    "elementwise",
    "factory",
    "indexing",
    "join",
    "matmul",
    "norm",
    "random",
    "reduce",
    "shape",
    "stats",
    "strided",
]
