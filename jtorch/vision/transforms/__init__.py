"""torchvision's transforms of pictures, as classes."""

from . import functional as functional
from ._augment import *  # noqa: F403
from ._augment import __all__ as _augment
from ._geometry import *  # noqa: F403
from ._geometry import __all__ as _geometry
from ._values import *  # noqa: F403
from ._values import __all__ as _values
from .functional import InterpolationMode as InterpolationMode

from . import v2 as v2  # isort: skip  # it is made of the names above

__all__ = [*_augment, *_geometry, *_values, "InterpolationMode"]
