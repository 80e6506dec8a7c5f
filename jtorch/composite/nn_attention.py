"""Attention: the one-call form, and multi-head attention from its projections."""

from __future__ import annotations

from typing import Any

from .._functions import NAMESPACES, composite, derived
from .nn_mask import keep_mask


@composite("nn.functional")
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(query @ key.T * scale + mask) @ value."""
    keep = None
    if dropout_p > 0.0:
        if not dropout_p <= 1:
            raise RuntimeError(
                f"dropout probability has to be between 0 and 1, but got {dropout_p}"
            )
        keep = keep_mask(query, float(dropout_p), (*query.shape[:-1], key.shape[-2]))
    return derived["_attention"](
        query, key, value, attn_mask, keep, float(dropout_p), scale, is_causal, enable_gqa
    )


def _check_shapes(query: Any, key: Any, value: Any, padding: Any, mask: Any, heads: int) -> bool:
    """Whether the input is batched, after torch's shape checks."""
    if query.dim() == 3:
        _demand(
            key.dim() == 3 and value.dim() == 3,
            "For batched (3-D) `query`, expected `key` and `value` to be 3-D but found "
            f"{key.dim()}-D and {value.dim()}-D tensors respectively",
        )
        if padding is not None:
            _demand(
                padding.dim() == 2,
                "For batched (3-D) `query`, expected `key_padding_mask` to be "
                f"`None` or 2-D but found {padding.dim()}-D tensor instead",
            )
        if mask is not None:
            _demand(
                mask.dim() in (2, 3),
                "For batched (3-D) `query`, expected `attn_mask` to be "
                f"`None`, 2-D or 3-D but found {mask.dim()}-D tensor instead",
            )
        return True
    if query.dim() != 2:
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D "
            "query tensor"
        )
    _demand(
        key.dim() == 2 and value.dim() == 2,
        "For unbatched (2-D) `query`, expected `key` and `value` to be 2-D but found "
        f"{key.dim()}-D and {value.dim()}-D tensors respectively",
    )
    if padding is not None:
        _demand(
            padding.dim() == 1,
            "For unbatched (2-D) `query`, expected `key_padding_mask` to be "
            f"`None` or 1-D but found {padding.dim()}-D tensor instead",
        )
    if mask is not None:
        _demand(
            mask.dim() in (2, 3),
            "For unbatched (2-D) `query`, expected `attn_mask` to be "
            f"`None`, 2-D or 3-D but found {mask.dim()}-D tensor instead",
        )
        if mask.dim() == 3:
            wanted = (heads, query.shape[0], key.shape[0])
            _demand(
                tuple(mask.shape) == wanted,
                f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}",
            )
    return False


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _as_float_mask(
    mask: Any, name: str, other: Any, other_name: str, dtype: Any, check: bool
) -> Any:
    """A bool mask (True hides) as numbers to add; a float mask as it is."""
    if mask is None:
        return None
    boolean = mask.dtype.name == "bool"
    if not boolean and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check and other is not None and other.dtype is not mask.dtype:
        import warnings

        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both "
            "instead.",
            stacklevel=4,
        )
    if not boolean:
        return mask
    zeros = NAMESPACES["torch"]["zeros_like"](mask, dtype=dtype)
    return zeros.masked_fill(mask, float("-inf"))


def _project(
    query: Any, key: Any, value: Any, weight: Any, bias: Any, separate: bool, weights: Any
) -> tuple[Any, Any, Any]:
    linear = derived["linear"]
    if separate:
        biases = (None, None, None) if bias is None else bias.chunk(3)
        each = zip((query, key, value), weights, biases, strict=True)
        q, k, v = (linear(x, w, b) for x, w, b in each)
        return q, k, v
    e = query.size(-1)
    if key is value and query is key:
        projected = linear(query, weight, bias)
        projected = projected.unflatten(-1, (3, e)).unsqueeze(0).transpose(0, -2).squeeze(-2)
        return projected[0], projected[1], projected[2]
    w_q, w_k, w_v = weight.split(e)
    b_q, b_k, b_v = (None, None, None) if bias is None else bias.split(e)
    return linear(query, w_q, b_q), linear(key, w_k, b_k), linear(value, w_v, b_v)


