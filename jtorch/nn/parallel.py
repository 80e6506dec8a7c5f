"""`torch.nn.parallel`: data parallelism under the name that scripts import it by."""

from __future__ import annotations

from ..parallel import DataParallel as DataParallel
from ..parallel import data_parallel as data_parallel
from ..parallel.distributed_data_parallel import DistributedDataParallel as DistributedDataParallel
from ..parallel.replicas import gather as gather
from ..parallel.replicas import parallel_apply as parallel_apply
from ..parallel.replicas import replicate as replicate
from ..parallel.replicas import scatter as scatter
from ..parallel.replicas import scatter_kwargs as scatter_kwargs

__all__ = [
    "DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply",
    "replicate", "scatter",
]  # fmt: skip
