"""Utilities around training: data loading and activation checkpointing."""

from . import checkpoint as checkpoint
from . import data as data
