"""``metaloss fuse``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import typer
from torch import nn

from metaloss.cli import fuse_images, fuse_video
from metaloss.cli.compiled import Compiled
from metaloss.cli.engine import builder
from metaloss.cli.options import RANGE
from metaloss.cli.sources import Sources, ranges_of_training, warn_narrow
from metaloss.data import check_pairs, pair_folders
from metaloss.data.listing import is_pattern, what_is_missing
from metaloss.data.ranges import FULL
from metaloss.data.video import is_video
from metaloss.errors import CheckpointError, ConfigError, DataError
from metaloss.inference.fuser import Colour, Fuser, Stretch
from metaloss.networks.spec import source_count
from metaloss.plugins import load_fusion
from metaloss.runtime.folders import check_folder
from metaloss.runtime.progress_bar import progress_bar

_SMALLEST_TILE = 32


def fuse(
    sources: list[Path] = typer.Argument(
        help="Two or more folders or quoted patterns ('ir/*.png'), paired by file stem or by what the stars match "
        "('d/*_ir.png' 'd/*_vi.png'); or as many single images, or videos. IMAGES:rgb and IMAGES:alpha are colour and "
        "fourth channel of files with four."
    ),
    weights: Path | None = typer.Option(None, help="A checkpoint of ours, or a published ReFusion / TDFusion file."),
    out: Path | None = typer.Option(None, help="The folder for the fused images (PNG) or video (MKV, lossless)."),
    colour: Colour = typer.Option(Colour.auto, help="auto: keep the sources' colour; grey: luma only."),
    stretch: Stretch = typer.Option(
        Stretch.none, help="minmax: scale each image to its full range, as in published results."
    ),
    tile: int | None = typer.Option(
        None, help="Fuse in tiles of this many pixels, overlapping and blended, where whole images do not fit."
    ),
    source_range: list[str] = RANGE,
    compile: bool = typer.Option(False, "--compile", help="Compile the network first: pays off from some 50 images."),
    config: str | None = typer.Option(
        None, help="The training config of the weights, where it imports modules of its own: those are allowed."
    ),
) -> None:
    """Fuse registered images or videos with a trained network."""
    if len(sources) < 2:
        raise ConfigError(f"{len(sources)} source given ({sources[0]}): fusion needs at least two")
    given = Sources.of(sources)
    for source in given.paths:
        if not source.exists() and not is_pattern(source):
            raise DataError(f"source {source}: {what_is_missing(source, 'file or folder')}")
    ranges = given.ranges(source_range)
    videos = [source for source in given.paths if is_video(source) and source.is_file()]
    if videos and len(videos) < len(sources):
        other = next(source for source in given.paths if source not in videos)
        raise ConfigError(f"{videos[0]} is a video and {other} is not: give videos only")
    if videos and (any(own != FULL for own in ranges or ()) or any(given.channels)):
        what = ":rgb or :alpha" if any(given.channels) else "--range"
        raise ConfigError(f"{videos[0]} is a video, read at its full range and in colour: leave {what} out")
    if weights is None:
        raise ConfigError("--weights is missing: give a checkpoint, or a published ReFusion / TDFusion file")
    if not weights.is_file():
        raise CheckpointError(f"--weights {weights}: no such file")
    if out is None:
        raise ConfigError("--out is missing: give the folder for the fused images")
    check_folder(out, "--out")
    if tile is not None and tile < _SMALLEST_TILE:
        raise ConfigError(f"--tile {tile}: a tile has at least {_SMALLEST_TILE} pixels on a side")
    if videos:
        network = _network(weights, len(sources), config)
        if ranges is None and any(own != FULL for own in ranges_of_training({str(weights): network}, given.names)):
            typer.echo(f"warning: videos are read at full range, and {weights} was trained with another", err=True)
        fuser = _fuser(network, colour=colour, stretch=stretch, tile=tile, compiled=compile)
        _fuse_videos(fuser, given.paths, out)
        return
    pairs = pair_folders(given.paths)
    fuse_images.check_places(pairs, out)
    network = _network(weights, len(sources), config)
    readings = given.chosen(ranges, {str(weights): network})
    with progress_bar("checking", len(pairs)) as advance:
        check_pairs(pairs, lambda done, total: advance(""), readings=readings)
    warn_narrow(pairs, readings)
    fuser = _fuser(network, colour=colour, stretch=stretch, tile=tile, compiled=compile)
    fuse_images.fuse_images(fuser, pairs, readings, out)
    typer.echo(f"{len(pairs)} fused image{'s' * (len(pairs) != 1)} in {out}/")


def _fuse_videos(fuser: Fuser, sources: list[Path], out: Path) -> None:
    path = fuse_video.place(sources, out)
    with ExitStack() as stack:
        frames = fuse_video.fuse_videos(fuser, fuse_video.open_videos(sources, stack), path)
    typer.echo(f"{frames} fused frame{'s' * (frames != 1)} in {path}")


def _network(weights: Path, count: int, config: str | None) -> nn.Module:
    network = load_fusion(weights, builder(config))
    expected = source_count(network)
    if expected is not None and expected != count:
        raise CheckpointError(
            f"{weights}: was trained on {expected} sources, and {count} are given (patterns are to be quoted)"
        )
    return network


def _fuser(network: nn.Module, *, compiled: bool, **options: Any) -> Fuser:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    return Fuser(Compiled(network) if compiled else network, device, **options)
