"""torch.optim.swa_utils: averages of weights over training, their schedule and batch statistics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np

from .._engine import dtype as _dtype
from .._engine.device import place_of
from .._engine.value import Value, aval
from .._gate import wrap
from ..autograd import no_grad
from ..nn.module import Module
from ..nn.norm import _BatchNorm
from ._averaging import (
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    number,
    record_average,
)  # fmt: skip
from ._update import Tensors, write_counts
from .lr_scheduler import LRScheduler
from .lr_scheduler._base import _format_param, _warn_get_lr_called_within_step
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's over training.

    avg_fn(average, current, n): the new average of one parameter; multi_avg_fn(averages, currents,
    n): of many, in place.  Without either, all models weigh the same.  use_buffers: average buffers
    too, otherwise they follow the model's.  Source: torch.optim.swa_utils.AveragedModel.
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Any, Any, Any], Any] | None = None,
        multi_avg_fn: Callable[[Tensors, Tensors, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        kind = aval((), _dtype.int64, place_of(device))
        self.register_buffer("n_averaged", wrap(Value(kind, np.zeros((), np.int64))))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model's forward."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's parameters of now into the average."""
        if self.use_buffers:
            own = itertools.chain(self.module.parameters(), self.module.buffers())
            its = itertools.chain(model.parameters(), model.buffers())
        else:
            own, its = self.parameters(), model.parameters()
        averaged, current = [], []
        for a, c in zip(own, its, strict=False):
            averaged.append(a.detach())
            current.append(c.detach().to(a.device))
        self._average(averaged, current)
        if not self.use_buffers:
            theirs = [b.detach() for b in model.buffers()]
            mine = [b.detach() for b in self.module.buffers()]
            if mine:
                moved = [t.to(m.device) for t, m in zip(theirs, mine, strict=True)]
                record_average(mine, moved, "copy")
        write_counts([[self.n_averaged]], [(number(self.n_averaged) + 1,)])

    def _average(self, averaged: Tensors, current: Tensors) -> None:
        """By the user's function, or all in one op."""
        n = number(self.n_averaged)
        if self.avg_fn is None and self.multi_avg_fn is None:
            record_average(averaged, current, "mean", count=n)
        elif n == 0:
            record_average(averaged, current, "copy")
        elif self.multi_avg_fn is not None:
            for own, its in _by_kind(averaged, current):
                self.multi_avg_fn(own, its, self.n_averaged.to(own[0].device))
        else:
            assert self.avg_fn is not None
            for a, c in zip(averaged, current, strict=True):
                a.copy_(self.avg_fn(a, c, self.n_averaged.to(a.device)))


def _by_kind(averaged: Tensors, current: Tensors) -> list[tuple[Tensors, Tensors]]:
    """Pairs of lists of one device and dtype each."""
    kinds: dict[Any, tuple[Tensors, Tensors]] = {}
    for a, c in zip(averaged, current, strict=True):
        kind = a._value.aval
        own, its = kinds.setdefault((kind.place, kind.dtype), ([], []))
        own.append(a)
        its.append(c)
    return list(kinds.values())


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norms anew, in one pass over `loader`.

    A batch is a tensor, or a list or tuple whose first element is the model's input.
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """lr goes from where it is to swa_lr in anneal_epochs epochs ('cos' or 'linear'), and stays.

    Source: torch.optim.swa_utils.SWALR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for lr, group in zip(
            _format_param("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._set_anneal_func(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    @staticmethod
    def _linear_anneal(t: float) -> float:
        return t

    @staticmethod
    def _cosine_anneal(t: float) -> float:
        return (1 - math.cos(math.pi * t)) / 2

    @staticmethod
    def _get_initial_lr(lr: Any, swa_lr: Any, alpha: float) -> Any:
        """The learning rate that annealing came from."""
        return swa_lr if alpha == 1 else (lr - alpha * swa_lr) / (1 - alpha)

    def get_lr(self) -> list[Any]:
        """Learning rates between the ones annealing came from and swa_lr."""
        _warn_get_lr_called_within_step(self)
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        length = max(1, self.anneal_epochs)
        before = self.anneal_func(max(0, min(1, (step - 1) / length)))
        now = self.anneal_func(max(0, min(1, step / length)))
        lrs = []
        for group in self.optimizer.param_groups:
            start = self._get_initial_lr(group["lr"], group["swa_lr"], before)
            lrs.append(group["swa_lr"] * now + start * (1 - now))
        return lrs

    def _set_anneal_func(self, anneal_strategy: str) -> None:
        self._anneal_strategy = anneal_strategy
        cosine = anneal_strategy == "cos"
        self.anneal_func = self._cosine_anneal if cosine else self._linear_anneal

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer and the annealing function."""
        state = super().state_dict()
        del state["anneal_func"]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state dict."""
        self.__dict__.update(state_dict)
        self._set_anneal_func(self._anneal_strategy)
