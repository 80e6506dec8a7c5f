"""`nn.DataParallel`: the module as a region under `jax.pmap`, inside the fused training step."""

from __future__ import annotations

from typing import Any

from .._engine.device import device
from .._nested import fill, strip
from ..nn.module import Module
from ._replicate import local_devices, replicate, replicated, run_replicas


class DataParallel(Module):
    """Splits the batch (dimension `dim`) over the local devices and joins the outputs.

    device_ids: indices of local devices, all by default.  Gradients are summed over replicas, batch
    statistics and dropout are per replica, and buffers keep what the first replica wrote, as in
    torch. Differs from torch: on a machine without accelerators it runs on JAX's CPU devices.
    """

    def __init__(
        self, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module, self.dim = module, dim
        first = next(iter(module.parameters()), None)
        kind = "cpu" if first is None else first.device.type
        found = local_devices(kind)
        chosen = range(len(found)) if device_ids is None else [_index(d) for d in device_ids]
        self.device_ids = list(chosen)
        self.output_device = output_device
        self._devices = tuple(found[i] for i in self.device_ids)
        self._device = device("cpu") if kind == "cpu" else device("cuda", self.device_ids[0])
        if len(self._devices) > 1:
            self._place_parameters()

    def _place_parameters(self) -> None:
        place = replicated(self._devices, self._device)
        for t in (*self.module.parameters(), *self.module.buffers()):
            replicate(t, place)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's outputs for the whole batch."""
        tensors: list[Any] = []
        plan = strip((inputs, kwargs), tensors)
        sizes = {t.size(self.dim) for t in tensors}
        n = len(self._devices)
        if n < 2 or len(sizes) != 1:
            return self.module(*inputs, **kwargs)
        (size,) = sizes
        if size % n or self.dim != 0:
            return self._uneven(plan, tensors, size)
        self._place_parameters()
        return self._replicas(plan, tensors, self._devices)

    def _replicas(self, plan: Any, tensors: list[Any], devices: Any) -> Any:
        shape: list[Any] = []

        def call(replica: list[Any]) -> list[Any]:
            args, kwargs = fill(plan, replica)
            outputs: list[Any] = []
            shape.append(strip(self.module(*args, **kwargs), outputs))
            return outputs

        place = replicated(devices, self._device)
        joined = run_replicas(call, tensors, devices, place)
        return fill(shape[0], joined)

    def _uneven(self, plan: Any, tensors: list[Any], size: int) -> Any:
        """torch's chunks: all of the same size but the last."""
        chunk = -(-size // len(self._devices))
        results, rests = [], []
        for i in range(0, size, chunk):
            args, kwargs = fill(
                plan, [t.narrow(self.dim, i, min(chunk, size - i)) for t in tensors]
            )
            outputs: list[Any] = []
            rests.append(strip(self.module(*args, **kwargs), outputs))
            results.append(outputs)
        joined = [_join(parts, self.dim) for parts in zip(*results, strict=True)]
        return fill(rests[0], joined)


def _join(parts: tuple[Any, ...], dim: int) -> Any:
    from .._functions import NAMESPACES

    name = "cat" if parts[0].dim() else "stack"
    return NAMESPACES["torch"][name](parts, dim)


def _index(d: Any) -> int:
    return d if isinstance(d, int) else device(d).index or 0


def data_parallel(
    module: Any, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
    module_kwargs: Any = None,
) -> Any:  # fmt: skip
    """One data-parallel call of a module (torch.nn.parallel.data_parallel)."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    wrapped = DataParallel(module, device_ids, output_device, dim)
    return wrapped(*inputs, **(module_kwargs or {}))
