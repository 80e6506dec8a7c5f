"""The dtypes, promotion tables, finfo and iinfo of jtorch equal PyTorch's for every dtype."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from jtorch._engine import dtype as D
from jtorch._engine.dtype import Promote

ALL = [t for name, t in D.NAMES.items() if name == t.name]
IDS = [t.name for t in ALL]
DEFAULTS = [D.float32, D.float64, D.bfloat16, D.float16]
NUMBERS = {D.bool_: True, D.int64: 2, D.float64: 1.5, D.complex128: 1j}


def theirs(t: D.dtype) -> torch.dtype:
    return getattr(torch, t.name)


def outcome(call: Callable[..., Any], *args: Any) -> str:
    """The result, or the error, as text that can be compared between the two libraries."""
    try:
        return str(call(*args))
    except (TypeError, RuntimeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.fixture(autouse=True)
def restore_defaults() -> Iterator[None]:
    ours, others = D.get_default_dtype(), torch.get_default_dtype()
    yield
    D.set_default_dtype(ours)
    torch.set_default_dtype(others)


def set_defaults(t: D.dtype) -> None:
    D.set_default_dtype(t)
    torch.set_default_dtype(theirs(t))


# --- the objects --------------------------------------------------------------------------------


@pytest.mark.parametrize("t", ALL, ids=IDS)
def test_attributes(t: D.dtype) -> None:
    for attr in ("is_floating_point", "is_complex", "is_signed", "itemsize", "abbr"):
        assert getattr(t, attr) == getattr(theirs(t), attr), attr
    assert repr(t) == repr(theirs(t)) == str(t)
    assert outcome(t.to_real) == outcome(theirs(t).to_real)


@pytest.mark.parametrize("t", [t for t in ALL if t is not D.float16], ids=lambda t: t.name)
def test_to_complex(t: D.dtype) -> None:
    assert outcome(t.to_complex) == outcome(theirs(t).to_complex)


def test_float16_to_complex_says_what_to_do() -> None:
    with pytest.raises(NotImplementedError, match=r"no complex32.*x\.float\(\)"):
        D.float16.to_complex()


@pytest.mark.parametrize("t", ALL, ids=IDS)
def test_singletons(t: D.dtype) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(t, protocol)) is t
    assert copy.copy(t) is t
    assert copy.deepcopy([t])[0] is t
    assert {t: 1}[D.NAMES[t.name]] == 1


def test_immutable() -> None:
    errors = []
    for t in (D.float32, torch.float32):
        with pytest.raises(AttributeError) as caught:
            t.itemsize = 3
        errors.append(str(caught.value))
        with pytest.raises(AttributeError) as caught:
            t.foo = 3
        errors.append(str(caught.value))
    assert errors[:2] == errors[2:]
    assert outcome(D.dtype, "float32") == outcome(torch.dtype, "float32")
    with pytest.raises(AttributeError):
        del D.float32.itemsize
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("sub", (D.dtype,), {})


def test_names_are_torchs() -> None:
    for name, t in D.NAMES.items():
        assert getattr(torch, name) is theirs(t)
    ours = set(D.NAMES)
    missing = {n for n, v in vars(torch).items() if isinstance(v, torch.dtype)} - ours
    assert {n for n in missing if "float" in n or "complex" in n or n in ("chalf", "int")} == {
        "chalf",
        "complex32",
        "float8_e8m0fnu",
        "float4_e2m1fn_x2",
    }


@pytest.mark.parametrize("t", ALL, ids=IDS)
def test_from_numpy_round_trip(t: D.dtype) -> None:
    assert D.from_numpy(t.np) is t
    assert D.from_numpy(t.np.type) is t
    assert t.np.itemsize == t.itemsize
    assert D.of(np.zeros(2, t.np)) is t


def test_from_numpy_errors() -> None:
    for bad in (np.array(["a"]), np.array([None]), np.zeros(2, np.longdouble)):
        assert outcome(D.from_numpy, bad.dtype) == outcome(torch.from_numpy, bad)
    swapped = np.zeros(2, np.dtype("f4").newbyteorder())
    for call, x in ((D.from_numpy, swapped.dtype), (torch.from_numpy, swapped)):
        with pytest.raises(ValueError, match="byte order different from the native"):
            call(x)
    with pytest.raises(TypeError):
        D.from_numpy(None)
    with pytest.raises(TypeError):
        D.from_numpy(ml_dtypes.int4)


def test_of() -> None:
    class Tensor:
        dtype = D.int16

    assert D.of(Tensor()) is D.int16
    assert D.of(D.uint8) is D.uint8
    for value in (True, 2, 1.5, 1j):
        assert outcome(D.of, value) == str(torch.tensor(value).dtype)
        kind = type(value)
        assert outcome(D.of, kind) == str(torch.zeros(1, dtype=kind).dtype)
    with pytest.raises(TypeError, match="not str"):
        D.of("float32")


# --- the default dtype --------------------------------------------------------------------------


@pytest.mark.parametrize("t", DEFAULTS, ids=lambda t: t.name)
def test_default_dtype(t: D.dtype) -> None:
    set_defaults(t)
    assert D.get_default_dtype() is t
    assert str(D.of(1.5)) == str(torch.tensor(1.5).dtype)
    assert repr(D.finfo()) == repr(torch.finfo())
    if t is D.float16:
        with pytest.raises(NotImplementedError, match="complex32"):
            D.default_complex()
    else:
        assert str(D.default_complex()) == str(torch.result_type(torch.ones(1), 1j))


@pytest.mark.parametrize("bad", [*(t for t in ALL if t not in DEFAULTS), "float32", 3, None, float])
def test_set_default_dtype_errors(bad: Any) -> None:
    other = theirs(bad) if isinstance(bad, D.dtype) else bad
    assert "TypeError" in outcome(D.set_default_dtype, bad)
    assert outcome(D.set_default_dtype, bad) == outcome(torch.set_default_dtype, other)
    assert D.get_default_dtype() is D.float32


# --- promotion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("a", ALL, ids=IDS)
def test_promote_types_every_pair(a: D.dtype) -> None:
    for b in ALL:
        expected = outcome(torch.promote_types, theirs(a), theirs(b))
        assert outcome(D.promote_types, a, b) == expected


@pytest.mark.parametrize("a", ALL, ids=IDS)
def test_can_cast_every_pair(a: D.dtype) -> None:
    for b in ALL:
        assert D.can_cast(a, b) == torch.can_cast(theirs(a), theirs(b)), b


@pytest.mark.parametrize("bad", [3, "float32", None, float, int, bool, complex])
def test_dtype_arguments(bad: Any) -> None:
    """The Python types stand for dtypes; everything else is refused in PyTorch's words."""
    for name in ("promote_types", "can_cast"):
        ours, others = getattr(D, name), getattr(torch, name)
        assert outcome(ours, bad, D.int8) == outcome(others, bad, torch.int8)
        assert outcome(ours, D.int8, bad) == outcome(others, torch.int8, bad)
    if bad is not None:
        assert outcome(D.finfo, bad) == outcome(torch.finfo, bad)
    assert outcome(D.iinfo, bad) == outcome(torch.iinfo, bad)


