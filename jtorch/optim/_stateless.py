"""`swap_in_optimizer_params_and_state`: an optimizer on other parameters and state, for a while."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .._gate import TensorBase
from .optimizer import Optimizer

_NAME = "swap_in_optimizer_params_and_state requires"
Group = dict[str, Any]


def _check_state(state: Any) -> dict[Any, Any]:
    if not isinstance(state, dict):
        raise RuntimeError(
            f"{_NAME} swapin_optim_state['state'] to be a dict mapping packed parameter ids to "
            f"per-param state dicts, got {type(state).__name__}."
        )
    if any(isinstance(k, TensorBase) for k in state):
        raise RuntimeError(
            f"{_NAME} optimizer.state_dict()-style state keyed by packed parameter ids."
        )
    if any(isinstance(k, int) and not isinstance(v, dict) for k, v in state.items()):
        raise RuntimeError(f"{_NAME} per-parameter optimizer state entries to be dictionaries.")
    return state


def _check_groups(optimizer: Optimizer, groups: Any) -> list[Group]:
    if not isinstance(groups, list):
        raise RuntimeError(
            f"{_NAME} swapin_optim_state['param_groups'] to be a list of param-group dicts, got "
            f"{type(groups).__name__}."
        )
    if len(optimizer.param_groups) != len(groups):
        raise RuntimeError(
            "swapin_optim_state has a different number of parameter groups than the live optimizer."
        )
    for i, (live, group) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        _check_group(i, live, group)
    return groups


def _check_group(i: int, live: Group, group: Any) -> None:
    if not isinstance(group, dict):
        raise RuntimeError(f"{_NAME} each optimizer param group to be a dictionary.")
    ids = group.get("params")
    if not isinstance(ids, list) or not all(isinstance(pid, int) for pid in ids):
        raise RuntimeError(
            f"{_NAME} optimizer.state_dict()-style param_groups[*]['params'] entries keyed by "
            "packed parameter ids."
        )
    if len(live["params"]) != len(ids):
        raise RuntimeError(
            f"swapin_optim_state param group {i} has a different number of params than the live "
            "optimizer param group."
        )
    theirs, ours = [k for k in group if k not in live], [k for k in live if k not in group]
    if theirs or ours:
        raise RuntimeError(
            f"{_NAME} optimizer.state_dict()-style param group keys to exactly match the live "
            f"optimizer group keys for group {i}. Keys only in swap-in: {theirs}. Keys only in "
            f"live: {ours}."
        )


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Any], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Inside the block, the optimizer has these parameters, and a state dict's state and options.

    The parameters come in the optimizer's order.  Tensors are written in place; everything else
    that happens to the optimizer inside is undone at the end.
    """
    if not optimizer.state:
        raise RuntimeError(f"{_NAME} initialized optimizer state.")
    if not isinstance(swapin_optim_state, dict):
        raise RuntimeError(f"{_NAME} a DCP-style optimizer state_dict.")
    state = _check_state(swapin_optim_state.get("state"))
    groups = _check_groups(optimizer, swapin_optim_state.get("param_groups"))
    ids = [pid for group in groups for pid in group["params"]]
    params = list(swapin_parameters.values())
    if len(ids) > len(params):
        raise RuntimeError(
            f"{_NAME} the explicit parameter state to match optimizer.param_groups ordering."
        )
    extra = [k for k in state if k not in ids]
    if extra:
        raise RuntimeError(
            f"{_NAME} swapin_optim_state['state'] to be keyed only by packed parameter ids from "
            f"param_groups[*]['params']; got extra keys {extra!r}."
        )
    live_state = optimizer.state
    live_groups = [dict(group) for group in optimizer.param_groups]
    try:
        new_state: defaultdict[Any, Any] = defaultdict(dict)
        new_state.update({p: dict(state.get(pid, {})) for p, pid in zip(params, ids, strict=False)})
        start = 0
        for live, group in zip(optimizer.param_groups, groups, strict=True):
            n = len(group["params"])
            live.update(group | {"params": params[start : start + n]})
            start += n
        optimizer.state = new_state
        yield
    finally:
        for live, before in zip(optimizer.param_groups, live_groups, strict=True):
            live.clear()
            live.update(before)
        optimizer.state = live_state
