"""The update rules of torch's first-order optimizers: optax transformations, torch's formulas.

A `Rule` has two halves. `numbers` turns step counts and options into the few numbers that the
arithmetic needs, in double precision as torch does on the host. `build` makes the
`optax.GradientTransformation` from those numbers: `update(grads, state, params)`, leaf by leaf.
optax's own pieces are used where their formula is torch's: momentum, L2 decay, scaling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """One optimizer's arithmetic.

    numbers(counts, options, **flags) -> the numbers of `build`; Python floats or traced scalars.
    build(*numbers, **flags) -> the transformation; its state holds `slots` leaves per parameter.
    """

    name: str
    numbers: Callable[..., tuple[Any, ...]]
    build: Callable[..., optax.GradientTransformation]


def leafwise(leaf: Callable[..., tuple[Any, ...]], slots: int) -> optax.GradientTransformation:
    """A transformation from `leaf(param, grad, *state) -> (update, *new state)`."""

    def init(params: Any) -> tuple[Any, ...]:
        return tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(slots))

    def update(grads: Any, state: tuple[Any, ...], params: Any = None) -> Any:
        ps, tree = jax.tree.flatten(params)
        columns = [jax.tree.leaves(grads), *(jax.tree.leaves(s) for s in state)]
        rows = [leaf(p, *own) for p, *own in zip(ps, *columns, strict=True)]
        new = [tree.unflatten(column) for column in zip(*rows, strict=True)]
        return new[0], tuple(new[1:])

    return optax.GradientTransformation(init, update)


def shrink(factor: Any) -> optax.GradientTransformation:
    """Decoupled weight decay: the parameter is scaled first, then moved.

    Written as a difference to the parameter, which is exact: p + update is torch's two-step result.
    """

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        moved = jax.tree.map(lambda u, p: (rounded(p * factor) + u) - p, updates, params)
        return moved, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def around(
    core: optax.GradientTransformation, maximize: bool, decay: str, amount: Any
) -> optax.GradientTransformation:
    """`core` with the sign of the gradient, and weight decay before ('l2') or after it."""
    parts = [optax.scale(-1.0)] if maximize else []
    if decay == "l2":
        parts.append(optax.add_decayed_weights(amount))
    parts.append(core)
    if decay == "decoupled":
        parts.append(shrink(amount))
    return optax.chain(*parts)


def decay_amount(decay: str, lr: Any, weight_decay: Any) -> Any:
    """What `around` takes: the coefficient of L2 decay, or the factor of the decoupled one."""
    return 1 - lr * weight_decay if decay == "decoupled" else weight_decay


def rounded(product: Any) -> Any:
    """A product, rounded as it is: a sum that follows may not be contracted with it into an FMA.

    torch multiplies in one pass and adds in the next; over 100 steps the second rounding shows.
    """
    return jnp.where(product == product, product, jnp.nan)


def lerp(a: Any, b: Any, weight: Any) -> Any:
    """a + weight (b - a), from whichever end is nearer, as torch does."""
    return jnp.where(jnp.abs(weight) < 0.5, a + weight * (b - a), b - (b - a) * (1 - weight))


def _sqrt(x: Any) -> Any:
    return x**0.5


def _choose(condition: Any, a: Any, b: Any) -> Any:
    """a or b, on the host or in a program."""
    return (a if condition else b) if isinstance(condition, bool) else jnp.where(condition, a, b)


# --- SGD --------------------------------------------------------------------------------


def sgd_numbers(
    counts: Any, lr: Any, momentum: Any, dampening: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """counts[0] is 1 where the momentum buffer is new: torch starts it with the whole gradient."""
    return -lr, momentum, 1 - dampening * (1 - counts[0]), weight_decay


def sgd(
    step: Any, momentum: Any, intake: Any, weight_decay: Any, *,
    use_momentum: bool, dampened: bool, nesterov: bool, maximize: bool, decay: str,
) -> optax.GradientTransformation:  # fmt: skip
    """optax's own pieces throughout: momentum is `trace`, dampening scales what it takes in."""
    parts = [optax.scale(intake)] if dampened else []
    if use_momentum:
        parts.append(optax.trace(momentum, nesterov=nesterov))
    return around(optax.chain(*parts, optax.scale(step)), maximize, decay, weight_decay)


# --- the Adam family --------------------------------------------------------------------