def operand(item: D.Item) -> Any:
    """A torch value with this dtype and category (on the CPU: meta tensors promote otherwise)."""
    t, category = item
    if category == "number":
        return NUMBERS[t]
    return torch.empty((2,) if category == "dim" else (), dtype=theirs(t))


ITEMS: list[D.Item] = [
    *((t, category) for t in ALL for category in ("dim", "zero")),
    *((t, "number") for t in NUMBERS),
]


@pytest.mark.parametrize("default", DEFAULTS, ids=lambda t: t.name)
def test_result_type_every_pair(default: D.dtype) -> None:
    set_defaults(default)
    for pair in itertools.product(ITEMS, ITEMS):
        expected = outcome(torch.result_type, *map(operand, pair))
        ours = outcome(D.result_type, pair)
        if expected == "torch.complex32":
            assert ours.startswith("NotImplementedError: jtorch has no complex32"), pair
        else:
            assert ours == expected, pair


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
def test_result_type_of_three() -> None:
    """addcmul promotes its three tensors together, which is not the same as two pairs."""
    few = [D.bool_, D.uint8, D.int8, D.int64, D.bfloat16, D.float16, D.float32, D.float64]
    items = [(t, c) for t in (*few, D.complex64) for c in ("dim", "zero")]
    compared = 0
    for triple in itertools.product(items, repeat=3):
        expected = outcome(lambda a, b, c: torch.addcmul(a, b, c).dtype, *map(operand, triple))
        if "NotImplementedError" not in expected and "complex32" not in expected:
            assert outcome(D.result_type, triple) == expected, triple
            compared += 1
    assert compared > 0.9 * len(items) ** 3


def test_result_type_does_not_associate() -> None:
    """What pairwise promotion would get wrong: a 0-d float64 must not widen a float16 tensor."""
    items = ((D.int64, "zero"), (D.float64, "zero"), (D.float16, "dim"), (D.float64, "number"))
    assert D.result_type(items) is D.float16
    # ATen joins the two low categories first; bool with uint16 alone would be an error.
    items = ((D.bool_, "dim"), (D.uint16, "zero"), (D.float64, "number"))
    assert D.result_type(items) is D.float32


