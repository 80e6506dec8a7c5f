"""Pooling functions of torch.nn.functional whose result depends on `return_indices`, and
unpooling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._functions import NAMESPACES, composite, derived
from ..ops.nn_common import ntuple
from ..ops.nn_pool import strides


def _declare_max(n: int) -> None:
    plain, indexed = derived[f"max_pool{n}d"], derived[f"max_pool{n}d_with_indices"]

    def max_pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        chosen = indexed if return_indices else plain
        return chosen(input, kernel_size, stride, padding, dilation, ceil_mode)

    def with_indices(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        return indexed(input, kernel_size, stride, padding, dilation, ceil_mode)

    _publish(f"max_pool{n}d", max_pool, "The maximum of every window.")
    _publish(f"max_pool{n}d_with_indices", with_indices, "The maximum of every window, and where.")


def _publish(name: str, f: Callable[..., Any], doc: str) -> None:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    composite("nn.functional", replace=True)(f)


def _declare_adaptive_max(n: int) -> None:
    row = derived[f"adaptive_max_pool{n}d"]

    def adaptive(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        result = row(input, output_size)
        return result if return_indices else result[0]

    def with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return row(input, output_size)

    doc = "Maxima over windows that share out the input"
    _publish(f"adaptive_max_pool{n}d", adaptive, f"{doc}.")
    _publish(f"adaptive_max_pool{n}d_with_indices", with_indices, f"{doc}, and where.")


def _declare_lp(n: int) -> None:
    def lp_pool(
        input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Any:
        return derived["_lp_pool"](
            input, float(norm_type), ntuple(kernel_size, n), stride, ceil_mode
        )

    _publish(f"lp_pool{n}d", lp_pool, "The p-norm of every window.")


def _declare_unpool(n: int) -> None:
    def max_unpool(
        input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
        output_size: Any = None,
    ) -> Any:  # fmt: skip
        kernel = ntuple(kernel_size, n)
        size = _unpool_size(input, kernel, strides(stride, kernel), ntuple(padding, n), output_size)
        return derived["_max_unpool"](input, indices, size)

    _publish(f"max_unpool{n}d", max_unpool, "The partial inverse of max pooling.")


def _unpool_size(
    input: Any, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> tuple[int, ...]:
    n = len(kernel)
    sizes = input.shape[-n:]
    default = [
        (s - 1) * t + k - 2 * p for s, t, k, p in zip(sizes, stride, kernel, padding, strict=True)
    ]
    if output_size is None:
        return tuple(default)
    if len(output_size) == n + 2:
        output_size = output_size[2:]
    if len(output_size) != n:
        raise ValueError(
            "output_size should be a sequence containing "
            f"{n} or {n + 2} elements, but it has a length of '{len(output_size)}'"
        )
    for d in range(n):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})'
            )
    return tuple(int(s) for s in output_size)


def _declare_fractional(n: int) -> None:
    def with_indices(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Any = None,
    ) -> Any:  # fmt: skip
        name = f"fractional_max_pool{n}d"
        kernel = ntuple(kernel_size, n)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if output_size is None:
            ratio = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,) * n
            output_size = [int(s * r) for s, r in zip(input.shape[-n:], ratio, strict=True)]
        out = ntuple(output_size, n)
        _check_fractional(name, input, kernel, out)
        if _random_samples is None:
            batch = 1 if input.dim() == n + 1 else input.size(0)
            rand = NAMESPACES["torch"]["rand"]
            _random_samples = rand(
                batch, input.size(-n - 1), n, dtype=input.dtype, device=input.device
            )
        return derived["_fractional_max_pool"](input, _random_samples, kernel, out)

    def fractional(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Any = None,
    ) -> Any:  # fmt: skip
        result = with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
        return result if return_indices else result[0]

    name = f"fractional_max_pool{n}d"
    _publish(f"{name}_with_indices", with_indices, "Maxima of windows of random steps, and where.")
    _publish(name, fractional, "Maxima of windows of random steps (Graham, 2014).")


def _check_fractional(name: str, input: Any, kernel: Any, out: Any) -> None:
    n = len(kernel)
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}"
        )
    axes = {2: ("height", "width"), 3: ("time", "height", "width")}[n]
    for axis, size, k, o in zip(axes, input.shape[-n:], kernel, out, strict=True):
        if o < 1:
            raise RuntimeError(f"{name} output_size must greater than zero")
        if o + k - 1 > size:
            raise RuntimeError(
                f"{name}(): pool {axis} {k} too large relative to input {axis} {size}"
            )


for _n in (1, 2, 3):
    _declare_max(_n)
    _declare_adaptive_max(_n)
    _declare_lp(_n)
    _declare_unpool(_n)
for _n in (2, 3):
    _declare_fractional(_n)
