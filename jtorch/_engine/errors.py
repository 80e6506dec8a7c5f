"""Turning JAX's complaints into torch's: exception types, wording, and the user's line."""

from __future__ import annotations

from typing import Any


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape, or torch's RuntimeError when there is none."""
    ndim = max(len(s) for s in shapes)
    out = [1] * ndim
    for shape in shapes:
        for i, size in enumerate(shape, ndim - len(shape)):
            if size == 1 or out[i] == size:
                continue
            if out[i] != 1:
                raise RuntimeError(
                    f"The size of tensor a ({out[i]}) must match the size of tensor b ({size}) "
                    f"at non-singleton dimension {i}"
                )
            out[i] = size
    return tuple(out)


def wrap_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front, or torch's IndexError."""
    size = max(ndim, 1)
    if not -size <= dim < size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return dim + size if dim < 0 else dim


def inference_error(op: Any, error: Exception, spec: Any) -> Exception:
    """What the user sees when JAX refuses an op that no check of ours had refused."""
    shapes = ", ".join(str(s) for s in spec)
    text = str(error).split("\n")[0]
    if isinstance(error, NotImplementedError | IndexError):
        return error
    return RuntimeError(f"{op.name}({shapes}): {text}")


def execution_error(error: Exception, lines: Any, listing: str) -> RuntimeError:
    """A failure inside XLA, with the user lines whose ops were in the program."""
    seen = list(dict.fromkeys(line for line in lines if line))
    where = "\n".join(f'  File "{f}", line {n}' for f, n in seen[:20])
    more = f"\n  ... and {len(seen) - 20} more lines" if len(seen) > 20 else ""
    first = str(error).split("\n")[0]
    return RuntimeError(
        f"{first}\nThe failed program held ops recorded at these lines:\n{where}{more}\n{listing}"
    )
