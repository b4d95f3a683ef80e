"""LPIPS: learned perceptual similarity, from weights that lie on this machine."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric

BACKBONES = ("alex", "vgg", "squeeze")


@fusion_metric(
    "LPIPS",
    title="learned perceptual similarity",
    cls="LearnedPerceptualSimilarity",
    needs_network=True,
    optional=True,
    higher_is_better=False,
    min_side=64,  # AlexNet's two pooling layers and its first stride leave nothing of smaller images
)
def learned_perceptual_similarity(images: Images, rules: Convention, *, network: nn.Module) -> Tensor:
    """LPIPS: the distance from the sources in a trained network's features; lower is better.

    Zhang et al. (2018), the mean over the sources; grey images, and single bands where a convention measures
    these, are given to the three colour channels.

    Returns:
        at least 0.
    """
    coloured = (images.stack / 127.5 - 1).unsqueeze(2).expand(-1, -1, 3, -1, -1)
    fused = coloured[:1].expand(len(images.sources), -1, -1, -1, -1)
    distances: Tensor = network(fused.flatten(0, 1), coloured[1:].flatten(0, 1))
    return distances.view(images.sources.shape[:2]).mean(0)


def load_lpips(weights: str | Path, *, backbone: str = "alex") -> nn.Module:
    """Builds the LPIPS network; nothing is downloaded.

    The small linear heads come with torchmetrics; the backbone's weights are torchvision's, for example
    ``alexnet-owt-7be5be79.pth``.

    Args:
        weights: the file with the state dict of torchvision's model.
        backbone: ``"alex"``, ``"vgg"`` (VGG-16) or ``"squeeze"`` (SqueezeNet 1.1).

    Returns:
        The network in evaluation mode, its parameters frozen.

    Raises:
        CheckpointError: the file is missing, unreadable, or belongs to another network.
        ConfigError: an unknown backbone, or torchvision is not installed.
    """
    if backbone not in BACKBONES:
        raise ConfigError(f"backbone={backbone!r}: choose one of {BACKBONES}{nearest(backbone, BACKBONES)}")
    if importlib.util.find_spec("torchvision") is None:
        raise ConfigError("LPIPS needs torchvision for its backbone: pip install torchvision")
    # Imported here, since torchmetrics imports torchvision for it. The public class downloads the
    # backbone without asking; this one, told to start at random, does not.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    network: nn.Module = _NoTrainLpips(net=backbone, pnet_rand=True)
    own = {key: value for key, value in network.state_dict().items() if key.startswith("net.")}
    given = _read(Path(weights))
    # torchvision's "features.3.weight" is "net.slice2.3.weight" here, squeeze's "net.slices.1.3.weight".
    renamed = {key: re.sub(r"^net\.slices?\.?\d+\.", "features.", key) for key in own}
    missing = [name for key, name in renamed.items() if name not in given or given[name].shape != own[key].shape]
    if missing:
        raise CheckpointError(
            f"{weights} has no {missing[0]} that fits the LPIPS backbone {backbone!r} ({len(missing)} of {len(own)} "
            f"tensors do not fit): expected the state dict of torchvision's model for {backbone!r}"
        )
    network.load_state_dict({key: given[name] for key, name in renamed.items()}, strict=False)
    return network


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; LPIPS needs its backbone's weights as a local file")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read as a PyTorch state dict: {error}") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path}: holds a {type(loaded).__name__}, expected a state dict")
    return loaded
