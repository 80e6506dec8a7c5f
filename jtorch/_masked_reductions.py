"""Reductions and normalisations that leave out what a mask says.

A masked-out element is replaced by the operation's identity, and the ordinary operation runs. Masks
are strided tensors.
"""

from __future__ import annotations

import math
from typing import Any

from ._engine import dtype as _dtype
from ._functions import NAMESPACES

_torch: Any = NAMESPACES["torch"]
_functional: Any = NAMESPACES["nn.functional"]

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax",
    "logaddexp", "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin",
    "std", "sum", "var",
]  # fmt: skip


# --- masks ----------------------------------------------------------------------------------------


def _lowest(dtype: Any) -> Any:
    return -math.inf if dtype.is_floating_point else _limits("amax", dtype).min


def _highest(dtype: Any) -> Any:
    return math.inf if dtype.is_floating_point else _limits("amin", dtype).max


def _limits(name: str, dtype: Any) -> Any:
    if dtype is _dtype.bool_ or dtype.is_complex:
        raise NotImplementedError(f"identity of {name} on {dtype} input")
    return _dtype.iinfo(dtype)


def _lowest_exponent(dtype: Any) -> Any:
    return complex(-math.inf, 0) if dtype.is_complex else _lowest(dtype)


_IDENTITIES: dict[str, Any] = {
    "sum": lambda dtype: 0,
    "prod": lambda dtype: 1,
    "amax": _lowest,
    "amin": _highest,
    "logsumexp": _lowest_exponent,
    "median": lambda dtype: math.nan,
}


def _canonical(input: Any, mask: Any) -> Any:
    """The mask as bools of the input's shape."""
    if tuple(mask.shape) != tuple(input.shape):
        if mask.ndim > input.ndim:
            raise IndexError(
                "_input_mask expected broadcastable mask (got mask dimensionality higher than of "
                "the input)"
            )
        mask = mask.expand(input.shape)
    return mask.to(_dtype.bool_)


def _filled(op: str, input: Any, mask: Any) -> Any:
    """The input with the identity of `op` wherever the mask is false."""
    if mask is None:
        return input
    where = _canonical(input, mask)
    fill = _torch["full"]((), _IDENTITIES[op](input.dtype), dtype=input.dtype, device=input.device)
    return _torch["where"](where, input, fill)


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """A `dim` argument as sorted dimensions; None and () mean all."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    size, found = max(ndim, 1), []
    for d in (dim,) if isinstance(dim, int) else dim:
        if d in found:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
        if not -size <= d < size:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but "
                f"got {d})"
            )
        found.append(d % size)
    return tuple(sorted(found))


# --- reductions -----------------------------------------------------------------------------------


def _summed(input: Any, dtype: Any) -> Any:
    """torch's result dtype of a sum: that of the input, int64 for the smaller integers."""
    if dtype is not None:
        return dtype
    return _dtype.int64 if input.dtype.is_integral else input.dtype


