"""The parts of the DataLoader that also run in its workers."""

from . import collate as collate
from . import fetch as fetch
from . import worker as worker
