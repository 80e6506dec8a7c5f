"""`segment_reduce`, and indexing under a mask that PyTorch's compiler emits."""

from __future__ import annotations

from typing import Any

from .._functions import NAMESPACES, composite

_torch: Any = NAMESPACES["torch"]
_STARTS = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": float("-inf"), "min": float("inf")}
_REDUCTIONS = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


@composite("torch", "torch:_segment_reduce")
def segment_reduce(
    data: Any, reduce: str, *, lengths: Any = None, indices: Any = None, offsets: Any = None,
    axis: int = 0, unsafe: bool = False, initial: Any = None,
) -> Any:  # fmt: skip
    """Sum, mean, prod, max or min of consecutive segments along `axis`, from `initial` on."""
    if reduce not in _STARTS:
        raise RuntimeError(f"{reduce} reduction is not supported by segment_reduce")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if lengths is not None:
        ends = lengths.cumsum(-1)
        starts = ends - lengths
        if not unsafe and bool((ends[..., -1] != data.shape[axis]).any()):
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to "
                "data.size(lengths.dim()-1) when !unsafe."
            )
    else:
        starts, ends = offsets[..., :-1], offsets[..., 1:]
    return _reduced(data, reduce, starts, ends, axis, initial)


def _reduced(data: Any, reduce: str, starts: Any, ends: Any, axis: int, initial: Any) -> Any:
    places = _torch["arange"](data.shape[axis], device=data.device)
    inside = (places >= starts.unsqueeze(-1)) & (places < ends.unsqueeze(-1))
    rest = (1,) * (data.ndim - axis - 1)
    inside = inside.reshape(*inside.shape, *rest)
    found = _torch["where"](inside, data.unsqueeze(axis), _STARTS[reduce])
    found = getattr(found, _REDUCTIONS[reduce])(axis + 1).to(data.dtype)
    counts = (ends - starts).reshape(*ends.shape, *rest)
    if initial is not None:
        found = _from(found, reduce, initial)
    if reduce == "mean":
        found = found / (counts if initial is None else counts.clamp(min=1))
    return found


def _from(found: Any, reduce: str, initial: Any) -> Any:
    if reduce == "prod":
        return found * initial
    if reduce in ("sum", "mean"):
        return found + initial
    keep = found >= initial if reduce == "max" else found <= initial
    return _torch["where"](keep | found.isnan(), found, initial)


def _clamped(input: Any, indices: Any) -> tuple[Any, ...]:
    return tuple(
        slice(None) if i is None else i.clamp(-n, n - 1)
        for i, n in zip(indices, input.shape, strict=False)
    )


@composite("torch")
def _unsafe_masked_index(input: Any, mask: Any, indices: Any, fill: Any) -> Any:
    """input[indices] where the mask is set, `fill` elsewhere, where indices may be anything."""
    return input[_clamped(input, indices)].masked_fill(~mask, fill)


@composite("torch")
def _unsafe_masked_index_put_accumulate(input: Any, mask: Any, indices: Any, values: Any) -> Any:
    """input with the values added at the indices where the mask is set."""
    new = input.clone()
    new.index_put_(_clamped(input, indices), values.masked_fill(~mask, 0), accumulate=True)
    return new
