"""Fetchers: from an index, or a list of them, to the batch that the loader hands out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...._engine import recorder
from ...._engine.value import from_array
from ...._gate import wrap
from ..dataset import Subset, TensorDataset
from . import transport
from .collate import default_collate


class BaseFetcher:
    """A dataset and what becomes of its samples."""

    def __init__(
        self, dataset: Any, auto_collation: bool, collate_fn: Callable[..., Any], drop_last: bool
    ) -> None:
        self.dataset, self.auto_collation = dataset, auto_collation
        self.collate_fn, self.drop_last = collate_fn, drop_last

    def fetch(self, index: Any) -> Any:
        """The batch of these indices; StopIteration at the end of a stream."""
        raise NotImplementedError


class IterableFetcher(BaseFetcher):
    """Reads a stream; indices only say how many samples are wanted."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dataset_iter = iter(self.dataset)
        self.ended = False

    def fetch(self, index: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.dataset_iter))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.dataset_iter))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate_fn(samples)


class MapFetcher(BaseFetcher):
    """Looks samples up."""

    def fetch(self, index: Any) -> Any:
        dataset = self.dataset
        if not self.auto_collation:
            return self.collate_fn(dataset[index])
        if self.collate_fn is default_collate:
            whole = rows(dataset, index)
            if whole is not None:
                return whole
        if getattr(dataset, "__getitems__", None):
            return self.collate_fn(dataset.__getitems__(index))
        return self.collate_fn([dataset[i] for i in index])


class DatasetKind:
    """Map-style or stream, and the fetcher of each."""

    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(
        kind: int, dataset: Any, auto_collation: bool, collate_fn: Any, drop_last: bool
    ) -> BaseFetcher:
        """The fetcher for datasets of this kind."""
        cls = MapFetcher if kind == DatasetKind.Map else IterableFetcher
        return cls(dataset, auto_collation, collate_fn, drop_last)


create_fetcher = DatasetKind.create_fetcher


def rows(dataset: Any, index: Any) -> list[Any] | None:
    """The collated batch of a plain `TensorDataset` by one gather per tensor, or None."""
    while type(dataset) is Subset:
        index, dataset = [dataset.indices[i] for i in index], dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    where = np.asarray(index)
    if where.ndim != 1 or where.dtype.kind != "i" or where.size == 0:
        return None
    size = len(dataset)
    if where.min() < -size or where.max() >= size:
        return None  # the way of single samples has torch's error
    if any(t._edge() is not None for t in dataset.tensors):
        return None
    return [_gather(t, where) for t in dataset.tensors]


def _gather(t: Any, where: np.ndarray[Any, Any]) -> Any:
    place = t._value.aval.place
    if place.device.type != "cpu" or place.traced:
        return t[where]
    array = np.asarray(recorder.concrete(t._value, "DataLoader"))
    out = transport.empty((where.size, *array.shape[1:]), array.dtype)
    # mode="wrap" takes negative indices, and does not buffer as "raise" does
    return wrap(from_array(array.take(where, 0, out, "wrap")))
