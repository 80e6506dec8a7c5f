"""The suite's environment, and one fixture that puts global state back after every test."""

import os

# Before anything imports jax or torch. Eight virtual devices are what the data-parallel tests need;
# one thread each keeps `pytest -n` from using every core several times over.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests are full of programs that run once: without this they would test NumPy, not XLA.
os.environ.setdefault("JTORCH_ONCE", "0")
if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    ).strip()

import contextlib
import random
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        # pytest writes this one itself, while the test is running
        before["PYTEST_CURRENT_TEST"] = os.environ.get("PYTEST_CURRENT_TEST", "")
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _host_generators() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextlib.contextmanager
def _torch_like(module: ModuleType) -> Iterator[None]:
    """Generator, default dtype and grad mode of PyTorch or of jtorch: the same four names."""
    state = module.get_rng_state()
    dtype = module.get_default_dtype()
    grad = module.is_grad_enabled()
    try:
        yield
    finally:
        module.set_rng_state(state)
        module.set_default_dtype(dtype)
        module.set_grad_enabled(grad)


@contextlib.contextmanager
def _jtorch_settings() -> Iterator[None]:
    from jtorch._engine.config import config

    before = dict(vars(config))
    try:
        yield
    finally:
        vars(config).update(before)


@pytest.fixture(autouse=True, scope="module")
def executables() -> Iterator[None]:
    """A worker compiles more than a process has memory maps for: nothing outlives its file."""
    yield
    executor = sys.modules.get("jtorch._engine.executor")
    if executor is not None:
        executor.forget()
    overrides = sys.modules.get("jtorch.overrides")
    if overrides is not None:
        overrides.unwrap_functions()


@pytest.fixture(autouse=True)
def global_state() -> Iterator[None]:
    """Random state, default dtype, grad mode, settings and environment are as they were before.

    A library is looked after only once it is imported, so that a test of one file of the engine
    imports neither the whole of jtorch nor PyTorch.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment())
        stack.enter_context(_host_generators())
        if "jtorch._engine.config" in sys.modules:
            stack.enter_context(_jtorch_settings())
        for name in ("torch", "jtorch"):
            module = sys.modules.get(name)
            # half an engine (`import jtorch._engine.dtype` in a tree without `jtorch/__init__.py`)
            # has no generator to restore
            if hasattr(module, "get_rng_state"):
                stack.enter_context(_torch_like(module))
        yield
