"""`grad`, `vjp`, `jacrev`: reverse mode as functions of functions, on the ordinary graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._engine.backward import modes
from .._engine.signature import differentiable
from .._tensor_autograd import grad as _autograd_grad
from ..autograd.grad_mode import enable_grad
from ..creation import zeros_like
from ..utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from .trees import chosen, is_tensor, positions, refuse_complex, replaced, with_aux
from .vmap import vmap


def _lifted(x: Any, outer: bool) -> Any:
    """An argument as this transformation's own variable, in the outer graph if there is one."""
    if not is_tensor(x) or not differentiable(x._value.aval):
        return x
    if outer and x._edge() is not None:
        return x.view_as(x)
    return x.detach().requires_grad_()


def _seen_from_outside(outputs: list[Any], own: list[Any]) -> bool:
    """Whether a graph leads to anything but this transformation's own variables."""
    mine = {id(t) for t in own if is_tensor(t)}
    nodes = [t._edge() for t in outputs if is_tensor(t)]
    seen: set[Any] = set()
    while nodes:
        edge = nodes.pop()
        if type(edge) is not tuple:
            if edge is not None and id(edge) not in mine:
                return True
            continue
        node = edge[0]
        if node not in seen:
            seen.add(node)
            if not node.edges:  # an input of a region that is being recorded
                return True
            nodes += node.edges
    return False


def _outside(x: Any, kept: bool) -> Any:
    """A result without this transformation's own graph, if that is all there is."""
    return x if kept or not is_tensor(x) else x.detach()


def _gradients(
    outputs: list[Any], inputs: list[Any], cts: list[Any] | None, keep: bool, graph: bool
) -> list[Any]:
    """Gradients of all outputs, zeros where there is no way to an input."""
    pairs = [(o, None if cts is None else cts[i]) for i, o in enumerate(outputs) if o.requires_grad]
    wanted = [x for x in inputs if is_tensor(x) and x.requires_grad]
    found: dict[int, Any] = {}
    if pairs and wanted:
        grads = _autograd_grad(
            [o for o, _ in pairs], wanted, [c for _, c in pairs], retain_graph=keep or graph,
            create_graph=graph, allow_unused=True,
        )  # fmt: skip
        found = {id(x): g for x, g in zip(wanted, grads, strict=True)}
    return [zeros_like(x.detach()) if found.get(id(x)) is None else found[id(x)] for x in inputs]


def _run(func: Callable[..., Any], args: Any, at: Any, kwargs: Any) -> tuple[Any, list[Any], Any]:
    """(result on lifted arguments, the flat lifted arguments, their shape)."""
    outer = modes.grad
    flat, spec = tree_flatten(chosen(args, at))
    own = [_lifted(x, outer) for x in flat]
    with enable_grad():
        result = func(*replaced(args, at, tree_unflatten(own, spec)), **kwargs)
    return result, own, spec


def grad_and_value(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """(gradients, value) of a function with a scalar result.  Source: torch.func.grad_and_value."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        at = positions(argnums, len(args))
        output, own, spec = _run(func, args, at, kwargs)
        what, aux = "grad_and_value(f)(*args)", None
        if has_aux:
            output, aux = with_aux(output, what)
        if not is_tensor(output):
            raise RuntimeError(f"{what}: Expected f(*args) to return a Tensor, got {type(output)}")
        if output.dim() != 0:
            raise RuntimeError(
                f"{what}: Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        kept = modes.grad and _seen_from_outside([output], own)
        grads = tree_unflatten(_gradients([output], own, None, kept, kept), spec)
        value = _outside(output, kept)
        if has_aux:
            return grads, (value, tree_map(lambda x: _outside(x, kept), aux))
        return grads, value

    return wrapper


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a function with a scalar result.  Source: torch.func.grad."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        grads, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return wrapper


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(result, function from cotangents to gradients[, aux]).  Source: torch.func.vjp."""
    at = tuple(range(len(primals)))
    output, pull, *aux = _vjp(func, primals, at, has_aux)
    return (output, pull, *aux)


def _vjp(func: Callable[..., Any], args: Any, at: Any, has_aux: bool) -> Any:
    result, own, spec = _run(func, args, at, {})
    aux: Any = None
    if has_aux:
        result, aux = with_aux(result, "vjp(f, *primals)")
    outputs, out_spec = tree_flatten(result)
    _check_outputs(outputs)
    kept = modes.grad and _seen_from_outside(outputs, own)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        cts, ct_spec = tree_flatten(cotangents)
        if ct_spec != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {ct_spec}, primal output: {out_spec}"
            )
        if create_graph is None:
            create_graph = modes.grad and (kept or any(c.requires_grad for c in cts))
        return tree_unflatten(_gradients(outputs, own, cts, retain_graph, create_graph), spec)

    shown = tree_unflatten([_outside(o, kept) for o in outputs], out_spec)
    if has_aux:
        return shown, pull, tree_map(lambda x: _outside(x, kept), aux)
    return shown, pull


def _check_outputs(outputs: list[Any]) -> None:
    what = "vjp(f, *primals)"
    if not outputs or outputs == [None]:
        raise RuntimeError(
            f"{what}: Expected f to be a function that has non-empty output (got output = "
            f"{outputs})"
        )
    for o in outputs:
        if not is_tensor(o):
            raise RuntimeError(
                f"{what}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(o)}"
            )
        if not differentiable(o._value.aval):
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                f"Tensor with dtype {o.dtype}"
            )


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """The Jacobian by rows: one reverse pass for each output, all under one vmap.

    Shapes: output shape + input shape, for each output and input.  Source: torch.func.jacrev.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any) -> Any:
        at = positions(argnums, len(args))
        refuse_complex("jacrev", tree_leaves(args), True)
        output, pull, *aux = _vjp(func, args, at, has_aux)
        outputs, out_spec = tree_flatten(output)
        refuse_complex("jacrev", outputs, False)
        primals, spec = tree_flatten(chosen(args, at))
        basis = tree_unflatten(standard_basis(outputs), out_spec)
        rows = tree_leaves(vmap(pull, chunk_size=chunk_size)(basis))
        blocks = [
            [
                part.reshape(*o.shape, *x.shape)
                for part, o in zip(r.split([o.numel() for o in outputs], 0), outputs, strict=True)
            ]
            for r, x in zip(rows, primals, strict=True)
        ]
        jacobian = tree_unflatten(
            [tree_unflatten(list(of_output), spec) for of_output in zip(*blocks, strict=True)],
            out_spec,
        )
        return (jacobian, aux[0]) if has_aux else jacobian

    return wrapper


def standard_basis(tensors: list[Any]) -> list[Any]:
    """For each tensor a stack of unit vectors: zeros but for its own part of the identity."""
    total, start, found = sum(t.numel() for t in tensors), 0, []
    for t in tensors:
        n = t.numel()
        block = zeros_like(t.detach()).reshape(1, n).expand(total, n).clone()
        if n:
            block.narrow(0, start, n).diagonal().fill_(1)
        found.append(block.reshape(total, *t.shape))
        start += n
    return found
