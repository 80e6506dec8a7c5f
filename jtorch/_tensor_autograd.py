"""The part of `Tensor` that belongs to autograd: backward, grad, hooks, detach, leaf state."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ._engine import backward as _backward
from ._engine import recorder
from ._engine import walk as _walk
from ._engine.backward import Dual, modes
from ._engine.saved import SHARED
from ._engine.signature import differentiable, lookup
from ._engine.storage import Apart
from ._gate import StandIn, TensorBase, alias, wrap
from ._tensor_hooks import RemovableHandle
from .ops import TABLE


def unwrap(t: Any) -> Dual:
    """A tensor as the engine sees it."""
    return t._value, t._edge()


class GradFn:
    """What `tensor.grad_fn` shows: a node's name, its parents and its hooks."""

    __slots__ = ("node",)

    def __init__(self, node: Any) -> None:
        self.node = node

    def name(self) -> str:
        """torch's name of the node."""
        return str(self.node.name())

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(grad_fn, output number) of each operand."""
        return tuple(_next(e) for e in self.node.edges)

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """`fn(grad_inputs, grad_outputs)` after the node has run."""
        return self._add("post", fn)

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """`fn(grad_outputs)` before the node runs."""
        return self._add("pre", fn)

    def _add(self, when: str, fn: Callable[..., Any]) -> RemovableHandle:
        hooks = getattr(self.node.hooked(), when)
        handle = RemovableHandle(hooks)
        hooks[handle.id] = fn
        return handle

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self.node))}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and self.node is other.node

    def __hash__(self) -> int:
        return hash(self.node)


class AccumulateGrad:
    """The grad_fn of a leaf, as `next_functions` shows it."""

    __slots__ = ("next_functions", "variable")

    def __init__(self, variable: Any) -> None:
        self.variable, self.next_functions = variable, ()

    def name(self) -> str:
        """torch's name."""
        return "torch::autograd::AccumulateGrad"


def _next(edge: Any) -> tuple[Any, int]:
    if edge is None:
        return None, 0
    if type(edge) is tuple:
        return GradFn(edge[0]), edge[1]
    return AccumulateGrad(edge), 0


