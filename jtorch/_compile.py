"""`torch.compile`: what it promises is how jtorch runs anyway, so it returns what it is given."""

from __future__ import annotations

from typing import Any


def compile(
    model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None,
    backend: Any = "inductor", mode: str | None = None, options: Any = None, disable: bool = False,
) -> Any:  # fmt: skip
    """The model or function itself.

    jtorch compiles whole training steps without being asked; the options steer PyTorch's own
    compiler and change no result.  `fullgraph=True` asks for an error at graph breaks, which only
    `jtorch.report()` can show here, so it is refused.
    """
    if fullgraph:
        raise NotImplementedError(
            "torch.compile(fullgraph=True): jtorch runs past syncs; drop the flag, and see them "
            "with "
            "jtorch.report()."
        )
    if model is None:
        return lambda f: f
    return model
