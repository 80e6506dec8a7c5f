"""Mixtures of the samples of a batch: CutMix and MixUp."""

from __future__ import annotations

import math
from typing import Any

from ....creation import tensor
from ....distributions import Beta
from ....distributions._names import F, torch
from ....tensor import Tensor
from ....utils._pytree import tree_flatten, tree_unflatten
from ._sample import Transform, _pictures

__all__ = ["CutMix", "MixUp"]


class _Mixture(Transform):
    """Each sample of a batch mixed with the one before it, and its label, too."""

    def __init__(
        self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default"
    ) -> None:
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        self._dist = Beta(tensor([self.alpha]), tensor([self.alpha]))
        self._labels_getter = labels_getter

    def forward(self, *inputs: Any) -> Any:
        """The batch, mixed; labels become probabilities (batch, classes)."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        get = self._labels_getter
        labels = sample[1] if get == "default" else get(sample)
        self._check(labels)
        wanted = _pictures(flat)
        params = self.make_params([x for x, w in zip(flat, wanted, strict=True) if w])
        lam = params["lam"]
        out = []
        for x, w in zip(flat, wanted, strict=True):
            if x is labels:
                out.append(self._label(x, lam))
            elif w:
                _check_batch(x, labels.shape[0])
                out.append(self.transform(x, params))
            else:
                out.append(x)
        return tree_unflatten(out, spec)

    def _check(self, labels: Any) -> None:
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with "
                f"shape (batch_size, num_classes), but got a tensor of shape {labels.shape} "
                "instead."
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[-1]):
            raise ValueError(
                "When passing 2D labels, the number of elements in last dimension must match "
                f"num_classes: {labels.shape[-1]} != {self.num_classes}. You can Leave num_classes "
                "to None."
            )

    def _label(self, label: Any, lam: float) -> Any:
        if label.ndim == 1:
            label = F.one_hot(label, self.num_classes)
        label = label if label.is_floating_point() else label.float()
        return label.roll(1, 0) * (1.0 - lam) + label * lam


def _check_batch(x: Any, size: int) -> None:
    if x.ndim != 4:
        raise ValueError(
            f"Expected a batched input with 4 dims, but got {x.ndim} dimensions instead."
        )
    if x.shape[0] != size:
        raise ValueError(
            "The batch size of the image or video does not match the batch size of the labels: "
            f"{x.shape[0]} != {size}."
        )


class MixUp(_Mixture):
    """Weighted means of two samples: Zhang et al. (2018)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The weight, drawn."""
        return {"lam": float(self._dist.sample(()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The mean of each picture and the one before it."""
        lam = params["lam"]
        return inpt.roll(1, 0) * (1.0 - lam) + inpt * lam


class CutMix(_Mixture):
    """A rectangle of one sample in another: Yun et al. (2019)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The rectangle, drawn, and the share that it leaves."""
        lam = float(self._dist.sample(()))
        h, w = flat_inputs[0].shape[-2:]
        x, y = (int(torch.randint(n, size=(1,))) for n in (w, h))
        half = 0.5 * math.sqrt(1.0 - lam)
        dx, dy = int(half * w), int(half * h)
        box = (max(x - dx, 0), max(y - dy, 0), min(x + dx, w), min(y + dy, h))
        area = (box[2] - box[0]) * (box[3] - box[1])
        return {"lam": 1.0 - area / (w * h), "box": box}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Each picture with the rectangle of the one before it."""
        x1, y1, x2, y2 = params["box"]
        out = inpt.clone()
        out[..., y1:y2, x1:x2] = inpt.roll(1, 0)[..., y1:y2, x1:x2]
        return out
