"""PyTorch's autocast op lists: which ops run in the low precision, in float32, or in the widest.

The lists are those of PyTorch 2.13's autocast reference, under torch's names. A row may bear the
name with an underscore before it. Ops that are on no list run in the dtypes they are given.
"""

from __future__ import annotations

from collections.abc import Callable

LOW = "lower_precision_fp"
WIDE = "fp32"
WIDE_RESULT = "fp32_set_opt_dtype"  # float32 unless the caller names a dtype
WIDEST = "promote"
BANNED = "banned"

_PRODUCTS = """
    conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
    prelu addmm matmul einsum mm linalg_vecdot linear addbmm baddbmm bmm chain_matmul
    linalg_multi_dot attention scaled_dot_product_attention rnn_layer
"""
_LOSSES = """
    mse_loss cosine_embedding_loss nll_loss hinge_embedding_loss poisson_nll_loss smooth_l1_loss
    cross_entropy l1_loss huber_loss margin_ranking_loss soft_margin_loss triplet_margin_loss
    multi_margin_loss kl_div multilabel_margin_loss bce_with_logits
"""

ON_ACCELERATORS: dict[str, str] = {
    LOW: _PRODUCTS + "addmv addr mv lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
    WIDE: _LOSSES
    + """
        acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus
        layer_norm rms_norm group_norm cosine_similarity dist pdist cdist renorm logsumexp upsample
        frobenius_norm nuclear_norm
    """,
    WIDE_RESULT: """
        prod softmax log_softmax cumprod cumsum sum norm linalg_vector_norm linalg_matrix_norm
    """,
    WIDEST: """
        addcdiv addcmul atan2 bilinear cross linalg_cross dot vdot grid_sample put index_put
        tensordot inner scatter_add
    """,
    BANNED: "binary_cross_entropy",
}

ON_CPU: dict[str, str] = {
    LOW: _PRODUCTS + "tensordot inner rnn_tanh_cell rnn_relu_cell",
    WIDE: _LOSSES
    + """
        binary_cross_entropy ctc_loss avg_pool3d max_pool3d max_pool3d_with_indices
        adaptive_avg_pool3d adaptive_max_pool3d fractional_max_pool max_unpool grid_sample polar
        prod quantile nanquantile stft cdist trace view_as_complex
        cholesky cholesky_inverse cholesky_solve inverse lu_solve orgqr ormqr pinverse geqrf qr svd
        triangular_solve lu_with_info
        fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_rfft fft_irfft fft_rfft2
        fft_irfft2 fft_rfftn fft_irfftn fft_hfft fft_ihfft
        linalg_cond linalg_matrix_rank linalg_solve linalg_cholesky linalg_svdvals linalg_eigvals
        linalg_eigvalsh linalg_inv linalg_householder_product linalg_tensorinv linalg_tensorsolve
        pad linalg_qr linalg_cholesky_ex linalg_svd linalg_eig linalg_eigh linalg_lstsq
        linalg_inv_ex
    """,
    WIDEST: "stack cat index_copy",
}


# Rows that serve several of torch's functions: which of them are on the list, by their metadata.
ONLY: dict[tuple[str, str], Callable[..., bool]] = {
    ("cpu", "pad"): lambda mode="constant", **_: mode in ("reflect", "replicate"),
    ("cpu", "_rnn_layer"): lambda mode, **_: mode != "GRU",
}


def by_row(lists: dict[str, str]) -> dict[str, str]:
    """Row names, with and without an underscore before them, to policies."""
    found = {}
    for policy, names in lists.items():
        for name in names.split():
            found[name] = found[f"_{name}"] = policy
    return found


POLICIES: dict[str, dict[str, str]] = {"cpu": by_row(ON_CPU), "cuda": by_row(ON_ACCELERATORS)}
