"""`torch.masked.MaskedTensor`: a tensor with a mask, and the functions that respect it.

The tensor holds the data; what the mask hides is replaced by 1 before an operation reads it, so
that neither results nor gradients see it. Importing this file defines a class with
`__torch_function__`: programs that do not ask for it pay nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from . import _masked_reductions as masked
from ._engine import dtype as _dtype
from ._functions import NAMESPACES
from .overrides import DisableTorchFunctionSubclass
from .tensor import Tensor

_torch: Any = NAMESPACES["torch"]


def _words(text: str) -> set[str]:
    return set(text.split())


_UNARY = _words(
    """abs absolute acos arccos acosh arccosh angle asin arcsin asinh arcsinh atan arctan atanh
    arctanh bitwise_not ceil clamp clip conj_physical cos cosh deg2rad digamma erf erfc erfinv exp
    exp2 expm1 fix floor frac lgamma log log10 log1p log2 logit i0 isnan nan_to_num neg negative
    positive pow rad2deg reciprocal round rsqrt sigmoid sign sgn signbit sin sinc sinh sqrt square
    tan tanh trunc clone detach float double half int long short to contiguous type"""
)
_BINARY = _words(
    """add atan2 arctan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
    div divide floor_divide fmod logaddexp logaddexp2 mul multiply nextafter remainder sub subtract
    true_divide eq ne le ge gt lt greater_equal greater less_equal less fmax fmin maximum minimum
    not_equal rsub operator"""  # `operator`: the reflected ones, 2 - x
)
_THROUGH = _words(
    """select transpose split t getitem __getitem__ index expand view reshape cat unsqueeze squeeze
    unfold stack permute flatten expand_as view_as chunk unbind narrow index_select movedim swapaxes
    unflatten flip roll"""
)
_REDUCTIONS = _words("sum mean amin amax argmin argmax prod all norm var std")
_OWN = _words(  # what a tensor is asked without an operation on its elements
    """size dim stride numel nelement is_contiguous is_floating_point is_complex requires_grad_
    backward register_hook retain_grad element_size ndimension storage_offset data_ptr
    is_same_size __len__ __hash__ get_device is_tensor __format__ __bool__ __deepcopy__ __dir__
    type_as item __float__ __int__ __index__ __set__ __delete__ as_subclass detach_
    register_post_accumulate_grad_hook zero_ is_inference"""
)


class MaskedTensor(Tensor):
    """A tensor some of whose elements are hidden.  Source: torch.masked.MaskedTensor."""

    __module__ = "torch.masked.maskedtensor.core"  # a user's class to `overrides`
    _masked_mask: Any = None

    def __new__(cls, data: Any, mask: Any, requires_grad: bool = False) -> Any:
        """A leaf with copies of data and mask."""
        for x, what in ((data, "data"), (mask, "mask")):
            if isinstance(x, cls) or not isinstance(x, Tensor):
                raise TypeError(f"{what} must be a Tensor")
        warnings.warn(
            "The PyTorch API of MaskedTensors is in prototype stage and will change in the near "
            "future. Please open a Github issue for features requests and see our documentation "
            "on the torch.masked module for further information about the project.",
            UserWarning,
            stacklevel=2,
        )
        if data.requires_grad:
            warnings.warn(
                "It is not recommended to create a MaskedTensor with a tensor that requires_grad. "
                "To avoid this, you can use data.detach().clone()",
                UserWarning,
                stacklevel=2,
            )
        new = _wrapped(data.detach().clone(), mask.clone())
        return Tensor.requires_grad_(new, requires_grad)

    def __init__(self, data: Any, mask: Any, requires_grad: bool = False) -> None:
        pass

    def get_mask(self) -> Any:
        """True where there is an element."""
        return self._masked_mask

    def get_data(self) -> Any:
        """All elements, as an ordinary tensor."""
        return _plain(self)

    def to_tensor(self, value: Any) -> Any:
        """An ordinary tensor with `value` in the place of what is hidden."""
        return _plain(self).masked_fill(~self._masked_mask, value)

    @property
    def grad(self) -> Any:
        """The gradient, with this tensor's mask."""
        held = self._grad
        return None if held is None else self._of_gradient(held)

    @grad.setter
    def grad(self, new: Any) -> None:
        Tensor.grad.__set__(self, _plain(new) if isinstance(new, MaskedTensor) else new)  # type: ignore[attr-defined]

    def _of_gradient(self, g: Any) -> Any:
        """A gradient of this tensor, as torch shows it."""
        with DisableTorchFunctionSubclass():
            return _wrapped(_plain(g).clone(), self._masked_mask)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        rule = _rule(name)
        if rule is None:
            raise TypeError(
                f"{name} is not implemented in __torch_dispatch__ for MaskedTensor: apply it to "
                "get_data() and get_mask()."
            )
        with DisableTorchFunctionSubclass():
            return rule(func, name, args, kwargs)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        with DisableTorchFunctionSubclass():
            data, mask = _plain(self).detach(), self._masked_mask
            if data.dim() == 0:
                text = _element(data.item()) if mask.item() else "--"
                return f"MaskedTensor({text}, {mask.item()})"
            lines = _text(data.tolist(), mask.tolist()).split("\n")
        return "MaskedTensor(\n" + "\n".join("  " + line for line in lines) + "\n)"


