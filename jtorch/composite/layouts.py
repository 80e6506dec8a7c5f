"""What functions of sparse, quantised and nested tensors say to strided ones: all that jtorch has.

Each answers as PyTorch does there. What would make such a tensor (`to_sparse`,
`quantize_per_tensor`) does not exist; `jtorch/_absent.py` says why.
"""

from __future__ import annotations

from typing import Any

from .._engine import dtype as _dtype
from .._functions import composite
from .._gate import TensorBase
from ._arguments import tensor

_EXPECTED = {
    "coalesce": "sparse coordinate", "is_coalesced": "sparse coordinate",
    "indices": "sparse coordinate", "values": "sparse",
    "crow_indices": "sparse row compressed", "col_indices": "sparse row compressed",
    "ccol_indices": "sparse column compressed", "row_indices": "sparse column compressed",
}  # fmt: skip
_QUANTIZED = (
    "int_repr", "q_scale", "q_zero_point", "q_per_channel_axis", "q_per_channel_scales",
    "q_per_channel_zero_points", "qscheme",
)  # fmt: skip
_OTHERS = (
    "sparse_mask", "sparse_resize_", "sparse_resize_and_clear_", "to_padded_tensor",
    "resize_as_sparse_",
)  # fmt: skip


def _of_layout(name: str, layout: str) -> None:
    def f(input: Any) -> Any:
        tensor(name, "input", input)
        raise RuntimeError(f"{name} expected {layout} tensor layout but got Strided")

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"Of {layout} tensors only."
    composite("Tensor")(f)
    if name not in ("coalesce", "is_coalesced"):
        composite(f"torch:{name}_copy")(f)


for _name, _layout in _EXPECTED.items():
    _of_layout(_name, _layout)


def _no_kernel(name: str) -> Any:
    def f(input: Any, *args: Any, **named: Any) -> Any:
        where = "CUDA" if tensor(name, "input", input).is_cuda else "CPU"
        raise NotImplementedError(
            f"Could not run 'aten::{name}' with arguments from the '{where}' backend."
        )

    f.__name__ = f.__qualname__ = name
    f.__doc__ = "Of sparse, quantised or nested tensors only."
    return f


for _name in _QUANTIZED:
    composite("Tensor", *(("torch",) if not _name.startswith("_") else ()))(_no_kernel(_name))
for _name in _OTHERS:
    composite("Tensor")(_no_kernel(_name))
composite("torch")(_no_kernel("hspmm"))
composite("torch")(_no_kernel("resize_as_sparse_"))


def _sparse_product(name: str, *namespaces: str) -> None:
    def f(input: Any, *args: Any, **named: Any) -> Any:
        tensor(name, "input", input)
        raise RuntimeError("tensor.sspaddmm(...) can only be called on sparse tensors")

    f.__name__ = f.__qualname__ = name
    f.__doc__ = "Of sparse tensors only: `mm` and `addmm` are for strided ones."
    composite(*namespaces)(f)


_sparse_product("smm", "torch", "Tensor")
_sparse_product("sspaddmm", "torch", "Tensor")


@composite("Tensor")
def record_stream(self: Any, stream: Any) -> None:
    """Nothing on an accelerator, where XLA's runtime keeps memory alive as long as it is used."""
    if not self.is_cuda:
        _no_kernel("record_stream")(self)


@composite("Tensor")
def dense_dim(self: Any) -> int:
    """All dimensions are dense ones."""
    return int(self.ndim)


@composite("Tensor")
def sparse_dim(self: Any) -> int:
    """No dimension is a sparse one."""
    return 0


@composite("Tensor")
def to_dense(self: Any, dtype: Any = None, *, masked_grad: bool | None = None) -> Any:
    """The tensor itself, in another dtype if asked for."""
    return self if dtype is None else self.to(dtype)


@composite("torch", "Tensor")
def dequantize(input: Any) -> Any:
    """As float32; a list or tuple, element by element."""
    if isinstance(input, list | tuple):
        return tuple(dequantize(t) for t in input)
    return tensor("dequantize", "input", input).to(_dtype.float32)


@composite("torch", "Tensor")
def is_inference(input: Any) -> bool:
    """Whether the tensor can never take part in autograd: no, inference mode is `no_grad` here."""
    tensor("is_inference", "input", input)
    return False


def _never(name: str, what: str) -> None:
    from ..tensor import Tensor

    setattr(Tensor, name, property(lambda self: False, doc=f"Whether the tensor is {what}: no."))


for _name, _what in (
    ("is_sparse_csr", "a sparse matrix"), ("is_mkldnn", "in MKL-DNN's layout"),
    ("is_vulkan", "on Vulkan"), ("is_mps", "on an Apple GPU"), ("is_xpu", "on an Intel GPU"),
    ("is_ipu", "on an IPU"), ("is_mtia", "on MTIA"), ("is_maia", "on MAIA"),
    ("is_xla", "PyTorch/XLA's"),
):  # fmt: skip
    _never(_name, _what)


def _elsewhere(name: str, error: type[Exception], text: str) -> None:
    def f(self: TensorBase, device: Any = None, non_blocking: bool = False, **named: Any) -> Any:
        raise error(text)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = "jtorch names every accelerator 'cuda': use `.cuda()`."
    composite("Tensor")(f)


_elsewhere("xpu", AssertionError, "Torch not compiled with XPU enabled")
_elsewhere("mtia", AssertionError, "Torch not compiled with MTIA enabled.")
_elsewhere("ipu", RuntimeError, "PyTorch is not linked with support for ipu devices")
