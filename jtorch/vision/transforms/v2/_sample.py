"""Transforms of samples: the first version's, applied to the pictures in tuples, lists and dicts.

A sample's pictures are Pillow's; without one, the first tensor is the picture. All pictures of a
sample are changed alike.
"""

from __future__ import annotations

from typing import Any

from ...._engine import dtype as _dtype
from ....creation import tensor
from ....distributions._names import torch
from ....nn.module import Module
from ....random import get_rng_state, set_rng_state
from ....tensor import Tensor
from ....utils._pytree import tree_flatten, tree_unflatten
from ..._image import is_picture
from .. import _augment, _geometry, _values
from ..functional import InterpolationMode
from . import functional as F

__all__ = [
    "RGB", "Compose", "Identity", "Lambda", "RandomApply", "RandomChoice", "RandomOrder",
    "ToDtype", "ToImage", "ToPureTensor", "Transform",
]  # fmt: skip


_v1 = vars(_augment) | vars(_geometry) | vars(_values)


class Transform(Module):
    """A transform of samples: write `transform(inpt, params)`, and `make_params` if it draws."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is drawn once for a sample."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The changed picture."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample with its pictures changed."""
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        wanted = _pictures(flat)
        params = self.make_params([x for x, w in zip(flat, wanted, strict=True) if w])
        changed = [self.transform(x, params) if w else x for x, w in zip(flat, wanted, strict=True)]
        return tree_unflatten(changed, spec)

    def __repr__(self) -> str:
        shown = (
            f"{k}={v}" for k, v in vars(self).items()
            if not k.startswith("_") and k != "training" and isinstance(
                v, bool | int | float | str | tuple | list | InterpolationMode
            )
        )  # fmt: skip
        return f"{type(self).__name__}({', '.join(shown)})"


def _pictures(flat: list[Any]) -> list[bool]:
    """Which leaves are pictures: Pillow's, or else the first tensor."""
    found = [is_picture(x) for x in flat]
    if not any(found):
        first = next((i for i, x in enumerate(flat) if isinstance(x, Tensor)), None)
        if first is not None:
            found[first] = True
    return found


def _of_samples(name: str) -> type:
    """The first version's transform, for samples."""
    base: Any = _v1[name]
    change = base.forward if issubclass(base, Module) else base.__call__

    def forward(self: Any, *inputs: Any) -> Any:
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        wanted, before, out = _pictures(flat), None, []
        if name in ("ToTensor", "ToPILImage"):  # arrays, too
            wanted = [w or _is_array(x) for w, x in zip(wanted, flat, strict=True)]
        for x, w in zip(flat, wanted, strict=True):
            if not w:
                out.append(x)
                continue
            if sum(wanted) > 1:  # every picture is given the same random numbers
                if before is not None:
                    set_rng_state(before)
                before = get_rng_state()
            out.append(change(self, x))
        return tree_unflatten(out, spec)

    own = {"forward": forward, "__doc__": base.__doc__}
    if name in ("RandAugment", "TrivialAugmentWide"):  # the second version draws in another way
        own["_backwards"] = lambda self: torch.rand(()).item() <= 0.5
    made: Any = type(name, (base,), own)
    if not issubclass(base, Module):
        made.__call__ = forward
    made.__module__ = __name__
    return made  # type: ignore[no-any-return]


def _is_array(x: Any) -> bool:
    return hasattr(x, "__array_interface__")


_NAMES = (
    "CenterCrop", "ColorJitter", "ConvertImageDtype", "FiveCrop", "GaussianBlur", "Grayscale",
    "Normalize", "PILToTensor", "Pad", "RandAugment", "RandomAdjustSharpness", "RandomAffine",
    "RandomAutocontrast", "RandomCrop", "RandomEqualize", "RandomErasing", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomInvert", "RandomPosterize", "RandomResizedCrop",
    "RandomRotation", "RandomSolarize", "RandomVerticalFlip", "Resize", "TenCrop", "ToPILImage",
    "ToTensor", "TrivialAugmentWide",
)  # fmt: skip
globals().update({name: _of_samples(name) for name in _NAMES})
__all__ += _NAMES


class Identity(Transform):
    """The sample itself."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The same."""
        return inpt


class ToPureTensor(Identity):
    """The sample itself: its tensors are ordinary ones."""


class ToImage(Transform):
    """Pictures and arrays as tensors (C, H, W), bytes left as bytes."""

    def forward(self, *inputs: Any) -> Any:
        """The sample with tensors for pictures."""
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        made = [F.to_image(x) if is_picture(x) or _is_array(x) else x for x in flat]
        return tree_unflatten(made, spec)


class ToDtype(Transform):
    """The picture in another dtype; `scale`: with values stretched to its range."""

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if isinstance(dtype, dict):
            raise NotImplementedError(
                "ToDtype(dtype={...}): there are no tv_tensors; give the picture's dtype alone."
            )
        if not isinstance(dtype, _dtype.dtype):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Converted; a Pillow picture stays."""
        return F.to_dtype(inpt, self.dtype, self.scale) if isinstance(inpt, Tensor) else inpt


class RGB(Transform):
    """Three channels, of gray ones too."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Three channels."""
        if not isinstance(inpt, Tensor):
            return inpt.convert("RGB")
        if inpt.shape[-3] != 1:
            return inpt
        return inpt.expand(*inpt.shape[:-3], 3, *inpt.shape[-2:])


class Lambda(Transform):
    """A function of every part of the sample that is of one of these types."""

    def __init__(self, lambd: Any, *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        """The sample, changed."""
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        return tree_unflatten(
            [self.lambd(x) if isinstance(x, self.types) else x for x in flat], spec
        )


# --- transforms of transforms ---------------------------------------------------------------------


def _one_after_the_other(transforms: Any, inputs: tuple[Any, ...]) -> Any:
    several = len(inputs) > 1
    result: Any = inputs if several else inputs[0]
    for t in transforms:
        result = t(*result) if several else t(result)
    return result


class Compose(Transform):
    """Transforms one after the other."""

    def __init__(self, transforms: Any) -> None:
        super().__init__()
        if not isinstance(transforms, list | tuple):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        """The sample after all of them."""
        return _one_after_the_other(self.transforms, inputs)

    def __repr__(self) -> str:
        lines = "".join(f"\n      {t}" for t in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class RandomApply(Compose):
    """All of the transforms with probability p, or none."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__(transforms)
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """Changed, or not."""
        if torch.rand(1).item() >= self.p:
            return inputs if len(inputs) > 1 else inputs[0]
        return super().forward(*inputs)


class RandomChoice(Compose):
    """One of the transforms, drawn."""

    def __init__(self, transforms: Any, p: Any = None) -> None:
        super().__init__(transforms)
        weights = [1] * len(transforms) if p is None else p
        if len(weights) != len(transforms):
            raise ValueError(
                f"Length of p doesn't match the number of transforms: {len(weights)} != "
                f"{len(transforms)}"
            )
        self.p = [w / sum(weights) for w in weights]

    def forward(self, *inputs: Any) -> Any:
        """Changed by one of them."""
        at = int(torch.multinomial(tensor(self.p), 1))
        return self.transforms[at](*inputs)


class RandomOrder(Compose):
    """All transforms in a drawn order."""

    def forward(self, *inputs: Any) -> Any:
        """The sample after all of them."""
        order = torch.randperm(len(self.transforms)).tolist()
        return _one_after_the_other([self.transforms[i] for i in order], inputs)
