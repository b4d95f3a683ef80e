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
from metaloss.data.ranges import FULL
from metaloss.data.video import is_video
from metaloss.errors import CheckpointError, ConfigError
from metaloss.inference.fuser import Colour, Fuser, Stretch
from metaloss.networks.spec import source_count
from metaloss.plugins import PublishedNetwork, build_fusion, find, load_fusion
from metaloss.runtime.folders import check_folder
from metaloss.runtime.progress_bar import progress_bar

_SMALLEST_TILE = 32


def fuse(
    sources: list[Path] = typer.Argument(
        help="Two or more folders or quoted patterns ('ir/*.png'), paired by file stem or by what the stars match "
        "('d/*_ir.png' 'd/*_vi.png'); or as many single images, or videos. IMAGES:rgb and IMAGES:alpha are colour and "
        "fourth channel of files with four."
    ),
    weights: list[Path] = typer.Option(
        [],
        metavar="FILE",
        help="A checkpoint of ours, or a file that the authors of a network have published; repeated where they have "
        "published its parts.",
    ),
    network: str | None = typer.Option(
        None, metavar="NAME", help="The network of the weights, one of `metaloss list`; default: what they fit."
    ),
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
    given = Sources.to_fuse(sources)
    ranges = given.ranges(source_range)
    videos = [source for source in given.paths if is_video(source) and source.is_file()]
    if videos and len(videos) < len(sources):
        other = next(source for source in given.paths if source not in videos)
        raise ConfigError(f"{videos[0]} is a video and {other} is not: give videos only")
    if videos and (any(own != FULL for own in ranges or ()) or any(given.channels)):
        what = ":rgb or :alpha" if any(given.channels) else "--range"
        raise ConfigError(f"{videos[0]} is a video, read at its full range and in colour: leave {what} out")
    if not weights:
        raise ConfigError(f"--weights is missing: {_where_weights_are(network)}")
    for file in weights:
        if not file.is_file():
            raise CheckpointError(f"--weights {file}: no such file")
    if network is not None:
        find("fusion_networks", network)
    if out is None:
        raise ConfigError("--out is missing: give the folder for the fused images")
    check_folder(out, "--out")
    if tile is not None and tile < _SMALLEST_TILE:
        raise ConfigError(f"--tile {tile}: a tile has at least {_SMALLEST_TILE} pixels on a side")
    if videos:
        fusion = _network(weights, network, len(sources), config)
        if ranges is None and any(own != FULL for own in ranges_of_training({_words(weights): fusion}, given.names)):
            text = f"warning: videos are read at full range, and {_words(weights)} was trained with another"
            typer.echo(text, err=True)
        fuser = _fuser(fusion, colour=colour, stretch=stretch, tile=tile, compiled=compile)
        _fuse_videos(fuser, given.paths, out)
        return
    pairs = pair_folders(given.paths)
    fuse_images.check_places(pairs, out)
    fusion = _network(weights, network, len(sources), config)
    readings = given.chosen(ranges, {_words(weights): fusion})
    with progress_bar("checking", len(pairs)) as advance:
        check_pairs(pairs, lambda done, total: advance(""), readings=readings)
    warn_narrow(pairs, readings)
    fuser = _fuser(fusion, colour=colour, stretch=stretch, tile=tile, compiled=compile)
    fuse_images.fuse_images(fuser, pairs, readings, out)
    typer.echo(f"{len(pairs)} fused image{'s' * (len(pairs) != 1)} in {out}/")


def _fuse_videos(fuser: Fuser, sources: list[Path], out: Path) -> None:
    path = fuse_video.place(sources, out)
    with ExitStack() as stack:
        frames = fuse_video.fuse_videos(fuser, fuse_video.open_videos(sources, stack), path)
    typer.echo(f"{frames} fused frame{'s' * (frames != 1)} in {path}")


def _network(weights: list[Path], name: str | None, count: int, config: str | None) -> nn.Module:
    network = load_fusion(weights, builder(config)) if name is None else build_fusion(name, weights=weights)
    expected = source_count(network)
    if expected is not None and expected != count:
        raise CheckpointError(
            f"{_words(weights)}: was trained on {expected} sources, and {count} are given (patterns are to be quoted)"
        )
    return network


def _words(weights: list[Path]) -> str:
    return " and ".join(map(str, weights))


def _where_weights_are(network: str | None) -> str:
    record = None if network is None else find("fusion_networks", network)
    if not isinstance(record, PublishedNetwork) or not record.weights:
        return "give a checkpoint, or a file that the authors of a network have published"
    return f"give a checkpoint, or what the authors have published ({record.weights}; {record.repository})"


def _fuser(network: nn.Module, *, compiled: bool, **options: Any) -> Fuser:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    return Fuser(Compiled(network) if compiled else network, device, **options)
