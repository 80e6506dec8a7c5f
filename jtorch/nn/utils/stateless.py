"""Call a module with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from ...tensor import Tensor
from ..module import Module

_MISSING: Any = object()


class NamedMemberAccessor:
    """Exchanges a module's tensors by their dotted names."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.memo: dict[str, Module] = {"": module}

    def get_submodule(self, name: str) -> Module:
        """The module at the dotted path `name`."""
        if name not in self.memo:
            prefix, _, attr = name.rpartition(".")
            parent = self.get_submodule(prefix)
            try:
                found = getattr(parent, attr)
            except AttributeError as ex:
                raise AttributeError(f"{parent._get_name()} has no attribute `{attr}`") from ex
            if not isinstance(found, Module):
                raise TypeError(
                    f"submodule `{name}`: {found} is not an instance of torch.nn.Module"
                )
            self.memo[name] = found
        return self.memo[name]

    def swap_tensor(self, name: str, value: Any) -> Any:
        """Put `value` (or nothing, for _MISSING) at `name`; return what was there."""
        path, _, attr = name.rpartition(".")
        owner = self.get_submodule(path)
        if value is not _MISSING and value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{value} is not an instance of torch.Tensor")
        if attr == "":
            raise KeyError('tensor name can\'t be empty string ""')
        for table in (owner._parameters, owner._buffers):
            if attr in table:
                old = table[attr]
                if value is _MISSING:
                    del table[attr]
                else:
                    table[attr] = value  # past the type checks of __setattr__: any tensor will do
                return old
        return _swap_attribute(owner, attr, value)

    def swap_tensors_dict(self, named_tensors: dict[str, Any]) -> dict[str, Any]:
        """Exchange all, or none if one cannot be; return what was there."""
        old: dict[str, Any] = {}
        try:
            for name, tensor in named_tensors.items():
                old[name] = self.swap_tensor(name, tensor)
        except Exception:
            for name, tensor in old.items():
                self.swap_tensor(name, tensor)
            raise
        return old

    def check_keys(self, keys: Any) -> tuple[list[str], list[str]]:
        """The names that are missing from `keys`, and those that are no tensor's."""
        valid = {name for name, _ in _named_tensors(self.module)}
        return sorted(valid - set(keys)), sorted(set(keys) - valid)


def _swap_attribute(owner: Module, attr: str, value: Any) -> Any:
    old = getattr(owner, attr, _MISSING)
    if old is not _MISSING and old is not None and not isinstance(old, Tensor):
        raise TypeError(f"attribute `{attr}`: {old} is not an instance of torch.Tensor")
    if value is not _MISSING:
        setattr(owner, attr, value)
    elif old is not _MISSING:
        delattr(owner, attr)
    return old


def _named_tensors(module: Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _untie(module: Module, given: dict[str, Any]) -> dict[str, Any]:
    """`given`, with each tensor also under the other names that it has in the module."""
    names: dict[Tensor, set[str]] = {}
    for name, tensor in _named_tensors(module):
        names.setdefault(tensor, set()).add(name)
    untied = dict(given)
    for tied in names.values():
        present = [name for name in given if name in tied]
        if len(tied) == 1 or not present:
            continue
        if len({id(given[name]) for name in present}) != 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which "
                "are tied. Consider using tie_weights=False"
            )
        untied.update(dict.fromkeys(tied, given[present[0]]))
    return untied


@contextlib.contextmanager
def _reparametrize_module(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    tie_weights: bool = False,
    strict: bool = False,
    stack_weights: bool = False,
) -> Iterator[None]:
    """Put the given tensors into the module; put its own back at the end.

    What the module made of the given ones meanwhile, as an updated running mean, is written into
    the dictionary. `stack_weights` puts them back in reverse order.
    """
    wanted = parameters_and_buffers
    if tie_weights:
        wanted = _untie(module, parameters_and_buffers)
    accessor = NamedMemberAccessor(module)
    if strict:
        _check_keys(accessor, wanted)
    own = accessor.swap_tensors_dict(wanted)
    try:
        yield
    finally:
        back = dict(reversed(own.items())) if stack_weights else own
        used = accessor.swap_tensors_dict(back)
        parameters_and_buffers.update({k: used[k] for k in parameters_and_buffers if k in used})


def _check_keys(accessor: NamedMemberAccessor, keys: Any) -> None:
    missing, unexpected = accessor.check_keys(keys)
    errors = [
        f"{what} key(s): {', '.join(map(repr, found))}."
        for what, found in (("Unexpected", unexpected), ("Missing", missing))
        if found
    ]
    if errors:
        raise RuntimeError(
            "Error(s) in reparametrizing for {}:\n\t{}".format(
                accessor.module._get_name(), "\n\t".join(errors)
            )
        )


def _functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(
        module, parameters_and_buffers, tie_weights=tie_weights, strict=strict
    ):
        return module(*args, **(kwargs or {}))


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated: use `torch.func.functional_call`."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
