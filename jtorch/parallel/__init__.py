"""Many devices: DataParallel as a region under `jax.pmap`."""

from .data_parallel import DataParallel as DataParallel
from .data_parallel import data_parallel as data_parallel
