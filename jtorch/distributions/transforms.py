"""`torch.distributions.transforms`: all transforms under one name."""

from ._sequence_transforms import CatTransform as CatTransform
from ._sequence_transforms import CumulativeDistributionTransform as CumulativeDistributionTransform
from ._sequence_transforms import StackTransform as StackTransform
from ._transform_base import *  # noqa: F403
from ._transform_base import __all__ as _base
from ._transforms import *  # noqa: F403
from ._transforms import __all__ as _names

__all__ = [*_base, *_names, "CatTransform", "CumulativeDistributionTransform", "StackTransform"]
