"""The data-parallel region: one module call on every device of a mesh, under `jax.pmap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._engine import executor, recorder, region
from .._engine.backward import Dual, modes
from .._engine.device import Place, accelerators, cpu_device, mesh_place
from .._engine.replica import replica_axis
from .._engine.value import Value, aval
from .._gate import wrap

AXIS = "replica"


def local_devices(kind: str) -> tuple[Any, ...]:
    """JAX's devices of a torch device type, in order."""
    return (
        accelerators()
        if kind == "cuda"
        else tuple(jax.local_devices(backend=cpu_device().platform))
    )


def replicated(devices: tuple[Any, ...], dev: Any) -> Place:
    """The place of an array that every one of these devices holds whole."""
    return mesh_place(dev, NamedSharding(Mesh(devices, (AXIS,)), PartitionSpec()))


def replicate(t: Any, place: Place) -> None:
    """Put a tensor's storage on every device of the mesh, so that no step has to send it."""
    storage = t._storage
    value = storage.value
    if value.aval.place is place:
        return
    array = executor.to_device(recorder.concrete(value, "DataParallel"), place.sharding)
    storage.value = Value(aval(value.aval.shape, value.aval.dtype, place), array)


def run_replicas(
    call: Callable[[list[Any]], Any], batch: list[Any], devices: tuple[Any, ...], place: Place
) -> list[Any]:
    """`call` on equal slices of the batch tensors, one per device; returns the joined results.

    `call` takes the tensors of one replica and returns a list of result tensors.
    """
    n = len(devices)
    duals: list[Dual] = [(t._value, t._edge() if modes.grad else None) for t in batch]
    slices = [
        aval((v.aval.shape[0] // n, *v.aval.shape[1:]), v.aval.dtype, v.aval.place)
        for v, _ in duals
    ]

    tracked: list[bool] = []

    def fn(placeholders: list[Value]) -> list[Value]:
        inputs = [wrap(v) for v in placeholders]
        for new, (_, edge) in zip(inputs, duals, strict=True):
            new._req = edge is not None
        returned = call(inputs)
        tracked.extend(r._edge() is not None for r in returned)
        return [r._value for r in returned]

    recorded = region.record(fn, slices, place)
    results = len(recorded.results)

    def wrapper(run: Callable[..., Any]) -> Callable[..., Any]:
        count = len(slices)

        def replica(*flat: Any) -> tuple[Any, ...]:
            with replica_axis(AXIS):
                return run(*flat)  # type: ignore[no-any-return]

        def spread(*flat: Any) -> tuple[Any, ...]:
            parts = [x.reshape(n, x.shape[0] // n, *x.shape[1:]) for x in flat[:count]]
            axes = (0,) * count + (None,) * (len(flat) - count)
            replicas = jax.pmap(replica, axis_name=AXIS, in_axes=axes, devices=devices)
            outs = replicas(*parts, *flat[count:])
            joined = [o.reshape(-1, *o.shape[2:]) if o.ndim > 1 else o for o in outs[:results]]
            # Buffers: torch keeps what the first replica wrote.
            return (*joined, *(o[0] for o in outs[results:]))

        return spread

    kind = (n, tuple(d.id for d in devices))
    found = region.call_region("data_parallel", kind, wrapper, recorded, duals, place)
    return [wrap(v, e if t else None) for (v, e), t in zip(found, tracked, strict=True)]
