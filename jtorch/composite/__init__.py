"""Composites: public functions written over tensors, by family.  Importing a family publishes it."""

from . import new_methods as new_methods
from . import reduction as reduction
from . import shape as shape
from . import splitting as splitting
