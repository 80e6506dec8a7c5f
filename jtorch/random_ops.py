"""Random tensors: numbers drawn as PyTorch's CPU generator draws them, read as inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._engine import dtype as _dtype
from ._engine import rng
from ._engine.device import META, Place
from ._engine.errors import broadcast_shapes
from ._engine.rng_discrete import _check_multinomial
from ._engine.value import Value
from ._factory import (
    check_options,
    dtype_of,
    finish,
    hosted,
    out_dtype,
    place_for,
    place_like,
    shape_of,
    sizes,
)  # fmt: skip
from ._functions import composite
from ._gate import apply
from .creation import _check_like, _size_argument
from .ops import TABLE
from .tensor import Tensor

_NOTHING = rng.Generator(0)  # what the meta device draws from: its state means nothing


def _draw(sample: Any, source: Any, shape: tuple[int, ...], kind: Any, *numbers: Any) -> Any:
    """`sample` of a shape; on the meta device nothing is drawn."""
    if source is _NOTHING:
        return np.broadcast_to(np.zeros((), kind), shape)
    return sample(source, shape, kind, *numbers)


def _source(name: str, generator: Any, place: Place) -> rng.Generator:
    """The generator to draw from."""
    if place is META:
        return _NOTHING
    if generator is None:
        return rng.default_generator
    if not isinstance(generator, rng.Generator):
        kind = type(generator).__name__
        raise TypeError(f"{name}(): argument 'generator' must be torch.Generator, not {kind}")
    mine = getattr(generator.device, "type", generator.device)
    if mine != place.device.type:
        raise RuntimeError(
            f"Expected a '{place.device.type}' device type for generator but found '{mine}'"
        )
    return generator


# --- new tensors ----------------------------------------------------------------------------------


def _sized_function(name: str, sample: Any) -> Any:
    def function(
        *size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False, pin_memory: bool = False, **named: Any,
    ) -> Any:  # fmt: skip
        check_options(name, layout, pin_memory)
        shape = sizes(name, _size_argument(name, size, named))
        dtype = out_dtype(dtype_of(name, dtype), out) or _dtype.get_default_dtype()
        place = place_for(device, out)
        array = _draw(sample, _source(name, generator, place), shape, dtype.np)
        return finish(name, hosted(array, place), requires_grad, out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Random numbers of the given size, as torch.{name}."
    return composite("torch")(function)


def _like_function(name: str, sample: Any) -> Any:
    def function(
        input: Any, *, generator: Any = None, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False, memory_format: Any = None,
        pin_memory: bool = False,
    ) -> Any:  # fmt: skip
        _check_like(name, input, layout, pin_memory, memory_format)
        dtype, place = dtype_of(name, dtype) or input.dtype, place_like(input, device)
        source = _source(name, generator, place)
        array = _draw(sample, source, tuple(input.shape), dtype.np)
        return finish(name, hosted(array, place), requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Random numbers of the shape, dtype and device of `input`, as torch.{name}."
    return composite("torch")(function)


rand = _sized_function("rand", rng.uniform)
randn = _sized_function("randn", rng.normal)
rand_like = _like_function("rand_like", rng.uniform)
randn_like = _like_function("randn_like", rng.normal)


def _whole(name: str, argument: str, x: Any, position: int) -> int:
    if isinstance(x, bool) or not hasattr(x, "__index__"):
        kind = type(x).__name__
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be int, not {kind}"
        )
    return int(x.__index__())


def _bounds(
    name: str, args: tuple[Any, ...], named: dict[str, Any], rest: tuple[str, ...]
) -> list[Any]:
    """[low, high, *rest] of `f(high, ...)`, `f(low, high, ...)` and keywords."""
    known = {k: named.pop(k) for k in ("low", "high", *rest) if k in named}
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    free = [k for k in ("low", "high", *rest) if k not in known]
    if len(args) < len(free) and free[0] == "low":
        free = free[1:]
    if len(args) != len(free):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got {len(args)} positional, "
            f"but expected {' or '.join(['(high, ...)', '(low, high, ...)'])}"
        )
    known.update(zip(free, args, strict=True))
    low = _whole(name, "low", known.get("low", 0), 1)
    high = _whole(name, "high", known["high"], 2 if "low" in known else 1)
    return [low, high, *(known[k] for k in rest)]


@composite("torch")
def randint(
    *args: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False, **named: Any,
) -> Any:  # fmt: skip
    """Whole numbers in [low, high): `randint(high, size)` or `randint(low, high, size)`."""
    check_options("randint", layout, pin_memory)
    low, high, size = _bounds("randint", args, named, ("size",))
    dtype = out_dtype(dtype_of("randint", dtype), out) or _dtype.int64
    place = place_for(device, out)
    source = _source("randint", generator, place)
    shape = shape_of("randint", size)
    array = _draw(rng.randint, source, shape, dtype.np, low, high)
    return finish("randint", hosted(array, place), requires_grad, out)


@composite("torch")
def randint_like(
    input: Any, *args: Any, generator: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, memory_format: Any = None,
    pin_memory: bool = False, **named: Any,
) -> Any:  # fmt: skip
    """Whole numbers in [low, high), of the shape, dtype and device of `input`."""
    _check_like("randint_like", input, layout, pin_memory, memory_format)
    args = tuple(a.item() if isinstance(a, Tensor) else a for a in args)
    low, high = _bounds("randint_like", args, named, ())
    dtype, place = dtype_of("randint_like", dtype) or input.dtype, place_like(input, device)
    source = _source("randint_like", generator, place)
    array = _draw(rng.randint, source, tuple(input.shape), dtype.np, low, high)
    return finish("randint_like", hosted(array, place), requires_grad)


@composite("torch")
def randperm(
    n: Any, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Any:  # fmt: skip
    """A random permutation of 0 ... n-1."""
    check_options("randperm", layout, pin_memory)
    dtype = out_dtype(dtype_of("randperm", dtype), out) or _dtype.int64
    place = place_for(device, out)
    source, n = _source("randperm", generator, place), _whole("randperm", "n", n, 1)
    array = np.zeros(n, dtype.np) if source is _NOTHING else rng.randperm(source, n, dtype.np)
    return finish("randperm", hosted(array, place), requires_grad, out)


# --- with parameters that may be tensors ----------------------------------------------------------


def _known(t: Any) -> np.ndarray[Any, Any] | None:
    """The tensor's content if it is there already: checks of values must not force a run."""
    value: Value = t._value
    if value.array is None or value.aval.place.traced:
        return None
    return np.asarray(value.array)


