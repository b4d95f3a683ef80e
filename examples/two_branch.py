"""Two branches of transformer blocks, one per sensor, as in many fusion networks; the blocks are timm's."""

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn


class Branch(nn.Module):
    """Patches of one image, with attention among them."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, width, patch, stride=patch)
        self.block = Block(width, num_heads=2, mlp_ratio=2.0)

    def forward(self, image: Tensor) -> Tensor:
        """Maps (B, 1, H, W) to features (B, width, H / patch, W / patch)."""
        features = self.embed(image)
        return self.block(features.flatten(2).mT).mT.unflatten(2, features.shape[-2:])


class TwoBranch(nn.Module):
    """Takes a dict of images and returns a dict, as such code often does; sides are multiples of ``patch``."""

    def __init__(self, width: int = 16, patch: int = 4) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({name: Branch(width, patch) for name in ("ir", "vi")})
        self.coarse = nn.ConvTranspose2d(2 * width, width, patch, stride=patch)
        self.fine = nn.Conv2d(2, width, 3, padding=1)
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        """Maps ``{"ir": (B, 1, H, W), "vi": (B, 1, H, W)}`` to ``{"fused": (B, 1, H, W)}``."""
        features = torch.cat([branch(images[name]) for name, branch in self.branches.items()], dim=1)
        x = self.coarse(features) + self.fine(torch.cat([images["ir"], images["vi"]], dim=1))
        return {"fused": self.head(nn.functional.gelu(x)).sigmoid()}
