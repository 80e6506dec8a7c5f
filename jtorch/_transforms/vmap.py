"""`vmap`: a function of one sample as a function of a batch, recorded once under `jax.vmap`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .. import _regions
from .._engine.value import Aval, aval
from .._functions import derived
from ..random import default_generator
from ..utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from .trees import broadcast_prefix, is_tensor, name_of

_RANDOM = ("error", "different", "same")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func` over a dimension of its inputs; the results are stacked.  Source: torch.vmap.

    in_dims: for each argument (or nested inside it) the dimension to map over, None for none.
    randomness: 'error', 'same' (one draw for all samples) or 'different' (each sample its own;
    then the samples are run one after the other). chunk_size: at most so many samples at once.
    """
    if randomness not in _RANDOM:
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        call = _Call(func, in_dims, out_dims, args, kwargs)
        size = call.size if chunk_size is None else min(chunk_size, call.size)
        if size < call.size:
            return call.in_chunks(size, randomness)
        return call.run(randomness)

    return mapped


def _check_out_dims(func: Any, out_dims: Any) -> None:
    for x in tree_leaves(out_dims):
        if x is not None and not isinstance(x, int):
            raise ValueError(
                f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None "
                "or a python collection of ints representing where in the outputs the vmapped "
                "dimension should appear."
            )


