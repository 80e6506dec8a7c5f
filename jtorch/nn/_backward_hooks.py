"""Full backward hooks of a module: a boundary before and one after its forward."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..autograd import Function
from ..autograd.grad_mode import is_grad_enabled
from ..tensor import Tensor

_NO_INPUT_GRAD = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since "
    "no inputs require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module"
    ".html#torch.nn.Module.register_full_backward_hook for more details."
)


class BackwardHookFunction(Function):
    """The identity on some tensors, whose gradients all pass through `turn` together."""

    @staticmethod
    def forward(ctx: Any, turn: Callable[..., Any], materialize: bool, *args: Tensor) -> Any:
        ctx.turn = turn
        ctx.set_materialize_grads(materialize)
        out = tuple(arg.view_as(arg) for arg in args)
        ctx.mark_non_differentiable(
            *[o for arg, o in zip(args, out, strict=True) if not arg.requires_grad]
        )
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, None, *ctx.turn(grads))


class BackwardHook:
    """Runs a module's full backward (pre-)hooks for one call of its forward."""

    def __init__(
        self,
        module: Any,
        user_hooks: Sequence[Callable[..., Any]],
        user_pre_hooks: Sequence[Callable[..., Any]],
    ) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: Any = None
        self.n_inputs = self.n_outputs = -1
        self.input_index: list[int] | None = None
        self.output_index: list[int] | None = None

    def setup_input_hook(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, behind the boundary at which the hooks get `grad_input`."""
        self.n_inputs = len(args)
        args, self.input_index = _cross(args, self._leave, materialize=True)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """The results, in front of the boundary at which the hooks get `grad_output`."""
        packed = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(packed)
        packed, self.output_index = _cross(packed, self._enter, materialize=False)
        return packed if isinstance(result, tuple) else packed[0]

    def _enter(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Gradients reach the module's outputs."""
        outputs = _spread(self.output_index, grads, self.n_outputs)
        for hook in self.user_pre_hooks:
            changed = hook(self.module, outputs)
            if changed is None:
                continue
            if len(changed) != len(outputs):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(changed)}, but expected {len(outputs)}"
                )
            outputs = changed
        if self.input_index is None:
            self._run_without_inputs(outputs)
        else:
            self.grad_outputs = outputs
        return _pick(self.output_index, outputs)

    def _leave(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Gradients leave through the module's inputs."""
        if self.grad_outputs is None:
            # the outputs' boundary has not been crossed: this backward is not about the module
            return grads
        inputs = _spread(self.input_index, grads, self.n_inputs)
        for hook in self.user_hooks:
            changed = hook(self.module, inputs, self.grad_outputs)
            if changed is None:
                continue
            if len(changed) != len(inputs):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(changed)}, but expected {len(inputs)}"
                )
            inputs = changed
        self.grad_outputs = None
        return _pick(self.input_index, inputs)

    def _run_without_inputs(self, outputs: Any) -> None:
        warnings.warn(_NO_INPUT_GRAD, stacklevel=5)
        for hook in self.user_hooks:
            result = hook(self.module, (None,) * self.n_inputs, outputs)
            if result is not None and not (
                isinstance(result, tuple) and all(el is None for el in result)
            ):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient "
                    "should always return None or None for all gradients."
                )


def _spread(index: list[int] | None, values: Sequence[Any], size: int) -> tuple[Any, ...]:
    spread: list[Any] = [None] * size
    for i, value in zip(index or (), values, strict=True):
        spread[i] = value
    return tuple(spread)


def _pick(index: list[int] | None, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(values[i] for i in index or ())


def _cross(
    args: tuple[Any, ...], turn: Callable[..., Any], materialize: bool
) -> tuple[tuple[Any, ...], list[int] | None]:
    """Pass the tensors among `args` through a boundary; also say which ones they are."""
    index = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
    if not (is_grad_enabled() and any(args[i].requires_grad for i in index)):
        return args, None
    crossed = BackwardHookFunction.apply(turn, materialize, *(args[i] for i in index))
    replaced = list(args)
    for i, tensor in zip(index, crossed, strict=True):
        replaced[i] = tensor
    made = tuple(replaced) if type(args) is tuple else type(args)(*replaced)
    return made, index
