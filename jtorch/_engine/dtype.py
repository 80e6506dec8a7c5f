"""PyTorch's dtypes as singletons over numpy dtypes, and PyTorch's type promotion rules.

JAX's own promotion never decides anything in jtorch: an op asks `promote` for the dtype to compute
in and the dtype to return. Names that would hide Python's (`int`, `float`) live in `NAMES` only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, NoReturn

import ml_dtypes
import numpy

__all__ = [
    "NAMES", "Promote", "can_cast", "default_complex", "dtype", "finfo", "from_numpy",
    "get_default_dtype", "iinfo", "of", "promote", "promote_types", "result_type",
    "set_default_dtype",
]  # fmt: skip

_NO_COMPLEX32 = (
    "jtorch has no complex32 because JAX has no half-precision complex numbers; "
    "convert the float16 tensor first, for example x.float()"
)


class dtype:
    """A torch dtype. There is one instance of each, so `is`, `==` and `hash` all go by identity.

    `np` is the numpy dtype that stores it; `scalar_name` is C++'s name in error messages ('Float').
    """

    __slots__ = (
        "_barebones", "_float8", "abbr", "is_complex", "is_floating_point", "is_integral",
        "is_signed", "itemsize", "name", "np", "scalar_name",
    )  # fmt: skip

    name: str
    scalar_name: str
    abbr: str
    np: numpy.dtype[Any]
    itemsize: int
    is_floating_point: bool
    is_complex: bool
    is_integral: bool  # bool counts as integral, as in c10::isIntegralType(t, includeBool=true)
    is_signed: bool
    _float8: bool
    _barebones: bool  # uint16/32/64: stored, but PyTorch promotes them with floats only

    def __new__(cls, *args: object, **kwargs: object) -> dtype:
        raise TypeError("cannot create 'torch.dtype' instances")

    def __init_subclass__(cls, **kwargs: object) -> NoReturn:
        raise TypeError("type 'torch.dtype' is not an acceptable base type")

    def __setattr__(self, attr: str, value: object) -> NoReturn:
        if attr in dtype.__slots__:
            raise AttributeError(f"attribute '{attr}' of 'torch.dtype' objects is not writable")
        raise AttributeError(f"'torch.dtype' object has no attribute '{attr}'")

    def __delattr__(self, attr: str) -> NoReturn:
        raise AttributeError(f"attribute '{attr}' of 'torch.dtype' objects is not writable")

    def __repr__(self) -> str:
        return "torch." + self.name

    def __reduce__(self) -> tuple[Callable[[str], dtype], tuple[str]]:
        return _by_name, (self.name,)

    def __getattr__(self, attr: str) -> NoReturn:
        if attr == "np":  # not set: one of TAGS
            raise NotImplementedError(f"there are no tensors of dtype {self}: use int8 or uint8")
        raise AttributeError(f"'torch.dtype' object has no attribute '{attr}'")

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this dtype (bfloat16 gives complex64)."""
        if self is float16:
            raise NotImplementedError(_NO_COMPLEX32)
        if self not in _TO_COMPLEX:
            raise RuntimeError(f"Unknown Complex ScalarType for {self.scalar_name}")
        return _TO_COMPLEX[self]

    def to_real(self) -> dtype:
        """The dtype of the real part; every real dtype is its own."""
        return _TO_REAL.get(self, self)


# --- the dtypes ---------------------------------------------------------------------------------


def _make(name: str, scalar_name: str, abbr: str, storage: Any) -> dtype:
    new = object.__new__(dtype)
    stored = numpy.dtype(storage)
    is_complex = stored.kind == "c"
    is_integral = stored.kind in "biu"
    fields: dict[str, object] = {
        "name": name,
        "scalar_name": scalar_name,
        "abbr": abbr,
        "np": stored,
        "itemsize": stored.itemsize,
        "is_complex": is_complex,
        "is_integral": is_integral,
        "is_floating_point": not (is_complex or is_integral),
        "is_signed": stored.kind not in "bu",
        "_float8": name.startswith("float8"),
        "_barebones": name in ("uint16", "uint32", "uint64"),
    }
    for field, value in fields.items():
        object.__setattr__(new, field, value)
    return new


