"""The same random numbers inside a compiled program: PyTorch's MT19937 stream as pure JAX functions.

`words` is what `Generator.words()` returns: 624 state words and how many of them are used up. Every
function returns the words after its draws first, so programs chain them and hand the last ones back to
the generator (`set_words`, or `lend` while the program may still be running). The stream, and with it
every mask and every sample, is the host's, bit for bit; a million draws take about 1 ms on a CPU core,
where NumPy needs 6 and PyTorch 5. The recurrence is serial in steps of 624 words, so on an accelerator
keys of a counter-based generator are the better choice.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .rng_kernels import CEPHES, TWO_PI

WORDS = 624
_SHIFT = 397


def _twist(high: jax.Array, low: jax.Array) -> jax.Array:
    mixed = (high & jnp.uint32(0x80000000)) | (low & jnp.uint32(0x7FFFFFFF))
    matrix = jnp.where((low & jnp.uint32(1)) != 0, jnp.uint32(0x9908B0DF), jnp.uint32(0))
    return (mixed >> jnp.uint32(1)) ^ matrix


def _next_block(key: jax.Array) -> jax.Array:
    """The next 624 words: word k needs words k, k + 1 and k + 397, so three pieces in turn."""
    first = WORDS - _SHIFT  # 227
    a = key[_SHIFT:] ^ _twist(key[:first], key[1 : first + 1])
    b = a ^ _twist(key[first : 2 * first], key[first + 1 : 2 * first + 1])
    last = jnp.concatenate([key[2 * first :], a[:1]])
    c = b[: WORDS - 2 * first] ^ _twist(last[:-1], last[1:])
    return jnp.concatenate([a, b, c])


def _temper(y: jax.Array) -> jax.Array:
    y = y ^ (y >> jnp.uint32(11))
    y = y ^ ((y << jnp.uint32(7)) & jnp.uint32(0x9D2C5680))
    y = y ^ ((y << jnp.uint32(15)) & jnp.uint32(0xEFC60000))
    return y ^ (y >> jnp.uint32(18))


def draw32(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`count` (> 0) 32-bit draws."""

    def step(key: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        key = _next_block(key)
        return key, key

    key, used = words[:WORDS], words[WORDS].astype(jnp.int32)
    _, blocks = lax.scan(step, key, None, length=-(-count // WORDS))
    stream = jnp.concatenate([key, blocks.ravel()])
    end = used + count
    block = (end - 1) // WORDS  # a block that is just used up stays: the twist happens on demand
    key = lax.dynamic_slice_in_dim(stream, block * WORDS, WORDS)
    used_now = (end - block * WORDS).astype(jnp.uint32)
    draws = _temper(lax.dynamic_slice_in_dim(stream, used, count))
    return jnp.append(key, used_now), draws


def uniform24(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """float32 in [0, 1): what `rand` gives."""
    words, draws = draw32(words, count)
    return words, (draws & jnp.uint32(0xFFFFFF)).astype(jnp.float32) * jnp.float32(2.0**-24)


def bernoulli(words: jax.Array, count: int, threshold: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Booleans, each true if its 53-bit draw is below a number.

    `threshold` is that number, `bernoulli_threshold(p)`, as two uint32: the high part first. It can be
    an input of the program, so that a probability that changes compiles nothing.
    """
    words, draws = draw32(words, 2 * count)
    high, low = draws[0::2] & jnp.uint32(0x1FFFFF), draws[1::2]
    return words, (high < threshold[0]) | ((high == threshold[0]) & (low < threshold[1]))


def normal(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`count` (at least 16) standard normals in float32: what `randn` gives. Needs 64-bit types."""
    rest = count % 16
    words, uniforms = uniform24(words, count + 16 if rest else count)
    blocks = _box_muller(uniforms[: count - rest].reshape(-1, 16)).ravel()
    if not rest:
        return words, blocks
    tail = _box_muller(uniforms[count:].reshape(1, 16)).ravel()
    return words, jnp.concatenate([blocks[: count - 16], tail])


def _box_muller(rows: jax.Array) -> jax.Array:
    u1, u2 = jnp.float32(1) - rows[:, :8], rows[:, 8:]
    radius = jnp.sqrt((_log(u1) * -2.0).astype(jnp.float32))
    sin, cos = _sincos(jnp.float32(TWO_PI) * u2)
    return jnp.concatenate([radius * cos, radius * sin], axis=1) + jnp.float32(0)


def _round(x: jax.Array) -> jax.Array:
    """A double rounded to float32; a pair of conversions is something XLA may leave out."""
    return lax.reduce_precision(x, exponent_bits=8, mantissa_bits=23)


def _fma(a: jax.Array, b: jax.Array | float, c: jax.Array | float) -> jax.Array:
    return _round(a * b + c)


def _log(x: jax.Array) -> jax.Array:
    """`rng_kernels.BoxMuller._log`, operation for operation."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    fraction = lax.bitcast_convert_type((bits & 0x7FFFFF) | 0x3F000000, jnp.float32)
    small = fraction < jnp.float32(CEPHES.sqrt_half)
    exponent = ((bits >> 23) - 126 - small).astype(jnp.float64)
    m = fraction.astype(jnp.float64)
    m = jnp.where(small, m + m, m) - 1.0
    square = _round(m * m)
    y = _fma(m, CEPHES.log[0], CEPHES.log[1])
    for coefficient in CEPHES.log[2:]:
        y = _fma(y, m, coefficient)
    y = _fma(_round(y * m), square, _round(exponent * CEPHES.ln2_low))
    return _fma(exponent, CEPHES.ln2_high, _round(_fma(square, -0.5, y) + m))


def _sincos(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    octant = ((x * jnp.float32(CEPHES.four_over_pi)).astype(jnp.int32) + 1) & -2
    turns, rest = octant.astype(jnp.float64), x.astype(jnp.float64)
    for part in CEPHES.quarter_pi:
        rest = _fma(turns, part, rest)
    square = _round(rest * rest)
    cosine = _fma(_fma(square, CEPHES.cos[0], CEPHES.cos[1]), square, CEPHES.cos[2])
    cosine = _fma(_round(cosine * square), square, square * -0.5) + 1.0
    sine = _fma(_fma(square, CEPHES.sin[0], CEPHES.sin[1]), square, CEPHES.sin[2])
    sine = _round(sine * square) * rest + rest
    sine, cosine = sine.astype(jnp.float32), cosine.astype(jnp.float32)
    swap = (octant & 2) != 0
    sin, cos = jnp.where(swap, cosine, sine), jnp.where(swap, sine, cosine)
    return (
        jnp.where((octant & 4) != 0, -sin, sin),
        jnp.where(((octant + 2) & 4) != 0, -cos, cos),
    )