def _check_sizes(
    query: Any, key: Any, value: Any, embed_dim: int, expected: int, heads: int, separate: bool
) -> None:
    _demand(
        embed_dim == expected,
        f"was expecting embedding dimension of {expected}, but got {embed_dim}",
    )
    _demand(
        embed_dim // heads * heads == embed_dim,
        f"embed_dim {embed_dim} not divisible by num_heads {heads}",
    )
    if separate:
        _demand(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
    else:
        _demand(
            key.shape == value.shape,
            f"key shape {key.shape} does not match value shape {value.shape}",
        )


def _mask_3d(mask: Any, tgt: int, src: int, bsz: int, heads: int) -> Any:
    if mask is None:
        return None
    wanted = (tgt, src) if mask.dim() == 2 else (bsz * heads, tgt, src)
    if tuple(mask.shape) != wanted:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {wanted}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _grown(k: Any, v: Any, mask: Any, padding: Any, bias_k: Any, bias_v: Any) -> tuple[Any, ...]:
    """Keys and values with the learned bias appended; masks grow with them."""
    torch, pad = NAMESPACES["torch"], NAMESPACES["nn.functional"]["pad"]
    bsz = k.shape[1]
    k, v = torch["cat"]([k, bias_k.repeat(1, bsz, 1)]), torch["cat"]([v, bias_v.repeat(1, bsz, 1)])
    return (k, v, *(None if m is None else pad(m, (0, 1)) for m in (mask, padding)))


def _heads(x: Any, bsz: int, heads: int) -> Any:
    """(length, batch, embed) to (batch * heads, length, embed / heads)."""
    return x.contiguous().view(x.shape[0], bsz * heads, -1).transpose(0, 1)


def _static(name: str, x: Any, bsz: int, heads: int, head_dim: int) -> Any:
    _demand(
        x.size(0) == bsz * heads, f"expecting {name}.size(0) of {bsz * heads}, but got {x.size(0)}"
    )
    _demand(x.size(2) == head_dim, f"expecting {name}.size(2) of {head_dim}, but got {x.size(2)}")
    return x


@composite("nn.functional")
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """Multi-head attention (Vaswani et al.): the output, and the attention weights or None."""
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = _unsqueezed(query, key, value)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    tgt, bsz, embed = query.shape
    padding = _as_float_mask(
        key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query.dtype, True
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    hint = is_causal and key_padding_mask is None and not need_weights
    mask = None if hint else _as_float_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
    _check_sizes(query, key, value, embed, embed_dim_to_check, num_heads, use_separate_proj_weight)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _project(
        query, key, value, in_proj_weight, in_proj_bias, use_separate_proj_weight, weights
    )
    mask = _mask_3d(mask, tgt, k.shape[0], bsz, num_heads)
    if bias_k is not None and bias_v is not None:
        k, v, mask, padding = _grown(k, v, mask, padding, bias_k, bias_v)
        hint = False
    head_dim = embed // num_heads
    q = _heads(q, bsz, num_heads)
    k = (
        _heads(k, bsz, num_heads)
        if static_k is None
        else _static("static_k", static_k, bsz, num_heads, head_dim)
    )
    v = (
        _heads(v, bsz, num_heads)
        if static_v is None
        else _static("static_v", static_v, bsz, num_heads, head_dim)
    )
    if add_zero_attn:
        k, v, mask, padding = _zero_attention(k, v, mask, padding)
    src = k.size(1)
    if padding is not None:
        mask = _joined(mask, padding, bsz, num_heads, src)
    p = dropout_p if training else 0.0
    run = _with_weights if need_weights else _fused
    out, seen = run(q, k, v, mask, p, bsz, num_heads, hint)
    out = out.view(tgt * bsz, embed)
    out = derived["linear"](out, out_proj_weight, out_proj_bias).view(tgt, bsz, -1)
    if seen is not None and average_attn_weights:
        seen = seen.mean(dim=1)
    if not batched:
        out, seen = out.squeeze(1), None if seen is None else seen.squeeze(0)
    return out, seen


def _unsqueezed(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """A batch of one; the same tensor stays the same, so that one projection serves."""
    q = query.unsqueeze(1)
    k = q if key is query else key.unsqueeze(1)
    return q, k, k if value is key else value.unsqueeze(1)


def _zero_attention(k: Any, v: Any, mask: Any, padding: Any) -> tuple[Any, ...]:
    torch, pad = NAMESPACES["torch"], NAMESPACES["nn.functional"]["pad"]
    k, v = (torch["cat"]([x, x.new_zeros((x.shape[0], 1, x.shape[2]))], dim=1) for x in (k, v))
    return (k, v, *(None if m is None else pad(m, (0, 1)) for m in (mask, padding)))


def _joined(mask: Any, padding: Any, bsz: int, heads: int, src: int) -> Any:
    _demand(
        tuple(padding.shape) == (bsz, src),
        f"expecting key_padding_mask shape of {(bsz, src)}, but got {padding.shape}",
    )
    padding = padding.view(bsz, 1, 1, src).expand(-1, heads, -1, -1).reshape(bsz * heads, 1, src)
    return padding if mask is None else mask + padding


def _with_weights(
    q: Any, k: Any, v: Any, mask: Any, p: float, bsz: int, heads: int, hint: bool
) -> tuple[Any, Any]:
    scaled = q * (1.0 / q.shape[-1]) ** 0.5
    scores = scaled.bmm(k.transpose(-2, -1))
    scores = scores if mask is None else mask + scores
    seen = derived["softmax"](scores, -1)
    if p > 0.0:
        seen = NAMESPACES["nn.functional"]["dropout"](seen, p)
    out = seen.bmm(v).transpose(0, 1).contiguous()
    return out, seen.view(bsz, heads, q.shape[1], k.shape[1])


def _fused(
    q: Any, k: Any, v: Any, mask: Any, p: float, bsz: int, heads: int, hint: bool
) -> tuple[Any, Any]:
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.size(0) == 1 else mask.view(bsz, heads, -1, k.shape[1])
    q, k, v = (x.view(bsz, heads, x.shape[1], x.shape[2]) for x in (q, k, v))
    out = scaled_dot_product_attention(q, k, v, mask, p, hint)
    return out.permute(2, 0, 1, 3).contiguous(), None
