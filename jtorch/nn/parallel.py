"""`torch.nn.parallel`: data parallelism under the name that scripts import it by."""

from __future__ import annotations

from ..parallel import DataParallel as DataParallel
from ..parallel import data_parallel as data_parallel
from ..parallel.distributed_data_parallel import DistributedDataParallel as DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
