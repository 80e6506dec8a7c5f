"""`torch.autograd.functional`: Jacobians, Hessians and products with them, of functions
of tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._gate import TensorBase
from .._tensor_autograd import grad as _grad
from .._transforms.forward import jvp as _jvp
from .._transforms.vmap import vmap
from ..creation import eye, ones_like, zeros_like
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _as_tuple(x: Any, what: str, name: str) -> tuple[bool, tuple[Any, ...]]:
    """(whether it was a tuple, it as a tuple of tensors)."""
    several = isinstance(x, tuple)
    items = x if several else (x,)
    for i, t in enumerate(items):
        if not isinstance(t, TensorBase):
            where = f"value at index {i}" if several else f"given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                f"the {where} has type {type(t)}."
            )
    return several, items


def _variables(inputs: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    """Tensors of their own for the inputs, in the outer graph if that is asked for."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()  # type: ignore[attr-defined]
        for x in inputs
    )


def _shown(results: Any, create_graph: bool) -> Any:
    if isinstance(results, tuple):
        return tuple(_shown(r, create_graph) for r in results)
    return results if create_graph else results.detach()


def _one(results: Any, several: bool) -> Any:
    return results if several else results[0]


def _check_vector(v: tuple[Any, ...], like: tuple[Any, ...], several: bool) -> None:
    if len(v) != len(like):
        if several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")  # fmt: skip  # noqa: E501
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(v, like, strict=True)):
        if a.shape != b.shape:
            start = f"Entry {i} in " if several else ""
            raise RuntimeError(f"{start}v has invalid size: should be {b.shape} but got {a.shape}.")


def _vector(v: Any, like: tuple[Any, ...], several: bool, what: str) -> tuple[Any, ...]:
    """The given vector as a tuple, or 1 for a single number."""
    if v is not None:
        _, found = _as_tuple(v, "v", what)
        found = tuple(t.detach() if not t.requires_grad else t for t in found)
        _check_vector(found, like, several)
        return found
    if len(like) != 1 or like[0].numel() != 1:
        kind = "function returns" if what == "vjp" else "input to the user-provided function is"
        start = "user-provided " if what == "vjp" else ""
        raise RuntimeError(
            f"The vector v can only be None if the {start}{kind} a single Tensor with a single "
            "element."
        )
    return (ones_like(like[0].detach()),)


def _pulled(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], cts: tuple[Any, ...], graph: bool,
    strict: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Gradients of the inputs; zeros (or, in strict mode, an error) where there is no way."""
    pairs = [(o, c) for o, c in zip(outputs, cts, strict=True) if o.requires_grad]
    found: tuple[Any, ...] = (None,) * len(inputs)
    if pairs:
        found = _grad(
            [o for o, _ in pairs], list(inputs), [c for _, c in pairs], retain_graph=True,
            create_graph=graph, allow_unused=True,
        )  # fmt: skip
    for i, g in enumerate(found):
        if g is None and strict:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode."
            )
    return tuple(zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True))


def _call(
    func: Callable[..., Any], inputs: tuple[Any, ...], what: str, strict: bool
) -> tuple[bool, tuple[Any, ...]]:
    several, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", what)
    for i, o in enumerate(outputs):
        if strict and not o.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in strict "
                "mode."
            )
    return several, outputs


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(result, product of `v` with the Jacobian).  Source: torch.autograd.functional.vjp."""
    with enable_grad():
        several, given = _as_tuple(inputs, "inputs", "vjp")
        own = _variables(given, create_graph)
        many, outputs = _call(func, own, "vjp", strict)
        vector = _vector(v, outputs, many, "vjp")
        grads = _pulled(outputs, own, vector, create_graph, strict)
    return _one(_shown(outputs, create_graph), many), _one(_shown(grads, create_graph), several)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(result, product of the Jacobian with `v`).  Source: torch.autograd.functional.jvp."""
    with enable_grad():
        _, given = _as_tuple(inputs, "inputs", "jvp")
        vector = _vector(v, given, isinstance(inputs, tuple), "jvp")
        own = _variables(given, create_graph)
        if strict:
            _strictly(func, own)
        result, derivative = _jvp(func, own, vector)
        _as_tuple(result, "outputs of the user-provided function", "jvp")
    return _shown(result, create_graph), _shown(derivative, create_graph)


def _strictly(func: Callable[..., Any], own: tuple[Any, ...]) -> None:
    _, outputs = _call(func, own, "jvp", True)
    _pulled(outputs, own, tuple(ones_like(o) for o in outputs), False, True)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """All derivatives of each output: output shape + input shape.

    The rows (or columns, strategy='forward-mode') are computed together, vectorize or not.
    Source: torch.autograd.functional.jacobian.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` '
            "are not supported together (yet). Please either set `create_graph=False` or "
            '`strategy="reverse-mode"`.'
        )
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together. Please either set `strict=False` or `vectorize=False`."
        )
    with enable_grad():
        several, given = _as_tuple(inputs, "inputs", "jacobian")
        own = _variables(given, create_graph)
        many, outputs = _call(func, own, "jacobian", strict)
        rows = tuple(_rows(o, own, create_graph, strict) for o in outputs)
    found = tuple(_one(_shown(r, create_graph), several) for r in rows)
    return _one(found, many)


def _rows(o: Any, own: tuple[Any, ...], graph: bool, strict: bool) -> tuple[Any, ...]:
    """The derivatives of one output by each input."""
    shapes = [(*o.shape, *x.shape) for x in own]
    if not o.numel() or not o.requires_grad:
        return tuple(zeros_like(x.detach()).expand(*o.shape, *x.shape).clone() for x in own)
    if strict:
        _pulled((o,), own, (ones_like(o),), graph, True)
    basis = eye(o.numel(), dtype=o.dtype, device=o.device).reshape(o.numel(), *o.shape)
    rows = vmap(lambda ct: _pulled((o,), own, (ct,), graph, False))(basis)
    return tuple(r.reshape(shape) for r, shape in zip(rows, shapes, strict=True))


def _scalar(func: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`func`, whose result must be a single number."""

    def checked(*inputs: Any) -> Any:
        many, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", name)
        if many:
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {name} should contain a single "
                "element"
            )
        return outputs[0].squeeze()

    return checked


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """Second derivatives of a scalar function.  Source: torch.autograd.functional.hessian."""
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    several, given = _as_tuple(inputs, "inputs", "hessian")
    first = _scalar(func, "hessian")

    def gradient(*own: Any) -> Any:
        with enable_grad():
            return _pulled((first(*own),), own, (_unit(first, own),), True, strict)

    result = jacobian(gradient, given, create_graph=create_graph)
    return result if several else result[0][0]


def _unit(first: Callable[..., Any], own: tuple[Any, ...]) -> Any:
    return ones_like(first(*(x.detach() for x in own)))


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(result, the Hessian times `v`).  Source: torch.autograd.functional.hvp."""
    return _second(func, inputs, v, create_graph, strict, "hvp")


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(result, `v` times the Hessian).  Source: torch.autograd.functional.vhp."""
    return _second(func, inputs, v, create_graph, strict, "vhp")


def _second(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, name: str
) -> tuple[Any, Any]:
    with enable_grad():
        several, given = _as_tuple(inputs, "inputs", name)
        vector = _vector(v, given, several, name)
        own = _variables(given, create_graph)
        output = _scalar(func, name)(*own)
        first = _pulled((output,), own, (ones_like(output.detach()),), True, strict)
        product = _pulled(first, own, vector, create_graph, strict)
    return _shown(output, create_graph), _one(_shown(product, create_graph), several)
