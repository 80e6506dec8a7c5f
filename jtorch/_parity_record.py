"""Runs a script under whatever `import torch` means and writes down its losses and gradients.

Run as a file, by PyTorch's Python and by jtorch's runner alike; it imports nothing of jtorch.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import runpy
import sys
from typing import Any

import numpy as np

MAX_NUMBERS = 4_000_000  # of gradients and parameters written down at each step
MAX_CALLS = 2000  # of modules


class Recorder:
    """Events in the order in which they happen; arrays beside them."""

    def __init__(self, folder: str, steps: int) -> None:
        self.folder, self.steps, self.step = folder, steps, 0
        self.torch: Any = importlib.import_module("torch")
        self.events: list[dict[str, Any]] = []
        self.arrays: dict[str, Any] = {}
        self.calls = self.depth = 0
        self.seen: dict[int, str] = {}
        self.kept: list[Any] = []  # parameters, so that no id is used again

    def add(self, kind: str, name: str, t: Any) -> None:
        """Write down a tensor."""
        t = t.detach()
        dtype = str(t.dtype)
        if dtype in ("torch.bfloat16", "torch.float16"):
            t = t.float()
        array = np.array(t.cpu().numpy())
        key = f"a{len(self.events)}"
        self.arrays[key] = array
        self.events.append(
            {"kind": kind, "name": name, "step": self.step, "dtype": dtype, "key": key}
        )

    def stream(self, when: str) -> None:
        """Write down where the random stream is."""
        state = np.array(self.torch.get_rng_state().numpy())
        digest = hashlib.sha256(state.tobytes()).hexdigest()[:16]
        self.events.append({"kind": "stream", "name": when, "step": self.step, "state": digest})

    def install(self) -> None:
        """Watch optimizers, `backward` and modules."""
        torch, recorder = self.torch, self
        optimizer, tensor, module = torch.optim.Optimizer, torch.Tensor, torch.nn.Module
        make, backward, call = optimizer.__init__, tensor.backward, module.__call__

        def watched_init(self: Any, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            recorder.optimizer_made(self)

        def watched_backward(self: Any, *args: Any, **kwargs: Any) -> Any:
            if recorder.on() and self.numel() == 1:
                recorder.stream("loss")
                recorder.add("loss", "loss", self)
            return backward(self, *args, **kwargs)

        def watched_call(self: Any, *args: Any, **kwargs: Any) -> Any:
            recorder.depth += 1
            try:
                out = call(self, *args, **kwargs)
            finally:
                recorder.depth -= 1
            recorder.called(self, out)
            return out

        optimizer.__init__, tensor.backward = watched_init, watched_backward
        module.__call__ = watched_call

    def on(self) -> bool:
        """Whether this step is still to be written down."""
        return self.step < self.steps

    def called(self, module: Any, out: Any) -> None:
        """A module has returned."""
        if self.on() and self.calls < MAX_CALLS and isinstance(out, self.torch.Tensor):
            self.calls += 1
            if out.is_floating_point() and out.numel() <= MAX_NUMBERS // 8:
                self.add("output", f"{type(module).__name__} (call {self.calls})", out)

    def optimizer_made(self, optimizer: Any) -> None:
        """Initial parameters, and two hooks on `step`."""
        self.stream("optimizer")
        for group in optimizer.param_groups:
            for p in group["params"]:
                self.name(p)
                self.add("initial", self.name(p), p)
        optimizer.register_step_pre_hook(lambda opt, *_: self.before(opt))
        optimizer.register_step_post_hook(lambda opt, *_: self.after(opt))

    def name(self, p: Any) -> str:
        """A parameter by its place and shape."""
        if id(p) not in self.seen:
            self.kept.append(p)
            self.seen[id(p)] = f"parameter {len(self.seen)} {tuple(p.shape)}"
        return self.seen[id(p)]

    def each(self, optimizer: Any, kind: str) -> None:
        """Gradients or parameters, up to a number."""
        left = MAX_NUMBERS
        for group in optimizer.param_groups:
            for p in group["params"]:
                t = p.grad if kind == "gradient" else p
                left -= p.numel()
                if t is not None and left >= 0:
                    self.add(kind, self.name(p), t)

    def before(self, optimizer: Any) -> None:
        """Gradients."""
        if self.on():
            self.each(optimizer, "gradient")

    def after(self, optimizer: Any) -> None:
        """Parameters; the step is over."""
        if self.on():
            self.each(optimizer, "parameter")
        self.step += 1
        if not self.on():
            raise EnoughSteps

    def write(self) -> None:
        """Everything into the folder."""
        os.makedirs(self.folder, exist_ok=True)
        np.savez(os.path.join(self.folder, "arrays.npz"), **self.arrays)
        with open(os.path.join(self.folder, "events.json"), "w") as f:
            json.dump(self.events, f)


class EnoughSteps(BaseException):
    """As many steps as were asked for; not an Exception, so that scripts do not catch it."""


def main(folder: str, steps: str, seed: str, script: str, *args: str) -> None:
    """Run the script and write down what happened, also if it fails."""
    sys.argv = [script, *args]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    recorder = Recorder(folder, int(steps))
    recorder.torch.manual_seed(int(seed))
    np.random.seed(int(seed))
    import random

    random.seed(int(seed))
    recorder.install()
    try:
        runpy.run_path(script, run_name="__main__")
    except (EnoughSteps, SystemExit):
        pass
    finally:
        recorder.write()


if __name__ == "__main__":
    main(*sys.argv[1:])