def sum(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """Sum of what the mask lets through."""
    dims = _dims(dim, input.ndim)
    return _torch["sum"](
        _filled("sum", input, mask), dims, bool(keepdim), dtype=_summed(input, dtype)
    )


def prod(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """Product of what the mask lets through."""
    result = _filled("prod", input, mask).to(_summed(input, dtype))
    for d in reversed(_dims(dim, input.ndim)):
        result = result.prod(d, bool(keepdim))
    return result


def _extreme(name: str) -> Any:
    def f(
        input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
    ) -> Any:
        filled = _filled(name, input, mask)
        found = _torch[name](filled, _dims(dim, filled.ndim), bool(keepdim))
        return found.to(dtype or input.dtype)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`{name}` of what the mask lets through."
    return f


amax = _extreme("amax")
amin = _extreme("amin")


def _place(name: str, extreme: str) -> Any:
    def f(
        input: Any,
        dim: int | None = None,
        *,
        keepdim: bool = False,
        dtype: Any = None,
        mask: Any = None,
    ) -> Any:
        found = _torch[name](_filled(extreme, input, mask), dim, bool(keepdim))
        return found.to(dtype or input.dtype)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`{name}` of what the mask lets through, in the dtype of the input unless told."
    return f


argmax = _place("argmax", "amax")
argmin = _place("argmin", "amin")


def _count(input: Any, dim: Any, keepdim: bool, mask: Any) -> Any:
    """How many elements the mask lets through."""
    if mask is None:
        mask = _torch["ones_like"](input, dtype=_dtype.bool_)
    return _canonical(input, mask).sum(_dims(dim, input.ndim), keepdim)


def mean(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """Mean of what the mask lets through; NaN where that is nothing."""
    kind = dtype or input.dtype
    if not (kind.is_floating_point or kind.is_complex):
        source = "Input" if dtype is None else "Optional"
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point "
            f"or complex dtype. Got: {kind}"
        )
    total = sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask)
    return total / _count(input, dim, bool(keepdim), mask)


def median(
    input: Any, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """Median of what the mask lets through; NaN where that is nothing."""
    kind, d = input.dtype, _dims(dim, input.ndim)[0]
    if kind.is_floating_point:
        return _torch["nanmedian"](_filled("median", input, mask), d, keepdim).values
    found = _torch["nanmedian"](_filled("median", input.float(), mask), d, keepdim).values
    if bool(found.isnan().any()):
        raise ValueError(
            "masked median expects no fully masked out rows if dtype is not floating point"
        )
    return found.to(dtype or kind)


def logsumexp(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """log(sum(exp(x))) over what the mask lets through."""
    dims = _dims(dim, input.ndim)
    found = _torch["logsumexp"](_filled("logsumexp", input, mask), dims, keepdim)
    return found.to(dtype or input.dtype)


def logaddexp(
    input: Any, other: Any, *, dtype: Any = None, input_mask: Any = None, other_mask: Any = None
) -> Any:
    """log(exp(input) + exp(other)), each with its mask."""
    a, b = _filled("amax", input, input_mask), _filled("amax", other, other_mask)
    return _torch["logaddexp"](a, b).to(dtype or input.dtype)


def norm(
    input: Any,
    ord: float = 2.0,
    dim: Any = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Any:
    """Vector norm of what the mask lets through."""
    filled = _filled("amin" if ord == -math.inf else "sum", input, mask)
    dims = _dims(dim, input.ndim)
    return _torch["norm"](filled, float(ord), dims, bool(keepdim), dtype=dtype or input.dtype)


def _spread(
    input: Any, dim: Any, unbiased: Any, correction: Any, keepdim: Any, dtype: Any, mask: Any
) -> Any:
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    is_float = input.dtype.is_floating_point or input.dtype.is_complex
    kind = dtype or (input.dtype if is_float else _dtype.float32)
    wide = kind if kind.is_floating_point or kind.is_complex else _dtype.float32
    count = _count(input, dim, True, mask)
    gap = input - sum(input, dim, keepdim=True, dtype=kind, mask=mask) / count
    total = sum(gap * gap.conj(), dim, keepdim=keepdim, dtype=wide, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    if correction != 0:
        real = total.real.dtype if wide.is_complex else wide
        count = (count.to(real) - correction).clamp_min(0)
    return (total / count).to(kind)


def var(
    input: Any, dim: Any = None, unbiased: Any = None, *, correction: Any = None,
    keepdim: bool = False, dtype: Any = None, mask: Any = None,
) -> Any:  # fmt: skip
    """Variance of what the mask lets through; NaN where that is nothing."""
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Any, dim: Any = None, unbiased: Any = None, *, correction: Any = None,
    keepdim: bool = False, dtype: Any = None, mask: Any = None,
) -> Any:  # fmt: skip
    """Standard deviation of what the mask lets through; NaN where that is nothing."""
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


# --- of the input's own shape ---------------------------------------------------------------------


def _along(space: Any, name: str, identity: str) -> Any:
    def f(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
        d, kind = _dims(dim, input.ndim)[0], dtype or input.dtype
        return space[name](_filled(identity, input, mask), d, dtype=kind)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`{name}` that passes over what the mask leaves out."
    return f


cumsum = _along(_torch, "cumsum", "sum")
cumprod = _along(_torch, "cumprod", "prod")
softmax = _along(_functional, "softmax", "amax")
log_softmax = _along(_functional, "log_softmax", "amax")
softmin = _along(_functional, "softmin", "amin")


def normalize(
    input: Any, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None
) -> Any:
    """Divided by the norm of what the mask lets through, which is taken to be `eps` at least."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled("sum", input, mask) / size.clamp_min(eps)


def _input_mask(input: Any, *args: Any, mask: Any = None, **options: Any) -> Any:
    """The mask of an operation's input, as torch's own tests ask for it."""
    if mask is None:
        raise ValueError("_input_mask requires explicit mask")
    return _canonical(input, mask)


def _output_mask(op: Any, input: Any, *args: Any, **options: Any) -> Any:
    """Which elements of an operation's result come from something that the mask lets through."""
    known = _input_mask(input, mask=options.get("mask"))
    if op.__name__ in ("softmax", "log_softmax", "softmin", "normalize", "cumsum", "cumprod"):
        return known
    after = args[1:] if op.__name__ == "norm" else args
    dim = after[0] if after else options.get("dim")
    return known.any(_dims(dim, input.ndim), bool(options.get("keepdim", False)))
