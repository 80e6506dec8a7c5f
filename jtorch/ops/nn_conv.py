"""Convolutions and transposed convolutions, with torch's checks; how they are computed is
nn_conv_xla's.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._define import Array, op
from .nn_common import not_implemented, ntuple
from .nn_conv_xla import convolve, convolve_transposed

_SPACES: Any = {"namespaces": ("torch", "nn.functional"), "grad_name": "Convolution"}


def _conv(x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    n = w.ndim - 2
    stride, dilation = ntuple(stride, n), ntuple(dilation, n)
    batched = x if x.ndim == n + 2 else x[None]
    sides = _sides(padding, w.shape[2:], dilation)
    y = convolve(batched, w, stride, sides, dilation, groups)
    if bias is not None:
        y = y + bias.reshape((-1,) + (1,) * n)
    return y if x.ndim == n + 2 else y[0]


def _sides(padding: Any, kernel: Any, dilation: Any) -> tuple[tuple[int, int], ...]:
    """Zeros before and after each dimension; of an odd number torch puts the larger part after."""
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return tuple((p, p) for p in ntuple(padding, len(kernel)))


def _check(n: int) -> Any:
    def check(
        x: Any, w: Any, bias: Any, *, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> None:
        _check_weight_rank(n, x, w)
        _check_rank(f"conv{n}d", n, x)
        _check_dtypes(x, w, bias)
        same = padding == "same"
        if isinstance(padding, str):
            _check_padding_word(padding, stride)
            padding = 0
        _check_sizes(w, groups, stride=stride, padding=padding, dilation=dilation)
        _check_shapes(x, w, bias, groups)
        kernel = [d * (k - 1) + 1 for d, k in zip(ntuple(dilation, n), w.shape[2:], strict=True)]
        if not same:
            _check_reach(x.shape[x.ndim - n :], kernel, ntuple(padding, n))

    return check


def _check_rank(name: str, n: int, x: Any) -> None:
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input "
            f"of size: {list(x.shape)}"
        )


def _check_weight_rank(n: int, x: Any, w: Any) -> None:
    if w.ndim == n + 2:
        return
    if w.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    raise RuntimeError(
        f"Expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight{list(w.shape)}, but "
        f"got {x.ndim}-dimensional input of size {list(x.shape)} instead"
    )


def _check_dtypes(x: Any, w: Any, bias: Any) -> None:
    if x.dtype is not w.dtype:
        raise RuntimeError(
            f"Input type (torch.{x.dtype.scalar_name}Tensor) and weight type "
            f"(torch.{w.dtype.scalar_name}Tensor) should be the same or input should be a MKLDNN "
            "tensor and weight is a dense tensor"
        )
    if x.dtype.name == "bool":
        raise not_implemented("slow_conv2d_cpu", x.dtype)
    if bias is not None and bias.dtype is not x.dtype:
        raise RuntimeError(
            f"Input type ({_cpp(x.dtype)}) and bias type ({_cpp(bias.dtype)}) should be the same"
        )


def _cpp(dtype: Any) -> Any:
    return {"float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int",
            "bfloat16": "c10::BFloat16"}.get(dtype.name, dtype.name)  # fmt: skip


def _check_padding_word(padding: str, stride: Any) -> None:
    if padding not in ("same", "valid"):
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    strides = stride if isinstance(stride, tuple) else (stride,)
    if padding == "same" and any(s != 1 for s in strides):
        raise RuntimeError("padding='same' is not supported for strided convolutions")


def _check_sizes(w: Any, groups: int, **sizes: Any) -> None:
    n = w.ndim - 2
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    for name, size in sizes.items():
        if isinstance(size, tuple) and len(size) not in (1, n):
            raise RuntimeError(
                f"expected {name} to be a single integer value or a list of {n} values to match "
                f"the convolution dimensions, but got {name}={list(size)}"
            )
        least = 0 if "padding" in name else 1
        if min(ntuple(size, n)) < least:
            kind = "negative" if least == 0 else "non-positive"
            raise RuntimeError(f"{kind} {name} is not supported")
    if w.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, "
            "but got "
            f"weight of size {list(w.shape)} instead"
        )
    if w.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{list(w.shape)}] instead"
        )


def _check_shapes(x: Any, w: Any, bias: Any, groups: int) -> None:
    n = w.ndim - 2
    shape = x.shape if x.ndim == n + 2 else (1, *x.shape)
    wanted = w.shape[1] * groups
    if shape[1] != wanted:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(w.shape)}, expected "
            f"input{list(shape)} to have {wanted} channels, but got {shape[1]} channels instead"
        )
    if bias is not None and bias.shape != (w.shape[0],):
        raise _bad_bias(w, w.shape[0], bias, "Given")


def _bad_bias(w: Any, wanted: int, bias: Any, given: str) -> RuntimeError:
    return RuntimeError(
        f"{given} weight of size {list(w.shape)}, expected bias to be 1-dimensional with {wanted} "
        f"elements, but got bias of size {list(bias.shape)} instead"
    )


def _check_reach(spatial: Any, kernel: Any, padding: Any) -> None:
    padded = [s + 2 * p for s, p in zip(spatial, padding, strict=True)]
    if any(k > p for k, p in zip(kernel, padded, strict=True)):
        size = " x ".join(map(str, padded))
        reach = " x ".join(map(str, kernel))
        raise RuntimeError(
            f"Calculated padded input size per channel: ({size}). Kernel size: ({reach}). Kernel "
            "size can't be greater than actual input size"
        )


@op(check=_check(1), **_SPACES)
def conv1d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of (N, C, L) or (C, L) with (out, C / groups, k)."""
    return _conv(input, weight, bias, stride, padding, dilation, groups)


