"""Eager mode, verification, printing programs, 64 bits, threads, and JAX and NumPy in and out."""

from __future__ import annotations

import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch as pytorch
from engine_tools import counted, fresh_engine

import jtorch
from jtorch._engine.config import config


def run_steps():
    jtorch.manual_seed(0)
    net = jtorch.nn.Sequential(jtorch.nn.Linear(4, 8), jtorch.nn.Tanh(), jtorch.nn.Linear(8, 2))
    optimizer = jtorch.optim.AdamW(net.parameters(), lr=1e-2)
    out = []
    for i in range(4):
        x = jtorch.tensor(np.random.default_rng(i).normal(size=(3, 4)).astype("f"))
        loss = net(x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


def test_eager_mode_gives_the_same_numbers():
    deferred = run_steps()
    config.set("execution", "eager")
    with counted() as c:
        eager = run_steps()
    assert c.compiles == 0 and c.runs == 0
    assert eager == pytest.approx(deferred, rel=1e-5)


def test_verification_passes_and_can_fail():
    from jtorch._engine import recorder
    from jtorch._engine.device import place_of

    config.set("verify", "1")
    run_steps()
    with fresh_engine():
        y = jtorch.ones(3) + jtorch.ones(3)
        program = recorder.pending(place_of(None))
        program.verify()
        program.code[-1] = 7
        with pytest.raises(AssertionError, match="before it exists"):
            program.verify()
        recorder._local.pending.clear()
        del y


def test_pending_prints_as_python():
    with fresh_engine():
        x = jtorch.tensor([1.0, 2.0])
        y = (x * 3).sum()
        text = jtorch.pending()
        compile(text, "pending", "exec")
        assert "mul(a0, 3)" in text and "test_engine_modes.py" in text
        assert y.item() == 9


def test_importing_leaves_jax_as_it_was():
    code = (
        "import jax; before = dict(jax.config.values); import jtorch, jtorch.nn, jtorch.optim\n"
        "x = jtorch.arange(3); assert x.dtype is jtorch.int64; (x + 1).tolist()\n"
        "assert dict(jax.config.values) == before\n"
        "assert jax.numpy.arange(3).dtype == 'int32' and jax.numpy.ones(2).dtype == 'float32'\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_64_bits_are_real():
    big = 2**40 + 1
    assert (jtorch.tensor([big]) * 3).tolist() == [3 * big]
    assert jtorch.arange(3).sum().add(big).item() == 3 + big
    x = jtorch.tensor([1.0], dtype=jtorch.float64, requires_grad=True)
    y = (x + 1e-12).log()
    y.backward()
    assert y.dtype is jtorch.float64 and y.item() == pytest.approx(1e-12, rel=1e-3)
    assert x.grad.dtype is jtorch.float64
    assert jtorch.tensor(np.arange(3)).jax().dtype == np.int64


def test_the_users_own_jax_code_is_not_affected():
    jtorch.ones(2, dtype=jtorch.float64).sum().item()
    assert jnp.ones(2).sum().dtype == jnp.float32
    assert jax.jit(lambda x: x + 1)(jnp.arange(3)).dtype == jnp.int32


def test_tensors_cross_threads():
    made = {}

    def work():
        made["x"] = jtorch.ones(4, 4) * 3  # pending in the thread's own program

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (made["x"] + 1).sum().item() == 64


def test_threads_record_at_the_same_time():
    shared = jtorch.arange(16.0) * 2
    results = {}

    def work(k):
        y = shared
        for _ in range(200):
            y = y + k
        results[k] = y.sum().item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert results == {k: 240.0 + 16 * 200 * k for k in range(4)}


def test_jax_arrays_in_and_out():
    a = jnp.arange(4.0)
    t = jtorch.from_jax(a)
    assert (t * 2).jax().tolist() == [0, 2, 4, 6]
    assert isinstance((t * 2).jax(), jax.Array)
    assert jnp.sum(jnp.asarray(t)).item() == 6, "__jax_array__"
    t.add_(1)
    assert a.tolist() == [0, 1, 2, 3], "jtorch never writes into the user's array"
    with pytest.raises(TypeError):
        jtorch.from_jax(np.ones(2))


def test_numpy_in_and_out():
    a = np.arange(6.0).reshape(2, 3)
    t = jtorch.from_numpy(a)
    assert t.dtype is jtorch.float64
    out = (t + 1).numpy()
    out[0, 0] = 99
    assert (t + 1)[0, 0].item() == 1
    assert np.asarray(t).tolist() == a.tolist()
    assert np.from_dlpack(t).tolist() == a.tolist()


def test_numpy_snapshots_survive_donation():
    w = jtorch.ones(64, requires_grad=True)
    optimizer = jtorch.optim.SGD([w], lr=1.0)
    snapshots = []
    for _ in range(3):
        snapshots.append((w.detach().numpy(), w.detach().clone(), w.jax()))
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
    for i, (n, c, j) in enumerate(snapshots):
        assert n[0] == 1 - i and c[0].item() == 1 - i and j[0] == 1 - i


def test_a_module_under_jax_transformations():
    jtorch.manual_seed(0)
    net = jtorch.nn.Sequential(jtorch.nn.Linear(3, 4), jtorch.nn.Tanh(), jtorch.nn.Linear(4, 1))

    def f(x):
        return net(jtorch.from_jax(x)).sum().jax()

    x = jnp.arange(6.0).reshape(2, 3) / 7
    plain = net(jtorch.from_jax(x)).sum().item()
    assert float(jax.jit(f)(x)) == pytest.approx(plain, rel=1e-6)
    leaf = jtorch.from_jax(x).requires_grad_()
    net(leaf).sum().backward()
    np.testing.assert_allclose(jax.grad(f)(x), leaf.grad.numpy(), rtol=1e-5)
    rows = jax.vmap(f)(x)
    assert rows.shape == (2,) and float(rows.sum()) == pytest.approx(plain, rel=1e-5)


def test_eager_backward_under_jit():
    def f(x):
        t = jtorch.from_jax(x).requires_grad_()
        (t * t * 3).sum().backward()
        return t.grad.jax()

    assert jax.jit(f)(jnp.arange(3.0)).tolist() == [0, 6, 12]


def test_same_results_as_pytorch_over_a_seeded_step():
    def f(torch):
        torch.manual_seed(3)
        net = torch.nn.Linear(5, 2)
        return [net(torch.randn(4, 5)).detach().numpy(), net.weight.detach().numpy()]

    for a, b in zip(f(pytorch), f(jtorch), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
