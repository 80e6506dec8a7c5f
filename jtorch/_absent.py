"""Why a name of torch is not here: what `AttributeError` says of those that jtorch leaves out."""

from __future__ import annotations

from typing import Any

from .tensor import Tensor

_SPARSE = (
    "jtorch has strided tensors only, as XLA has no sparse layout. Use a dense tensor, or keep the "
    "indices and values apart and sum with index_add or scatter_add."
)
_QUANTIZED = (
    "jtorch has no quantised tensors. Train with torch.fake_quantize_per_tensor_affine, or keep "
    "int8 values and their scale as two tensors."
)
_LAYOUT = "XLA chooses how tensors lie in memory: leave it out."
_DTYPE = "JAX has no such dtype."
_SCRIPT = "jtorch has no TorchScript compiler: whole steps are compiled as they are."
_SHARED = (
    "jtorch's tensors are not shared between processes: send state_dict()s or gradients, or use "
    "threads."
)
_NAMED = "jtorch has no named dimensions: use dim numbers, or einsum."

_REASONS = {
    _SPARSE: """sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor
        sparse_bsc_tensor sparse_compressed_tensor to_sparse to_sparse_coo to_sparse_csr
        to_sparse_csc to_sparse_bsr to_sparse_bsc sparse spmm dsmm hsmm saddmm""",
    _QUANTIZED: """quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic
        quantized_batch_norm quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d
        empty_quantized quantized_lstm_cell quantized_gru_cell""",
    _DTYPE: """complex32 chalf qint8 qint32 quint8 quint4x2 quint2x4 float8_e8m0fnu""",
    _SCRIPT: """ScriptModule ScriptFunction import_ir_module import_ir_module_from_buffer parse_ir
        parse_schema parse_type_comment merge_type_from_type_comment unify_type_list""",
    _LAYOUT: "to_mkldnn",
    _SHARED: "share_memory_",
    _NAMED: "names refine_names align_to align_as align_tensors rename rename_ has_names",
}
REASONS = {name: reason for reason, names in _REASONS.items() for name in names.split()}


def module_attribute(name: str) -> Any:
    """`__getattr__` of the package: called for names that it does not have."""
    reason = f". {REASONS[name]}" if name in REASONS else ""
    raise AttributeError(f"module 'torch' has no attribute {name!r}{reason}")


def tensor_attribute(self: Any, name: str) -> Any:
    """`Tensor.__getattr__`: called for names that tensors do not have."""
    reason = f". {REASONS[name]}" if name in REASONS else ""
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{reason}")


Tensor.__getattr__ = tensor_attribute  # type: ignore[attr-defined]
