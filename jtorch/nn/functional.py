"""torch.nn.functional: what `ops/nn_*` and `composite/nn_*` publish, gathered under torch's
names.
"""

from .. import composite as composite
from .._functions import NAMESPACES as _NAMESPACES

globals().update(_NAMESPACES["nn.functional"])