def test_result_type_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="category"):
        D.result_type([(D.int8, "scalar")])
    with pytest.raises(ValueError, match="at least one"):
        D.result_type([])


UNARY: dict[Promote, Callable[[torch.Tensor], torch.Tensor]] = {
    Promote.DEFAULT: torch.neg,
    Promote.INT_TO_FLOAT: torch.sin,
    Promote.ALWAYS_BOOL: lambda x: torch.eq(x, x),
    Promote.BOOL_TO_LONG: torch.sum,
    Promote.COMPLEX_TO_FLOAT: torch.abs,
    Promote.NONE: torch.clone,
}


@pytest.mark.parametrize("kind", list(Promote), ids=lambda k: k.name)
@pytest.mark.parametrize("default", DEFAULTS, ids=lambda t: t.name)
def test_promote_result_of_one_operand(kind: Promote, default: D.dtype) -> None:
    set_defaults(default)
    for t in ALL:
        if kind is Promote.DEFAULT and t is D.bool_:  # neg refuses bool
            continue
        x = operand((t, "dim"))
        expected = outcome(lambda x: UNARY[kind](x).dtype, x)
        if not expected.startswith("NotImplementedError"):  # no such kernel, so nothing to compare
            assert str(D.promote(kind, ((t, "dim"),))[1]) == expected, t


BINARY: dict[Promote, Callable[..., torch.Tensor]] = {
    Promote.DEFAULT: torch.add,
    Promote.INT_TO_FLOAT: torch.true_divide,
    Promote.ALWAYS_BOOL: torch.ne,
}


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("kind", list(BINARY), ids=lambda k: k.name)
def test_promote_result_of_two_operands(kind: Promote) -> None:
    tensors = [item for item in ITEMS if item[1] != "number"]
    for a, b in itertools.product(tensors, ITEMS):
        expected = outcome(lambda a, b: BINARY[kind](a, b).dtype, operand(a), operand(b))
        ours = outcome(lambda a, b: D.promote(kind, (a, b))[1], a, b)
        if "NotImplementedError" not in expected and "complex32" not in expected + ours:
            assert ours == expected, (a, b)


def test_promote_computes_in_the_common_dtype() -> None:
    pair = ((D.int32, "dim"), (D.float64, "dim"))
    assert D.promote(Promote.ALWAYS_BOOL, pair) == (D.float64, D.bool_)
    single = ((D.complex128, "dim"),)
    assert D.promote(Promote.COMPLEX_TO_FLOAT, single) == (D.complex128, D.float64)
    assert D.promote(Promote.BOOL_TO_LONG, ((D.uint8, "dim"),)) == (D.int64, D.int64)
    assert D.promote(Promote.NONE, pair) == (D.int32, D.int32)


def test_promote_forgets_when_the_default_changes() -> None:
    items = ((D.int32, "dim"),)
    assert D.promote(Promote.INT_TO_FLOAT, items)[1] is D.float32
    D.set_default_dtype(D.float64)
    assert D.promote(Promote.INT_TO_FLOAT, items)[1] is D.float64


# --- finfo and iinfo ----------------------------------------------------------------------------

FINFO = ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype")


@pytest.mark.parametrize("t", ALL, ids=IDS)
def test_finfo_and_iinfo(t: D.dtype) -> None:
    assert outcome(D.finfo, t) == outcome(torch.finfo, theirs(t))
    assert outcome(D.iinfo, t) == outcome(torch.iinfo, theirs(t))
    if t.is_floating_point or t.is_complex:
        ours, others = D.finfo(t), torch.finfo(theirs(t))
        assert {n: getattr(ours, n) for n in FINFO} == {n: getattr(others, n) for n in FINFO}
        assert all(type(getattr(ours, n)) is type(getattr(others, n)) for n in FINFO)
    elif t is not D.bool_:
        ours, others = D.iinfo(t), torch.iinfo(theirs(t))
        names = ("bits", "max", "min", "dtype")
        assert {n: getattr(ours, n) for n in names} == {n: getattr(others, n) for n in names}
        assert type(ours.max) is int


def test_info_equality() -> None:
    assert D.finfo(D.float32) == D.finfo(D.float32) != D.finfo(D.float64)
    assert (D.finfo(D.float32) == D.finfo(D.complex64)) == (
        torch.finfo(torch.float32) == torch.finfo(torch.complex64)
    )
    assert D.iinfo(D.int8) == D.iinfo(D.int8) != D.iinfo(D.uint8)
    assert D.finfo(D.float32) != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(D.finfo())
