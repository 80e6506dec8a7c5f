"""`jvp`, `linearize`, `jacfwd`, `hessian`: forward mode, a recorded function under `jax.jvp`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from .. import _regions
from .. import _tensor_duals as _duals
from .._engine.backward import modes
from .._engine.signature import differentiable
from ..autograd.grad_mode import enable_grad
from ..creation import zeros_like
from ..utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from .reverse import jacrev, standard_basis
from .trees import chosen, is_tensor, positions, refuse_complex, replaced, with_aux
from .vmap import vmap

_JVP = "jvp(f, primals, tangents)"


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
    has_aux: bool = False,
) -> Any:  # fmt: skip
    """(result, its directional derivative along `tangents`[, aux]).  Source: torch.func.jvp."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    at = tuple(range(len(primals)))
    return _jvp(func, primals, at, tangents, strict, has_aux)


def _jvp(
    func: Callable[..., Any], args: Any, at: Any, tangents: Any, strict: bool, has_aux: bool
) -> Any:
    primals, spec = tree_flatten(chosen(args, at))
    directions, directions_spec = tree_flatten(tangents)
    if spec != directions_spec:
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure. For "
            "example, "
            "if primals is a tuple of 3 tensors, tangents also must be. Got primals with structure "
            f"{spec} and tangents with structure {directions_spec}"
        )
    _check_tensors(primals, "primals")
    _check_tensors(directions, "tangents")
    _check_pairs(primals, directions)
    shape: list[Any] = []

    def body(inputs: list[Any]) -> list[Any]:
        result = func(*replaced(args, at, tree_unflatten(inputs, spec)))
        aux: Any = None
        if has_aux:
            result, aux = with_aux(result, _JVP)
        flat, out_spec = tree_flatten(result)
        for o in flat:
            if not is_tensor(o):
                raise RuntimeError(
                    f"{_JVP}: expected f(*args) to return only tensors, got unsupported type "
                    f"{type(o)}"
                )
        extra, aux_spec = tree_flatten(aux)
        shape.append((flat, out_spec, extra, aux_spec))
        return [*flat, *(x for x in extra if is_tensor(x))]

    with enable_grad(), _duals.forward_region():
        region = _regions.record(body, primals, name="jvp", differentiate=True)
    flat, out_spec, extra, aux_spec = shape[0]
    results = _pushed(region, primals, directions, [differentiable(o._value.aval) for o in flat])
    n = len(flat)
    outputs = results[:n]
    count = sum(is_tensor(x) for x in extra)
    beside, derivatives = iter(results[n : n + count]), iter(results[n + count :])
    pushed = [
        next(derivatives) if differentiable(o._value.aval) else zeros_like(o) for o in outputs
    ]
    found = (tree_unflatten(outputs, out_spec), tree_unflatten(pushed, out_spec))
    if not has_aux:
        return found
    aux = tree_unflatten([next(beside) if is_tensor(x) else x for x in extra], aux_spec)
    return (*found, aux)


def _pushed(
    region: _regions.Region, primals: list[Any], tangents: list[Any], smooth: list[bool]
) -> list[Any]:
    n, ends = len(primals), region.results + len(region.written)
    moving = [i for i, p in enumerate(primals) if differentiable(p._value.aval)]
    more = [(tangents[i]._value, tangents[i]._edge() if modes.grad else None) for i in moving]
    wanted = [i for i, s in enumerate(smooth) if s]

    def wrapper(run: Callable[..., Any]) -> Callable[..., Any]:
        def push(*flat: Any) -> Any:
            inputs, dots, rest = flat[:n], flat[n : n + len(moving)], flat[n + len(moving) :]

            def f(*values: Any) -> Any:
                full = list(inputs)
                for i, v in zip(moving, values, strict=True):
                    full[i] = v
                return run(*full, *rest)

            outs, moved = jax.jvp(f, tuple(inputs[i] for i in moving), tuple(dots))
            return (*outs[:ends], *(moved[i] for i in wanted), *outs[ends:])

        return push

    kind = (n, tuple(moving), tuple(wanted), len(region.written))
    return _regions.call("jvp", kind, wrapper, region, more)


def _check_tensors(found: list[Any], what: str) -> None:
    if not found:
        raise RuntimeError(f"{_JVP}: Expected {what} to contain at least one Tensor.")
    for x in found:
        if not is_tensor(x):
            raise RuntimeError(f"{_JVP}: Expected {what} to only contain Tensors, got {type(x)}")


def _check_pairs(primals: list[Any], tangents: list[Any]) -> None:
    for p, t in zip(primals, tangents, strict=True):
        if p.shape != t.shape:
            raise RuntimeError(
                f"Expected tangent to have the same shape as primal: {list(p.shape)}, got "
                f"{list(t.shape)}"
            )
        if p.dtype is not t.dtype and differentiable(p._value.aval):
            raise RuntimeError(
                f"Expected tangent to have the same dtype as primal: {p.dtype}, got {t.dtype}"
            )


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """(result, function from tangents to the result's derivative).  Source:
    torch.func.linearize.
    """
    if not primals:
        raise RuntimeError("linearize: Expected at least one primal.")
    zeros = tree_map(lambda x: zeros_like(x.detach()), primals)
    output, _ = jvp(func, primals, zeros)

    def push(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return output, push


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """The Jacobian by columns: one forward pass for each input, all under one vmap.

    Shapes: output shape + input shape, for each output and input.  Source: torch.func.jacfwd.
    """

    @functools.wraps(func)
    def wrapper(*args: Any) -> Any:
        at = positions(argnums, len(args))
        refuse_complex("jacfwd", tree_leaves(args), True)
        primals, spec = tree_flatten(chosen(args, at))
        basis = tree_unflatten(standard_basis(primals), spec)

        def push(direction: Any) -> Any:
            _, *rest = _jvp(func, args, at, direction, False, has_aux)
            return tuple(rest)

        dims = (-1, None) if has_aux else (-1,)
        moved, *aux = vmap(push, out_dims=dims, randomness=randomness)(basis)
        columns, out_spec = tree_flatten(moved)
        refuse_complex("jacfwd", columns, False)
        sizes = [p.numel() for p in primals]
        jacobian = tree_unflatten(
            [
                tree_unflatten(
                    [
                        part.reshape(*c.shape[:-1], *p.shape)
                        for part, p in zip(c.split(sizes, -1), primals, strict=True)
                    ],
                    spec,
                )
                for c in columns
            ],
            out_spec,
        )
        return (jacobian, aux[0]) if has_aux else jacobian

    return wrapper


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """Second derivatives: forward mode over reverse mode.  Source: torch.func.hessian."""
    return jacfwd(jacrev(func, argnums), argnums)
