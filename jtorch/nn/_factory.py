"""`nn.factory_kwargs`: which keyword arguments a layer hands to tensor factories."""

from __future__ import annotations

from typing import Any

_SIMPLE = {"device", "dtype", "memory_format"}


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """`device`, `dtype` and `memory_format` of `kwargs`, also from a nested `factory_kwargs`.

    Raises TypeError for any other keyword and for one given twice.
    """
    if kwargs is None:
        return {}
    if kwargs.keys() - _SIMPLE - {"factory_kwargs"}:
        raise TypeError(f"unexpected kwargs {kwargs.keys() - _SIMPLE - {'factory_kwargs'}}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for key in _SIMPLE & kwargs.keys():
        if key in found:
            raise TypeError(f"{key} specified twice, in **kwargs and in factory_kwargs")
        found[key] = kwargs[key]
    if found.keys() - _SIMPLE:
        raise TypeError(f"unexpected kwargs {found.keys() - _SIMPLE}")
    return found
