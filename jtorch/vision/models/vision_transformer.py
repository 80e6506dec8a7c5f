"""The vision transformer: Dosovitskiy et al. (2021)."""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from typing import Any

from ... import nn
from ...creation import empty, zeros
from ...distributions._names import F, torch
from ._weights import untrained

__all__ = [
    "VisionTransformer", "interpolate_embeddings", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16",
    "vit_l_32",
]  # fmt: skip
_NORM = functools.partial(nn.LayerNorm, eps=1e-6)


class MLPBlock(nn.Sequential):
    """Two linear layers around a GELU."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_dim, mlp_dim), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(mlp_dim, in_dim), nn.Dropout(dropout),
        )  # fmt: skip
        for layer in (self[0], self[3]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:  # layers had names once
            for i in range(2):
                for kind in ("weight", "bias"):
                    old = f"{prefix}linear_{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{3 * i}.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class EncoderBlock(nn.Module):
    """Attention and a multilayer perceptron, each behind a norm and beside a shortcut."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
        attention_dropout: float, norm_layer: Any = _NORM,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Any) -> Any:
        """(batch, sequence, hidden) -> the same."""
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Places added, then blocks, then a norm."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
        dropout: float, attention_dropout: float, norm_layer: Any = _NORM,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pos_embedding = nn.Parameter(empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        block = functools.partial(
            EncoderBlock, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
        )
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", block()) for i in range(num_layers))
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Any) -> Any:
        """(batch, sequence, hidden) -> the same."""
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches of a picture and a class token through an encoder; the token is classified."""

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int,
        mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0,
        num_classes: int = 1000, representation_size: int | None = None, norm_layer: Any = _NORM,
        conv_stem_configs: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if image_size % patch_size != 0:
            raise AssertionError("Input shape indivisible by patch size!")
        if conv_stem_configs is not None:
            raise NotImplementedError(
                "VisionTransformer(conv_stem_configs=): assign your stem to model.conv_proj."
            )
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.mlp_dim, self.dropout, self.attention_dropout = mlp_dim, dropout, attention_dropout
        self.num_classes, self.representation_size = num_classes, representation_size
        self.norm_layer = norm_layer
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, patch_size)
        self.class_token = nn.Parameter(zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
            attention_dropout, norm_layer,
        )  # fmt: skip
        layers: OrderedDict[str, Any] = OrderedDict()
        if representation_size is not None:
            layers["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            layers["act"] = nn.Tanh()
        layers["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(layers)
        self._initialise(3 * patch_size**2, self.conv_proj)
        if representation_size is not None:
            self._initialise(hidden_dim, self.heads.pre_logits)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def _initialise(self, fan_in: int, layer: Any) -> None:
        nn.init.trunc_normal_(layer.weight, std=math.sqrt(1 / fan_in))
        nn.init.zeros_(layer.bias)

    def _process_input(self, x: Any) -> Any:
        """Pictures as (batch, patches, hidden)."""
        n, _, h, w = x.shape
        for size, side in ((h, "height"), (w, "width")):
            if size != self.image_size:
                raise AssertionError(
                    f"Wrong image {side}! Expected {self.image_size} but got {size}!"
                )
        return self.conv_proj(x).reshape(n, self.hidden_dim, -1).permute(0, 2, 1)

    def forward(self, x: Any) -> Any:
        """Class scores."""
        x = self._process_input(x)
        token = self.class_token.expand(x.shape[0], -1, -1)
        return self.heads(self.encoder(torch.cat([token, x], dim=1))[:, 0])


def _sized(
    name: str, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int
) -> Any:
    def model(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
        untrained(name, weights, kwargs)
        size = kwargs.pop("image_size", 224)
        return VisionTransformer(
            size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, **kwargs
        )

    model.__name__ = model.__qualname__ = name
    model.__doc__ = f"The vision transformer {name} with fresh weights."
    return model


vit_b_16 = _sized("vit_b_16", 16, 12, 12, 768, 3072)
vit_b_32 = _sized("vit_b_32", 32, 12, 12, 768, 3072)
vit_l_16 = _sized("vit_l_16", 16, 24, 16, 1024, 4096)
vit_l_32 = _sized("vit_l_32", 32, 24, 16, 1024, 4096)
vit_h_14 = _sized("vit_h_14", 14, 32, 16, 1280, 5120)


def interpolate_embeddings(
    image_size: int, patch_size: int, model_state: Any, interpolation_mode: str = "bicubic",
    reset_heads: bool = False,
) -> Any:  # fmt: skip
    """A state dict whose places are stretched to pictures of another size."""
    places = model_state["encoder.pos_embedding"]
    n, length, hidden = places.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {places.shape}")
    side, new = math.isqrt(length - 1), image_size // patch_size
    if new**2 + 1 == length:
        return model_state
    if side**2 != length - 1:
        raise ValueError(
            "seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = "
            f"{side * side} and seq_length = {length - 1}"
        )
    grid = places[:, 1:].permute(0, 2, 1).reshape(1, hidden, side, side)
    grid = F.interpolate(grid, size=new, mode=interpolation_mode, align_corners=True)
    grid = grid.reshape(1, hidden, new**2).permute(0, 2, 1)
    model_state["encoder.pos_embedding"] = torch.cat([places[:, :1], grid], dim=1)
    if not reset_heads:
        return model_state
    return OrderedDict((k, v) for k, v in model_state.items() if not k.startswith("heads"))