bool_: Final = _make("bool", "Bool", "b8", numpy.bool_)
uint8: Final = _make("uint8", "Byte", "u8", numpy.uint8)
int8: Final = _make("int8", "Char", "i8", numpy.int8)
int16: Final = _make("int16", "Short", "i16", numpy.int16)
int32: Final = _make("int32", "Int", "i32", numpy.int32)
int64: Final = _make("int64", "Long", "i64", numpy.int64)
uint16: Final = _make("uint16", "UInt16", "u16", numpy.uint16)
uint32: Final = _make("uint32", "UInt32", "u32", numpy.uint32)
uint64: Final = _make("uint64", "UInt64", "u64", numpy.uint64)
float16: Final = _make("float16", "Half", "f16", numpy.float16)
bfloat16: Final = _make("bfloat16", "BFloat16", "bf16", ml_dtypes.bfloat16)
float32: Final = _make("float32", "Float", "f32", numpy.float32)
float64: Final = _make("float64", "Double", "f64", numpy.float64)
complex64: Final = _make("complex64", "ComplexFloat", "c64", numpy.complex64)
complex128: Final = _make("complex128", "ComplexDouble", "c128", numpy.complex128)
float8_e4m3fn: Final = _make("float8_e4m3fn", "Float8_e4m3fn", "f8e4m3fn", ml_dtypes.float8_e4m3fn)
float8_e5m2: Final = _make("float8_e5m2", "Float8_e5m2", "f8e5m2", ml_dtypes.float8_e5m2)
float8_e4m3fnuz: Final = _make(
    "float8_e4m3fnuz", "Float8_e4m3fnuz", "f8e4m3fnuz", ml_dtypes.float8_e4m3fnuz
)
float8_e5m2fnuz: Final = _make(
    "float8_e5m2fnuz", "Float8_e5m2fnuz", "f8e5m2fnuz", ml_dtypes.float8_e5m2fnuz
)

# In PyTorch's promotion order: of two dtypes of one kind the later one wins, with three exceptions.
_ALL: Final = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip

NAMES: Final[dict[str, dtype]] = {t.name: t for t in _ALL} | {
    "half": float16,
    "float": float32,
    "double": float64,
    "short": int16,
    "int": int32,
    "long": int64,
    "cfloat": complex64,
    "cdouble": complex128,
}

_TO_COMPLEX: Final = {
    bfloat16: complex64,
    float32: complex64,
    float64: complex128,
    complex64: complex64,
    complex128: complex128,
}
_TO_REAL: Final = {complex64: float32, complex128: float64}
_FROM_NUMPY: Final[dict[object, dtype]] = {t.np: t for t in _ALL}
_PYTHON_TYPES: Final[dict[type, dtype]] = {
    bool: bool_,
    int: int64,
    float: float64,
    complex: complex128,
}


TAGS: Final[dict[str, dtype]] = {}  # dtypes that no tensor has: filled by dtype_tags.py


def _by_name(name: str) -> dtype:
    return NAMES[name] if name in NAMES else TAGS[name]


def from_numpy(np_dtype: Any) -> dtype:
    """The torch dtype of a numpy dtype; where there is none, torch.from_numpy's TypeError."""
    found = _FROM_NUMPY.get(np_dtype)
    return found if found is not None else _from_unusual_numpy(np_dtype)


def _from_unusual_numpy(np_dtype: Any) -> dtype:
    """Spellings that are not a native numpy.dtype object, such as numpy.float32 and 'f4'."""
    if np_dtype is None:  # numpy reads it as float64
        raise TypeError("expected a numpy dtype, not NoneType")
    asked = numpy.dtype(np_dtype)
    found = _FROM_NUMPY.get(asked)
    if found is not None:
        return found
    if not asked.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    raise TypeError(
        f"can't convert np.ndarray of type {asked.type.__module__}.{asked.type.__name__}. "
        "The only supported types are: float64, float32, float16, complex64, complex128, "
        "int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
    )


def of(x: Any) -> dtype:
    """The dtype of a tensor, array or Python scalar, or the one meant by a `dtype=` argument.

    A Python float has the default dtype; the type `float` itself means float64, as in PyTorch.
    """
    if isinstance(x, dtype):
        return x
    if isinstance(x, type) and x in _PYTHON_TYPES:
        return _PYTHON_TYPES[x]
    own = getattr(x, "dtype", None)
    if own is not None:
        return own if isinstance(own, dtype) else from_numpy(own)
    return _of_number(x)


def _of_number(x: Any) -> dtype:
    if isinstance(x, bool):
        return bool_
    if isinstance(x, int):
        return int64
    if isinstance(x, float):
        return get_default_dtype()
    if isinstance(x, complex):
        return default_complex()
    raise TypeError(f"expected a torch.dtype, a tensor or a number, not {type(x).__name__}")


