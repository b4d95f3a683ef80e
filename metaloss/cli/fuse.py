"""``metaloss fuse``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor, nn

from metaloss.colour import luma, merge_chroma, rgb_to_ycbcr, ycbcr_to_rgb
from metaloss.data import Pair, check_pairs, pair_folders, read_image, write_image
from metaloss.errors import CheckpointError, ConfigError, DataError, PluginError
from metaloss.fusing import fuse_any_size
from metaloss.networks.spec import source_count
from metaloss.plugins import install_hint, load_fusion
from metaloss.progress import progress


class Colour(str, Enum):
    """Whether fused images get the sources' colour."""

    auto = "auto"
    grey = "grey"


class Stretch(str, Enum):
    """How fused images are scaled."""

    none = "none"
    minmax = "minmax"


def fuse(
    sources: list[Path] = typer.Argument(help="Two or more folders, paired by file stem, or as many single files."),
    weights: Path | None = typer.Option(None, help="A checkpoint of ours, or a published ReFusion / TDFusion file."),
    out: Path | None = typer.Option(None, help="The folder for the fused images."),
    colour: Colour = typer.Option(Colour.auto, help="auto: keep the sources' colour; grey: luma only."),
    stretch: Stretch = typer.Option(
        Stretch.none, help="minmax: scale each image to its full range, as in published results."
    ),
) -> None:
    """Fuse registered images with a trained network."""
    if len(sources) < 2:
        raise ConfigError(f"{len(sources)} source given ({sources[0]}): fusion needs at least two")
    for source in sources:
        if not source.exists():
            raise DataError(f"source {source}: no such file or folder")
    if weights is None:
        raise ConfigError("--weights is missing: give a checkpoint, or a published ReFusion / TDFusion file")
    if not weights.is_file():
        raise CheckpointError(f"--weights {weights}: no such file")
    if out is None:
        raise ConfigError("--out is missing: give the folder for the fused images")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: is a file; give a folder")
    pairs = pair_folders(sources)
    with progress("checking", len(pairs)) as advance:
        check_pairs(pairs, lambda done, total: advance(""))
    network = load_fusion(weights, _from_config)
    expected = source_count(network)
    if expected is not None and expected != len(sources):
        raise CheckpointError(f"{weights}: was trained on {expected} sources, and {len(sources)} are given")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    with progress("fusing", len(pairs)) as advance:
        for pair in pairs:
            image = fuse_pair(network, pair, colour=colour, stretch=stretch, device=device)
            write_image(out / f"{pair.name}.png", image)
            advance(pair.name)
    typer.echo(f"{len(pairs)} fused image{'s' * (len(pairs) != 1)} in {out}/")


def fuse_pair(network: nn.Module, pair: Pair, *, colour: Colour, stretch: Stretch, device: torch.device) -> Tensor:
    """Fuses the luma of one pair and gives it the sources' colour.

    Args:
        network: the fusion network.
        pair: the files.
        colour: whether the colour is kept.
        stretch: how the fused luma is scaled.
        device: where to fuse.

    Returns:
        (3, H, W) or (1, H, W), in [0, 1], on the CPU.

    Raises:
        DataError: a file cannot be read.
    """
    images = [read_image(path) for path in pair.sources]
    lumas = [image if len(image) == 1 else luma(image) for image in images]
    fused = fuse_any_size(network, [image.unsqueeze(0).to(device) for image in lumas])[0].cpu()
    if stretch is Stretch.minmax:
        low, high = fused.amin(), fused.amax()
        fused = (fused - low) / (high - low).clamp_min(torch.finfo(fused.dtype).eps)
    if colour is Colour.auto:
        chroma = merge_chroma([rgb_to_ycbcr(image)[1] if len(image) == 3 else None for image in images])
        if chroma is not None:
            fused = ycbcr_to_rgb(fused, chroma)
    return fused.clamp(0, 1)


def _from_config(config: dict[str, Any], imports: list[str]) -> nn.Module:
    try:
        from metaloss.engine import build_network
    except ModuleNotFoundError as error:
        name = (error.name or "mmengine").partition(".")[0]
        raise PluginError(
            f"this checkpoint's network comes from a training config, which needs {name}: {install_hint((name,))}"
        ) from None
    return build_network(config, imports)
