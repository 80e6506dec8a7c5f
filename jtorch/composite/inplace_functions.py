"""`torch.relu_(x)` and its kind: in-place methods that torch also has as functions."""

from __future__ import annotations

from typing import Any

from .._functions import NAMESPACES, composite
from ..tensor import Tensor

# The rows among torch's own list (dir(torch) in 2.13) that this family has; others publish theirs.
_NAMES = """abs addmv acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh
    ceil clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad erf erfc exp exp2 expm1 fill
    fix floor frac gcd i0 lcm ldexp log log10 log1p log2 logit nan_to_num neg negative rad2deg
    reciprocal round rsqrt sigmoid sin sinc sinh sqrt square tan tanh trunc xlogy"""


def _publish(name: str) -> None:
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **named: Any) -> Any:
        if not isinstance(input, Tensor):
            kind = type(input).__name__
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {kind}")
        return method(input, *args, **named)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As torch.Tensor.{name}."
    composite("torch")(function)


for _name in _NAMES.split():
    if f"{_name}_" not in NAMESPACES["torch"]:
        _publish(f"{_name}_")
