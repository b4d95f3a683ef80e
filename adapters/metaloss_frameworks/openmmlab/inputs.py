"""What a data preprocessor does to 8-bit images, done to fused images inside the graph."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def prepare(preprocessor: Any, fused: Tensor) -> Tensor:
    """Gives fused images the channels, range, mean and deviation, and the padding that a network expects.

    Args:
        preprocessor: the network's own data preprocessor.
        fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].

    Returns:
        Of shape (B, C, H', W'), padded below and at the right to a multiple of the preprocessor's divisor.
    """
    image = fused * 255
    normalised = getattr(preprocessor, "_enable_normalize", False)
    channels = preprocessor.mean.numel() if normalised else 3
    if image.shape[1] == 1 and channels == 3:
        image = image.expand(-1, 3, -1, -1)
    elif image.shape[1] == 3 and not _converts_channels(preprocessor):
        image = image.flip(1)  # a network without conversion was trained on BGR
    if normalised:
        image = (image - preprocessor.mean) / preprocessor.std
    divisor = getattr(preprocessor, "size_divisor", None) or getattr(preprocessor, "pad_size_divisor", None) or 1
    down, right = (-side % divisor for side in fused.shape[-2:])
    if down or right:
        value = getattr(preprocessor, "pad_val", None)
        image = F.pad(image, (0, right, 0, down), value=preprocessor.pad_value if value is None else value)
    return image


def _converts_channels(preprocessor: Any) -> bool:
    # the second is OpenMMLab's own MMSegmentation's name for it, which the continued packages have given up
    return any(getattr(preprocessor, name, False) for name in ("_channel_conversion", "channel_conversion"))


def mean_losses(losses: dict[str, Any]) -> dict[str, Tensor]:
    """Reduces each of a network's named losses to a number; those of several levels or layers are summed."""
    return {
        name: sum(item.mean() for item in value) if isinstance(value, (list, tuple)) else value.mean()
        for name, value in losses.items()
    }
