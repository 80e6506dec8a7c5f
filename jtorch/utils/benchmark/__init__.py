"""`torch.utils.benchmark`: timing a statement, with everything that it started run to its end."""

from .timer import Measurement as Measurement
from .timer import Timer as Timer
from .timer import timer as timer
