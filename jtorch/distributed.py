"""`torch.distributed` for the one process that jtorch runs in: a group of one.

One jtorch process drives all its local devices (`nn.DataParallel`), so scripts written for torchrun
run as rank 0 of 1. More processes are refused.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

__all__ = [
    "ReduceOp", "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce",
    "barrier",
    "broadcast", "broadcast_object_list", "destroy_process_group", "gather", "get_backend",
    "get_default_backend_for_device", "get_rank", "get_world_size", "group", "init_process_group",
    "is_available", "is_backend_available", "is_gloo_available", "is_initialized",
    "is_mpi_available",
    "is_nccl_available", "is_torchelastic_launched", "new_group", "reduce", "reduce_scatter_tensor",
    "scatter",
]  # fmt: skip


class ReduceOp:
    """How a reduction joins what the processes bring."""

    SUM, AVG, PRODUCT, MIN, MAX = "SUM", "AVG", "PRODUCT", "MIN", "MAX"
    BAND, BOR, BXOR = "BAND", "BOR", "BXOR"


class ProcessGroup:
    """A group that holds this process."""

    def size(self) -> int:
        """1."""
        return 1

    def rank(self) -> int:
        """0."""
        return 0


class _Group:
    WORLD: ProcessGroup | None = None


group = _Group
_backend = ""


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` has been called."""
    return group.WORLD is not None


def is_nccl_available() -> bool:
    """Whether 'nccl' may be asked for: with an accelerator, JAX brings its own."""
    from . import cuda

    return cuda.is_available()


def is_gloo_available() -> bool:
    """True: 'gloo' may be asked for."""
    return True


def is_mpi_available() -> bool:
    """False."""
    return False


def is_backend_available(backend: str) -> bool:
    """Whether a backend of that name may be asked for."""
    return backend == "gloo" or (backend == "nccl" and is_nccl_available())


def is_torchelastic_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def get_default_backend_for_device(device: Any) -> str:
    """'nccl' for accelerators, 'gloo' for the CPU."""
    from ._engine.device import device as as_device

    return "gloo" if as_device(device).type == "cpu" else "nccl"


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: timedelta | None = None,
    world_size: int = -1, rank: int = -1, store: Any = None, group_name: str = "",
    pg_options: Any = None, device_id: Any = None,
) -> None:  # fmt: skip
    """Make the group of one process; `world_size` and `rank` come from here or the environment."""
    global _backend
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    if init_method in (None, "env://") and store is None:
        rank = _from_environment("RANK") if rank < 0 else rank
        world_size = _from_environment("WORLD_SIZE") if world_size < 0 else world_size
    if world_size != 1:
        raise NotImplementedError(
            f"torch.distributed.init_process_group: world_size={world_size}. One jtorch process "
            "drives all its devices: start the script once, without torchrun, and wrap the model "
            "in nn.DataParallel."
        )
    if rank != 0:
        raise ValueError(f"rank {rank} is not in a world of size 1")
    _backend, group.WORLD = backend or "gloo", ProcessGroup()


def _from_environment(name: str) -> int:
    if name not in os.environ:
        raise ValueError(
            f"Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set"
        )
    return int(os.environ[name])


def destroy_process_group(group: Any = None) -> None:
    """Forget the group."""
    _world()
    _Group.WORLD = None


def _world(group: Any = None) -> ProcessGroup:
    if _Group.WORLD is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _Group.WORLD if group is None else group


def get_rank(group: Any = None) -> int:
    """0."""
    return _world(group).rank()


def get_world_size(group: Any = None) -> int:
    """1."""
    return _world(group).size()


def get_backend(group: Any = None) -> str:
    """The backend that was asked for."""
    _world(group)
    return _backend


def new_group(ranks: Any = None, *args: Any, **kwargs: Any) -> ProcessGroup:
    """Another group of this process."""
    _world()
    if list(ranks or [0]) != [0]:
        raise ValueError(
            "the new group's rank should be within the world_size set by init_process_group"
        )
    return ProcessGroup()


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Any:
    """Everybody is here."""
    return _done(group, async_op)


class Work:
    """A collective that is done."""

    def wait(self, timeout: Any = None) -> bool:
        """True."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True


def _done(group: Any, async_op: bool) -> Work | None:
    _world(group)
    return Work() if async_op else None


def all_reduce(
    tensor: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """One process's tensor reduced over one process: itself."""
    return _done(group, async_op)


def reduce(
    tensor: Any, dst: Any = None, op: Any = ReduceOp.SUM, group: Any = None,
    async_op: bool = False, group_dst: Any = None,
) -> Any:  # fmt: skip
    """As `all_reduce`."""
    return _done(group, async_op)


def broadcast(
    tensor: Any, src: Any = None, group: Any = None, async_op: bool = False, group_src: Any = None
) -> Any:
    """The tensor has its value already."""
    return _done(group, async_op)


def all_gather(tensor_list: Any, tensor: Any, group: Any = None, async_op: bool = False) -> Any:
    """`tensor` into the one place of the list."""
    tensor_list[0].copy_(tensor)
    return _done(group, async_op)


def all_gather_into_tensor(
    output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False
) -> Any:
    """`input_tensor` into `output_tensor`, which may have a leading dimension of 1."""
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return _done(group, async_op)


def reduce_scatter_tensor(
    output: Any, input: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Any:
    """`input` into `output`."""
    return all_gather_into_tensor(output, input, group, async_op)


def gather(
    tensor: Any, gather_list: Any = None, dst: Any = None, group: Any = None,
    async_op: bool = False, group_dst: Any = None,
) -> Any:  # fmt: skip
    """`tensor` into the one place of the list."""
    return all_gather(gather_list, tensor, group, async_op)


def scatter(
    tensor: Any, scatter_list: Any = None, src: Any = None, group: Any = None,
    async_op: bool = False, group_src: Any = None,
) -> Any:  # fmt: skip
    """The one tensor of the list into `tensor`."""
    tensor.copy_(scatter_list[0])
    return _done(group, async_op)


def all_gather_object(object_list: Any, obj: Any, group: Any = None) -> None:
    """`obj` into the one place of the list."""
    _world(group)
    object_list[0] = obj


def broadcast_object_list(
    object_list: Any, src: Any = None, group: Any = None, device: Any = None, group_src: Any = None
) -> None:
    """The objects are here already."""
    _world(group)