def _element(x: Any) -> str:
    return f"{x:8.4f}" if isinstance(x, float) else str(x)


def _text(data: Any, mask: Any) -> str:
    if not (data and isinstance(data[0], list)):
        texts = [_element(x) for x in data]
        width = max((len(t) if m else 8 for t, m in zip(texts, mask, strict=True)), default=0)
        shown = [t if m else "--".rjust(width) for t, m in zip(texts, mask, strict=True)]
        return "[" + ", ".join(shown) + "]"
    parts = [_text(d, m) for d, m in zip(data, mask, strict=True)]
    inner = ["\n".join("  " + line for line in p.split("\n")) for p in parts]
    return "[\n" + ",\n".join(inner) + "\n]"


_KINDS = {"float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64"}


def _wrapped(data: Any, mask: Any) -> Any:
    """`data`, which nobody else holds, as a MaskedTensor; it stays where it is in the graph."""
    if mask.dtype is not _dtype.bool_:
        raise TypeError("mask must have dtype bool.")
    if data.dtype.np.name not in _KINDS:
        raise TypeError(f"{data.dtype} is not supported in MaskedTensor.")
    if data.dim() != mask.dim():
        raise ValueError("data.dim() must equal mask.dim()")
    if data.shape != mask.shape:
        raise ValueError("data.size() must equal mask.size()")
    data.__class__ = MaskedTensor
    data._masked_mask = mask.detach()
    return data


def _plain(x: Any) -> Any:
    """The data of a MaskedTensor, in its graph, as an ordinary tensor."""
    if not isinstance(x, MaskedTensor):
        return x
    with DisableTorchFunctionSubclass():
        return x.view_as(x)  # type: ignore[attr-defined]


def _safe(x: Any) -> Any:
    """The data with 1 where it is hidden: nothing that comes of it is infinite or NaN."""
    if not isinstance(x, MaskedTensor) or not x.is_floating_point():  # type: ignore[attr-defined]
        return _plain(x)
    return _plain(x).masked_fill(~x._masked_mask, 1)


def _mapped(f: Callable[[Any], Any], x: Any) -> Any:
    if isinstance(x, list | tuple) and not hasattr(x, "_fields"):
        return type(x)(_mapped(f, i) for i in x)
    return f(x)


def _first_mask(args: Any) -> Any:
    return next(a._masked_mask for a in args if isinstance(a, MaskedTensor))


def _both(result: Any, mask: Any) -> Any:
    if isinstance(result, list | tuple):
        return type(result)(_both(r, m) for r, m in zip(result, mask, strict=True))
    return _wrapped(result, mask)


# --- one rule for each kind of function -----------------------------------------------------------


