"""Stands in for torchvision, which has no build without PyTorch."""

from . import datasets as datasets
from . import models as models
from . import transforms as transforms
from . import utils as utils

__version__ = "0.28.0"


def set_image_backend(backend: str) -> None:
    """Pillow is the only one."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' (jtorch has no other)")


def get_image_backend() -> str:
    """'PIL'."""
    return "PIL"
