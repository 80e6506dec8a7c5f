"""Reductions with several faces: max and min, var and std, renorm, and their kin."""

from __future__ import annotations

from typing import Any

from .._functions import composite, derived
from .._gate import TensorBase, apply
from ..ops import TABLE
from ..ops._derive import NUMPY_NAMES
from ._arguments import integers, into, write


def _extreme(name: str, pairwise: str) -> Any:
    full, along = TABLE[f"_{name}_all"], TABLE[f"_{name}_dim"]

    def f(input: Any, *args: Any, out: Any = None, **named: Any) -> Any:
        named = {NUMPY_NAMES.get(n, n): value for n, value in named.items()}
        if not args and not named:
            if not input.numel():
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            return into(f"_{name}_all", out, apply(full, (input,), ()))
        other = named.get("other", args[0] if args else None)
        if isinstance(other, TensorBase):
            return into(pairwise, out, derived[pairwise](input, other))
        return into(f"_{name}_dim", out, apply(along, (input,), _along(name, *args, **named)))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"The {name}imum of all, of a dimension (values and indices), or of two tensors."
    return composite("torch", "Tensor")(f)


def _along(name: str, *args: Any, **named: Any) -> tuple[Any, bool]:
    given = dict(zip(("dim", "keepdim"), args, strict=False)) | named
    dim = given.pop("dim", None)
    keepdim = given.pop("keepdim", False)
    if given or len(args) > 2 or not isinstance(dim, int):
        kinds = ", ".join([type(a).__name__ for a in args] + [f"{k}" for k in named])
        raise TypeError(f"{name}() received an invalid combination of arguments - got ({kinds})")
    return dim, keepdim


max = _extreme("max", "maximum")
min = _extreme("min", "minimum")


def _spread(name: str, pair: bool) -> Any:
    row = TABLE[f"_{name}"]

    def f(
        input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
        correction: Any = None, out: Any = None,
    ) -> Any:  # fmt: skip
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None and correction is None:
            correction = int(unbiased)
        if correction is None:
            correction = 1
        result = apply(row, (input,), (dim, correction, keepdim))
        return into(f"_{name}", out, result)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"{name} over `dim`, with `correction` degrees of freedom taken off (default 1)."
    return composite("torch", *(() if pair else ("Tensor",)))(f)


var = _spread("var", False)
std = _spread("std", False)
var_mean = _spread("var_mean", True)
std_mean = _spread("std_mean", True)


@composite("torch", "Tensor")
def renorm(input: Any, p: float, dim: int, maxnorm: float, *, out: Any = None) -> Any:
    """Slices along `dim` scaled down to a p-norm of at most `maxnorm`."""
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    return into("_renorm", out, apply(TABLE["_renorm"], (input,), (float(p), dim, float(maxnorm))))


@composite("Tensor")
def renorm_(self: Any, p: float, dim: int, maxnorm: float) -> Any:
    """`renorm` in place."""
    return write(self, renorm(self, p, dim, maxnorm))


@composite("Tensor")
def sum_to_size(self: Any, *size: Any, **named: Any) -> Any:
    """Summed down to a size that broadcasts to this tensor's."""
    wanted, shape = integers("sum_to_size", "size", size, named), tuple(self.shape)
    lead = len(shape) - len(wanted)
    fits = lead >= 0 and all(w in (1, n) for w, n in zip(wanted, shape[lead:], strict=True))
    if not fits:
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(shape)}}}.")
    if not wanted:
        return self.sum()
    dims = [d for d, n in enumerate(shape) if d < lead or (wanted[d - lead] == 1 and n != 1)]
    return self.sum(dims, keepdim=True).reshape(wanted) if dims else self
