"""`CIFAR10` and `CIFAR100`: 32 x 32 colour pictures in pickled batches."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np

from .._image import from_array
from . import _download
from .vision import VisionDataset


class _Unpickler(pickle.Unpickler):
    """Reads arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """NumPy's own array makers."""
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"a CIFAR batch cannot need {module}.{name}")


class CIFAR10(VisionDataset):
    """Ten classes: 50,000 pictures to train on, 10,000 to test on."""

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: tuple[str, ...] = tuple(f"data_batch_{i}" for i in range(1, 6))
    test_list: tuple[str, ...] = ("test_batch",)
    meta = ("batches.meta", "label_names")

    def __init__(
        self, root: Any, train: bool = True, transform: Any = None, target_transform: Any = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(str(root), transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        names = self.train_list if train else self.test_list
        if not all(os.path.isfile(self._path(n)) for n in (*names, self.meta[0])):
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
            )
        batches = [self._read(n) for n in names]
        whole = np.concatenate([b["data"] for b in batches]).reshape(-1, 3, 32, 32)
        self.data = np.ascontiguousarray(whole.transpose(0, 2, 3, 1))
        self.targets: list[int] = []
        for b in batches:
            self.targets.extend(b["labels"] if "labels" in b else b["fine_labels"])
        self.classes: list[str] = self._read(self.meta[0])[self.meta[1]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _path(self, name: str) -> str:
        return os.path.join(str(self.root), self.base_folder, name)

    def _read(self, name: str) -> Any:
        with open(self._path(name), "rb") as f:
            return _Unpickler(f, encoding="latin1").load()

    def download(self) -> None:
        """Fetch and unpack, unless it is there."""
        if all(os.path.isfile(self._path(n)) for n in (*self.train_list, *self.test_list)):
            return
        path = os.path.join(str(self.root), self.filename)
        _download.fetch([self.url], path, self.tgz_md5)
        _download.untar(path, str(self.root))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._finish(from_array(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Which part."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """A hundred classes of the same kind."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = ("train",)
    test_list = ("test",)
    meta = ("meta", "fine_label_names")