def _unary(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    if any(isinstance(a, Tensor) for a in args[1:]) and name not in ("to", "type"):
        raise TypeError("MaskedTensor unary ops do not support additional Tensor arguments")
    return _wrapped(func(_safe(args[0]), *args[1:], **kwargs).clone(), args[0]._masked_mask)


def _check_masks(args: Any) -> None:
    masks = [a._masked_mask for a in args[:2] if isinstance(a, MaskedTensor)]
    if len(masks) == 2 and (
        masks[0].shape != masks[1].shape or not bool((masks[0] == masks[1]).all())
    ):
        raise ValueError(
            "Input masks must match. If you need support for this, please open an issue on Github."
        )


def _binary(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    if kwargs:
        raise ValueError("len(kwargs) must equal 0")
    _check_masks(args)
    result = func(*(_safe(a) for a in args))
    return _wrapped(result, _first_mask(args).expand_as(result).clone())


def _in_place(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    _check_masks(args)
    func(_plain(args[0]), *(_safe(a) for a in args[1:]), **kwargs)
    return args[0]


def _through(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    def of_mask(x: Any) -> Any:
        return x._masked_mask if isinstance(x, MaskedTensor) else x

    data = func(*(_mapped(_plain, a) for a in args), **kwargs)
    mask = func(*(_mapped(of_mask, a) for a in args), **kwargs)
    return _both(_mapped(lambda t: t.clone(), data), mask)


def _reduction(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    data, mask, rest = _plain(args[0]), args[0]._masked_mask, args[1:]
    dim = rest[0] if rest else kwargs.get("dim")
    keepdim = bool(rest[1] if len(rest) > 1 else kwargs.get("keepdim", False))
    if name == "all":
        data = data.masked_fill(~mask, True)
        result = data.all() if dim is None else data.all(dim, keepdim)
        return _wrapped(result.clone(), _any(mask, dim, keepdim))
    if name == "norm":
        rest = rest or (kwargs.pop("p", 2.0),)
        dim = rest[1] if len(rest) > 1 else kwargs.get("dim")
    result = getattr(masked, name)(data, *rest, mask=mask, **kwargs)
    return _wrapped(result.clone(), _any(mask, dim, keepdim))


def _any(mask: Any, dim: Any, keepdim: bool) -> Any:
    return mask.any() if dim is None else mask.any(dim, keepdim)


def _where(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    condition, x, y = args
    if isinstance(condition, MaskedTensor):
        raise ValueError("where: the condition must be an ordinary tensor")
    masks = [
        a._masked_mask
        if isinstance(a, MaskedTensor)
        else _torch["ones_like"](a, dtype=_dtype.bool_)
        for a in (x, y)
    ]
    return _wrapped(func(condition, _safe(x), _safe(y)), _torch["where"](condition, *masks))


def _softmax(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    mask = args[0]._masked_mask
    result = getattr(masked, name)(_plain(args[0]), *args[1:], mask=mask, **kwargs)
    return _wrapped(result.masked_fill(~mask, 0), mask)


def _like(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    return _wrapped(func(_plain(args[0]), **kwargs), args[0]._masked_mask)


def _own(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _rule(name: str) -> Any:
    """What is done with a function of this name; None: nothing is known."""
    for names, rule in (
        (_UNARY, _unary), (_BINARY, _binary), (_THROUGH, _through), (_REDUCTIONS, _reduction),
        (("where",), _where), (("softmax", "log_softmax"), _softmax),
        (("ones_like", "zeros_like"), _like), (_OWN, _own),
    ):  # fmt: skip
        if name in names:
            return rule
    if name.endswith("_") and name[:-1] in _UNARY | _BINARY:
        return _in_place
    return None


def masked_tensor(data: Any, mask: Any, requires_grad: bool = False) -> MaskedTensor:
    """A leaf with copies of data and mask.  Source: torch.masked.masked_tensor."""
    return MaskedTensor(data, mask, requires_grad)


def as_masked_tensor(data: Any, mask: Any) -> MaskedTensor:
    """The data, in its graph, with a mask.  Source: torch.masked.as_masked_tensor.

    Differs from torch: the gradient that goes on into ordinary tensors is an ordinary one, with
    zeros where it is hidden.
    """
    return _wrapped(data.clone(), mask)  # type: ignore[no-any-return]
