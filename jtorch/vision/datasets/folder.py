"""`ImageFolder`: one folder of pictures for each class."""

from __future__ import annotations

import os
from typing import Any

from .._image import open_rgb
from .vision import VisionDataset

IMG_EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip


class DatasetFolder(VisionDataset):
    """Files under root/<class>/..., read by `loader`."""

    def __init__(
        self, root: Any, loader: Any, extensions: Any = None, transform: Any = None,
        target_transform: Any = None, is_valid_file: Any = None, allow_empty: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(str(root), transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError(
                "Both extensions and is_valid_file cannot be None or not None at the same time"
            )
        self.loader, self.extensions = loader, extensions
        self._wanted = is_valid_file or (lambda path: path.lower().endswith(tuple(extensions)))
        self.classes, self.class_to_idx = self.find_classes(str(self.root))
        self.samples = self._samples(allow_empty)
        self.targets = [target for _, target in self.samples]

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        """The folders, sorted, and their numbers."""
        classes = sorted(e.name for e in os.scandir(directory) if e.is_dir())
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: i for i, name in enumerate(classes)}

    def _samples(self, allow_empty: bool) -> list[tuple[str, int]]:
        found, empty = [], []
        for name, number in self.class_to_idx.items():
            paths = []
            for folder, _, files in sorted(
                os.walk(os.path.join(str(self.root), name), followlinks=True)
            ):
                paths += [os.path.join(folder, f) for f in sorted(files)]
            mine = [(p, number) for p in paths if self._wanted(p)]
            found += mine
            empty += [] if mine else [name]
        if empty and not allow_empty:
            message = f"Found no valid file for the classes {', '.join(sorted(empty))}. "
            if self.extensions is not None:
                message += f"Supported extensions are: {', '.join(self.extensions)}"
            raise FileNotFoundError(message)
        return found

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._finish(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures under root/<class>/..., read with Pillow."""

    def __init__(
        self, root: Any, transform: Any = None, target_transform: Any = None,
        loader: Any = open_rgb, is_valid_file: Any = None, allow_empty: bool = False,
    ) -> None:  # fmt: skip
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
