"""`torch.autograd.graph`: nodes and edges, hooks on several tensors, hooks on what is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .._engine import backward
from .._engine.saved import ALWAYS, OTHERS, positions
from .._engine.value import Value
from .._gate import TensorBase, wrap
from .._tensor_autograd import AccumulateGrad as AccumulateGrad
from .._tensor_autograd import GradFn
from .grad_mode import no_grad

Node = GradFn


class GradientEdge(NamedTuple):
    """A node and which of its outputs."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Where a gradient of this tensor goes."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    fn = tensor.grad_fn
    return GradientEdge(AccumulateGrad(tensor) if fn is None else fn, tensor.output_nr)


def increment_version(tensor: Any) -> None:
    """Count a write that was done outside (in a kernel of one's own)."""
    for t in (tensor,) if isinstance(tensor, TensorBase) else tensor:
        t._storage.write(t._storage.value)


class _Handle:
    def __init__(self, handles: Sequence[Any]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take the hooks away."""
        for h in self.handles:
            h.remove()

    def __enter__(self) -> _Handle:
        return self

    def __exit__(self, *args: Any) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[..., Any], *, mode: str = "all"
) -> _Handle:
    """`fn(gradients)` once those of all tensors are there, or `fn(gradient)` for the first ('any').

    Differs from torch: 'all' waits for every tensor's gradient, also in a backward that reaches
    only some of them.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    grads: list[Any] = [None] * len(tensors)
    seen: list[int] = []

    def hook(i: int, g: Any) -> None:
        if mode == "any":
            if not seen:
                fn(g)
            seen.append(i)
            if len(seen) == len(tensors):
                seen.clear()
            return
        grads[i] = g
        seen.append(i)
        if len(seen) == len(tensors):
            found = list(grads)
            seen.clear()
            grads[:] = [None] * len(tensors)
            fn(found)

    return _Handle([t.register_hook(lambda g, i=i: hook(i, g)) for i, t in enumerate(tensors)])


class _Packed(backward.OpNode):
    """The node of an op whose operands went through a pack hook."""

    __slots__ = ("packed", "unpack")

    def __init__(self, sig: Any, flat: Any, edges: Any) -> None:
        super().__init__(sig, flat, edges)
        self.packed: dict[int, Any] = {}
        pack, self.unpack = _hooks[-1]
        if sig.op.linear:
            return
        needs = tuple(i for i, e in enumerate(edges) if e is not None)
        name = sig.op.name
        known = name in ALWAYS or name in OTHERS
        saved = positions(name, sig.mask, needs) if known else range(len(flat))
        self.flat = list(flat)
        with no_grad(), _suspended():
            for i in saved:
                if type(flat[i]) is Value:
                    self.packed[i] = pack(wrap(flat[i]))
                    self.flat[i] = None

    def pull(self, cts: Any, create_graph: bool, keep: bool) -> Any:
        """Unpack the operands, then pull."""
        if self.flat is not None and self.packed:
            flat = self.flat
            with _suspended():
                self.flat = list(flat)
                for i, x in self.packed.items():
                    t = self.unpack(x)
                    if not isinstance(t, TensorBase):
                        raise TypeError("Output of saved tensor unpack_hook expected to be a Tensor but got result of type " + type(t).__name__)  # fmt: skip  # noqa: E501
                    self.flat[i] = t._value
            grads = super().pull(cts, create_graph, keep)
            self.flat = flat if keep else None
            return grads
        return super().pull(cts, create_graph, keep)


_hooks: list[tuple[Callable[..., Any], Callable[..., Any]]] = []
_disabled: list[str] = []


@contextlib.contextmanager
def _suspended() -> Iterator[None]:
    before = backward.OpNode
    backward.OpNode = _Packed.__base__  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        backward.OpNode = before  # type: ignore[misc]


class saved_tensors_hooks:
    """`pack_hook(tensor)` is kept in place of each saved tensor; `unpack_hook` gives it back.

    Differs from torch: they see the operands that jtorch keeps; PyTorch keeps the result of some
    ops (exp, relu) instead.  Source: torch.autograd.graph.saved_tensors_hooks.
    """

    def __init__(self, pack_hook: Callable[..., Any], unpack_hook: Callable[..., Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _disabled:
            raise RuntimeError(_disabled[-1])
        self.before = backward.OpNode
        _hooks.append((self.pack_hook, self.unpack_hook))
        backward.OpNode = _Packed  # type: ignore[misc]

    def __exit__(self, *args: Any) -> None:
        _hooks.pop()
        backward.OpNode = self.before  # type: ignore[misc]


class save_on_cpu(saved_tensors_hooks):
    """Saved tensors wait for backward in host memory."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: (t.device, t.cpu()), lambda packed: packed[1].to(packed[0]))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """`saved_tensors_hooks` raises this message inside the block."""
    _disabled.append(error_message)
    try:
        yield
    finally:
        _disabled.pop()
