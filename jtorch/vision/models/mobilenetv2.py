"""MobileNetV2: Sandler et al. (2018)."""

from __future__ import annotations

from typing import Any

from ... import nn
from ._weights import untrained

__all__ = ["MobileNetV2", "mobilenet_v2"]

_STAGES = (  # expansion, channels, blocks, stride
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def _divisible(v: float, divisor: int = 8) -> int:
    new = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * v else new


def _conv(
    i: int, o: int, kernel: int = 3, stride: int = 1, groups: int = 1, norm: Any = None
) -> Any:
    conv = nn.Conv2d(i, o, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, norm(o), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Wide inside, narrow at the ends, a shortcut where the shape stays."""

    def __init__(self, i: int, o: int, stride: int, expand_ratio: int, norm: Any) -> None:
        super().__init__()
        hidden = round(i * expand_ratio)
        self.use_res_connect = stride == 1 and i == o
        layers = [] if expand_ratio == 1 else [_conv(i, hidden, 1, norm=norm)]
        depthwise = _conv(hidden, hidden, 3, stride, hidden, norm)
        project = nn.Conv2d(hidden, o, 1, 1, 0, bias=False)
        self.conv = nn.Sequential(*layers, depthwise, project, norm(o))

    def forward(self, x: Any) -> Any:
        """The block's output."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals, scaled by `width_mult`."""

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0,
        inverted_residual_setting: Any = None, round_nearest: int = 8, norm_layer: Any = None,
        dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        channels = _divisible(32 * width_mult, round_nearest)
        self.last_channel = _divisible(1280 * max(1.0, width_mult), round_nearest)
        layers = [_conv(3, channels, stride=2, norm=norm)]
        for t, c, n, s in inverted_residual_setting or _STAGES:
            width = _divisible(c * width_mult, round_nearest)
            for i in range(n):
                layers.append(InvertedResidual(channels, width, s if i == 0 else 1, t, norm))
                channels = width
        layers.append(_conv(channels, self.last_channel, 1, norm=norm))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        self._initialise()

    def _initialise(self) -> None:
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)

    def forward(self, x: Any) -> Any:
        """Class scores."""
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNetV2 with fresh weights."""
    untrained("mobilenet_v2", weights, kwargs)
    return MobileNetV2(**kwargs)
