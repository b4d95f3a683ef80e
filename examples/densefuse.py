"""A DenseFuse-like encoder and decoder (Li and Wu, IEEE TIP 2019), written for images, not for metaloss."""

import torch
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """Three convolutions, each seeing all features before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(width * (k + 1), width, 3, padding=1) for k in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width, H, W) to (B, 4 width, H, W)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x).relu()], dim=1)
        return x


class DenseFuse(nn.Module):
    """``encode`` makes features of one image, ``decode`` an image of features; fusion adds features in between."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), DenseBlock(width))
        layers = []
        for before, after in ((4 * width, 4 * width), (4 * width, 2 * width), (2 * width, width)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid())

    def encode(self, image: Tensor) -> Tensor:
        """Features (B, 64, H, W) of an image (B, 1, H, W)."""
        return self.encoder(image)

    def decode(self, features: Tensor) -> Tensor:
        """An image (B, 1, H, W) of features."""
        return self.decoder(features)
