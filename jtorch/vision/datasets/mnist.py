"""The MNIST family: pictures of 28 x 28 in the IDX format."""

from __future__ import annotations

import gzip
import os
from typing import Any

import numpy as np

from ...creation import from_numpy
from .._image import from_array
from . import _download
from .vision import VisionDataset

_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
          "t10k-labels-idx1-ubyte")  # fmt: skip


def read_idx(path: str) -> np.ndarray[Any, Any]:
    """The array in an IDX file, gzipped or not."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as f:
        data = f.read()
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != 8:
        raise RuntimeError(f"{path} is not an IDX file of bytes")
    dims = np.frombuffer(data, ">i4", data[3], offset=4)
    start = 4 + 4 * data[3]
    if len(data) - start != int(np.prod(dims, dtype=np.int64)):
        raise RuntimeError(f"{path} is cut short: {len(data) - start} bytes for {tuple(dims)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(dims).copy()


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 to train on, 10,000 to test on."""

    mirrors: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    md5s: tuple[str, ...] = (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
    )  # fmt: skip
    classes: tuple[str, ...] = (
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six",
        "7 - seven", "8 - eight", "9 - nine",
    )  # fmt: skip

    def __init__(
        self, root: Any, train: bool = True, transform: Any = None, target_transform: Any = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(str(root), transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        paths = [self._path(name) for name in _NAMES[0 if train else 2 :][:2]]
        if None in paths:
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        images, labels = (read_idx(path) for path in paths if path is not None)
        self.data = from_numpy(images)
        self.targets = from_numpy(labels.astype(np.int64))
        self._images = images  # what __getitem__ reads: a picture needs no tensor

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(str(self.root), type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old versions kept theirs."""
        return os.path.join(str(self.root), type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Numbers of the classes."""
        return {name: i for i, name in enumerate(self.classes)}

    def _path(self, name: str) -> str | None:
        for ending in ("", ".gz"):
            path = os.path.join(self.raw_folder, name + ending)
            if os.path.isfile(path):
                return path
        return None

    def download(self) -> None:
        """Fetch what is not there."""
        for name, md5 in zip(_NAMES, self.md5s, strict=True):
            if self._path(name) is None:
                path = os.path.join(self.raw_folder, name + ".gz")
                _download.fetch([m + name + ".gz" for m in self.mirrors], path, md5)
                _download.gunzip(path)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        # `data` may have been replaced by the user, as torchvision allows
        same = tuple(self.data.shape) == self._images.shape
        image = self._images[index] if same else self.data[index].numpy()
        return self._finish(from_array(image), int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Which part."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Clothes in MNIST's format."""

    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    md5s = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
    )  # fmt: skip
    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    )  # fmt: skip


class KMNIST(MNIST):
    """Old Japanese characters in MNIST's format."""

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    md5s = (
        "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
    )  # fmt: skip
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
