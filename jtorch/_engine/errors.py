"""Turning JAX's complaints into torch's: exception types, wording, and the user's line."""

from __future__ import annotations

from typing import Any

from .op import Op, Param, Role

_WANTED = {Role.ARRAY: "Tensor", Role.OPERAND: "Tensor", Role.SCALAR: "Number",
           Role.ARRAYS: "tuple of Tensors"}  # fmt: skip
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "bool": (bool,), "str": (str,),
    "Dims": (int, tuple), "Ints": (tuple,),
}  # fmt: skip
_NAMES = {"Dims": "tuple of ints", "Ints": "tuple of ints"}


def wrong_argument(op: Op, p: Param, given: str) -> TypeError:
    """torch's words for an argument of a type that the parameter does not take."""
    place = [q.name for q in op.params].index(p.name) + 1
    position = "" if p.keyword_only else f" (position {place})"
    wanted = _WANTED.get(p.role) or _NAMES.get(p.kind, p.kind)
    return TypeError(
        f"{op.name.lstrip('_')}(): argument '{p.name}'{position} must be {wanted}, not {given}"
    )


def wrong_element(op: Op, p: Param, index: int, given: str) -> TypeError:
    """torch's words for an element of a list of tensors that is none."""
    place = op.params.index(p)
    return TypeError(f"expected Tensor as element {index} in argument {place}, but got {given}")


def check_arguments(op: Op, spec: Any, static: Any) -> None:
    """Refuse numbers for tensors, tensors for numbers, and metadata of the wrong Python type."""
    for p, s in zip(op.operands, spec, strict=False):
        if s is None:
            if not p.optional and p.role is not Role.ARRAYS:
                raise wrong_argument(op, p, "NoneType")
        elif isinstance(s, type):
            if p.role is Role.ARRAY:
                raise wrong_argument(op, p, s.__name__)
        elif p.role is Role.ARRAYS:
            if op.namespaces:
                _check_sequence(op, p, s)
        elif p.role is Role.SCALAR and s.ndim:
            raise wrong_argument(op, p, "Tensor")
    if op.namespaces and not op.numbers and _only_numbers(op, spec):
        kinds = ", ".join(s.__name__ for s in spec if s is not None)
        raise TypeError(f"{op.name}() received an invalid combination of arguments - got ({kinds})")
    for p, value in zip(op.statics, static, strict=False):
        if not (p.kind not in _KINDS or (value is None and p.optional) or _fits(p.kind, value)):
            raise wrong_argument(op, p, type(value).__name__)


def _check_sequence(op: Op, p: Param, spec: Any) -> None:
    if not isinstance(spec, tuple):
        raise wrong_argument(op, p, "Tensor")
    for i, s in enumerate(spec):
        if s is None or isinstance(s, type):
            raise wrong_element(op, p, i, "NoneType" if s is None else s.__name__)


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, tuple) and kind in _NAMES:
        return all(_fits("int", v) for v in value)
    return isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))


def _only_numbers(op: Op, spec: Any) -> bool:
    return any(p.role is Role.OPERAND for p in op.operands) and all(
        s is None or isinstance(s, type) for s in spec
    )


_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
    "uint8": "unsigned char", "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}  # fmt: skip


def wrong_out(result: Any, target: Any) -> RuntimeError:
    """torch's words of ops that do not promote, for an `out=` of another dtype."""
    want, got = (_C_NAMES.get(d.name, d.name) for d in (result, target))
    return RuntimeError(f"Expected out tensor to have dtype {want}, but got {got} instead")


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape, or torch's RuntimeError when there is none."""
    ndim = max((len(s) for s in shapes), default=0)
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
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got "
            f"{dim})"
        )
    return dim + size if dim < 0 else dim


def inference_error(op: Any, error: Exception, spec: Any) -> Exception:
    """What the user sees when JAX refuses an op that no check of ours had refused."""
    shapes = ", ".join(str(s) for s in spec)
    text = str(error).split("\n")[0]
    if isinstance(error, NotImplementedError | IndexError):
        return error
    return RuntimeError(f"{op.name}({shapes}): {text}")


class AcceleratorError(RuntimeError):
    """`torch.AcceleratorError`: a device failed."""


class OutOfMemoryError(RuntimeError):
    """`torch.OutOfMemoryError`: a device's memory does not hold a program."""


def execution_error(error: Exception, lines: Any, listing: str) -> RuntimeError:
    """A failure inside XLA, with the user lines whose ops were in the program."""
    seen = list(dict.fromkeys(line for line in lines if line))
    where = "\n".join(f'  File "{f}", line {n}' for f, n in seen[:20])
    more = f"\n  ... and {len(seen) - 20} more lines" if len(seen) > 20 else ""
    first = str(error).split("\n")[0]
    kind = OutOfMemoryError if "RESOURCE_EXHAUSTED" in str(error) else RuntimeError
    return kind(
        f"{first}\nThe failed program held ops recorded at these lines:\n{where}{more}\n{listing}"
    )
