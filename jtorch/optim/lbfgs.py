"""L-BFGS: a quasi-Newton method that evaluates the closure several times per step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.value import Value
from .._gate import TensorBase, wrap
from ..autograd import enable_grad, no_grad
from . import _lbfgs_memory as memory
from ._line_search import Point, strong_wolfe
from ._recorded import check_lr, scalar
from ._update import read
from .optimizer import Optimizer

__all__ = ["LBFGS"]

State = dict[str, Any]


class LBFGS(Optimizer):
    """Limited-memory BFGS; one parameter group only.

    line_search_fn: None (steps of length lr) or 'strong_wolfe'.  The history lives in rings of
    arrays, so that a longer history is no new program.  Source: torch.optim.LBFGS.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        self._memory: memory.Memory | None = None
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def __setstate__(self, state: State) -> None:
        self._memory = None
        super().__setstate__(state)

    @property
    def _params(self) -> list[Any]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def _saved_state(self) -> Any:
        """torch keeps everything in the first parameter's state, the history as lists."""
        saved = self.state.copy()
        first = self._params[0]
        if self._memory is not None and first in saved:
            saved[first] = saved[first] | self._memory.save()
            if saved[first]["n_iter"] > 1:
                saved[first].setdefault("al", [None] * self.param_groups[0]["history_size"])
        return saved

    def _gather(self, direction: Value | None) -> tuple[Value, Value]:
        """All gradients as one vector, and numbers about it."""
        grads, missing = [], []
        for p in self._params:
            if p.grad is None:
                missing.append(p.numel() * (2 if p.is_complex() else 1))
            else:
                grads.append((p.grad.to_dense() if p.grad.is_sparse else p.grad)._value)
                missing.append(0)
        along = [] if direction is None else [direction]
        dtype = self._params[0].dtype
        if not grads:
            raise RuntimeError("LBFGS: the closure gave no parameter a gradient")
        flat, stats = memory.record(
            memory.GATHER, grads, along, missing=tuple(missing), dtype=dtype
        )
        return flat, stats

    def _move(self, t: float, direction: Value) -> None:
        params = self._params
        values = memory.record(memory.MOVE, [p._value for p in params], direction, float(t))
        for p, value in zip(params, values, strict=True):
            p._assign(value, None, False)

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """One optimization step: up to max_iter iterations.  Returns the loss before it.

        closure: clears the gradients, computes the loss, calls backward and returns the loss.
        """
        with no_grad():
            return _Step(self, enable_grad()(closure)).run()


class _Step:
    """The variables of one call of `step`."""

    def __init__(self, owner: LBFGS, closure: Callable[[], Any]) -> None:
        self.owner, self.closure = owner, closure
        self.group = owner.param_groups[0]
        lr = scalar(self.group["lr"])
        self.lr = read(lr) if isinstance(lr, TensorBase) else float(lr)
        self.state = owner.state[owner._params[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.evaluations = 0

    def evaluate(self, direction: Value | None = None) -> tuple[Any, Point, list[float]]:
        """Call the closure: its result, the point, and [largest, sum of sizes] of the gradient."""
        result = self.closure()
        flat, stats = self.owner._gather(direction)
        loss = float(result)
        largest, total, slope = memory.numbers(stats)
        return result, Point(0.0, loss, flat, slope), [largest, total]

    def run(self) -> Any:
        """All iterations, until one of torch's conditions ends them."""
        result, point, sizes = self.evaluate()
        self.evaluations = 1
        self.state["func_evals"] += 1
        if sizes[0] <= self.group["tolerance_grad"]:
            return result
        for n in range(1, self.group["max_iter"] + 1):
            self.state["n_iter"] += 1
            before = point.f
            slope, largest, t = self.choose(point, sizes)
            if slope > -self.group["tolerance_change"]:
                self.state["t"] = t
                break
            point, sizes, t = self.advance(n, point, sizes, t, slope, largest)
            self.state["t"] = t
            if self.finished(n, sizes, abs(t) * largest, abs(point.f - before)):
                break
        return result

    def choose(self, point: Point, sizes: list[float]) -> tuple[float, float, float]:
        """The next direction, its slope and largest component, and the first trial step."""
        owner, state = self.owner, self.state
        limit = self.group["history_size"]
        if state["n_iter"] == 1:
            owner._memory = memory.Memory(point.grad, limit)
            d, stats = memory.record(memory.START, point.grad)
            _, slope, largest = memory.numbers(stats)
            t = min(1.0, 1.0 / sizes[1]) * self.lr
        else:
            if owner._memory is None:
                owner._memory = memory.Memory.load(state, point.grad, limit)
                for name in ("old_dirs", "old_stps", "ro", "H_diag", "al"):
                    state.pop(name, None)
            last = read(state["t"]) if isinstance(state["t"], TensorBase) else state["t"]
            d, (slope, largest) = owner._memory.direction(
                point.grad, state["prev_flat_grad"]._value, state["d"]._value, last
            )
            t = self.lr
        state["d"], state["prev_flat_grad"] = wrap(d), wrap(point.grad)
        state["prev_loss"] = point.f
        return slope, largest, t

    def advance(
        self, n: int, point: Point, sizes: list[float], t: float, slope: float, largest: float
    ) -> tuple[Point, list[float], float]:
        """Move the parameters; the point reached, its gradient's sizes and the step's length."""
        owner, d = self.owner, self.state["d"]._value
        evaluations = 0
        search = self.group["line_search_fn"]
        if search is not None:
            if search != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            point, sizes, evaluations = self.search(point, t, slope, largest)
            t = point.t
            owner._move(t, d)
        else:
            owner._move(t, d)
            if n != self.group["max_iter"]:
                _, point, sizes = self.evaluate()
                evaluations = 1
        self.evaluations += evaluations
        self.state["func_evals"] += evaluations
        return point, sizes, t

    def search(
        self, point: Point, t: float, slope: float, largest: float
    ) -> tuple[Point, list[float], int]:
        """The strong Wolfe search along d; the parameters end where they started."""
        owner, d = self.owner, self.state["d"]._value
        home = [p._value for p in owner._params]
        known: dict[int, list[float]] = {}

        def trial(length: float) -> Point:
            owner._move(length, d)
            _, new, sizes = self.evaluate(d)
            for p, value in zip(owner._params, home, strict=True):
                p._assign(value, None, False)
            new.t = length
            known[id(new)] = sizes
            kept.append(new)
            return new

        kept: list[Point] = []  # keeps the ids of `known` unique
        start = Point(0.0, point.f, point.grad, slope)
        found, evaluations = strong_wolfe(
            trial,
            t,
            start,
            largest,
            self.group["tolerance_change"],
            self.group["max_eval"] - self.evaluations,
        )
        sizes = known.get(id(found))
        if sizes is None:  # the search stayed where it was
            _, stats = memory.record(memory.GATHER, [found.grad], [], missing=(0,), dtype=None)
            sizes = memory.numbers(stats)[:2]
        return found, sizes, evaluations

    def finished(self, n: int, sizes: list[float], moved: float, gained: float) -> bool:
        """torch's reasons to stop."""
        group = self.group
        return (
            n == group["max_iter"]
            or self.evaluations >= group["max_eval"]
            or sizes[0] <= group["tolerance_grad"]
            or moved <= group["tolerance_change"]
            or gained < group["tolerance_change"]
        )