# --- the default dtype --------------------------------------------------------------------------

_default: dtype = float32


def get_default_dtype() -> dtype:
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of Python floats and of factories: float16, bfloat16, float32 or float64."""
    global _default
    if not isinstance(d, dtype):
        raise TypeError(
            "invalid dtype object: only floating-point types are supported as the default type"
        )
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    if d._float8:
        raise TypeError(f"couldn't find storage object {d.scalar_name}Storage")
    _default = d
    _promoted.clear()


def default_complex() -> dtype:
    """The dtype of a Python complex number under the current default dtype."""
    return _default.to_complex()


# --- promotion ----------------------------------------------------------------------------------


def _common(a: dtype, b: dtype) -> dtype | str:
    """PyTorch's promotion table for one pair, or the family of dtypes it refuses to promote."""
    if a is b:
        return a
    if a._float8 or b._float8:
        return "Float8 Types"
    if a._barebones or b._barebones:
        floats = [t for t in (a, b) if t.is_floating_point]
        return floats[0] if floats else "uint16, uint32, uint64 types"
    low, high = sorted((a, b), key=_ALL.index)
    if (low, high) == (uint8, int8):
        return int16
    if (low, high) == (float16, bfloat16):
        return float32
    if (low, high) == (float64, complex64):
        return complex128
    return high


def _castable(source: dtype, target: dtype) -> bool:
    if source.is_complex and not target.is_complex:
        return False
    if source.is_floating_point and target.is_integral:
        return False
    return target is not bool_ or source is bool_


_COMMON: Final = {(a, b): _common(a, b) for a in _ALL for b in _ALL}
_CASTABLE: Final = {(a, b): _castable(a, b) for a in _ALL for b in _ALL}


def _check_dtype(value: Any, where: str, name: str, position: int) -> dtype:
    """Accept a dtype, or one of the Python types PyTorch reads as one."""
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in _PYTHON_TYPES:
        return _PYTHON_TYPES[value]
    raise TypeError(
        f"{where}(): argument '{name}' (position {position}) must be torch.dtype, "
        f"not {type(value).__name__}"
    )


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype, in PyTorch's order, that both dtypes convert to."""
    if type(type1) is not dtype or type(type2) is not dtype:
        type1 = _check_dtype(type1, "promote_types", "type1", 1)
        type2 = _check_dtype(type2, "promote_types", "type2", 2)
    common = _COMMON[type1, type2]
    if isinstance(common, str):
        raise RuntimeError(
            f"Promotion for {common} is not supported, "
            f"attempted to promote {type1.scalar_name} and {type2.scalar_name}"
        )
    return common


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether PyTorch lets a result of dtype `from_` be written to a tensor of dtype `to`."""
    source = _check_dtype(from_, "can_cast", "from_", 1)
    return _CASTABLE[source, _check_dtype(to, "can_cast", "to", 2)]


class Promote(Enum):
    """How an op chooses its dtypes; each row of the op table names one."""

    NONE = "no promotion: the first operand's dtype, untouched"
    DEFAULT = "compute and return in the common dtype"
    INT_TO_FLOAT = "as DEFAULT, but integers and bool become the default float dtype"
    ALWAYS_BOOL = "compute in the common dtype, return bool"
    BOOL_TO_LONG = "reductions without dtype=: bool and integers become int64"
    COMPLEX_TO_FLOAT = "compute in the common dtype, return the real dtype of it (abs)"

    __hash__ = object.__hash__  # Enum hashes in Python, and every recorded op looks one up


Item = tuple[dtype, str]
_CATEGORIES: Final = ("dim", "zero", "number")


def result_type(items: Iterable[Item]) -> dtype:
    """The common dtype of (dtype, category) items; a lower category only matters by its kind.

    Categories, highest first: 'dim' (a tensor with dimensions), 'zero' (a 0-d tensor) and 'number'
    (a Python scalar; floats count as the default dtype). So float32[3] + float64[] is float32,
    and int64[3] + 1.5 is the default dtype.
    """
    state: dict[str, dtype | None] = dict.fromkeys(_CATEGORIES)
    for item, category in items:
        if category not in state:
            raise ValueError(f"category must be one of {_CATEGORIES}, not {category!r}")
        state[category] = _promote_skip_none(state[category], item)
    dim, zero, number = state.values()
    number = _as_default(number, (dim, zero))
    common = _combine(dim, _combine(zero, number))
    if common is None:
        raise ValueError("result_type needs at least one item")
    return common


def _as_default(number: dtype | None, tensors: tuple[dtype | None, ...]) -> dtype | None:
    """A Python scalar carries only its kind; its width is the default's."""
    if number is None or number.is_integral:
        return number
    if number.is_floating_point:
        return _default
    # Next to a float or complex tensor the width is the tensor's: do not ask for a complex default,
    # which float16 has not.
    inexact = any(t is not None and not t.is_integral for t in tensors)
    return complex64 if inexact else default_complex()


