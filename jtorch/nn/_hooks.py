"""Hook tables of modules, per module and global, and how an entry gets into them."""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .._tensor_hooks import RemovableHandle

Hook = Callable[..., Any]


class WrappedHook:
    """A hook, bound weakly to its module if it wants the module as first argument."""

    def __init__(self, hook: Hook, module: Any = None) -> None:
        self.hook = hook
        functools.update_wrapper(self, hook)
        self.with_module = module is not None
        if self.with_module:
            self.module = weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"hook": self.hook, "with_module": self.with_module}
        if self.with_module:
            state["module"] = self.module()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.hook = state["hook"]
        self.with_module = state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


def add(table: Any, hook: Hook, *flagged: Any, prepend: bool = False) -> RemovableHandle:
    """Enter `hook`; set its id in each table of `flagged`; all tables forget it on removal."""
    handle = RemovableHandle(table, extra_dict=list(flagged))
    table[handle.id] = hook
    for flag in flagged:
        flag[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


# Hooks of every module of the process.
global_backward_pre: OrderedDict[int, Hook] = OrderedDict()
global_backward: OrderedDict[int, Hook] = OrderedDict()
global_forward_pre: OrderedDict[int, Hook] = OrderedDict()
global_forward: OrderedDict[int, Hook] = OrderedDict()
global_forward_always: OrderedDict[int, bool] = OrderedDict()
global_forward_kwargs: OrderedDict[int, bool] = OrderedDict()
global_buffer_registration: OrderedDict[int, Hook] = OrderedDict()
global_module_registration: OrderedDict[int, Hook] = OrderedDict()
global_parameter_registration: OrderedDict[int, Hook] = OrderedDict()
_global_backward_is_full: bool | None = None


def global_backward_is_full() -> bool | None:
    """True or False once a global backward hook of that kind exists, None before."""
    return _global_backward_is_full


def registered(table: OrderedDict[int, Hook], owner: Any, name: str, value: Any) -> Any:
    """`value` after the registration hooks, each of which may replace it."""
    for hook in table.values():
        replaced = hook(owner, name, value)
        if replaced is not None:
            value = replaced
    return value


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, buffer)` before any module registers a buffer."""
    return add(global_buffer_registration, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, submodule)` before any module registers a submodule."""
    return add(global_module_registration, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, param)` before any module registers a parameter."""
    return add(global_parameter_registration, hook)


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, args)` before every module's forward."""
    return add(global_forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after every module's forward."""
    flagged = [global_forward_kwargs] * with_kwargs + [global_forward_always] * always_call
    return add(global_forward, hook, *flagged)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Deprecated: call `hook(module, grad_input, grad_output)` at the last node of a forward."""
    return _add_global_backward(hook, full=False)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` before gradients enter any module."""
    return add(global_backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` when gradients leave any module."""
    return _add_global_backward(hook, full=True)


def _add_global_backward(hook: Hook, full: bool) -> RemovableHandle:
    global _global_backward_is_full
    if _global_backward_is_full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    _global_backward_is_full = full
    return add(global_backward, hook)
