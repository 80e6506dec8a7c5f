"""`TransformerEncoder` and `TransformerDecoder`: copies of one layer, one after the other."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from .._autocast import is_autocast_enabled
from .._functions import NAMESPACES
from ..autograd.grad_mode import is_grad_enabled
from ..composite.nn_attention import _as_float_mask
from ..tensor import Tensor
from .containers import ModuleList
from .module import Module
from .transformer_layers import TransformerEncoderLayer

_TORCH = NAMESPACES["torch"]


def _get_clones(module: Module, n: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer, and a final norm if there is one.

    As in torch, an evaluation without gradients that is given a padding mask alone returns zeros
    (before the final norm) for what is padded at the end of its sequence.
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        why = _not_nestable(encoder_layer)
        if enable_nested_tensor and why:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"encoder_layer{why}",
                stacklevel=2,
            )
            self.use_nested_tensor = False

    def _drops_padding(self, src: Tensor, mask: Any, padding: Any) -> bool:
        """Whether torch would leave the padding out and give zeros for it."""
        if not getattr(self, "use_nested_tensor", False) or padding is None or mask is not None:
            return False
        if self.layers[0].training or src.dim() != 3 or is_autocast_enabled():
            return False
        weights = [p for p in self.layers[0].parameters(recurse=True)]
        return not (is_grad_enabled() and any(t.requires_grad for t in (src, *weights)))

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        padding = _as_float_mask(
            src_key_padding_mask, "src_key_padding_mask", mask, "mask", src.dtype, True
        )
        mask = _as_float_mask(mask, "mask", None, "", src.dtype, False)
        output = src
        for layer in self.layers:
            output = layer(
                output,
                src_mask=mask,
                is_causal=is_causal is True,
                src_key_padding_mask=padding,
            )
        if self._drops_padding(src, mask, padding):
            output = _without_padding(output, padding.logical_not(), self.mask_check)
        return output if self.norm is None else self.norm(output)


def _not_nestable(layer: Any) -> str:
    """Why torch would not use nested tensors for this layer, "" if it would."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    if layer.norm_first:
        return ".norm_first was True"
    if not layer.self_attn.batch_first:
        return (
            ".self_attn.batch_first was not True(use batch_first for better inference performance)"
        )
    if not layer.self_attn._qkv_same_embed_dim:
        return ".self_attn._qkv_same_embed_dim was not True"
    if layer.self_attn.in_proj_bias is None:
        return ".self_attn was passed bias=False"
    if not layer.activation_relu_or_gelu:
        return ".activation_relu_or_gelu was not True"
    if layer.norm1.eps != layer.norm2.eps:
        return ".norm1.eps was not equal to encoder_layer.norm2.eps"
    return ".self_attn.num_heads is odd" if layer.self_attn.num_heads % 2 == 1 else ""


def _without_padding(output: Tensor, keep: Tensor, check: bool) -> Tensor:
    """Zeros where `keep` (N, S) is False, if all of them are at the end of their sequences."""
    gone = keep.logical_not()
    if check:  # decided in the program: nobody waits for the mask
        aligned = keep.int().diff(dim=1).le(0).all()
        gone = gone.logical_and(aligned)
    return output.masked_fill(gone.unsqueeze(-1), 0.0)


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer, and a final norm if there is one."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                # a hint only: to look for it in the mask would run everything that is pending
                tgt_is_causal=tgt_is_causal is True,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)
