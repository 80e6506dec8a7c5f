"""A parameter as the result of modules: the attribute computes itself from what it is stored as."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

from ...autograd import no_grad
from ...tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache_enabled = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrized tensor is computed once, however often it is read."""
    global _cache_enabled
    _cache_enabled += 1
    try:
        yield
    finally:
        _cache_enabled -= 1
        if not _cache_enabled:
            _cache.clear()


def _register(module: Module, name: str, t: Tensor) -> None:
    if isinstance(t, Parameter):
        module.register_parameter(name, t)
    else:
        module.register_buffer(name, t)


def _check_same(what: str, shown: dict[str, Any]) -> None:
    """ValueError unless both values in `shown` are equal."""
    a, b = shown.values()
    if a != b:
        lines = "\n".join(f"{name}: {value}" for name, value in shown.items())
        raise ValueError(f"{what}\n{lines}")


def _check_tensor(t: Any) -> None:
    if not isinstance(t, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(t).__name__}.")


def _element_error(i: int, element: Any, what: str) -> ValueError:
    return ValueError(
        f"'right_inverse' must return {what}. Got element {i} of the sequence with type "
        f"{type(element).__name__}."
    )


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after the other to `original`.

    Where the last `right_inverse` gives several tensors they are `original0`, `original1`, ...
    """

    original: Tensor
    unsafe: bool

    def __init__(
        self, modules: Sequence[Module], original: Tensor | Parameter, unsafe: bool = False
    ) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new = self._inverted(original)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._keep_one(original, new)
        else:
            self._keep_several(original, new)
        if not self.unsafe:
            self._check_result(shape, dtype)

    def _inverted(self, value: Any) -> Any:
        with no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # then `value` is taken as it is
                        value = module.right_inverse(value)
        return value

    def _keep_one(self, original: Tensor, new: Tensor) -> None:
        for what in ("dtype", "device"):
            _check_same(
                f"When `right_inverse` outputs one tensor, it may not change the {what}.",
                {
                    f"original.{what}": getattr(original, what),
                    f"right_inverse(original).{what}": getattr(new, what),
                },
            )
        with no_grad():
            _set(original, new)
        _register(self, "original", original)

    def _keep_several(self, original: Tensor, new: Sequence[Any]) -> None:
        for i, t in enumerate(new):
            if not isinstance(t, Tensor):
                raise _element_error(i, t, "a Tensor or a Sequence of tensors (list, tuple...)")
            if isinstance(original, Parameter):
                t = Parameter(t, original.requires_grad)
            t.requires_grad_(original.requires_grad)
            _register(self, f"original{i}", t)

    def _check_result(self, shape: Any, dtype: Any) -> None:
        result = self()
        _check_tensor(result)
        for what, before in (("dtype", dtype), ("shape", shape)):
            _check_same(
                f"Registering a parametrization may not change the {what} of the tensor, unless "
                "`unsafe` flag is enabled.",
                {
                    f"unparametrized {what}": before,
                    f"parametrized {what}": getattr(result, what),
                },
            )

    def right_inverse(self, value: Tensor) -> None:
        """Assign `value`: what is stored becomes what the parametrizations make `value` from."""
        with no_grad():
            new: Any = value
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
            if self.is_tensor:
                self._assign_one(new)
            else:
                self._assign_several(new)

    def _assign_one(self, new: Any) -> None:
        if not isinstance(new, Tensor):
            raise ValueError(f"`right_inverse` should return a tensor. Got {type(new).__name__}")
        if new.dtype != self.original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {new.dtype} "
                f"while `original` has dtype {self.original.dtype}"
            )
        _set(self.original, new)

    def _assign_several(self, new: Any) -> None:
        if not isinstance(new, Sequence):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(new).__name__}."
            )
        if len(new) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(new)}."
            )
        for i, t in enumerate(new):
            own = getattr(self, f"original{i}")
            if not isinstance(t, Tensor):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors or reference-type opaques. "
                    f"Got element {i} of type {type(t).__name__}."
                )
            if own.dtype != t.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {t.dtype} "
                    f"while `original{i}` has dtype {own.dtype}"
                )
            _set(own, t)

    def forward(self) -> Tensor:
        """The parametrized tensor."""
        if self.is_tensor:
            originals = (self.original,)
        else:
            originals = tuple(getattr(self, f"original{i}") for i in range(self.ntensors))
        x = self[0](*originals)
        for i in range(1, len(self)):
            x = self[i](x)
        return x


def _set(dest: Tensor, src: Tensor) -> None:
    if src is not dest:
        dest.data = src.detach()


def _inject_new_class(module: Module) -> None:
    """Give `module` a class of its own, which properties can be put on."""
    cls = type(module)

    def default_deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is not None:
            return known
        replica = self.__new__(type(self))
        memo[id(self)] = replica
        replica.__dict__ = deepcopy(self.__dict__, memo)
        for slot in copyreg._slotnames(type(self)):  # type: ignore[attr-defined]
            if hasattr(self, slot):
                setattr(replica, slot, deepcopy(getattr(self, slot), memo))
        return replica

    def getstate(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only "
            "supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    content: dict[str, Any] = {"__getstate__": getstate}
    if not hasattr(cls, "__deepcopy__"):
        content["__deepcopy__"] = default_deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), content)


def _inject_property(module: Module, tensor_name: str) -> None:
    if hasattr(module, tensor_name):
        raise AssertionError(f"Module already has an attribute named '{tensor_name}'")

    def get_parametrized(self: Any) -> Tensor:
        parametrization = self.parametrizations[tensor_name]
        if not _cache_enabled:
            return parametrization()
        key = (id(self), tensor_name)
        if key not in _cache:
            _cache[key] = parametrization()
        return _cache[key]

    def set_original(self: Any, value: Tensor) -> None:
        self.parametrizations[tensor_name].right_inverse(value)

    setattr(type(module), tensor_name, property(get_parametrized, set_original))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make the parameter or buffer `tensor_name` what `parametrization` computes from it.

    A parametrization's `right_inverse`, if there is one, turns assigned values into stored ones.
    unsafe: dtype and shape may change, and nothing is checked.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_next(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a "
            f"parametrized element with name '{tensor_name}'"
        )
    return module


def _check_next(module: Module, name: str, parametrization: Any) -> None:
    """What a further parametrization must keep: type, dtype and shape, there and back."""
    before = getattr(module, name)
    after = parametrization(before)
    _check_tensor(after)
    for what in ("dtype", "shape"):
        _check_same(
            f"Registering a parametrization may not change the {what} of the tensor, unless the "
            "`unsafe` flag is enabled.",
            {
                f"module.{name}.{what}": getattr(before, what),
                f"parametrization(module.{name}).{what}": getattr(after, what),
            },
        )
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(
            f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}"
        )
    for what in ("dtype", "shape"):
        _check_same(
            f"The tensor returned by parametrization.right_inverse must have the same {what} as "
            f"module.{name}, unless the `unsafe` flag is enabled.",
            {
                f"module.{name}.{what}": getattr(before, what),
                f"returned {what}": getattr(back, what),
            },
        )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether `module` has parametrizations, or has one of this tensor."""
    found = getattr(module, "parametrizations", None)
    if found is None or not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make `tensor_name` a plain parameter again, with its parametrized or its stored value."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with no_grad():
                _set(original, getattr(module, tensor_name))
    elif leave_parametrized:
        t = getattr(module, tensor_name)
        original = Parameter(t) if t.requires_grad else t
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor "
            "that is parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that `module` had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Put the parametrizations of `from_module` (all, or one tensor's) on `to_module` too."""
    if not is_parametrized(from_module):
        return to_module
    sources = from_module.parametrizations
    for name in list(sources) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in sources[name]:
            register_parametrization(to_module, name, parametrization)
        own, source = to_module.parametrizations[name], sources[name]
        if hasattr(source, "original"):
            own.original = source.original
        else:
            for i in range(source.ntensors):
                setattr(own, f"original{i}", getattr(source, f"original{i}"))
    return to_module
