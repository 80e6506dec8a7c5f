"""`autograd.Function`: a forward and a backward written by the user, as one node of the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _tensor_duals as _duals
from .._engine import recorder
from .._engine.backward import Dual, Node, modes
from .._engine.signature import differentiable
from .._gate import TensorBase, alias, wrap
from .._tensor_autograd import unwrap
from . import _function_forward, _function_region
from .grad_mode import no_grad


class FunctionCtx:
    """What forward hands to backward: saved tensors, flags, and any attribute."""

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        self._saved: tuple[Any, ...] | None = ()
        self._saved_for_forward: tuple[Any, ...] = ()
        self._in_jvp = False
        self._versions: tuple[int, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward."""
        self._saved = tensors
        self._versions = tuple(t._version if isinstance(t, TensorBase) else 0 for t in tensors)  # type: ignore[attr-defined]

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for jvp."""
        self._saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to `save_for_backward`; in jvp those given to `save_for_forward`."""
        if self._in_jvp and self._saved_for_forward:
            return self._saved_for_forward
        if self._saved is None:
            from .._engine.backward import _FREED

            raise RuntimeError(_FREED)
        for t, version in zip(self._saved, self._versions, strict=True):
            if isinstance(t, TensorBase) and t._version != version:  # type: ignore[attr-defined]
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: [torch.{t.type()[6:]} {list(t.shape)}] is at version "  # type: ignore[attr-defined]
                    f"{t._version}; expected version {version} instead."  # type: ignore[attr-defined]
                )
        return self._saved

    def mark_dirty(self, *tensors: Any) -> None:
        """These inputs were changed in place and are returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """These outputs carry no gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing output gradients arrive as zeros (True) or None."""
        self._materialize = value


class FunctionNode(Node):
    """The node of one call of a user's Function."""

    __slots__ = ("cls", "ctx", "places")

    def __init__(self, cls: Any, ctx: FunctionCtx, edges: Any, outs: Any, places: Any) -> None:
        super().__init__(edges, outs)
        self.cls, self.ctx, self.places = cls, ctx, places

    def pull(self, cts: list[Dual | None], create_graph: bool, keep: bool) -> list[Dual | None]:
        """Call the user's backward."""
        ctx = self.ctx
        given = [self._shown(ct, a) for ct, a in zip(cts, self.outs, strict=True)]
        before, modes.grad = modes.grad, create_graph
        try:
            grads = self.cls.backward(ctx, *given)
        finally:
            modes.grad = before
        if not keep:
            ctx._saved = None
        grads = grads if isinstance(grads, tuple | list) else (grads,)
        if len(grads) < len(self.places) or any(g is not None for g in grads[len(self.places) :]):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients "
                f"(expected {len(self.places)}, got {len(grads)})"
            )
        return [
            None if not is_tensor or g is None else unwrap(g)
            for is_tensor, g in zip(self.places, grads, strict=False)
            if is_tensor
        ]

    def _shown(self, ct: Dual | None, a: Any) -> Any:
        if ct is not None:
            return wrap(*ct)
        if not self.ctx._materialize or not differentiable(a):
            return None
        from ..creation import zeros

        return zeros(a.shape, dtype=a.dtype, device=a.place.device)

    def name(self) -> str:
        """torch's name."""
        return f"{self.cls.__name__}Backward"


class Function:
    """Subclass with static `forward(ctx, ...)` (or `forward(...)` and `setup_context`)
    and `backward`.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The user's forward."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> Any:
        """The user's second half of forward, when forward takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The user's gradient."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function "
            "to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The user's derivative along tangents of forward's arguments (None: not a tensor)."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward outside the graph and put one node for it into the graph."""
        if _duals.any_of(args) and not recorder.in_region():
            return _function_forward.apply(cls, FunctionCtx(), args, kwargs)
        return cls._applied(FunctionCtx(), args, kwargs)

    @classmethod
    def _applied(cls, ctx: FunctionCtx, args: Any, kwargs: Any) -> Any:
        tensors = [isinstance(a, TensorBase) for a in args]
        edges = [
            a._edge() if is_tensor and modes.grad else None
            for a, is_tensor in zip(args, tensors, strict=True)
        ]
        ctx.needs_input_grad = tuple(e is not None for e in edges)
        track = any(ctx.needs_input_grad)

        def forward(*given: Any) -> Any:
            with no_grad():
                if cls.setup_context is Function.setup_context:
                    return cls.forward(ctx, *given, **kwargs)
                result = cls.forward(*given, **kwargs)
                cls.setup_context(ctx, given, result)
                return result

        if track and recorder.in_region():
            with no_grad():
                user, kind = cls._with_backward(), _function_region.Recorded
                if _duals.forward_regions and cls.jvp is not Function.jvp:
                    user, kind = cls, _function_forward.Recorded
                return _function_region.apply(kind, user, ctx, forward, args, edges)
        result = forward(*args)
        if not track:
            return result
        single = not isinstance(result, tuple)
        outputs = (result,) if single else result
        done = cls._attach(ctx, args, outputs, tuple(e for e, t in zip(edges, tensors, strict=True) if t), tensors)  # fmt: skip  # noqa: E501
        return done[0] if single else done

    @classmethod
    def _with_backward(cls) -> Any:
        """This class, with its `vjp` under the name of `backward` if that is how it is written."""
        if cls.backward is Function.backward and cls.vjp is not Function.vjp:
            return _renamed(cls)
        return cls

    @classmethod
    def _attach(
        cls, ctx: Any, args: Any, outputs: Any, edges: Any, tensors: Any
    ) -> tuple[Any, ...]:
        shown = [o for o in outputs if isinstance(o, TensorBase)]
        avals = tuple(o._value.aval for o in shown)
        node = FunctionNode(cls._with_backward(), ctx, edges, avals, tuple(tensors))
        fixed = {id(t) for t in ctx._non_differentiable}
        dirty = {id(t) for t in ctx._dirty}
        inputs = {id(a) for a in args}
        results, index = [], 0
        for o in outputs:
            if not isinstance(o, TensorBase):
                results.append(o)
                continue
            here, index = index, index + 1
            if id(o) in fixed or not differentiable(o._value.aval):
                results.append(o)
            elif id(o) in dirty:
                o._edge_, o._req, o._gen = (node, here), False, o._gen + 1
                results.append(o)
            else:  # an input returned as it is becomes a tensor of its own
                new = alias(o) if id(o) in inputs or o._edge() is not None else o
                new._edge_, new._base = (node, here), None
                results.append(new)
        return tuple(results)


@functools.cache
def _renamed(cls: Any) -> Any:
    return type(cls.__name__, (cls,), {"backward": cls.vjp})


def once_differentiable(f: Callable[..., Any]) -> Callable[..., Any]:
    """A backward that cannot be differentiated again: it runs outside the graph."""

    @functools.wraps(f)
    def backward(ctx: Any, *args: Any) -> Any:
        with no_grad():
            return f(ctx, *args)

    return backward


InplaceFunction = Function
