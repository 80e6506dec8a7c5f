"""State dicts in PyTorch's layout: packing an optimizer's state by parameter number, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import jax
import numpy as np

from .._engine import dtype as _dtype
from .._engine.value import Value, from_array
from .._gate import TensorBase, wrap

State = dict[str, Any]


def pack(state: dict[Any, Any], groups: list[dict[str, Any]]) -> State:
    """{'state': {number: state}, 'param_groups': [...]}, with numbers in place of parameters."""
    numbers: dict[int, int] = {}
    packed_groups = []
    start = 0
    for group in groups:
        params = group["params"]
        for i, p in enumerate(params, start):
            numbers.setdefault(id(p), i)
        packed = {k: v for k, v in group.items() if k != "params"}
        packed["params"] = [numbers[id(p)] for p in params]
        packed_groups.append(packed)
        start += len(params)
    packed_state = {
        (numbers[id(k)] if isinstance(k, TensorBase) else k): v for k, v in state.items()
    }
    return {"state": packed_state, "param_groups": packed_groups}


def unpack(state_dict: State, groups: list[dict[str, Any]]) -> State:
    """The `state` and `param_groups` of an optimizer with these groups, from a state dict."""
    saved = deepcopy(state_dict["param_groups"])
    if len(groups) != len(saved):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved, strict=True)):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )
    ids = chain.from_iterable(s["params"] for s in saved)
    params = dict(zip(ids, chain.from_iterable(g["params"] for g in groups), strict=True))
    state: defaultdict[Any, Any] = defaultdict(dict)
    for k, v in state_dict["state"].items():
        if k in params:
            state[params[k]] = _cast_all(params[k], v, k, state_dict["param_groups"], None)
        else:
            state[k] = v
    for group, new in zip(groups, saved, strict=True):
        new["params"] = group["params"]
        if "param_names" in group:
            new.setdefault("param_names", group["param_names"])
    return {"state": state, "param_groups": saved}


def _cast_all(param: Any, value: Any, param_id: Any, groups: Any, key: Any) -> Any:
    """A nested state value with every tensor in it cast."""
    if isinstance(value, TensorBase):
        return _owned(cast(param, value, param_id, groups, key))
    if isinstance(value, dict):
        return {k: _cast_all(param, v, param_id, groups, k) for k, v in value.items()}
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):  # e.g. a PyTorch tensor
        array = np.asarray(value).copy()
        return cast(param, wrap(from_array(array)), param_id, groups, key)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_cast_all(param, v, param_id, groups, None) for v in value)  # type: ignore[call-arg]
    return value


def _owned(t: Any) -> Any:
    """A state tensor in a buffer of its own, which steps may overwrite.

    Differs from torch, where an optimizer and the state dict it loaded share memory.
    """
    value = t._value
    array = value.array
    if array is not None and not isinstance(array, np.ndarray | jax.core.Tracer):
        with jax.enable_x64(True):
            array = jax.device_put(array, value.aval.place.sharding, may_alias=False)
    return wrap(value if array is None else Value(value.aval, array))


def cast(param: Any, value: Any, param_id: Any, groups: Any, key: Any) -> Any:
    """A state tensor in its parameter's dtype and on its device; step counts stay as they are."""
    if key == "step":
        group = next((g for g in groups if param_id in g["params"]), {})
        if group.get("capturable", False) or group.get("fused", False):
            return value.to(dtype=_dtype.float32, device=param.device)
        return value
    if param.is_floating_point():
        return value.to(dtype=param.dtype, device=param.device)
    return value.to(device=param.device)
