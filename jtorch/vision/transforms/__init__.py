"""torchvision's transforms of pictures, as classes."""

from . import functional as functional
from ._geometry import *  # noqa: F403
from ._geometry import __all__ as _geometry
from ._values import *  # noqa: F403
from ._values import __all__ as _values
from .functional import InterpolationMode as InterpolationMode

__all__ = [*_geometry, *_values, "InterpolationMode"]
