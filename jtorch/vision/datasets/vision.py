"""`VisionDataset`: a folder and what is done to pictures and labels."""

from __future__ import annotations

import os
from typing import Any

from ...utils.data import Dataset


class VisionDataset(Dataset):  # type: ignore[type-arg]
    """Pictures under `root`; `transform` of each picture, `target_transform` of each label."""

    def __init__(
        self, root: Any = None, transforms: Any = None, transform: Any = None,
        target_transform: Any = None,
    ) -> None:  # fmt: skip
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transforms, self.transform = transforms, transform
        self.target_transform = target_transform

    def _finish(self, image: Any, target: Any) -> tuple[Any, Any]:
        """What `__getitem__` hands out."""
        if self.transforms is not None:
            return self.transforms(image, target)  # type: ignore[no-any-return]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """More lines for `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += [line for line in self.extra_repr().splitlines() if line]
        if self.transform is not None:
            lines.append(f"Transform: {self.transform!r}")
        return "\n".join([f"Dataset {type(self).__name__}", *("    " + line for line in lines)])
