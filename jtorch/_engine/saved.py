"""What PyTorch saves of each op for its gradient: where a later write is an error there.

Values never change here, so a gradient is right all the same; scripts are told what PyTorch tells
them.
"""

from __future__ import annotations

import weakref
from typing import Any

# Operands that are saved when another one (of those listed) needs a gradient; () lists all.
OTHERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("mul", "matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "linear", "conv1d",
         "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        (0, 1),
    ),
    **dict.fromkeys(("addmm", "addmv", "addr", "baddbmm", "addbmm", "addcmul"), (1, 2)),
}  # fmt: skip
# Operands that are saved always.
ALWAYS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("pow", "square", "log", "log2", "log10", "log1p", "sin", "cos", "asin", "acos", "atan",
         "sinh", "cosh", "abs", "clamp", "hardtanh", "gelu", "silu", "mish", "softplus",
         "logsumexp", "prod", "cumprod", "amax", "amin", "erf", "_var", "_std",
         "linalg_vector_norm"),
        (0,),
    ),
    **dict.fromkeys(("maximum", "minimum", "atan2", "_mse_loss"), (0, 1)),
    **dict.fromkeys(("true_divide", "gather", "index_select", "masked_fill", "_mask_write"), (1,)),
    "where": (0,),
}  # fmt: skip
# Ops whose own result is saved.
RESULT = frozenset(
    ("exp", "exp2", "expm1", "sqrt", "rsqrt", "tan", "tanh", "sigmoid", "reciprocal", "relu",
     "softmax", "log_softmax", "logsumexp", "prod", "cumprod", "amax", "amin", "leaky_relu",
     "linalg_vector_norm", "_std")
)  # fmt: skip


def positions(name: str, arrays: tuple[bool, ...], needs: tuple[int, ...]) -> tuple[int, ...]:
    """The flat operands that PyTorch saves of a call in which `needs` need gradients."""
    found = [i for i in ALWAYS.get(name, ()) if i < len(arrays) and arrays[i]]
    linked = [i for i in OTHERS.get(name, ()) if i < len(arrays) and arrays[i]]
    found += [i for i in linked if any(j in needs for j in linked if j != i)]
    if name == "true_divide" and 1 in needs and arrays[0]:
        found.append(0)
    return tuple(found)


def modified(aval: Any, edge: Any, now: int, then: int) -> RuntimeError:
    """PyTorch's error about a saved tensor that has been written since."""
    made = ""
    if type(edge) is tuple:
        made = f", which is output {edge[1]} of {edge[0].name().partition('Backward')[0]},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{aval.dtype.scalar_name}Tensor {list(aval.shape)}]{made} is at version "
        f"{now}; expected version {then} instead. Hint: enable anomaly detection to find the "
        "operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


SHARED: Any = object()  # the `home` of a value that several storages may hold: no writes are noted
uncounted: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # writes by `.data`


def counted(s: Any) -> int:
    """torch's version counter of a storage."""
    return int(s.version - (uncounted.get(s, 0) if uncounted else 0))


def at_home(value: Any, s: Any) -> None:
    """Note that a value is what a view of the storage shows now."""
    if value.home is not SHARED:
        value.home = (weakref.ref(s), counted(s), None)


def written_by(value: Any, node: Any) -> None:
    """The node of an in-place op may read what it overwrote itself."""
    home = value.home
    if type(home) is int:
        value.home = (None, home, node.seq)
    elif home is not None and home is not SHARED:
        value.home = (home[0], home[1], node.seq)


def note_result(edge: Any, s: Any) -> None:
    """A result is about to be written: its node cannot be pulled if it reads it."""
    node = edge[0]
    sig = getattr(node, "sig", None)
    if sig is not None and sig.op.name in RESULT:
        hooks = node.hooked()
        if hooks.spoiled is None:
            hooks.spoiled = (weakref.ref(s), counted(s), s.value.aval, edge)


def check_result(spoiled: Any) -> None:
    """torch's error if a result that its node saved has been written since."""
    ref, then, aval, edge = spoiled
    s = ref()
    raise modified(aval, edge, then + 1 if s is None else counted(s), then)


def check(node: Any, saved: tuple[int, ...]) -> None:
    """torch's error if an operand that it would have saved has been written since."""
    for i in saved:
        value = node.flat[i]
        home = value.home
        if home is None or home is SHARED:
            continue
        if type(home) is int:
            raise modified(value.aval, node.edges[i], home + 1, home)
        ref, then, limit = home
        s = None if ref is None else ref()
        now = then + 1 if s is None else counted(s)
        if (ref is None or s is not None) and now != then and (limit is None or node.seq < limit):
            raise modified(value.aval, node.edges[i], now, then)
