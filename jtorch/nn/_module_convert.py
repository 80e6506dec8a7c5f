"""Applying a function to every tensor of a module: `to`, `float`, `cuda`, `to_empty` and kin."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

from .._engine import dtype as _dtype
from ..autograd import no_grad
from ..creation import empty_like
from ..tensor import Tensor

_NO_META_COPY = "Cannot copy out of meta tensor; no data!"


class ModuleConvert:
    """The part of `Module` that moves and casts it."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the contents of every parameter, gradient and buffer by `fn` of them.

        Parameters stay the same objects, so an optimizer that holds them goes on working.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            with no_grad():
                _replace(param, fn)
                if param.grad is not None:
                    _replace(param.grad, fn)
        for key, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[key] = fn(buffer)
        return self

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Call `fn` on every submodule and then on this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def cuda(self, device: Any = None) -> Self:
        """Move all parameters and buffers to an accelerator."""
        return self._apply(lambda t: t.cuda(device))

    def xpu(self, device: Any = None) -> Self:
        """Move all parameters and buffers to an Intel accelerator."""
        return self._apply(lambda t: t.to("xpu" if device is None else f"xpu:{device}"))

    def cpu(self) -> Self:
        """Move all parameters and buffers to the host."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type: Any) -> Self:
        """Cast all parameters and buffers, integer ones too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Self:
        """Cast floating point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Cast floating point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Self:
        """Cast floating point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Self:
        """Cast floating point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to `device` without copying: the values are lost."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Move all parameters and buffers to shared memory."""
        return self._apply(lambda t: t.share_memory_())

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move and/or cast, in place: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`.

        Only floating point and complex tensors are cast.
        """
        device, dtype, non_blocking, memory_format = parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, but "
                    f"got desired dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may "
                    "change, and some modules might not work as expected when using complex "
                    "tensors as parameters or buffers. Please file an issue at "
                    "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a "
                    "complex module does not work as expected.",
                    stacklevel=2,
                )

        def convert(t: Any) -> Any:
            wanted = dtype if t.is_floating_point() or t.is_complex() else None
            layout = {}
            if memory_format is not None and t.dim() in (4, 5):
                layout["memory_format"] = memory_format
            try:
                return t.to(device, wanted, non_blocking, **layout)
            except NotImplementedError as e:
                if str(e) != _NO_META_COPY:
                    raise
                raise NotImplementedError(
                    f"{e} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() "
                    "when moving module from meta to a different device."
                ) from None

        return self._apply(convert)


def _replace(tensor: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    applied = fn(tensor)
    if applied is not tensor:
        tensor.data = applied


def parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """The arguments of `Module.to` as (device, dtype, non_blocking, memory_format)."""
    names = ["device", "dtype", "non_blocking", "copy"]
    first = args[0] if args else kwargs.get("tensor", kwargs.get("other"))
    if isinstance(first, Tensor):
        names = ["tensor", "non_blocking", "copy"]
    elif isinstance(first, _dtype.dtype):
        names = ["dtype", "non_blocking", "copy"]
    given = _bind(names, args, kwargs)
    tensor = given.get("tensor", given.get("other"))
    if tensor is not None:
        given["device"], given["dtype"] = tensor.device, tensor.dtype
    return (
        given.get("device"),
        given.get("dtype"),
        bool(given.get("non_blocking", False)),
        given.get("memory_format"),
    )


def _bind(names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    given = dict(zip(names, args, strict=False))
    allowed = {*names, "tensor", "other", "memory_format"}
    device, dtype = given.get("device"), given.get("dtype")
    if (
        len(args) > len(names)
        or given.keys() & kwargs.keys()
        or kwargs.keys() - allowed
        or not (dtype is None or isinstance(dtype, _dtype.dtype))
        or isinstance(device, bool | float)
    ):
        got = ", ".join(
            [type(a).__name__ for a in args]
            + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
        )
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({got}), but expected one "
            "of:\n * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = "
            "False, bool copy = False, *, torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)"
        )
    given.update(kwargs)
    return given
