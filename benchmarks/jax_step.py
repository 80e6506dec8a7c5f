"""The same training step written by hand in JAX: one `jax.jit`, donated buffers, optax."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .problems import CNN, GPT, MLP, Problem, weights

Tree = dict[str, Any]


def linear(p: Tree, name: str, x: jax.Array) -> jax.Array:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def layer_norm(p: Tree, name: str, x: jax.Array) -> jax.Array:
    x = jax.nn.standardize(x, axis=-1, epsilon=1e-5)
    return x * p[f"{name}.weight"] + p[f"{name}.bias"]


def mlp(problem: MLP, p: Tree, stats: Tree, x: jax.Array) -> tuple[jax.Array, Tree]:
    for i in range(problem.layers):
        x = jax.nn.relu(linear(p, f"layers.{i}", x))
    return linear(p, "head", x), stats


def batch_norm(p: Tree, stats: Tree, name: str, x: jax.Array) -> tuple[jax.Array, Tree]:
    """Normalise (N, C, H, W) by its own statistics and move the running ones by a tenth."""
    mean = x.mean((0, 2, 3))
    var = x.var((0, 2, 3))
    scale = p[f"{name}.weight"] * jax.lax.rsqrt(var + 1e-5)
    shift = p[f"{name}.bias"] - mean * scale
    count = x.size // x.shape[1]
    new = {
        f"{name}.mean": 0.9 * stats[f"{name}.mean"] + 0.1 * mean,
        f"{name}.var": 0.9 * stats[f"{name}.var"] + 0.1 * var * (count / (count - 1)),
    }
    return x * scale[:, None, None] + shift[:, None, None], new


def cnn(problem: CNN, p: Tree, stats: Tree, x: jax.Array) -> tuple[jax.Array, Tree]:
    new: Tree = {}
    for i in range(len(problem.channels) - 1):
        x = jax.lax.conv_general_dilated(x, p[f"convs.{i}.weight"], (1, 1), "SAME")
        x = x + p[f"convs.{i}.bias"][:, None, None]
        x, moved = batch_norm(p, stats, f"norms.{i}", x)
        new |= moved
        window = (1, 1, 2, 2)
        x = jax.lax.reduce_window(jax.nn.relu(x), -jnp.inf, jax.lax.max, window, window, "VALID")
    return linear(p, "head", x.reshape(len(x), -1)), new


def attend(problem: GPT, p: Tree, name: str, x: jax.Array) -> jax.Array:
    # spelt out: on the CPU 5-10 % faster than `jax.nn.dot_product_attention`
    B, T, C = x.shape
    size = C // problem.heads
    qkv = linear(p, f"{name}.qkv", x).reshape(B, T, 3, problem.heads, size)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)
    scores = q @ k.swapaxes(-1, -2) * size**-0.5
    scores = jnp.where(jnp.tril(jnp.ones((T, T), bool)), scores, -jnp.inf)
    y = jax.nn.softmax(scores) @ v
    return linear(p, f"{name}.proj", y.transpose(0, 2, 1, 3).reshape(B, T, C))


def gpt(problem: GPT, p: Tree, stats: Tree, ids: jax.Array) -> tuple[jax.Array, Tree]:
    x = p["token.weight"][ids] + p["position.weight"][: ids.shape[1]]
    for i in range(problem.layers):
        name = f"blocks.{i}"
        x = x + attend(problem, p, name, layer_norm(p, f"{name}.norm1", x))
        up = linear(p, f"{name}.up", layer_norm(p, f"{name}.norm2", x))
        x = x + linear(p, f"{name}.down", jax.nn.gelu(up, approximate=False))
    logits = linear(p, "head", layer_norm(p, "norm", x))
    return logits.reshape(-1, logits.shape[-1]), stats


MODELS: dict[type, Any] = {MLP: mlp, CNN: cnn, GPT: gpt}


class JaxStep:
    """Parameters, optimizer state and one compiled, donating step function."""

    def build(self, problem: Problem) -> None:
        rng = np.random.default_rng(0)
        self.params = jax.device_put(weights(problem, rng))
        self.stats: Tree = {}
        if isinstance(problem, CNN):
            tx = optax.sgd(problem.lr, momentum=problem.momentum)
            for i, channels in enumerate(problem.channels[1:]):
                self.stats[f"norms.{i}.mean"] = jnp.zeros(channels)
                self.stats[f"norms.{i}.var"] = jnp.ones(channels)
        else:
            tx = optax.adamw(problem.lr, weight_decay=0.01)
        self.opt_state = tx.init(self.params)
        batches = ((x, y.reshape(-1)) for x, y in problem.batches(rng))
        self.data = [(self._put(x), self._put(y)) for x, y in batches]
        model = partial(MODELS[type(problem)], problem)

        def loss_of(params: Tree, stats: Tree, x: jax.Array, y: jax.Array) -> Any:
            logits, stats = model(params, stats, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), stats

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(params: Tree, stats: Tree, opt_state: Any, x: jax.Array, y: jax.Array) -> Any:
            value_and_grad = jax.value_and_grad(loss_of, has_aux=True)
            (loss, stats), grads = value_and_grad(params, stats, x, y)
            updates, opt_state = tx.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), stats, opt_state, loss

        self.step = step

    @staticmethod
    def _put(array: np.ndarray) -> jax.Array:
        # JAX indexes with int32 unless asked otherwise, and so would its users
        return jnp.asarray(array, jnp.int32 if array.dtype == np.int64 else array.dtype)

    def run(self, first: int, steps: int, sync_every: int) -> float:
        """Train; the loss is read every `sync_every` steps and at the end."""
        for number in range(first, first + steps):
            x, y = self.data[number % len(self.data)]
            self.params, self.stats, self.opt_state, loss = self.step(
                self.params, self.stats, self.opt_state, x, y
            )
            if (number + 1) % sync_every == 0:
                float(loss)
        return float(loss)
