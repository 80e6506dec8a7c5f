"""`torch.jit`: what it compiles runs compiled anyway, so it returns what it is given."""

from __future__ import annotations

from typing import Any

Final = Any


def script(obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None,
           example_inputs: Any = None) -> Any:  # fmt: skip
    """The function, class or module itself."""
    return obj


def trace(
    func: Any, example_inputs: Any = None, optimize: Any = None, check_trace: bool = True,
    check_inputs: Any = None, check_tolerance: float = 1e-5, strict: bool = True,
    example_kwarg_inputs: Any = None,
) -> Any:  # fmt: skip
    """The function or module itself: control flow stays alive, where PyTorch would freeze it."""
    return func


def script_if_tracing(fn: Any) -> Any:
    """The function itself."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A mark for PyTorch's compiler."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: Any) -> Any:
    """A mark for PyTorch's compiler."""
    return fn


def export(fn: Any) -> Any:
    """A mark for PyTorch's compiler."""
    return fn


def interface(obj: Any) -> Any:
    """A mark for PyTorch's compiler."""
    return obj


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's own `isinstance`."""
    import builtins

    return builtins.isinstance(obj, target_type)


def is_scripting() -> bool:
    """False: Python itself runs."""
    return False


def is_tracing() -> bool:
    """False: Python itself runs."""
    return False


def freeze(mod: Any, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Any:
    """The module itself, which must be in eval mode."""
    if getattr(mod, "training", False):
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() "
            "on your module before freezing."
        )
    return mod


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """The module itself, in eval mode."""
    return mod.eval()