class _Call:
    """One call of a mapped function."""

    def __init__(self, func: Any, in_dims: Any, out_dims: Any, args: Any, kwargs: Any) -> None:
        self.func, self.in_dims, self.out_dims, self.kwargs = func, in_dims, out_dims, kwargs
        if not isinstance(in_dims, int | tuple):
            raise ValueError(
                f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to "
                "be "
                "int or a (potentially nested) tuple matching the structure of inputs, got: "
                f"{type(in_dims)}."
            )
        if not args:
            raise ValueError(
                f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, "
                "or you are trying to vmap over a function with no inputs. The latter is "
                "unsupported."
            )
        self.leaves, self.spec = tree_flatten(args)
        dims = broadcast_prefix(in_dims, self.spec)
        if dims is None:
            raise ValueError(
                f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): in_dims is not "
                "compatible with the structure of `inputs`. in_dims has structure "
                f"{tree_flatten(in_dims)[1]} but inputs has structure {self.spec}."
            )
        self.dims = [self._dim(x, d) for x, d in zip(self.leaves, dims, strict=True)]
        self.mapped = [i for i, d in enumerate(self.dims) if d is not None]
        sizes = [self.leaves[i].size(self.dims[i]) for i in self.mapped]
        if not sizes:
            raise ValueError("vmap: Expected at least one Tensor to vmap over")
        if len(set(sizes)) > 1:
            raise ValueError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                f"sizes {sizes} for the mapped dimension"
            )
        self.size = sizes[0]

    def _dim(self, x: Any, d: Any) -> int | None:
        where = f"vmap({name_of(self.func)}, in_dims={self.in_dims}, ...)(<inputs>): "
        if d is None:
            return None
        if not isinstance(d, int):
            raise ValueError(
                f"{where}Got in_dim={d} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not is_tensor(x):
            raise ValueError(
                f"{where}Got in_dim={d} for an input but the input is of type {type(x)}. We cannot "
                "vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        n = x.dim()
        if not -n <= d < n:
            raise ValueError(
                f"{where}Got in_dim={d} for some input, but that input is a Tensor of "
                f"dimensionality {n} so expected in_dim to satisfy -{n} <= in_dim < {n}."
            )
        return d % n

    # --- running -------------------------------------------------------------------------------

    def run(self, randomness: str) -> Any:
        """The whole batch as one region."""
        before = _state()
        shape: list[Any] = []

        def body(inputs: list[Any]) -> list[Any]:
            leaves = list(self.leaves)
            for i, x in zip(self.mapped, inputs, strict=True):
                leaves[i] = x
            result = self.func(*tree_unflatten(leaves, self.spec), **self.kwargs)
            flat, spec, dims = self._outputs(result)
            shape.append((spec, flat, dims))
            return [x for x in flat if is_tensor(x)]

        tensors = [self.leaves[i] for i in self.mapped]
        samples = [_without(t._value.aval, self.dims[i]) for i, t in zip(self.mapped, tensors, strict=True)]  # fmt: skip  # noqa: E501
        region = _regions.record(body, tensors, samples, name="vmap")
        if randomness != "same" and not np.array_equal(_state(), before):
            default_generator.set_state(before)
            return self._one_by_one(randomness)
        spec, flat, dims = shape[0]
        results = iter(self._mapped(region, [d for x, d in zip(flat, dims, strict=True) if is_tensor(x)]))  # fmt: skip  # noqa: E501
        return tree_unflatten([next(results) if is_tensor(x) else x for x in flat], spec)

    def _mapped(self, region: _regions.Region, out_dims: list[Any]) -> list[Any]:
        ins = tuple(self.dims[i] for i in self.mapped)
        kept = region.outputs - region.results - len(region.written)
        outs = (*out_dims, *(ins[i] for i in region.written), *(None,) * kept)

        def wrapper(run: Callable[..., Any]) -> Callable[..., Any]:
            def batched(*flat: Any) -> Any:
                axes = (*ins, *(None,) * (len(flat) - len(ins)))
                return jax.vmap(run, in_axes=axes, out_axes=outs, axis_size=self.size)(*flat)

            return batched

        try:
            return _regions.call("vmap", (ins, outs, self.size), wrapper, region)
        except RuntimeError as e:
            if "out_axes" not in str(e):
                raise
            raise self._batched_where_it_cannot(kept) from None

    def _batched_where_it_cannot(self, kept: int) -> Exception:
        name = name_of(self.func)
        if not kept:
            return ValueError(
                f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return RuntimeError(
            "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a "
            "Tensor `other` in extra_args that has more elements than `self`. This happened due to "
            "`other` being vmapped over but `self` not being vmapped over in a vmap. Please try to "
            "use out-of-place operators instead of inplace arithmetic."
        )

    def _outputs(self, result: Any) -> tuple[list[Any], Any, list[Any]]:
        flat, spec = tree_flatten(result)
        dims = self.out_dims
        if is_tensor(result) and isinstance(dims, tuple) and len(dims) == 1:
            dims = dims[0]
        spread = broadcast_prefix(dims, spec)
        name = name_of(self.func)
        if spread is None:
            raise ValueError(
                f"vmap({name}, ..., out_dims={self.out_dims})(<inputs>): out_dims is not "
                "compatible "
                f"with the structure of `outputs`. out_dims has structure "
                f"{tree_flatten(self.out_dims)[1]} but outputs has structure {spec}."
            )
        for x, d in zip(flat, spread, strict=True):
            if d is not None and not is_tensor(x):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. "
                    "Did you mean to set out_dims= to None for output?"
                )
        return flat, spec, spread

    # --- sample by sample, and in chunks -------------------------------------------------------

    def _one_by_one(self, randomness: str) -> Any:
        if randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap"
            )
        results = []
        for k in range(self.size):
            leaves = [x if d is None else x.select(d, k) for x, d in zip(self.leaves, self.dims, strict=True)]  # fmt: skip  # noqa: E501
            result = self.func(*tree_unflatten(leaves, self.spec), **self.kwargs)
            flat, spec, dims = self._outputs(result)
            results.append(flat)
        joined = [
            parts[0] if d is None else derived["stack"](list(parts), d)
            for parts, d in zip(zip(*results, strict=True), dims, strict=True)
        ]
        return tree_unflatten(joined, spec)

    def in_chunks(self, size: int, randomness: str) -> Any:
        """Parts of the batch one after the other, joined."""
        results = []
        for start in range(0, self.size, size):
            count = min(size, self.size - start)
            leaves = [
                x if d is None else x.narrow(d, start, count)
                for x, d in zip(self.leaves, self.dims, strict=True)
            ]
            args = tree_unflatten(leaves, self.spec)
            part = _Call(self.func, self.in_dims, self.out_dims, args, self.kwargs)
            flat, spec = tree_flatten(part.run(randomness))
            results.append(flat)
        dims = broadcast_prefix(self.out_dims, spec) or []
        joined = [
            parts[0] if d is None else derived["cat"](list(parts), d)
            for parts, d in zip(zip(*results, strict=True), dims, strict=True)
        ]
        return tree_unflatten(joined, spec)


def _state() -> np.ndarray[Any, Any]:
    return np.array(default_generator.get_state().numpy())


def _without(a: Aval, dim: int | None) -> Aval:
    assert dim is not None
    return aval((*a.shape[:dim], *a.shape[dim + 1 :]), a.dtype, a.place)
