"""What a model says when it is asked for trained weights."""

from __future__ import annotations

from typing import Any


def untrained(name: str, weights: Any, kwargs: dict[str, Any]) -> None:
    """Raise for anything but fresh weights."""
    if kwargs.pop("pretrained", False) or weights is not None:
        raise NotImplementedError(
            f"{name}(weights=...): jtorch downloads no weights. Fetch the .pth file that "
            f"torchvision names for them, then: model = {name}(); "
            "model.load_state_dict(torch.load(path))"
        )
    kwargs.pop("progress", None)
