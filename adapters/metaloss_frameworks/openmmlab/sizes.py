"""The size of images that a config's model was made for."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from metaloss_frameworks.openmmlab.configs import parts


def own_size(config: Config) -> tuple[int, int] | None:
    """Finds the size that a config gives its images.

    Args:
        config: a whole config.

    Returns:
        (H, W) in pixels, or ``None`` where the config says nothing: of the backbone, where it has one size alone, else
        of the preprocessor, of the crops, or of the images in a test.
    """
    model = config.get("model") or {}
    preprocessor = model.get("data_preprocessor") or config.get("data_preprocessor") or {}
    for size in ((model.get("backbone") or {}).get("img_size"), preprocessor.get("size"), config.get("crop_size")):
        if pair := _pair(size):
            return pair
    for pipeline in (config.get("test_pipeline"), config.get("train_pipeline")):
        for step in parts(pipeline):
            if "Resize" in str(step.get("type")) and (pair := _pair(step.get("scale"))):
                return pair[1], pair[0]  # here the width comes first
    return None


def _pair(size: Any) -> tuple[int, int] | None:
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, (list, tuple)) else ()
    return (sides[0], sides[-1]) if sides and all(isinstance(side, int) for side in sides) else None