class AutogradMixin(TensorBase):
    """`requires_grad`, `grad`, `backward` and hooks."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        return self._edge() is not None

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        on = bool(on)
        if not on and self._edge_ is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        if on and not differentiable(self._value.aval):
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients"
            )
        self._req = on and self._edge_ is None

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set `requires_grad` in place."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True for what the user made, and for everything that needs no gradient."""
        return type(self._edge()) is not tuple

    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor, or None."""
        edge = self._edge()
        return GradFn(edge[0]) if type(edge) is tuple else None

    @property
    def output_nr(self) -> int:
        """Which output of its grad_fn this is."""
        edge = self._edge()
        return edge[1] if type(edge) is tuple else 0

    @property
    def grad(self) -> Any:
        """The accumulated gradient of a leaf (or of a tensor with `retain_grad`), or None."""
        return self._grad

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is not None:
            if not isinstance(new, TensorBase):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(new).__name__}")  # fmt: skip  # noqa: E501
            if new is self:
                raise RuntimeError("can't assign Variable as its own grad")
            mine, other = self._value.aval, new._value.aval
            if mine.shape != other.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size (expected {list(mine.shape)}, "
                    f"got {list(other.shape)})"
                )
            if mine.dtype is not other.dtype:
                raise RuntimeError(
                    "assigned grad has data of a different type "
                    f"(expected torch.{mine.dtype.name}, got torch.{other.dtype.name})"
                )
        self._grad = new

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def _accumulate(self, ct: Dual, create_graph: bool) -> None:
        """Add to `.grad`: in place as torch does, out of place when the sum has a graph."""
        held = self._grad
        if held is None:
            ct[0].home = SHARED  # it may be the caller's own
            self._grad = wrap(ct[0], ct[1] if create_graph else None)
        elif create_graph:
            self._grad = wrap(*_backward.add(unwrap(held), ct))
        else:
            held._assign(_backward.add((held._value, None), (ct[0], None))[0], None, False)

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Accumulate the gradient of this tensor into the `.grad` of the graph's leaves.

        gradient: same shape as self; needed unless self has one element.  Source:
        torch.Tensor.backward.
        """
        backward([self], [gradient], retain_graph, create_graph, inputs)

    def detach(self) -> Any:
        """The same storage, outside the graph."""
        return alias(self)

    def detach_(self) -> Any:
        """Leave the graph in place."""
        if self._is_view():
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
                "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
                "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
                "function in torch/optim/optimizer.py as a solution."
            )
        self._edge_, self._req = None, False
        if self._base is not None:
            self._base._edge_ = None
        return self

    @property
    def data(self) -> Any:
        """The same storage, outside the graph; writes to it are not tracked, nor counted."""
        new = alias(self)
        if new._chain is None:
            new._cached, new._cver = self._value, self._storage.version
        new._chain = Apart(new._chain or ())
        return new

    @data.setter
    def data(self, new: Any) -> None:
        if not isinstance(new, TensorBase):
            raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
        source = alias(new)
        self._storage, self._chain = source._storage, tuple(source._chain or ()) or None
        self._cached, self._cver = source._cached, source._cver
        self._base = self._base_chain = None

    def _is_view(self) -> bool:
        """Whether this tensor is a differentiable view of another."""
        base = self._base
        return base is not None and not (type(base) is StandIn and base.owner() is self)

    def retain_grad(self) -> None:
        """Keep `.grad` of a tensor that is not a leaf."""
        edge = self._edge()
        if edge is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if type(edge) is tuple:
            node, index = edge
            node.hooked().retained[index] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf."""
        edge = self._edge()
        return type(edge) is tuple and bool(edge[0].hooks) and edge[1] in edge[0].hooks.retained

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(grad)` when the gradient of this tensor is computed; it may return another."""
        edge = self._edge()
        if edge is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if type(edge) is tuple:
            node, index = edge
            hooks = node.hooked().tensor.setdefault(index, {})
        else:
            self._hooks = self._hooks or {}
            hooks = self._hooks.setdefault("grad", {})
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    def register_post_accumulate_grad_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(tensor)` after `.grad` of this leaf has been accumulated."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if not self.is_leaf:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        self._hooks = self._hooks or {}
        hooks = self._hooks.setdefault("post", {})
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle


def seed(t: Any, gradient: Any) -> Dual:
    """The cotangent a backward starts from: the given one, or 1 for a single element."""
    value = t._value
    if gradient is None:
        if value.aval.numel != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if value.aval.dtype.is_complex:
            raise RuntimeError(
                "grad can be implicitly created only for real scalar outputs but got torch."
                + value.aval.dtype.name
            )
        sig = lookup(TABLE["_ones_like"], (), (value.aval,))
        return recorder.record(sig, (value,))[0], None
    if gradient._value.aval.shape != value.aval.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] "
            "has a "
            f"shape of {t.shape}."
        )
    return unwrap(gradient)


def _roots(tensors: Any, gradients: Any) -> list[tuple[Any, Dual]]:
    roots = []
    for i, (t, g) in enumerate(zip(tensors, gradients, strict=True)):
        edge = t._edge()
        if edge is None:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        roots.append((edge, seed(t, g)))
    return roots


def backward(
    tensors: Any, gradients: Any, retain_graph: bool | None, create_graph: bool, inputs: Any = None
) -> None:
    """torch.autograd.backward on lists."""
    wanted = None
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        wanted = [i._edge() for i in inputs]
    keep = create_graph if retain_graph is None else retain_graph
    roots = _roots(tensors, gradients)
    for i in inputs or ():
        if type(i._edge()) is tuple:
            i.retain_grad()
    walk = _run(roots, keep, create_graph, wanted)
    before, modes.grad = modes.grad, create_graph
    try:
        reached = list(walk.leaves.values())
        if inputs is not None:
            targets = {id(i) for i in inputs}
            reached = [pair for pair in reached if id(pair[0]) in targets]
        for leaf, ct in reached:
            if leaf._hooks is None and leaf._grad is None and leaf._req and not create_graph:
                ct[0].home = SHARED  # as `_accumulate` does, without two calls for each parameter
                leaf._grad = wrap(ct[0])
            else:
                _deliver(leaf, ct, create_graph)
    finally:
        modes.grad = before
    del walk
    place = roots[0][1][0].aval.place
    if not place.traced:
        recorder.backward_ends(recorder.pending(place))


def _run(roots: Any, keep: bool, create_graph: bool, wanted: Any) -> _walk.Walk:
    return _walk.run(
        roots, keep=keep, create_graph=create_graph, wrap=_shown, unwrap=unwrap, wanted=wanted
    )


def _shown(ct: Dual) -> Any:
    return wrap(*ct)


def _deliver(leaf: Any, ct: Dual, create_graph: bool) -> None:
    hooks = leaf._hooks
    if hooks is None:
        if leaf._req:  # not after `requires_grad_(False)`
            leaf._accumulate(ct, create_graph)
        return
    for hook in tuple(hooks.get("grad", {}).values()):
        new = hook(wrap(*ct))
        if new is not None:
            ct = unwrap(new)
    if leaf._req:
        leaf._accumulate(ct, create_graph)
    for hook in tuple(hooks.get("post", {}).values()):
        if hook(leaf) is not None:
            raise RuntimeError("Tensor post accumulate grad hooks should return None.")


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Gradients of `outputs` with respect to `inputs`, without touching `.grad`
    (torch.autograd.grad).
    """
    if is_grads_batched:
        raise NotImplementedError(
            "is_grads_batched=True: call torch.autograd.grad once per row of grad_outputs instead."
        )
    outputs = [outputs] if isinstance(outputs, TensorBase) else list(outputs)
    inputs = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    if allow_unused is False and materialize_grads:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")  # fmt: skip  # noqa: E501
    if grad_outputs is None or isinstance(grad_outputs, TensorBase):
        grad_outputs = [grad_outputs] * len(outputs)
    wanted = []
    for t in inputs:
        edge = t._edge()
        if edge is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        wanted.append(edge)
    roots = _roots(outputs, grad_outputs)
    captured_roots = {e: ct for e, ct in roots if type(e) is tuple}
    keep = create_graph if retain_graph is None else retain_graph
    walk = _run(roots, keep, create_graph, wanted)
    results = []
    for t, edge in zip(inputs, wanted, strict=True):
        if type(edge) is tuple:
            ct = walk.captured.get(edge, captured_roots.get(edge))
        else:
            held = walk.leaves.get(id(edge))
            ct = None if held is None else _hooked(edge, held[1])
        if ct is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        if ct is None and materialize_grads:
            results.append(wrap(recorder.record(lookup(TABLE["_zeros_like"], (), (t._value.aval,)), (t._value,))[0]))  # fmt: skip  # noqa: E501
        else:
            results.append(None if ct is None else wrap(ct[0], ct[1] if create_graph else None))
    return tuple(results)


def _hooked(leaf: Any, ct: Dual) -> Dual:
    for hook in tuple((leaf._hooks or {}).get("grad", {}).values()):
        new = hook(wrap(*ct))
        if new is not None:
            ct = unwrap(new)
    return ct