def adam_numbers(
    counts: Any, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, *, decay: str,
    **flags: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Bias corrections folded into the step size and the denominator."""
    (step,) = counts
    size = lr / (1 - beta1**step)
    root = _sqrt(1 - beta2**step)
    amount = decay_amount(decay, lr, weight_decay)
    return -size, 1 - beta1, beta2, 1 - beta2, root, eps, amount


def adam(
    size: Any, weight1: Any, beta2: Any, weight2: Any, root: Any, eps: Any, amount: Any, *,
    amsgrad: bool, maximize: bool, decay: str,
) -> optax.GradientTransformation:  # fmt: skip
    """Adam, AdamW (decay='decoupled') and AMSGrad (a third slot: the running maximum)."""

    def leaf(p: Any, g: Any, m: Any, v: Any, *top: Any) -> tuple[Any, ...]:
        m = lerp(m, g, weight1)
        v = v * beta2 + weight2 * g * g
        top = tuple(jnp.maximum(t, v) for t in top)
        denominator = jnp.sqrt(top[0] if amsgrad else v) / root + eps
        return size * m / denominator, m, v, *top

    return around(leafwise(leaf, 3 if amsgrad else 2), maximize, decay, amount)


def adamax_numbers(
    counts: Any, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """The infinity norm needs no bias correction."""
    (step,) = counts
    return -(lr / (1 - beta1**step)), 1 - beta1, beta2, eps, weight_decay


def adamax(
    size: Any, weight1: Any, beta2: Any, eps: Any, amount: Any, *, maximize: bool, decay: str
) -> optax.GradientTransformation:
    """Adam with the infinity norm; eps joins the gradient's magnitude."""

    def leaf(p: Any, g: Any, m: Any, norm: Any) -> tuple[Any, ...]:
        m = lerp(m, g, weight1)
        norm = jnp.maximum(norm * beta2, jnp.abs(g) + eps)
        return size * m / norm, m, norm

    return around(leafwise(leaf, 2), maximize, decay, amount)


def nadam_mu(beta1: Any, step: Any, momentum_decay: Any) -> Any:
    """The momentum of step `step` in NAdam's schedule."""
    return beta1 * (1.0 - 0.5 * (0.96 ** (step * momentum_decay)))


def nadam_numbers(
    counts: Any, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any,
    momentum_decay: Any, *, decay: str, **flags: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """counts: the step and the product of all momenta up to and with it."""
    step, product = counts
    mu = nadam_mu(beta1, step, momentum_decay)
    mu_next = nadam_mu(beta1, step + 1, momentum_decay)
    of_grad = -lr * (1.0 - mu) / (1.0 - product)
    of_average = (-lr * mu_next) / (1.0 - product * mu_next)
    amount = decay_amount(decay, lr, weight_decay)
    return of_grad, of_average, 1 - beta1, beta2, 1 - beta2, 1 - beta2**step, eps, amount


def nadam(
    of_grad: Any, of_average: Any, weight1: Any, beta2: Any, weight2: Any, correction: Any,
    eps: Any, amount: Any, *, maximize: bool, decay: str,
) -> optax.GradientTransformation:  # fmt: skip
    """Adam with Nesterov momentum on a schedule."""

    def leaf(p: Any, g: Any, m: Any, v: Any) -> tuple[Any, ...]:
        m = lerp(m, g, weight1)
        v = v * beta2 + weight2 * g * g
        denominator = jnp.sqrt(v / correction) + eps
        new = (p + of_grad * g / denominator) + of_average * m / denominator
        return new - p, m, v

    return around(leafwise(leaf, 2), maximize, decay, amount)


def radam_numbers(
    counts: Any, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any, *, decay: str,
    **flags: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The rectification while the average is long enough (rho > 5), plain momentum before."""
    (step,) = counts
    correction2 = 1 - beta2**step
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * (beta2**step) / correction2
    long = rho > 5.0
    safe = _choose(long, rho, 6.0)
    rect = _sqrt((safe - 4) * (safe - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * safe))
    amount = decay_amount(decay, lr, weight_decay)
    return (
        lr, 1 - beta1**step, 1 - beta1, beta2, 1 - beta2, _sqrt(correction2), rect, long * 1.0, eps,
        amount,
    )  # fmt: skip


def radam(
    lr: Any, correction1: Any, weight1: Any, beta2: Any, weight2: Any, root: Any, rect: Any,
    long: Any, eps: Any, amount: Any, *, maximize: bool, decay: str,
) -> optax.GradientTransformation:  # fmt: skip
    """Adam whose adaptive step waits until the second moment has settled."""

    def leaf(p: Any, g: Any, m: Any, v: Any) -> tuple[Any, ...]:
        m = lerp(m, g, weight1)
        v = v * beta2 + weight2 * g * g
        plain = m / correction1 * lr
        adaptive = plain * (root / (jnp.sqrt(v) + eps)) * rect
        return -jnp.where(long > 0, adaptive, plain), m, v

    return around(leafwise(leaf, 2), maximize, decay, amount)


# --- the others -------------------------------------------------------------------------


def adagrad_numbers(
    counts: Any, lr: Any, lr_decay: Any, eps: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """The learning rate decays with the step."""
    (step,) = counts
    return -(lr / (1 + (step - 1) * lr_decay)), eps, weight_decay


def adagrad(
    size: Any, eps: Any, amount: Any, *, maximize: bool, decay: str
) -> optax.GradientTransformation:
    """The sum of squares only grows."""

    def leaf(p: Any, g: Any, total: Any) -> tuple[Any, ...]:
        total = total + g * g
        return size * g / (jnp.sqrt(total) + eps), total

    return around(leafwise(leaf, 1), maximize, decay, amount)


def adadelta_numbers(
    counts: Any, lr: Any, rho: Any, eps: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """Nothing depends on the step."""
    return -lr, rho, 1 - rho, eps, weight_decay


def adadelta(
    step: Any, rho: Any, weight: Any, eps: Any, amount: Any, *, maximize: bool, decay: str
) -> optax.GradientTransformation:
    """The ratio of two running root mean squares: of the updates, of the gradients."""

    def leaf(p: Any, g: Any, square: Any, moved: Any) -> tuple[Any, ...]:
        square = square * rho + weight * g * g
        delta = jnp.sqrt(moved + eps) / jnp.sqrt(square + eps) * g
        return step * delta, square, moved * rho + weight * delta * delta

    return around(leafwise(leaf, 2), maximize, decay, amount)


def rmsprop_numbers(
    counts: Any, lr: Any, alpha: Any, eps: Any, weight_decay: Any, momentum: Any, **flags: Any
) -> tuple[Any, ...]:
    """Nothing depends on the step."""
    return -lr, alpha, 1 - alpha, eps, weight_decay, momentum


def rmsprop(
    step: Any, alpha: Any, weight: Any, eps: Any, amount: Any, momentum: Any, *,
    use_momentum: bool, centered: bool, maximize: bool, decay: str,
) -> optax.GradientTransformation:  # fmt: skip
    """eps outside the root, lr outside the momentum.  Slots: square, [mean], [buffer]."""

    def leaf(p: Any, g: Any, square: Any, *rest: Any) -> tuple[Any, ...]:
        square = square * alpha + weight * g * g
        new: tuple[Any, ...] = ()
        spread = square
        if centered:
            mean = lerp(rest[0], g, weight)
            spread, new = square - mean * mean, (mean,)
        scaled = g / (jnp.sqrt(spread) + eps)
        if use_momentum:
            scaled = rest[-1] * momentum + scaled
            new = (*new, scaled)
        return step * scaled, square, *new

    return around(leafwise(leaf, 1 + use_momentum + centered), maximize, decay, amount)


def rprop_numbers(
    counts: Any, eta_minus: Any, eta_plus: Any, smallest: Any, largest: Any, **flags: Any
) -> tuple[Any, ...]:
    """The learning rate is only the first step size."""
    return eta_minus, eta_plus, smallest, largest


def rprop(
    eta_minus: Any, eta_plus: Any, smallest: Any, largest: Any, *, maximize: bool
) -> optax.GradientTransformation:
    """Step sizes of their own, which grow while the sign stays and shrink when it flips."""

    def leaf(p: Any, g: Any, before: Any, size: Any) -> tuple[Any, ...]:
        agree = g * before
        factor = jnp.where(
            agree > 0, eta_plus, jnp.where(agree < 0, eta_minus, jnp.ones_like(size))
        )
        size = jnp.minimum(jnp.maximum(size * factor, smallest), largest)
        g = jnp.where(agree < 0, jnp.zeros_like(g), g)
        return -(jnp.sign(g) * size), g, size

    return around(leafwise(leaf, 2), maximize, "none", None)


def asgd_numbers(
    counts: Any, lr: Any, lambd: Any, alpha: Any, t0: Any, weight_decay: Any, **flags: Any
) -> tuple[Any, ...]:
    """counts: the step, and the step size and averaging weight that the last step left."""
    _, eta, mu = counts
    return -eta, 1 - lambd * eta, mu, weight_decay


def asgd(
    step: Any, factor: Any, mu: Any, amount: Any, *, maximize: bool, decay: str
) -> optax.GradientTransformation:
    """SGD with decay, and an average of the parameters that starts after t0 steps."""

    def leaf(p: Any, g: Any, average: Any) -> tuple[Any, ...]:
        new = rounded(p * factor) + step * g
        average = jnp.where(mu == 1, new, average + rounded((new - average) * mu))
        return new - p, average

    return around(leafwise(leaf, 1), maximize, decay, amount)


SGD = Rule("sgd", sgd_numbers, sgd)
ADAM = Rule("adam", adam_numbers, adam)
ADAMAX = Rule("adamax", adamax_numbers, adamax)
NADAM = Rule("nadam", nadam_numbers, nadam)
RADAM = Rule("radam", radam_numbers, radam)
ADAGRAD = Rule("adagrad", adagrad_numbers, adagrad)
ADADELTA = Rule("adadelta", adadelta_numbers, adadelta)
RMSPROP = Rule("rmsprop", rmsprop_numbers, rmsprop)
RPROP = Rule("rprop", rprop_numbers, rprop)
ASGD = Rule("asgd", asgd_numbers, asgd)
