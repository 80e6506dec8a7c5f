"""The same random numbers inside a compiled program: PyTorch's MT19937 stream as JAX functions.

`words` is what `Generator.words()` returns: 624 state words and how many of them are used up. Every
function returns first the words after its draws, so programs chain them and give the last ones back
to the generator (`set_words`, or `lend` while the program may still be running). The numbers are
the host's, bit for bit. All of it needs 64-bit types (an x64 scope).

A million on one CPU core, in ms, against NumPy on the host and PyTorch: uniform 1.3 (6, 5), dropout
mask 2.3 (10, 15), normal 6.5 (36, 6). The recurrence is serial in steps of 624 words, so on an
accelerator the keys of a counter-based generator are the better choice.
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
    return jnp.bitwise_xor(mixed >> jnp.uint32(1), matrix)


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
    return jnp.bitwise_xor(y, y >> jnp.uint32(18))


def draw32(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`count` (> 0) 32-bit draws."""

    key, used = words[:WORDS], words[WORDS].astype(jnp.int32)
    blocks = -(-count // WORDS) + 1

    def step(i: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        # Each block lands where the first draw comes to lie at WORDS: readers then slice at a fixed
        # place, and XLA vectorises what they compute.
        out, _, last, key = carry
        out = lax.dynamic_update_slice_in_dim(out, _temper(key), (i + 1) * WORDS - used, 0)
        return out, last, key, _next_block(key)

    out = jnp.zeros((blocks + 1) * WORDS, jnp.uint32)
    out, before, last, _ = lax.fori_loop(0, blocks, step, (out, key, key, key))
    end = used + count
    block = (end - 1) // WORDS  # where the last draw came from: `last` or, if not needed, `before`
    key = jnp.where(block == blocks - 1, last, before)
    words = jnp.append(key, (end - block * WORDS).astype(jnp.uint32))
    return words, out[WORDS : WORDS + count]


def uniform24(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """float32 in [0, 1): what `rand` gives."""
    words, draws = draw32(words, count)
    return words, (draws & jnp.uint32(0xFFFFFF)).astype(jnp.float32) * jnp.float32(2.0**-24)


def uniform53(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """float64 in [0, 1): what `rand` gives for doubles."""
    words, draws = _draw53(words, count)
    return words, draws.astype(jnp.float64) * 2.0**-53


def bernoulli(words: jax.Array, count: int, threshold: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What `bernoulli_(p)` and dropout decide: booleans, true for a 53-bit draw below `threshold`.

    `threshold` is `bernoulli_threshold(p)` as a uint64 and may be an input of the program: another
    probability then compiles nothing.
    """
    words, draws = _draw53(words, count)
    return words, draws < threshold


def _draw53(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The low 53 bits of 64-bit draws, whose high half is drawn first."""
    words, draws = draw32(words, 2 * count)
    swapped = lax.bitcast_convert_type(draws.reshape(count, 2), jnp.uint64)
    high = (swapped & jnp.uint64(0x1FFFFF)) << jnp.uint64(32)
    return words, high | (swapped >> jnp.uint64(32))


def normal(words: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`count` (at least 16) standard normals in float32: what `randn` gives."""
    rest = count % 16
    words, uniforms = uniform24(words, count + 16 if rest else count)
    blocks = _box_muller(uniforms[: count - rest])
    if not rest:
        return words, blocks
    return words, jnp.concatenate([blocks[: count - 16], _box_muller(uniforms[count:])])


def _box_muller(uniforms: jax.Array) -> jax.Array:
    pairs = uniforms.reshape(-1, 2, 8)
    radius = jnp.sqrt((_log(jnp.float32(1) - pairs[:, 0]) * -2.0).astype(jnp.float32))
    sin, cos = _sincos(jnp.float32(TWO_PI) * pairs[:, 1])
    normals = jnp.stack([radius * cos, radius * sin], axis=1)
    return jnp.ravel(normals + jnp.float32(0))  # + 0 turns -0 into 0


def _round(x: jax.Array) -> jax.Array:
    """A double rounded to float32.

    XLA may leave out such a pair of conversions in principle; on CPUs it does not (the tests would
    show it), and `reduce_precision`, which it must keep, makes the transform ten times slower.
    """
    return x.astype(jnp.float32).astype(jnp.float64)


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
