"""`nn.parallel.DistributedDataParallel` for the one process that jtorch runs in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .. import distributed
from ..nn.module import Module


class DistributedDataParallel(Module):
    """The module of this process; with one process there is nobody to exchange gradients with.

    `state_dict` keys begin with `module.`, as in torch. To use several devices: `nn.DataParallel`.
    """

    def __init__(
        self, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
        broadcast_buffers: bool = True, init_sync: bool = True, process_group: Any = None,
        bucket_cap_mb: Any = None, find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False, static_graph: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if kwargs:
            raise NotImplementedError(
                f"DistributedDataParallel({next(iter(kwargs))}=...) steers the exchange between "
                "processes; jtorch runs in one process: leave it out."
            )
        distributed.get_world_size(process_group)  # torch's error before init_process_group
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError(
                "device_ids can only be None or contain a single element, but got "
                f"{list(device_ids)}."
            )
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.module, self.dim, self.device_ids = module, dim, device_ids
        self.output_device, self.process_group = output_device, process_group
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's output."""
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Accumulate gradients without exchanging them."""
        old, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = old
