"""Calling a module: forward, its hooks in torch's order, and registering those hooks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._compile import compile as _compile
from ..tensor import Tensor
from . import _hooks
from ._backward_hooks import BackwardHook
from ._hooks import Hook, RemovableHandle, WrappedHook

_MIXED = (
    "Cannot use both regular backward hooks and full backward hooks on a single Module. "
    "Please use only one of them."
)
_DEPRECATED = (
    "Using {} deprecated and will be removed in future versions. This hook will be missing some {}."
    "{}"
)
_USE_FULL = " Please use register_full_backward_hook to get the documented behavior."


def _forward_unimplemented(self: Any, *input: Any) -> None:
    """Every subclass defines the computation performed at its call."""
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


class ModuleCall:
    """The part of `Module` that runs it."""

    _compiled_call_impl: Callable[..., Any] | None = None
    forward: Callable[..., Any] = _forward_unimplemented

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` (or `args, kwargs`) before forward; it may replace them."""
        flagged = [self._forward_pre_hooks_with_kwargs] * bool(with_kwargs)
        return _hooks.add(self._forward_pre_hooks, hook, *flagged, prepend=prepend)

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; it may replace the output.

        `always_call` runs the hook even when forward raises.
        """
        flagged = [self._forward_hooks_with_kwargs] * bool(with_kwargs) + [
            self._forward_hooks_always_called
        ] * bool(always_call)
        return _hooks.add(self._forward_hooks, hook, *flagged, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before gradients enter; it may replace them."""
        return _hooks.add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)`; it may return a new `grad_input`."""
        if self._is_full_backward_hook is False:
            raise RuntimeError(_MIXED)
        self._is_full_backward_hook = True
        return _hooks.add(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Deprecated: the hook sees the gradients of the forward's last node only."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(_MIXED)
        self._is_full_backward_hook = False
        return _hooks.add(self._backward_hooks, hook)

    def _get_backward_hooks(self) -> tuple[list[Hook], list[Hook]]:
        """The full and the non-full backward hooks, global ones first."""
        chosen: dict[bool, list[Hook]] = {True: [], False: []}
        for kind, table in (
            (_hooks.global_backward_is_full(), _hooks.global_backward),
            (self._is_full_backward_hook, self._backward_hooks),
        ):
            if kind is not None:
                chosen[kind] += table.values()
        return chosen[True], chosen[False]

    def _get_backward_pre_hooks(self) -> list[Hook]:
        return [*_hooks.global_backward_pre.values(), *self._backward_pre_hooks.values()]

    def _wrapped_call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        # the rest of _call_impl's first lines, without another Python frame for every layer
        if not (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _hooks.global_forward
            or _hooks.global_forward_pre
            or _hooks.global_backward
            or _hooks.global_backward_pre
        ):
            return self.forward(*args, **kwargs)
        return self._call_impl(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        call = _HookedCall(self, args, kwargs)
        try:
            return call.run()
        except Exception:
            call.run_always_called()
            raise

    __call__: Callable[..., Any] = _wrapped_call_impl

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is left to do, see `torch.compile`: it only refuses what that refuses."""
        _compile(self, *args, **kwargs)


class _HookedCall:
    """One call of a module that has hooks."""

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def run(self) -> Any:
        module = self.module
        # fetched first: a forward hook that adds backward hooks acts from the next call on
        full, partial = module._get_backward_hooks()
        pre = module._get_backward_pre_hooks()
        self._run_forward_pre_hooks()
        boundary = BackwardHook(module, full, pre) if full or pre else None
        if boundary:
            self.args = boundary.setup_input_hook(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        self._run_forward_hooks()
        if boundary:
            self._leave(boundary)
        if partial:
            _hook_last_node(module, partial, self.args, self.result)
        return self.result

    def _run_forward_pre_hooks(self) -> None:
        module = self.module
        for id_, hook in (*_hooks.global_forward_pre.items(), *module._forward_pre_hooks.items()):
            if id_ in module._forward_pre_hooks_with_kwargs:
                changed = hook(module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, "
                        f"new_kwargs), but got {changed}."
                    )
                self.args, self.kwargs = changed
            else:
                changed = hook(module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def _run_forward_hooks(self) -> None:
        module = self.module
        for id_, hook in (*_hooks.global_forward.items(), *module._forward_hooks.items()):
            self.called.add(id_)
            self._run_forward_hook(id_, hook)

    def _run_forward_hook(self, id_: int, hook: Hook) -> None:
        if id_ in self.module._forward_hooks_with_kwargs or id_ in _hooks.global_forward_kwargs:
            changed = hook(self.module, self.args, self.kwargs, self.result)
        else:
            changed = hook(self.module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def run_always_called(self) -> None:
        """After an exception: run the `always_call` hooks that did not get their turn."""
        for label, table, always in (
            ("global module", _hooks.global_forward, _hooks.global_forward_always),
            ("module", self.module._forward_hooks, self.module._forward_hooks_always_called),
        ):
            for id_, hook in table.items():
                if id_ not in always or id_ in self.called:
                    continue
                try:
                    self._run_forward_hook(id_, hook)
                except Exception as e:
                    warnings.warn(
                        f"{label} forward hook with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {e}",
                        stacklevel=2,
                    )

    def _leave(self, boundary: BackwardHook) -> None:
        if not isinstance(self.result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a "
                f"tuple of Tensors but received {type(self.result)}",
                stacklevel=2,
            )
        self.result = boundary.setup_output_hook(self.result)


def _hook_last_node(module: Any, hooks: list[Hook], args: Any, result: Any) -> None:
    """torch's old backward hooks: on the node that made the first tensor of the result."""
    first = result
    while not isinstance(first, Tensor):
        if isinstance(first, dict):
            first = next(v for v in first.values() if isinstance(v, Tensor))
        else:
            first = first[0]
    node = first.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(WrappedHook(hook, module))
    complaint = _partial_hook_complaint(args, result, node)
    if complaint:
        warnings.warn(_DEPRECATED.format(*complaint), FutureWarning, stacklevel=4)


def _tensors(x: Any) -> tuple[Tensor, ...] | None:
    """`x` as a tuple of tensors, None if it is not one."""
    if isinstance(x, Tensor):
        return (x,)
    if isinstance(x, tuple) and all(isinstance(e, Tensor) for e in x):
        return x
    return None


def _partial_hook_complaint(args: Any, result: Any, node: Any) -> tuple[str, str, str] | None:
    """Why a non-full hook will not see all gradients: what is used, what is missing, advice."""
    outputs, inputs = _tensors(result), _tensors(args)
    if outputs is None:
        return (
            "non-full backward hooks on a Module that does not return a single Tensor or a "
            "tuple of Tensors is",
            "of the grad_output",
            _USE_FULL,
        )
    if inputs is None:
        return (
            "non-full backward hooks on a Module that does not take as input a single Tensor "
            "or a tuple of Tensors is",
            "of the grad_input",
            _USE_FULL,
        )
    nodes = {r.grad_fn for r in outputs if r.grad_fn is not None}
    if not nodes or (len(nodes) == 1 and node not in nodes):
        return (
            "a non-full backward hook when outputs are nested in python data structure is",
            "grad_output",
            "",
        )
    if len(nodes) > 1:
        return (
            "a non-full backward hook when outputs are generated by different autograd Nodes is",
            "grad_output",
            _USE_FULL,
        )
    if {i.grad_fn for i in inputs if i.grad_fn is not None} != {n[0] for n in node.next_functions}:
        return (
            "a non-full backward hook when the forward contains multiple autograd Nodes is",
            "grad_input",
            _USE_FULL,
        )
    return None
