"""`python -m benchmarks.layers`: forward and backward of single layers against hand-written JAX.

Both sides run in one process and take turns; the table shows medians over rounds. Before anything
is timed, the two must agree on the loss and on the gradient of the input.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jtorch as torch

from .step import table

F, nn = torch.nn.functional, torch.nn
Loss = Callable[..., Any]  # arrays or tensors -> a scalar
Case = tuple[Loss, Loss, list[np.ndarray]]  # jtorch's, JAX's, inputs: floats get a gradient


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def lstm() -> Case:
    """nn.LSTM(64, 128), batch 32, 200 steps"""
    torch.manual_seed(0)
    layer = nn.LSTM(64, 128, batch_first=True)
    weights = [p.detach().numpy() for p in layer.parameters()]

    def mine(x: Any, *w: Any) -> Any:
        names = [name for name, _ in layer.named_parameters()]
        out, _ = torch.func.functional_call(layer, dict(zip(names, w, strict=True)), (x,))
        return out.square().mean()

    def hand(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        inputs = jnp.einsum("btf,gf->tbg", x, w_ih) + (b_ih + b_hh)

        def step(carry: Any, now: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(now + h @ w_hh.T, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((x.shape[0], w_hh.shape[1]), x.dtype)
        _, out = jax.lax.scan(step, (zero, zero), inputs)
        return jnp.square(out).mean()

    return mine, hand, [normal(32, 200, 64), *weights]


def attention() -> Case:
    """scaled_dot_product_attention, causal, 4 x 8 heads x 512 x 64"""

    def mine(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).square().mean()

    def hand(q: Any, k: Any, v: Any) -> Any:
        q, k, v = (jnp.swapaxes(t, 1, 2) for t in (q, k, v))
        return jnp.square(jax.nn.dot_product_attention(q, k, v, is_causal=True)).mean()

    q = normal(4, 8, 512, 64)
    return mine, hand, [q, q[:, ::-1].copy(), q[::-1].copy()]


def cross_entropy() -> Case:
    """cross_entropy, 2048 x 16384 classes"""
    classes = np.random.default_rng(1).integers(0, 16384, 2048)

    def mine(logits: Any, target: Any) -> Any:
        return F.cross_entropy(logits, target)

    def hand(logits: Any, target: Any) -> Any:
        chosen = jnp.take_along_axis(logits, target[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(logits, axis=1) - chosen).mean()

    return mine, hand, [normal(2048, 16384), classes]


def layer_norm() -> Case:
    """layer_norm and gelu, 4096 x 1024"""

    def mine(x: Any, w: Any, b: Any) -> Any:
        return F.gelu(F.layer_norm(x, (1024,), w, b)).square().mean()

    def hand(x: Any, w: Any, b: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        y = centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5) * w + b
        return jnp.square(jax.nn.gelu(y, approximate=False)).mean()

    return mine, hand, [normal(4096, 1024), normal(1024), normal(1024)]


def conv2d() -> Case:
    """conv2d 3x3, 32 x 32 channels, batch 32, 32 x 32 pixels"""

    def mine(x: Any, w: Any) -> Any:
        return F.conv2d(x, w, padding=1).square().mean()

    def hand(x: Any, w: Any) -> Any:
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))  # fmt: skip  # noqa: E501
        return jnp.square(y).mean()

    return mine, hand, [normal(32, 32, 32, 32), normal(32, 32, 3, 3)]


CASES = {f.__name__: f for f in (lstm, attention, cross_entropy, layer_norm, conv2d)}


def sides(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Two functions that compute the loss and all gradients, and wait for them."""
    loss, hand_loss, inputs = case
    wanted = tuple(i for i, x in enumerate(inputs) if x.dtype.kind == "f")
    tensors = [torch.tensor(x, requires_grad=i in wanted) for i, x in enumerate(inputs)]
    arrays = [jax.device_put(x.astype(np.int32) if x.dtype.kind == "i" else x) for x in inputs]
    step = jax.jit(jax.value_and_grad(hand_loss, argnums=wanted))

    def mine() -> Any:
        for t in tensors:
            t.grad = None
        value = loss(*tensors)
        value.backward()
        grads = [tensors[i].grad for i in wanted]
        return value.item(), grads

    def hand() -> Any:
        return jax.block_until_ready(step(*arrays))

    return mine, hand


def check(name: str, mine: Callable[[], Any], hand: Callable[[], Any]) -> None:
    """Both compute the same, or the comparison means nothing."""
    (a, grads), (b, others) = mine(), hand()
    if not np.isclose(a, b, rtol=1e-4):
        raise SystemExit(f"{name}: the loss is {a} in jtorch and {b} in JAX")
    for g, other in zip(grads, others, strict=True):
        scale = float(np.abs(other).max())
        if not np.allclose(g.numpy(), other, rtol=1e-3, atol=1e-3 * scale):
            raise SystemExit(f"{name}: the gradients differ")


def measure(name: str, rounds: int) -> list[str]:
    """A row of the table."""
    mine, hand = sides(CASES[name]())
    check(name, mine, hand)
    seconds: dict[Callable[[], Any], list[float]] = {mine: [], hand: []}
    for number in range(rounds + 1):
        for side in (mine, hand) if number % 2 else (hand, mine):
            begin = time.perf_counter()
            side()
            seconds[side].append(time.perf_counter() - begin)
    ours, theirs = (statistics.median(seconds[side][1:]) for side in (mine, hand))
    title = str(CASES[name].__doc__)
    return [title, f"{ours * 1e3:.2f} ms", f"{theirs * 1e3:.2f} ms", f"{ours / theirs:.2f}"]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args(argv)
    if args.rounds < 2:
        parser.error("--rounds must be at least 2: a median of one is no median")
    rows = [measure(name, args.rounds) for name in args.only]
    print(f"{platform.machine()}, {os.cpu_count()} cores; median of {args.rounds} interleaved rounds\n")  # fmt: skip  # noqa: E501
    print(table(["forward and backward", "jtorch", "JAX by hand", "ratio"], rows))


if __name__ == "__main__":
    main()
