"""`LRScheduler`: the base class, and how schedulers read and write options of parameter groups."""

from __future__ import annotations

import contextlib
import functools
import types
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

from ..._gate import TensorBase
from .._recorded import scalar
from ..optimizer import Optimizer

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available. Please open an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)
_MORE = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


def copied(value: Any) -> Any:
    """A tensor's clone: nobody else's writes reach it.  Numbers as they are."""
    return value.clone() if isinstance(value, TensorBase) else value  # type: ignore[attr-defined]


def _format_param(name: str, optimizer: Optimizer, param: Any) -> list[Any]:
    """One value per parameter group, from one value for all or a list."""
    n = len(optimizer.param_groups)
    if isinstance(param, list | tuple):
        if len(param) != n:
            raise ValueError(
                f"{name} must have the same length as optimizer.param_groups. "
                f"{name} has {len(param)} values, param_groups has {n}."
            )
        values = list(param)
    else:
        values = [param] * n
    return [copied(v) for v in values]


def _param_groups_val_list(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of every group."""
    return [copied(group[key]) for group in optimizer.param_groups]


def _update_param_group_val(param_group: dict[str, Any], key: str, val: Any) -> None:
    """Set an option; a tensor is written into, so that whoever holds it sees the change."""
    if isinstance(param_group[key], TensorBase):
        param_group[key].fill_(scalar(val))
    else:
        param_group[key] = val


def check_optimizer(optimizer: Any) -> None:
    """Schedulers take optimizers."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


class LRScheduler:
    """Base class: `get_lr` says the learning rates at `last_epoch`, `step` counts and applies them.

    last_epoch: -1 to start; otherwise the groups must have the resumed run's 'initial_lr'.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0.\n"
                    "This typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = _param_groups_val_list(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """The step that the constructor makes: it sets the first learning rate."""
        self._step_count = 0
        with _initial_mode(self):
            self.step()

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state dict."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the last `step` set, one per group."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates at `last_epoch`, one per group."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Count one step (after `optimizer.step()`) and set the learning rates.

        epoch: deprecated; jump there, by the closed form if the scheduler has one.
        """
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                f"`lr_scheduler.step()`. {_MORE}",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch "
                "1.1.0 and later, you should call them in the opposite order: `optimizer.step()` "
                "before `lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping "
                f"the first value of the learning rate schedule. {_MORE}",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        with _enable_get_lr_call(self):
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                closed = getattr(self, "_get_closed_form_lr", self.get_lr)
                values = closed()
        self._apply(values)

    def _apply(self, values: list[Any]) -> None:
        """Set the learning rates and remember them."""
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            _update_param_group_val(group, "lr", lr)
        self._last_lr = _param_groups_val_list(self.optimizer, "lr")

    def _scaled(self, factor: float) -> list[Any]:
        """The current learning rates times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _same(self) -> list[Any]:
        """The current learning rates."""
        return _param_groups_val_list(self.optimizer, "lr")


class _LRScheduler(LRScheduler):
    """The old name."""


def _note_steps(optimizer: Any) -> None:
    """Make the optimizer remember that its `step` was called: the order is checked later."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    reference = weakref.ref(optimizer)
    func = optimizer.step.__func__

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        own = reference()
        own._opt_called = True  # type: ignore[union-attr]
        return func.__get__(own, type(own))(*args, **kwargs)

    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = wrapper


def _warn_get_lr_called_within_step(lr_scheduler: LRScheduler) -> None:
    """`get_lr` computes the next values; users want the last ones."""
    if not lr_scheduler._get_lr_called_within_step:
        warnings.warn(
            "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
            UserWarning,
            stacklevel=3,
        )


@contextlib.contextmanager
def _enable_get_lr_call(o: LRScheduler) -> Iterator[LRScheduler]:
    o._get_lr_called_within_step = True
    try:
        yield o
    finally:
        o._get_lr_called_within_step = False


@contextlib.contextmanager
def _initial_mode(o: LRScheduler) -> Iterator[None]:
    o._is_initial = True
    try:
        yield
    finally:
        o._is_initial = False


def saved_functions(functions: list[Any]) -> list[Any]:
    """Functions in a state dict: the attributes of callable objects, None for plain functions."""
    return [None if isinstance(f, types.FunctionType) else f.__dict__.copy() for f in functions]


def load_functions(functions: list[Any], saved: list[Any]) -> None:
    """The reverse of `saved_functions`."""
    for f, attributes in zip(functions, saved, strict=False):
        if attributes is not None:
            f.__dict__.update(attributes)
