"""Tensors print exactly as PyTorch prints them, for every dtype, shape and print option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jtorch import _tensor_str as ours
from jtorch._engine import dtype as D

ALL = [t for name, t in D.NAMES.items() if name == t.name]
FLOAT8 = [t for t in ALL if t.name.startswith("float8")]


@pytest.fixture(autouse=True)
def restore_global_state() -> Iterator[None]:
    defaults = D.get_default_dtype(), torch.get_default_dtype()
    yield
    D.set_default_dtype(defaults[0])
    torch.set_default_dtype(defaults[1])
    set_options(profile="default")


def set_options(**options: Any) -> None:
    ours.set_printoptions(**options)
    torch.set_printoptions(**options)


def to_torch(array: np.ndarray, t: D.dtype) -> torch.Tensor:
    """The same bits as a torch tensor; numpy and torch share no bfloat16 or float8."""
    if array.dtype.isbuiltin == 1:
        return torch.from_numpy(array.copy())
    bits = torch.from_numpy(array.view(f"i{t.itemsize}").copy())
    return bits.view(getattr(torch, t.name))


def check(array: np.ndarray, t: D.dtype) -> str:
    expected = repr(to_torch(array, t))
    assert ours.tensor_str(array, t) == expected
    return expected


def cast(values: Any, t: D.dtype) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(t.np)


# --- one thing at a time ------------------------------------------------------------------------

SHAPES = [
    (),
    (1,),
    (3,),
    (30,),
    (0,),
    (0, 3),
    (2, 0, 2),
    (2, 3),
    (2, 1, 3),
    (1, 1, 1, 1),
    (3, 2, 2, 2),
]
SHAPES += [
    (1000,),
    (1001,),
    (2, 501),
    (501, 2),
    (7, 150),
    (6, 6, 40),
    (10, 10, 11),
    (1, 1, 1, 1200),
    (3, 7, 7, 8),
]


@pytest.mark.parametrize("t", ALL, ids=lambda t: t.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_dtype_and_shape(t: D.dtype, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=shape) * 3
    values = values + 1j * rng.normal(size=shape) if t.is_complex else values
    check(cast(np.abs(values) if t.np.kind == "u" else values, t), t)
    check(cast(np.ones(shape), t), t)


SPECIAL = {
    "integers": [1, 2, -3, 0],
    "zeros": [0.0, -0.0],
    "zeros and inf": [0.0, -0.0, np.inf, -np.inf, np.nan],
    "nan": [np.nan],
    "inf with integers": [1.0, np.inf, -20.0],
    "inf with fractions": [1.5, -np.inf, np.nan],
    "large integers": [1.0, 1000.0, 1e6],
    "ratio at 1000": [1.0, 1000.0],
    "ratio over 1000": [1.0, 1001.0],
    "ratio with fractions": [0.5, 600.25],
    "max at 1e8": [1e8],
    "max over 1e8": [1.01e8],
    "min at 1e-4": [1e-4, 2e-4],
    "min under 1e-4": [9.9e-5],
    "sci with inf": [1e-5, np.inf, -np.nan, 0.0, -0.0],
    "rounds to an integer": [0.99999, 2.0],
    "negative first": [-1.25, 10.5, 100.75],
    "subnormal": [5e-324, 1e-310],
    "extremes": [1.7e308, -1e-308],
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("t", [t for t in ALL if not t.is_integral], ids=lambda t: t.name)
def test_special_values(name: str, t: D.dtype) -> None:
    values = cast(SPECIAL[name], t)
    check(values, t)
    for value in values:
        check(np.asarray(value), t)
    if t.is_complex:
        check(cast([complex(v, w) for v in SPECIAL[name] for w in (1.5, -0.0, np.inf)], t), t)


@pytest.mark.parametrize("t", [t for t in ALL if t.np.kind in "iu"], ids=lambda t: t.name)
def test_integer_extremes(t: D.dtype) -> None:
    info = np.iinfo(t.np)
    check(np.array([info.min, 0, info.max], t.np), t)


@pytest.mark.parametrize("t", FLOAT8, ids=lambda t: t.name)
def test_every_float8(t: D.dtype) -> None:
    array = np.arange(256, dtype=np.uint8).view(t.np)
    check(array, t)
    for i in range(256):
        check(array[i : i + 1], t)


@pytest.mark.parametrize("default", [D.float16, D.bfloat16, D.float64], ids=lambda t: t.name)
def test_dtype_suffix_follows_the_default(default: D.dtype) -> None:
    D.set_default_dtype(default)
    torch.set_default_dtype(getattr(torch, default.name))
    for t in ALL:
        shown = check(cast([1, 0], t), t)
        assert ("dtype=" in shown) == (t not in {default, D.int64, D.bool_, _complex(default)})
        check(cast(np.zeros((0, 2)), t), t)
        check(cast([], t), t)


def _complex(default: D.dtype) -> D.dtype:
    return D.complex128 if default is D.float64 else D.complex64


def test_not_contiguous() -> None:
    array = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    for view in (array.T, array[::2, ::-1], np.broadcast_to(array[0], (3, 6))):
        check(view, D.float32)


# --- suffixes -----------------------------------------------------------------------------------


def test_autograd_suffixes() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    y = x * 2
    assert ours.tensor_str(np.ones((2, 3), "f4"), D.float32, requires_grad=True) == repr(x)
    array = y.detach().numpy()
    shown = ours.tensor_str(array, D.float32, requires_grad=True, grad_fn_name="MulBackward0")
    assert shown == repr(y)
    assert "requires_grad" not in shown


def test_parameter() -> None:
    class Weight(torch.nn.Parameter):
        pass

    array = np.linspace(0, 1, 40, dtype=np.float32).reshape(2, 20)
    plain, sub = torch.nn.Parameter(torch.tensor(array)), Weight(torch.tensor(array))
    options = {"requires_grad": True, "parameter": True}
    assert ours.tensor_str(array, D.float32, **options) == repr(plain)
    assert ours.tensor_str(array, D.float32, prefix="Weight(", **options) == repr(sub)


def test_subclass_prefix_moves_the_columns() -> None:
    class LongNamedTensor(torch.Tensor):
        pass

    array = np.linspace(0, 1, 60, dtype=np.float64).reshape(2, 30)
    tensor = torch.tensor(array).as_subclass(LongNamedTensor)
    assert ours.tensor_str(array, D.float64, prefix="LongNamedTensor(") == repr(tensor)


@pytest.mark.parametrize("width", range(1, 30))
def test_suffixes_wrap(width: int) -> None:
    """Every length of the last line, so that each suffix falls on both sides of the margin."""
    array = np.full((2, width), 1.5, np.float64)
    x = torch.tensor(array, requires_grad=True)
    assert ours.tensor_str(array, D.float64, requires_grad=True) == repr(x)
    y = x + 0
    kwargs = {"requires_grad": True, "grad_fn_name": "AddBackward0"}
    assert ours.tensor_str(array, D.float64, **kwargs) == repr(y)


@pytest.mark.parametrize("linewidth", range(20, 60))
def test_suffixes_wrap_at_every_line_width(linewidth: int) -> None:
    set_options(linewidth=linewidth)
    for array in (np.array([1, 2], np.int32), np.array(3, np.int32), np.zeros((0, 2), np.int32)):
        check(array, D.int32)
    empty = np.zeros((0, 2))
    expected = repr(torch.tensor(empty, requires_grad=True))
    assert ours.tensor_str(empty, D.float64, requires_grad=True) == expected


@pytest.mark.parametrize("t", [D.float32, D.int64, D.bfloat16], ids=lambda t: t.name)
@pytest.mark.parametrize("size", [(), (3,), (0, 2)])
def test_without_values(t: D.dtype, size: tuple[int, ...]) -> None:
    x = torch.empty(size, dtype=getattr(torch, t.name), device="meta")
    assert ours.tensor_str(None, t, device="meta", size=size) == repr(x)
    if t.is_floating_point:
        x.requires_grad_()
        shown = ours.tensor_str(None, t, device="meta", size=size, requires_grad=True)
        assert shown == repr(x)


def test_contents_replaced() -> None:
    x = torch.ones(2, dtype=torch.int8)
    expected = x.__repr__(tensor_contents="<hidden>")
    assert ours.tensor_str(np.ones(2, np.int8), D.int8, contents="<hidden>") == expected


def test_device_is_shown_unless_cpu() -> None:
    array = np.ones(2, np.float32)
    shown = ours.tensor_str(array, D.float32, device="cuda:0", requires_grad=True)
    assert shown == "tensor([1., 1.], device='cuda:0', requires_grad=True)"
    assert ours.tensor_str(array, D.float32, device="cpu:0") == "tensor([1., 1.])"


def test_indent_moves_every_line() -> None:
    """Text put after 7 columns looks like the same text with a 7 columns longer prefix."""
    array = np.arange(40, dtype=np.int32).reshape(2, 20)
    text = ours.tensor_str(array, D.int32, indent=7)
    assert "x" * 7 + text == ours.tensor_str(array, D.int32, prefix="x" * 7 + "tensor(")


# --- options ------------------------------------------------------------------------------------

OPTIONS = [
    {"precision": 0},
    {"precision": 2},
    {"precision": 10},
    {"threshold": 5},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": 5, "edgeitems": 0},
    {"edgeitems": 0},
    {"linewidth": 20},
    {"linewidth": 200},
    {"linewidth": 5},
    {"sci_mode": True},
    {"sci_mode": False},
    {"sci_mode": True, "precision": 1},
    {"profile": "short"},
    {"profile": "full"},
    {"profile": "full", "precision": 7},
    {"profile": "unknown"},
    {"profile": "default", "linewidth": 33},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("t", [D.float32, D.float64, D.int16, D.complex64], ids=lambda t: t.name)
def test_options(options: dict[str, Any], t: D.dtype) -> None:
    set_options(**options)
    assert ours.get_printoptions() == torch._tensor_str.get_printoptions()
    rng = np.random.default_rng(1)
    for shape in [(), (4,), (12,), (3, 9), (2, 7, 3), (1100,)]:
        check(cast(rng.normal(size=shape) * 100, t), t)
        check(cast(np.arange(np.prod(shape)).reshape(shape), t), t)


def test_options_are_kept_except_sci_mode() -> None:
    set_options(precision=2, sci_mode=True)
    set_options(linewidth=50)
    assert ours.get_printoptions() == torch._tensor_str.get_printoptions()
    assert ours.get_printoptions()["precision"] == 2
    assert ours.get_printoptions()["sci_mode"] is None


def test_printoptions_restores_after_an_error() -> None:
    before = ours.get_printoptions()
    array = np.array([1.23456], np.float32)
    with pytest.raises(KeyError), ours.printoptions(precision=1, sci_mode=True):
        assert ours.tensor_str(array, D.float32) == "tensor([1.2e+00])"
        raise KeyError
    assert ours.get_printoptions() == before
    assert ours.tensor_str(array, D.float32) == "tensor([1.2346])"


# --- random arrays ------------------------------------------------------------------------------


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, D.dtype]:
    """Any dtype, up to four dimensions, one magnitude or all of them, special numbers."""
    t = draw(st.sampled_from(ALL))
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):  # any bit pattern at all
        raw = rng.integers(0, 256, size=(*shape, t.itemsize), dtype=np.uint8)
        return np.asarray(raw[..., 0] > 127 if t is D.bool_ else raw.view(t.np)[..., 0]), t
    values = rng.normal(size=shape) * 10.0 ** draw(st.integers(-8, 10))
    if draw(st.booleans()):
        values = np.round(values)
    if t.is_complex:
        values = values + 1j * rng.normal(size=shape) * draw(st.sampled_from([0.0, 1.0, 1e3]))
    elif not t.is_integral and draw(st.booleans()):
        special = rng.choice([np.nan, np.inf, -np.inf, -0.0, 0.0], size=shape)
        values = np.where(rng.random(shape) < 0.2, special, values)
    return cast(values, t), t


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "precision": draw(st.integers(0, 8)),
        "threshold": draw(st.sampled_from([0, 10, 100, 1000])),
        "edgeitems": draw(st.integers(0, 4)),
        "linewidth": draw(st.integers(10, 120)),
        "sci_mode": draw(st.sampled_from([None, None, True, False])),
    }


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(arrays())
def test_random_arrays(case: tuple[np.ndarray, D.dtype]) -> None:
    check(*case)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(arrays(), options())
def test_random_arrays_and_options(
    case: tuple[np.ndarray, D.dtype], chosen: dict[str, Any]
) -> None:
    set_options(**chosen)
    check(*case)


def test_the_comparison_can_fail() -> None:
    with pytest.raises(AssertionError, match=re.escape("tensor([1.")):
        check(np.array([1.0], np.float32), D.float64)


FORMATTED = (
    "f'{t.tensor(2.5)}'", "f'{t.tensor(2.5):.4f}'", "f'{t.tensor(3)}'", "f'{t.tensor([1.5])}'",
    "f'{t.nn.Parameter(t.tensor(2.0))}'", "f'{t.tensor(2.0, requires_grad=True)}'",
)  # fmt: skip


@pytest.mark.parametrize("code", FORMATTED)
def test_a_tensor_without_dimensions_is_formatted_as_its_number(code):
    import jtorch

    assert eval(code, {"t": jtorch}) == eval(code, {"t": torch})
