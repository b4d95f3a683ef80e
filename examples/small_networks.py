"""Networks small enough to train on a laptop's processor, written for images, not for metaloss."""

import torch
from torch import Tensor, nn


class SmallFusion(nn.Module):
    """Five convolutions from all sources to one image; 28,641 parameters for two sources."""

    def __init__(self, sources: int = 2, width: int = 32) -> None:
        super().__init__()
        layers = []
        for before in (sources, width, width, width):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n images (B, 1, H, W) in [0, 1] into one."""
        return self.layers(torch.cat(sources, dim=1))


class SmallGenerator(nn.Module):
    """Proposes weights of n sources from 15x15 pixels around each, compared with the whole image.

    Mean and contrast are taken out of the sources, and out of what is seen in each by itself: the last layer's bias
    says which source is preferred at all, its weights say where. 9,666 parameters for two sources.

    Args:
        sources: n.
        width: channels of each source.
        outputs: ``("intensity",)``, or several names, which get weights of their own each.
    """

    def __init__(self, sources: int = 2, width: int = 16, outputs: tuple[str, ...] = ("intensity",)) -> None:
        super().__init__()
        self.outputs = outputs
        layers, features = [], sources * width
        for before, dilation in ((sources, 1), (features, 2), (features, 4)):
            look = nn.Conv2d(before, features, 3, padding=dilation, dilation=dilation, groups=sources)
            nn.init.kaiming_normal_(look.weight, nonlinearity="relu")
            layers += [look, nn.ReLU()]
        self.look, self.weigh = nn.Sequential(*layers), nn.Conv2d(features, sources * len(outputs), 1)
        nn.init.zeros_(self.weigh.weight)  # no source is preferred before there is a reason
        nn.init.zeros_(self.weigh.bias)

    def forward(self, *sources: Tensor) -> Tensor | dict[str, Tensor]:
        """Maps n images (B, 1, H, W) to weights (B, n, H, W) that sum to 1 over the sources; several by their names."""
        level = nn.functional.instance_norm
        features = level(self.look(torch.cat([level(source) for source in sources], dim=1)))
        logits = self.weigh(features / features.shape[1] ** 0.5)
        weights = [each.softmax(dim=1) for each in logits.split(len(sources), dim=1)]
        return dict(zip(self.outputs, weights, strict=True)) if len(weights) > 1 else weights[0]


class SmallSegmenter(nn.Module):
    """A half, a quarter and an eighth of the image's size, and up again; any image of more than a pixel.

    The image's mean and contrast are taken out first: what is shown counts, not how bright it is all over.
    """

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.down = nn.ModuleList([convolution(1, width), convolution(width, 2 * width)])
        self.bottom = convolution(2 * width, 2 * width)
        self.up = nn.ModuleList([convolution(4 * width, 2 * width, 1), convolution(3 * width, width, 1)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Maps an image (B, 1, H, W) to logits (B, classes, H, W)."""
        kept, x = [], nn.functional.instance_norm(image)
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        x = self.bottom(x)
        for layer, skip in zip(self.up, reversed(kept), strict=True):
            x = layer(torch.cat([_resized(x, skip), skip], dim=1))
        return _resized(self.head(x), image)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def convolution(before: int, after: int, stride: int = 2) -> nn.Sequential:
    """A 3x3 convolution with group norm."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(4, after), nn.ReLU()
    )
