"""Utilities around training: data loading, activation checkpointing, timing, logging."""

from . import _pytree as _pytree
from . import benchmark as benchmark
from . import checkpoint as checkpoint
from . import data as data
from . import dlpack as dlpack
from ._swap import swap_tensors as swap_tensors