@op(check=_check(2), **_SPACES)
def conv2d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of (N, C, H, W) or (C, H, W) with (out, C / groups, kh, kw)."""
    return _conv(input, weight, bias, stride, padding, dilation, groups)


@op(check=_check(3), **_SPACES)
def conv3d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of (N, C, D, H, W) or (C, D, H, W) with (out, C / groups, kd, kh, kw)."""
    return _conv(input, weight, bias, stride, padding, dilation, groups)


def _conv_t(
    x: Any, w: Any, bias: Any, stride: Any, padding: Any, extra: Any, groups: int, dilation: Any
) -> Any:
    n = w.ndim - 2
    batched = x if x.ndim == n + 2 else x[None]
    y = convolve_transposed(
        batched,
        w,
        ntuple(stride, n),
        ntuple(padding, n),
        ntuple(extra, n),
        ntuple(dilation, n),
        groups,
    )
    if bias is not None:
        y = y + bias.reshape((-1,) + (1,) * n)
    return y if x.ndim == n + 2 else y[0]


_AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}


def _check_transposed(n: int) -> Any:
    def check(
        x: Any, w: Any, bias: Any, *, stride: Any, padding: Any, output_padding: Any, groups: int,
        dilation: Any,
    ) -> None:  # fmt: skip
        _check_weight_rank(n, x, w)
        _check_rank(f"conv_transpose{n}d", n, x)
        _check_dtypes(x, w, bias)
        _check_sizes(w, groups, stride=stride, padding=padding, dilation=dilation,
                     output_padding=output_padding)  # fmt: skip
        _check_transposed_shapes(x, w, bias, groups)
        values = [ntuple(v, n) for v in (output_padding, stride, dilation)]
        if any(o >= s and o >= d for o, s, d in zip(*values, strict=True)):
            raise _bad_output_padding(n, *values)
        sizes = _transposed_sizes(x, w, stride, padding, output_padding, dilation)
        if min(sizes) < 1:
            raise RuntimeError(
                f"Given input size per channel: {list(x.shape[x.ndim - n :])}. Calculated output "
                f"size per channel: {sizes}. Output size is too small"
            )

    return check


def _transposed_sizes(x: Any, w: Any, *settings: Any) -> list[int]:
    n = w.ndim - 2
    stride, padding, extra, dilation = (ntuple(s, n) for s in settings)
    spatial, kernel = x.shape[x.ndim - n :], w.shape[2:]
    return [
        (spatial[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + extra[i] + 1
        for i in range(n)
    ]


def _check_transposed_shapes(x: Any, w: Any, bias: Any, groups: int) -> None:
    n = w.ndim - 2
    shape = x.shape if x.ndim == n + 2 else (1, *x.shape)
    if shape[1] != w.shape[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected input{list(shape)} to "
            f"have {w.shape[0]} channels, but got {shape[1]} channels instead"
        )
    wanted = w.shape[1] * groups
    if bias is not None and bias.shape != (wanted,):
        raise _bad_bias(w, wanted, bias, "Given transposed=1,")


def _bad_output_padding(n: int, *values: Any) -> RuntimeError:
    if n == 1:  # torch runs it as two-dimensional
        values = tuple((first, *v) for first, v in zip((0, 1, 1), values, strict=True))
        n = 2
    names = ("output_padding", "stride", "dilation")
    listed = " ".join(
        f"{name}_{axis}: {value}"
        for name, of in zip(names, values, strict=True)
        for axis, value in zip(_AXES[n], of, strict=True)
    )
    return RuntimeError(
        f"output padding must be smaller than either stride or dilation, but got {listed}"
    )


@op(check=_check_transposed(1), **_SPACES)
def conv_transpose1d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """The transpose of `conv1d`; weight is (C, out / groups, k)."""
    return _conv_t(input, weight, bias, stride, padding, output_padding, groups, dilation)


@op(check=_check_transposed(2), **_SPACES)
def conv_transpose2d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """The transpose of `conv2d`; weight is (C, out / groups, kh, kw)."""
    return _conv_t(input, weight, bias, stride, padding, output_padding, groups, dilation)


@op(check=_check_transposed(3), **_SPACES)
def conv_transpose3d(
    input: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """The transpose of `conv3d`; weight is (C, out / groups, kd, kh, kw)."""
    return _conv_t(input, weight, bias, stride, padding, output_padding, groups, dilation)


def _tbc_check(x: Any, w: Any, bias: Any, pad: int) -> None:
    if x.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if w.ndim != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if bias.ndim != 1:
        raise RuntimeError("Bias must be 1-D")
    if x.shape[2] != w.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if w.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")


@op(check=_tbc_check, namespaces=("torch", "nn.functional"))
def conv_tbc(input: Array, weight: Array, bias: Array, pad: int = 0) -> Any:
    """1-d convolution of (time, batch, channels) with (k, channels, out)."""
    y = convolve(
        jnp.transpose(input, (1, 2, 0)),
        jnp.transpose(weight, (2, 1, 0)),
        (1,),
        ((pad, pad),),
        (1,),
        1,
    )
    return jnp.transpose(y, (2, 0, 1)) + bias
