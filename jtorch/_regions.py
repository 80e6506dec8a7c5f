"""A Python function over tensors as one recorded op: what checkpoint, vmap and jvp have
in common.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ._engine import region
from ._engine.backward import Dual, Node, modes
from ._engine.device import Place, place_of
from ._engine.signature import differentiable
from ._engine.value import Aval
from ._gate import check_writable, put, wrap
from .ops import TABLE


class InputNode(Node):
    """Stands inside a region for the history that one of its inputs has outside."""

    __slots__ = ()

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        """Nothing lies behind it: the region's own gradient goes on from here."""
        return []

    def name(self) -> str:
        """A name for error messages and graphs."""
        return "RegionInputBackward"


@dataclasses.dataclass
class Region:
    """A recorded function and the tensors it is to be called on."""

    recorded: region.Recorded
    tensors: list[Any]
    duals: list[Dual]
    place: Place
    results: int  # what the function returned; then come the inputs that it wrote to
    written: list[int]
    tracked: list[bool]  # which results have a gradient

    @property
    def outputs(self) -> int:
        """Results, written inputs and writes to outside tensors."""
        return len(self.recorded.outputs())


def record(
    function: Callable[[list[Any]], list[Any]],
    tensors: list[Any],
    avals: list[Aval] | None = None,
    *,
    name: str,
    differentiate: bool = False,
) -> Region:
    """Run `function` on placeholders of `tensors` (or of `avals`) and collect what it does.

    differentiate: the inputs are variables, whether or not a gradient flows into them from outside.
    """
    duals = [(t._value, t._edge() if modes.grad else None) for t in tensors]
    place = duals[0][0].aval.place if duals else place_of(None)
    if any(v.aval.place.traced for v, _ in duals):
        raise NotImplementedError(
            f"{name} on JAX tracers: use JAX's own transformation around the function."
        )
    counts: list[int] = []
    written: list[int] = []
    tracked: list[bool] = []

    def body(placeholders: list[Any]) -> list[Any]:
        inputs = [
            _placeholder(v, edge is not None or differentiate)
            for v, (_, edge) in zip(placeholders, duals, strict=True)
        ]
        returned = function(inputs)
        _refuse_hooks(name, returned)
        tracked.extend(o._edge() is not None for o in returned)
        outputs = [o._value for o in returned]
        counts.append(len(outputs))
        for i, (t, v) in enumerate(zip(inputs, placeholders, strict=True)):
            if t._storage.value is not v:
                written.append(i)
                outputs.append(t._storage.value)
        return outputs

    shapes = [v.aval for v, _ in duals] if avals is None else avals
    recorded = region.record(body, shapes, place)
    return Region(recorded, tensors, duals, place, counts[0], written, tracked)


def _refuse_hooks(name: str, results: list[Any]) -> None:
    """JAX differentiates a region: it would pass by what hangs on the region's own nodes."""
    nodes = [e[0] for o in results if type(e := o._edge()) is tuple]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        hooks = node.hooks
        if hooks is not None and (hooks.tensor or hooks.pre or hooks.post):
            raise NotImplementedError(
                f"A hook on a tensor that is made inside {name} is not run: register it on the "
                "function's inputs or results, outside."
            )
        for e in node.edges:
            if type(e) is tuple and e[0] not in seen:
                seen.add(e[0])
                nodes.append(e[0])


def _placeholder(value: Any, variable: bool) -> Any:
    track = variable and differentiable(value.aval)
    return wrap(value, (InputNode((), (value.aval,)), 0) if track else None)


def call(
    name: str, kind: Any, wrapper: region.Wrapper, r: Region, more: list[Dual] | None = None
) -> list[Any]:
    """Record the call as one op; writes what the function wrote; returns all other results.

    The wrapped function returns the results, then the written inputs, then whatever it likes, and
    the writes to outside tensors last.  more: operands between the region's inputs and the rest.
    """
    duals = region.call_region(name, kind, wrapper, r.recorded, [*r.duals, *(more or [])], r.place)
    tensors = [wrap(v, e) for v, e in duals]
    ends = r.results + len(r.written)
    for i, new in zip(r.written, tensors[r.results : ends], strict=True):
        check_writable(r.tensors[i], TABLE["clone"])
        put(r.tensors[i], (new._value, new._edge() if modes.grad else None))
    for t, tracked in zip(tensors, r.tracked, strict=False):
        if not tracked:
            t._edge_ = None
    return tensors[: r.results] + tensors[ends:]
