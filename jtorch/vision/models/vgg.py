"""VGG: Simonyan and Zisserman (2014)."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...distributions._names import torch
from ._weights import untrained

_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

__all__ = [
    "VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip


class VGG(nn.Module):
    """3 x 3 convolutions, halved five times, and three linear layers."""

    def __init__(
        self, features: Any, num_classes: int = 1000, init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            self._initialise()

    def _initialise(self) -> None:
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)

    def forward(self, x: Any) -> Any:
        """Class scores."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def make_layers(depth: int, batch_norm: bool = False) -> Any:
    """The convolutions."""
    layers: list[Any] = []
    channels = 3
    for stage, count in enumerate(_STAGES[depth]):
        width = min(64 * 2**stage, 512)
        for _ in range(count):
            norm = [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [nn.Conv2d(channels, width, 3, padding=1), *norm, nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def _maker(depth: int, batch_norm: bool) -> Any:
    name = f"vgg{depth}{'_bn' if batch_norm else ''}"

    def make(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
        untrained(name, weights, kwargs)
        return VGG(make_layers(depth, batch_norm), **kwargs)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name} with fresh weights."
    return make


vgg11, vgg13, vgg16, vgg19 = (_maker(d, False) for d in _STAGES)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (_maker(d, True) for d in _STAGES)