def _promote_skip_none(a: dtype | None, b: dtype | None) -> dtype | None:
    if a is None or b is None:
        return a if b is None else b
    return promote_types(a, b)


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """Let `lower` change `higher` only by being of a higher kind: bool < int < float < complex."""
    if higher is None or lower is None:
        return higher if lower is None else lower
    if higher.is_complex:
        return higher
    if higher.is_floating_point:
        return higher.to_complex() if lower.is_complex else higher
    if lower.is_complex:
        return lower
    if higher is bool_ or lower.is_floating_point:
        return promote_types(higher, lower)
    return higher


_promoted: dict[tuple[Promote, tuple[Item, ...]], tuple[dtype, dtype]] = {}


def promote(kind: Promote, items: tuple[Item, ...]) -> tuple[dtype, dtype]:
    """(dtype to compute in, dtype of the result) for an op of this kind on these operands."""
    key = (kind, items)
    found = _promoted.get(key)
    if found is None:
        found = _promoted[key] = _promote(kind, items)
    return found


def _promote(kind: Promote, items: tuple[Item, ...]) -> tuple[dtype, dtype]:
    if kind is Promote.NONE:
        return items[0][0], items[0][0]
    common = result_type(items)
    if kind is Promote.INT_TO_FLOAT and common.is_integral:
        common = _default
    elif kind is Promote.BOOL_TO_LONG and common.is_integral:
        common = int64
    if kind is Promote.ALWAYS_BOOL:
        return common, bool_
    if kind is Promote.COMPLEX_TO_FLOAT:
        return common, common.to_real()
    return common, common


# --- finfo and iinfo ----------------------------------------------------------------------------


class _Info:
    """What finfo and iinfo share: a dtype, equality by it, no hash, read-only fields."""

    __slots__ = ("_type",)
    __hash__ = None  # type: ignore[assignment]  # PyTorch's are unhashable too
    _type: dtype

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self._type is other._type

    @property
    def dtype(self) -> str:
        return self._type.name

    @property
    def bits(self) -> int:
        return self._type.itemsize * 8


class finfo(_Info):
    """Numerical limits of a floating point dtype (of a complex one's parts)."""

    __slots__ = ("eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None) -> None:
        chosen = get_default_dtype() if type is None else _check_dtype(type, "finfo", "type", 1)
        real = chosen.to_real()
        if not real.is_floating_point:
            raise TypeError(
                "torch.finfo() requires a floating point input type. "
                "Use torch.iinfo to handle 'torch.finfo'"
            )
        self._type = real
        limits: Any = ml_dtypes.finfo(real.np)  # type: ignore[no-untyped-call]
        self.max, self.min = float(limits.max), float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        # C++'s digits10; ml_dtypes rounds its resolution to the dtype, PyTorch does not.
        self.resolution = 10.0 ** -math.floor(limits.nmant * math.log10(2))
        # PyTorch's epsilon of Float8_e5m2fnuz is half the gap above 1; ml_dtypes has the gap.
        self.eps = float(limits.eps) / (2 if real is float8_e5m2fnuz else 1)

    def __repr__(self) -> str:
        fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        numbers = ", ".join(f"{name}={getattr(self, name):g}" for name in fields)
        return f"finfo({numbers}, dtype={self.dtype})"


class iinfo(_Info):
    """Limits of an integer dtype."""

    __slots__ = ("max", "min")

    def __init__(self, type: dtype) -> None:
        chosen = _check_dtype(type, "iinfo", "type", 1)
        if not chosen.is_integral:
            raise TypeError(
                "torch.iinfo() requires an integer input type. "
                "Use torch.finfo to handle 'torch.iinfo'"
            )
        if chosen is bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        self._type = chosen
        limits = numpy.iinfo(chosen.np)
        self.max, self.min = int(limits.max), int(limits.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
