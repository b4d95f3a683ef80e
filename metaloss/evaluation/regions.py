"""Which source the loss weights point to, on the objects of each class and off them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Region = tuple[str, Tensor, int]


def weights_by_region(
    weights: Tensor, target: Any, sources: Sequence[str], classes: Sequence[str] = (), ignore: int = 255
) -> Iterator[Region]:
    """Means of the loss weights on and off the regions of each class, scene by scene.

    Args:
        weights: of shape (B, n, H, W), of the sources in their own order.
        target: of a batch: class ids (B, H, W); or per scene a dict with ``boxes`` (N, 4) xyxy in pixels and
            ``labels`` (N,); or a dict of such targets by task, or anything else, which has no regions.
        sources: n names.
        classes: by class id; a number where there is none.
        ignore: the class id that stands for "no class": neither on nor off.

    Yields:
        ``weight/SOURCE/on/CLASS`` and ``weight/SOURCE/off/CLASS``, their mean (0-d) and the number of pixels that it is
        over. Off a class are all other pixels of a scene that shows it.
    """
    for scene, weight in enumerate(weights):
        for number, on, off in _regions(target, scene, weight.shape[-2:], ignore, weight.device):
            name = str(classes[number] if 0 <= number < len(classes) else number).replace("/", " or ")
            for where, mask in (("on", on), ("off", off)):
                count = int(mask.sum())
                if count:
                    means = weight[:, mask].mean(1)
                    yield from (
                        (f"weight/{each}/{where}/{name}", mean, count)
                        for each, mean in zip(sources, means, strict=False)
                    )


def _regions(
    target: Any, scene: int, size: Sequence[int], ignore: int, device: torch.device
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """A scene's classes, with the pixels on and off each."""
    if isinstance(target, Mapping):
        for part in target.values():
            yield from _regions(part, scene, size, ignore, device)
        return
    if not isinstance(target, (Tensor, list, tuple)) or len(target) <= scene:
        return
    own = target[scene]
    if isinstance(own, Tensor) and own.shape == torch.Size(size) and not own.is_floating_point():
        ids = own.to(device)
        for number in ids.unique().tolist():
            if number != ignore:
                yield number, ids == number, (ids != number) & (ids != ignore)
    elif isinstance(own, Mapping) and "boxes" in own and "labels" in own:
        for number in own["labels"].unique().tolist():
            on = torch.zeros(tuple(size), dtype=torch.bool, device=device)
            for left, top, right, bottom in own["boxes"][own["labels"] == number].round().int().tolist():
                on[max(top, 0) : bottom, max(left, 0) : right] = True
            yield number, on, ~on
