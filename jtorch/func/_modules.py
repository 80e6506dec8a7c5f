"""Modules for `torch.func`: calls with other parameters, stacked ensembles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._functions import derived
from ..nn.module import Module
from ..nn.utils.stateless import _functional_call


def functional_call(
    module: Module, parameter_and_buffer_dicts: Any, args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """Call a module with these parameters and buffers in the place of its own.

    Source: torch.func.functional_call.
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, list | tuple):
        if not all(isinstance(d, dict) for d in given):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        names = [name for d in given for name in d]
        repeated = [name for i, name in enumerate(names) if name in names[:i]]
        if repeated:
            raise ValueError(f"{repeated[0]} appears in multiple dictionaries; behavior of functional call is ambiguous")  # fmt: skip  # noqa: E501
        given = {name: t for d in given for name, t in d.items()}
    elif not isinstance(given, dict):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(given)}"
        )
    return _functional_call(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of equal modules, stacked along a new first dimension."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {
        name: _stacked([dict(m.named_parameters())[name] for m in models])
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: _stacked([dict(m.named_buffers())[name] for m in models])
        for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def _stacked(tensors: list[Any]) -> Any:
    if not all(t.requires_grad == tensors[0].requires_grad for t in tensors):
        raise RuntimeError("Expected parameters from each model to have the same .requires_grad")
    joined = derived["stack"]([t.detach() for t in tensors])
    return joined.requires_grad_(tensors[0].requires_grad)


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """`func` itself: what is recorded has neither views nor writes."""
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove={remove}): Expected remove to be one of 'mutations' or "
            "'mutations_and_views'"
        )
    return func


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Batch norms without running statistics, which vmap could not write; in place."""
    for module in root.modules():
        if hasattr(module, "track_running_stats") and hasattr(module, "running_mean"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


__all__ = [
    "functional_call", "functionalize", "replace_all_batch_norm_modules_",
    "stack_module_state",
]  # fmt: skip
