"""Which source the loss weights point to, on the objects of each class and off them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from metaloss.data.regions import class_name, regions_of


def weights_by_region(
    weights: Tensor, target: Any, sources: Sequence[str], classes: Sequence[str] = (), ignore: int = 255
) -> Iterator[tuple[str, Tensor, int]]:
    """Means of the loss weights on and off the regions of each class, scene by scene.

    Args:
        weights: of shape (B, n, H, W), of the sources in their own order.
        target: of a batch, see :func:`metaloss.data.regions.regions_of`.
        sources: n names.
        classes: by class id; a number where there is none.
        ignore: the class id that stands for "no class": neither on nor off.

    Yields:
        ``weight/SOURCE/on/CLASS`` and ``weight/SOURCE/off/CLASS``, their mean (0-d) and the number of pixels that it is
        over. Off a class are all other pixels of a scene that shows it.
    """
    for scene, weight in enumerate(weights):
        for region in regions_of(target, scene, weight.shape[-2:], ignore, weight.device):
            name = class_name(region.number, classes).replace("/", " or ")
            for where, mask in (("on", region.on), ("off", region.off)):
                count = int(mask.sum())
                if count:
                    means = weight[:, mask].mean(1)
                    yield from (
                        (f"weight/{each}/{where}/{name}", mean, count)
                        for each, mean in zip(sources, means, strict=False)
                    )
