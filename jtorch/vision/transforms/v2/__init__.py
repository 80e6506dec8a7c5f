"""torchvision's transforms of samples: a picture, and whatever comes with it."""

from ..functional import InterpolationMode as InterpolationMode
from . import functional as functional
from ._mix import *  # noqa: F403
from ._mix import __all__ as _mix
from ._sample import *  # noqa: F403
from ._sample import __all__ as _sample

__all__ = [*_mix, *_sample, "InterpolationMode"]
