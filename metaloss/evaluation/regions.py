"""Which source the loss weights point to, on the objects of each class and off them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        ignore: a class id that stands for "no class", beside 255 and negative ones: neither on nor off.

    Yields:
        ``weight/SOURCE/on/CLASS`` and ``weight/SOURCE/off/CLASS``, their mean (0-d) and the number of pixels that it is
        over. Off a class are all other pixels of a scene that shows it. Of a target by task the task's name follows,
        ``weight/SOURCE/on/CLASS/TASK``, see :func:`without_tasks`.
    """
    sources = [source.replace("/", "_") for source in sources]
    for scene, weight in enumerate(weights):
        for region in regions_of(target, scene, weight.shape[-2:], ignore, weight.device):
            name = class_name(region.number, classes).replace("/", " or ") + (f"/{region.task}" if region.task else "")
            for where, mask in (("on", region.on), ("off", region.off)):
                count = int(mask.sum())
                if count:
                    means = weight[:, mask].mean(1)
                    yield from (
                        (f"weight/{each}/{where}/{name}", mean, count)
                        for each, mean in zip(sources, means, strict=False)
                    )


def without_tasks(metrics: Mapping[str, float]) -> dict[str, float]:
    """Names weights by region by source and class alone; where several tasks have regions, their classes by task.

    Args:
        metrics: of all scenes, those of :func:`weights_by_region` among them.

    Returns:
        The same in the same order, with ``weight/SOURCE/on/CLASS``, or ``weight/SOURCE/on/TASK CLASS``: class 1 of one
        task is not class 1 of another.
    """
    parts = {name: name.split("/") for name in metrics if name.startswith("weight/") and name.count("/") == 4}
    several = len({part[-1] for part in parts.values()}) > 1
    shown = {
        name: "/".join([*first, f"{task} {kind}" if several else kind]) for name, (*first, kind, task) in parts.items()
    }
    return {shown.get(name, name): value for name, value in metrics.items()}