def _record(name: str, operands: tuple[Any, ...], *static: Any) -> Any:
    return apply(TABLE[name], operands, static)


@composite("torch")
def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None,
    dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:  # fmt: skip
    """Normal numbers around `mean` with deviation `std`; either is a number or a tensor."""
    check_options("normal", layout, pin_memory)
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not tensors:
        if size is None:
            raise TypeError(
                "normal() received an invalid combination of arguments: two numbers need a size, "
                "normal(mean, std, size)"
            )
        dtype = out_dtype(dtype_of("normal", dtype), out) or _dtype.get_default_dtype()
        place = place_for(device, out)
        source = _source("normal", generator, place)
        numbers = float(mean), float(std)
        array = _draw(rng.normal, source, shape_of("normal", size), dtype.np, *numbers)
        return finish("normal", hosted(array, place), requires_grad, out)
    t = _normal_around(mean, std, tensors, generator)
    return finish("normal", t, False, out)


def _normal_around(mean: Any, std: Any, tensors: list[Any], generator: Any) -> Any:
    like = tensors[0]
    shape = broadcast_shapes(*(tuple(t.shape) for t in tensors))
    _check_std(std)
    place = like._value.aval.place
    source = _source("normal", generator, place)
    normals = hosted(_draw(rng.normal, source, shape, like.dtype.np), place)
    return _record("_normal_around", (mean, std, normals), like.dtype)


def _check_std(std: Any) -> None:
    if isinstance(std, Tensor):
        if std.is_complex():
            raise RuntimeError("normal expects standard deviation to be non-complex")
        known = _known(std)
        if known is not None and known.size and not known.min() >= 0:
            raise RuntimeError("normal expects all elements of std >= 0.0")
    elif not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


@composite("torch", "Tensor")
def bernoulli(input: Any, p: Any = None, *, generator: Any = None, out: Any = None) -> Any:
    """0 or 1, 1 with the probability that `input` holds (or `p`, if given).

    Differs from torch: probabilities that are not computed yet are not checked to be in [0, 1].
    """
    place, shape = input._value.aval.place, tuple(input.shape)
    dtype = input.dtype if out is None else out.dtype
    source = _source("bernoulli", generator, place)
    if p is None or isinstance(p, Tensor):
        t = _below(source, input if p is None else p, dtype, shape)
    else:
        t = hosted(_draw(rng.bernoulli, source, shape, dtype.np, float(p)), place)
    return finish("bernoulli", t, False, out)


