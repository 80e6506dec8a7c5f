"""`torch.utils.tensorboard`: event files for TensorBoard, written without TensorBoard installed."""

from .writer import FileWriter as FileWriter
from .writer import SummaryWriter as SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
