"""What keeps values that are not finite out of the networks and out of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.errors import MetaGradientError
from metaloss.training.steps import FusionStep, Gradients


def take(step: FusionStep, batch: FusionBatch, *, skip: bool) -> dict[str, dict[str, Tensor]]:
    """Takes the gradients of a fusion step, if they are finite.

    Args:
        step: takes them.
        batch: on this.
        skip: give none where they are not, and leave buffers as they were.

    Returns:
        The gradients by network and parameter.

    Raises:
        MetaGradientError: they are not finite, and not to be skipped; buffers are as they were.
    """
    buffers = kept_buffers(step.fusion, step.loss, step.task)
    gradients = step.take(batch)
    if all_finite(step.log, gradients):
        return gradients
    give_back(buffers)
    if not skip:
        raise not_finite(step.log, gradients, batch)
    return {}


def kept_buffers(*modules: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Pairs every buffer of modules with a copy of it."""
    return [(buffer, buffer.detach().clone()) for module in modules for buffer in module.buffers()]


def give_back(buffers: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Sets buffers to their copies."""
    with torch.no_grad():
        for buffer, copy in buffers:
            buffer.copy_(copy)


def all_finite(log: Mapping[str, Tensor], gradients: Gradients) -> bool:
    """Whether the losses and gradients of a step are finite, with one synchronisation of the device."""
    values = [*log.values(), *(value for part in gradients.values() for value in part.values())]
    if not values:
        return True
    device = values[0].device
    return bool(torch.stack([value.isfinite().all().to(device) for value in values]).all())


def not_finite(log: Mapping[str, Tensor], gradients: Gradients, batch: FusionBatch) -> MetaGradientError:
    """Says what of a step is not finite, for which scenes, and what may help.

    Args:
        log: the losses by name.
        gradients: by network and parameter.
        batch: what the step was taken on.
    """
    losses = [f"{name} {value.item():.4g}" for name, value in log.items() if not value.isfinite().all()]
    parts = [
        f"the gradient of {part} ({next(name for name, value in values.items() if not value.isfinite().all())!r})"
        for part, values in gradients.items()
        if not all(value.isfinite().all() for value in values.values())
    ]
    images = [
        number
        for number in range(len(batch))
        if not all(source[number].isfinite().all() for source in (*batch.sources, *batch.loss_view))
    ]
    names = list(batch.names)[: len(batch)] or [f"item {number} of the batch" for number in range(len(batch))]
    scenes = [names[number] for number in images] if images else names
    where = (
        f"the images of {', '.join(map(str, scenes[:4]))} are not finite"
        if images
        else (f"the scenes were {', '.join(map(str, scenes[:4]))}")
    )
    cure = "look at these files" if images else "lower the learning rates, or look at the task's loss on such targets"
    return MetaGradientError(
        f"a fusion step is not finite ({', '.join(losses or parts)}); {where}: {cure}; nothing was stepped. "
        "on_nonfinite='skip' leaves such steps out and counts them"
    )


def check_weights(networks: Mapping[str, nn.Module]) -> None:
    """Refuses weights that are not finite, so that no file is written with them.

    Buffers may be infinite, as the masks of attention are, but not NaN.

    Raises:
        MetaGradientError: naming the network and one of its tensors.
    """
    for part, module in networks.items():
        wrong = [name for name, param in module.named_parameters() if not param.isfinite().all()]
        wrong += [name for name, buffer in module.named_buffers() if buffer.isnan().any()]
        if wrong:
            raise MetaGradientError(
                f"{wrong[0]!r} of the {part} network is not finite: lower its learning rate and go on from the last "
                "checkpoint; no file is written with such weights"
            )
