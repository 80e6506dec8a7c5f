"""`torch.distributions.transforms`: all transforms under one name."""

from ._sequence_transforms import CatTransform as CatTransform
from ._sequence_transforms import CumulativeDistributionTransform as CumulativeDistributionTransform
from ._sequence_transforms import StackTransform as StackTransform
from ._transforms import *  # noqa: F403
from ._transforms import __all__ as _names
from ._transforms import identity_transform as identity_transform

__all__ = [*_names, "CatTransform", "CumulativeDistributionTransform", "StackTransform"]
