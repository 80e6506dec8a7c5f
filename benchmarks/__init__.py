"""Benchmarks: `python -m benchmarks.step` times one training step in jtorch, JAX and PyTorch."""
