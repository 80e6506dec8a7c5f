"""`functorch`, the package that `torch.func` came from: the same names, and its modules as
functions.
"""

from __future__ import annotations

import copy
from typing import Any

from .func import functionalize as functionalize
from .func import grad as grad
from .func import grad_and_value as grad_and_value
from .func import hessian as hessian
from .func import jacfwd as jacfwd
from .func import jacrev as jacrev
from .func import jvp as jvp
from .func import stack_module_state
from .func import vjp as vjp
from .func import vmap as vmap
from .nn.module import Module
from .nn.utils.stateless import _functional_call
from .version import __version__ as __version__

__all__ = [
    "FunctionalModule", "FunctionalModuleWithBuffers", "combine_state_for_ensemble",
    "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "make_functional", "make_functional_with_buffers", "vjp", "vmap",
]  # fmt: skip


class FunctionalModuleWithBuffers(Module):
    """A module as a function of its parameters and buffers."""

    def __init__(self, stateless_model: Module) -> None:
        super().__init__()
        self.stateless_model = stateless_model
        self.param_names = tuple(name for name, _ in stateless_model.named_parameters())
        self.buffer_names = tuple(name for name, _ in stateless_model.named_buffers())

    def forward(self, params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
        """The module's result with these in the place of its own."""
        state = dict(zip(self.param_names, params, strict=True))
        state |= dict(zip(self.buffer_names, buffers, strict=True))
        return _functional_call(self.stateless_model, state, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """A module as a function of its parameters."""

    def forward(self, params: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """The module's result with these in the place of its own."""
        return super().forward(params, (), *args, **kwargs)


def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[FunctionalModuleWithBuffers, tuple[Any, ...], tuple[Any, ...]]:
    """(function of parameters, buffers and inputs, parameters, buffers) of a module.

    Source: functorch.make_functional_with_buffers.
    """
    function = FunctionalModuleWithBuffers(copy.deepcopy(model))
    return function, *_state(function, disable_autograd_tracking)


def make_functional(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[FunctionalModule, tuple[Any, ...]]:
    """(function of parameters and inputs, parameters) of a module without buffers.

    Source: functorch.make_functional.
    """
    if any(True for _ in model.buffers()):
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use "
            "make_functional_with_buffers(model) instead."
        )
    function = FunctionalModule(copy.deepcopy(model))
    return function, _state(function, disable_autograd_tracking)[0]


def _state(function: FunctionalModuleWithBuffers, fixed: bool) -> tuple[Any, Any]:
    """The parameters and buffers that the function's copy of the module started with."""
    model = copy.deepcopy(function.stateless_model)
    if fixed:
        model.requires_grad_(False)
    return tuple(model.parameters()), tuple(model.buffers())


def combine_state_for_ensemble(
    models: Any,
) -> tuple[FunctionalModuleWithBuffers, tuple[Any, ...], tuple[Any, ...]]:
    """One function for several equal modules, and their parameters and buffers, stacked.

    Source: functorch.combine_state_for_ensemble.
    """
    models = list(models)
    if not models:
        raise RuntimeError("combine_state_for_ensemble: Expected at least one model, got 0.")
    params, buffers = stack_module_state(models)
    function = FunctionalModuleWithBuffers(copy.deepcopy(models[0]))
    return function, tuple(params.values()), tuple(buffers.values())