def _below(source: rng.Generator, p: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    known = _known(p)
    if not p.dtype.is_floating_point:
        rng.bernoulli_tensor(source, np.zeros((1,), p.dtype.np))  # raises torch's error
    if known is not None and known.size and not ((known >= 0) & (known <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message "
            "be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    draw = source.uniform53 if p.dtype is _dtype.float64 else source.uniform24
    uniforms = hosted(draw(math.prod(shape)).reshape(shape), p._value.aval.place)
    return _record("_bernoulli", (p, uniforms), dtype)


@composite("torch", "Tensor")
def multinomial(
    input: Any,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Any = None,
    out: Any = None,
) -> Any:
    """Indices drawn from rows of weights.

    Differs from torch: weights that are not computed yet are not checked to be a distribution.
    """
    if out is not None and out.dtype is not _dtype.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype.scalar_name}")
    place = input._value.aval.place
    source = _source("multinomial", generator, place)
    known = _known(input)
    if known is not None:
        t = hosted(rng.multinomial(source, known, num_samples, replacement), place)
        return finish("multinomial", t, False, out)
    _check_multinomial(
        np.broadcast_to(np.ones((), input.dtype.np), tuple(input.shape)), num_samples, replacement
    )
    if replacement and num_samples > 1:
        uniforms = source.uniform53(math.prod(input.shape[:-1]) * num_samples)
        drawn = hosted(uniforms.reshape(*input.shape[:-1], num_samples), place)
        t = _record("_multinomial_search", (input.detach(), drawn))
    else:
        drawn = hosted(rng.exponential(source, tuple(input.shape), input.dtype.np), place)
        t = _record("_multinomial_race", (input.detach(), drawn), num_samples)
    return finish("multinomial", t, False, out)


# --- in place -------------------------------------------------------------------------------------


def _fill(t: Any, sample: Any) -> Any:
    """Write samples into a tensor in the order in which its elements lie in memory."""
    shape = tuple(t.shape)
    if t.is_meta:
        return t
    if t.is_contiguous():
        return t._write_array(sample(shape))
    strides = t.stride()
    order = sorted(range(len(shape)), key=lambda d: -strides[d])
    drawn = sample(tuple(shape[d] for d in order))
    return t._write_array(drawn.transpose(np.argsort(order)))


def _float(name: str, argument: str, x: Any, position: int) -> float:
    if isinstance(x, str) or not hasattr(x, "__float__"):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position + 1}) must be float, not "
            f"{type(x).__name__}"
        )
    return float(x)


def _inplace(name: str, f: Any, *defaults: tuple[str, float]) -> Any:
    names = [n for n, _ in defaults]

    def method(self: Any, *args: Any, generator: Any = None, **named: Any) -> Any:
        values = [d for _, d in defaults]
        if len(args) > len(values):
            raise TypeError(
                f"{name}() takes {len(values)} positional arguments but {len(args)} were given"
            )
        values[: len(args)] = args
        for key, value in named.items():
            if key not in names or names.index(key) < len(args):
                raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
            values[names.index(key)] = value
        if ... in values:
            missing = names[values.index(...)]
            raise TypeError(f'{name}() missing 1 required positional arguments: "{missing}"')
        source = _source(name, generator, self._value.aval.place)
        numbers = [
            _float(name, k, v, i) for i, (k, v) in enumerate(zip(names, values, strict=True))
        ]
        return _fill(self, lambda shape: f(source, shape, self.dtype.np, *numbers))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Fill with random numbers, as torch.Tensor.{name}."
    return composite("Tensor")(method)


uniform_ = _inplace("uniform_", rng.uniform, ("from", 0.0), ("to", 1.0))
exponential_ = _inplace("exponential_", rng.exponential, ("lambd", 1.0))
cauchy_ = _inplace("cauchy_", rng.cauchy, ("median", 0.0), ("sigma", 1.0))
log_normal_ = _inplace("log_normal_", rng.log_normal, ("mean", 1.0), ("std", 2.0))
geometric_ = _inplace("geometric_", rng.geometric, ("p", ...))


@composite("Tensor")
def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with normal numbers."""
    source = _source("normal_", generator, self._value.aval.place)
    whole = self.is_contiguous()

    def sample(shape: tuple[int, ...]) -> Any:
        return rng.normal(source, shape, self.dtype.np, float(mean), float(std), contiguous=whole)

    return _fill(self, sample)


@composite("Tensor")
def random_(self: Any, *args: Any, generator: Any = None, **named: Any) -> Any:
    """Fill with whole numbers: `random_()`, `random_(to)`, `random_(from, to)`."""
    values = (
        {"to": args[0]}
        if len(args) == 1 and "to" not in named
        else dict(zip(("from", "to"), args, strict=False))
    )
    values.update(named)
    if len(args) > 2 or set(values) - {"from", "to"}:
        raise TypeError("random_() received an invalid combination of arguments")
    low, high = values.get("from"), values.get("to")
    if low is None and high is not None:
        low = 0
    source = _source("random_", generator, self._value.aval.place)
    return _fill(self, lambda shape: rng.random(source, shape, self.dtype.np, low, high))


@composite("Tensor")
def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Fill with 0 and 1; `p` is a number or a tensor of probabilities."""
    source = _source("bernoulli_", generator, self._value.aval.place)
    if isinstance(p, Tensor):
        return self.copy_(_below(source, p.detach(), self.dtype, tuple(self.shape)))
    return _fill(self, lambda shape: rng.bernoulli(source, shape, self.dtype.np, float(p)))
