"""Short-time Fourier transforms: torch.stft and torch.istft."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .._functions import NAMESPACES, composite, derived
from ..creation import ones
from ._arguments import host
from .linalg_errors import unknown

_frames, _overlap_add = derived["_frames"], derived["_overlap_add"]
_fft, _rfft, _ifft, _irfft = (
    derived["fft_fft"], derived["fft_rfft"], derived["fft_ifft"], derived["fft_irfft"]
)  # fmt: skip


def _pad(input: Any, pad: tuple[int, int], mode: str = "constant") -> Any:
    return NAMESPACES["nn.functional"]["pad"](input, pad, mode)


def _kind(t: Any) -> str:
    return f"torch.{t.dtype.scalar_name}Tensor"


def _window_words(window: Any) -> str:
    return "None" if window is None else f"{_kind(window)}{{{list(window.shape)}}}"


def _flag(x: Any) -> str:
    return "None" if x is None else str(int(x))


def _whole_window(window: Any, win_length: int, n_fft: int, like: Any) -> Any:
    """The window in the middle of n_fft zeros."""
    if window is None:
        real = like.dtype.to_real() if like.dtype.is_complex else like.dtype
        window = ones(win_length, dtype=real, device=like.device)
    if win_length < n_fft:
        left = (n_fft - win_length) // 2
        window = _pad(window, (left, n_fft - win_length - left))
    return window


@composite("torch", "Tensor")
def stft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Any = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:  # fmt: skip
    """The Fourier transforms of overlapping windows of a signal."""
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false.")
    if center:
        half = n_fft // 2
        extra = 3 - input.dim()
        shaped = input.reshape(*(1,) * extra, *input.shape)
        shaped = _pad(shaped, (half, half), pad_mode)
        input = shaped.reshape(shaped.shape[extra:])
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    complex_input = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    _return_complex(return_complex, complex_input)

    def refuse(words: str) -> None:
        raise RuntimeError(
            f"stft({_kind(input)}{list(input.shape)}, n_fft={n_fft}, hop_length={hop}, "
            f"win_length={length}, window={_window_words(window)}, normalized={int(normalized)}, "
            f"onesided={_flag(onesided)}, return_complex={_flag(return_complex)}, "
            f"align_to_window={_flag(align_to_window)}) : {words}"
        )

    _check_stft(input, n_fft, hop, length, window, refuse)
    if onesided and complex_input:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if align_to_window and length < n_fft:
        raise NotImplementedError(
            "stft: align_to_window=True with a win_length below n_fft: pad the window to n_fft"
        )
    onesided = not complex_input if onesided is None else onesided
    whole = _whole_window(window, length, n_fft, input)
    windowed = _frames(input, size=n_fft, hop=hop) * whole
    transform = _rfft if onesided else _fft
    found = transform(windowed, None, -1, "ortho" if normalized else None).transpose(-1, -2)
    return found if return_complex or return_complex is None else derived["view_as_real"](found)


def _return_complex(return_complex: bool | None, complex_input: bool) -> None:
    if return_complex is None and not complex_input:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will "
            "further require that return_complex=True in a future PyTorch release."
        )
    if return_complex is False:
        warnings.warn(
            "stft with return_complex=False is deprecated. In a future pytorch release, stft will "
            "return complex tensors for all inputs, and return_complex=False will raise an "
            "error.\nNote: you can still call torch.view_as_real on the complex output to recover "
            "the old return format.", UserWarning, stacklevel=4,
        )  # fmt: skip


def _check_stft(input: Any, n_fft: int, hop: int, length: int, window: Any, refuse: Any) -> None:
    if not (input.dtype.is_floating_point or input.dtype.is_complex):
        refuse("expected a tensor of floating point or complex values")
    if input.dim() not in (1, 2):
        refuse("expected a 1D or 2D tensor")
    n = input.shape[-1]
    if not 0 < n_fft <= n:
        refuse(f"expected 0 < n_fft < {n}, but got n_fft={n_fft}")
    if hop <= 0:
        refuse(f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        refuse(f"expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and tuple(window.shape) != (length,):
        refuse(
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.shape)}"
        )


# --- the inverse ----------------------------------------------------------------------------------


@composite("torch", "Tensor")
def istft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Any = None, center: bool = True, normalized: bool = False,
    onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Any:  # fmt: skip
    """The signal whose short-time transform is given (least squares where it has none)."""
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length

    def words() -> str:
        return (
            f"istft(CPU{input.dtype.scalar_name}Type{list(input.shape)}, n_fft={n_fft}, "
            f"hop_length={hop}, win_length={size}, window={_window_words(window)}, "
            f"center={int(center)}, normalized={int(normalized)}, onesided={_flag(onesided)}, "
            f"length={length}, return_complex={int(return_complex)}) "
        )

    _check_istft(input, n_fft, hop, size, window, onesided, return_complex, words)
    half = input.shape[-2] != n_fft if onesided is None else onesided
    whole = _whole_window(window, size, n_fft, input)
    norm = "ortho" if normalized else None
    turned = input.transpose(-1, -2)
    if return_complex:
        frames = _ifft(turned, n_fft, -1, norm)
    else:
        frames = _irfft(turned if half else turned[..., : n_fft // 2 + 1], n_fft, -1, norm)
    total = _overlap_add(frames * whole, hop=hop)
    weight = _overlap_add((whole * whole).expand(input.shape[-1], n_fft), hop=hop)
    return _cut(total, weight, n_fft, center, length, words)


def _cut(total: Any, weight: Any, n_fft: int, center: bool, length: int | None, words: Any) -> Any:
    """The part asked for, divided by the sum of the squared windows."""
    n = total.shape[-1]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else n - n_fft // 2 if center else n
    total, weight = total[..., start : min(end, n)], weight[start : min(end, n)]
    if not unknown(weight) and not host((weight.detach().abs() > 1e-11).all(), "istft"):
        raise RuntimeError(f"{words()}window overlap add min: 1")
    result = total / weight
    if end > n:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded "
            "with zeros in the tail. Please check your center and hop_length settings.",
            UserWarning, stacklevel=4,
        )  # fmt: skip
        result = _pad(result, (0, end - n))
    return result


def _check_istft(
    input: Any, n_fft: int, hop: int, size: int, window: Any, onesided: bool | None,
    return_complex: bool, words: Any,
) -> None:  # fmt: skip
    if not input.dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    if input.dim() < 2:
        ndim = input.dim() + 1  # torch looks at the tensor with its parts as a dimension
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got -3)"
        )
    if not math.prod(input.shape):
        raise RuntimeError(f"{words()}: input tensor cannot be empty.")
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"{words()}: expected a tensor with 3 or 4 dimensions, but got {input.dim() + 1}"
        )
    half = input.shape[-2] != n_fft if onesided is None else onesided
    if half and input.shape[-2] != n_fft // 2 + 1:
        raise RuntimeError(
            f"{words()}: expected the frequency dimension (3rd to the last) of the input tensor "
            f"to match n_fft / 2 + 1 when onesided=True, but got {input.shape[-2]}"
        )
    if not half and input.shape[-2] != n_fft:
        raise RuntimeError(
            f"{words()}: expected the frequency dimension (3rd to the last) of the input tensor "
            f"to match n_fft when onesided=False, but got {input.shape[-2]}"
        )
    if not 0 < hop <= size:
        raise RuntimeError(f"{words()}: expected 0 < hop_length <= win_length")
    if not 0 < size <= n_fft:
        raise RuntimeError(f"{words()}: expected 0 < win_length <= n_fft")
    if window is not None and tuple(window.shape) != (size,):
        raise RuntimeError(
            f"{words()}: Invalid window shape. window has to be 1D and length of `win_length`"
        )
    if return_complex:
        if onesided:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
    elif window is not None and window.dtype.is_complex:
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
