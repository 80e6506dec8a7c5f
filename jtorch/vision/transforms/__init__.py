"""torchvision's transforms of pictures, as classes."""

from . import functional as functional
from ._augment import *  # noqa: F403
from ._augment import __all__ as _augment_names
from ._geometry import *  # noqa: F403
from ._geometry import __all__ as _geometry_names
from ._values import *  # noqa: F403
from ._values import __all__ as _values_names
from .functional import InterpolationMode as InterpolationMode

from . import v2 as v2  # isort: skip  # it is made of the names above

__all__ = [*_augment_names, *_geometry_names, *_values_names, "InterpolationMode"]
