"""``metaloss fuse``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from metaloss.cli import fuse_images, fuse_video
from metaloss.cli.chosen_weights import choose
from metaloss.cli.options import DEVICE, RANGE, SIZE_OF, device_of
from metaloss.cli.sources import Sources, ranges_of_training
from metaloss.data.ranges import FULL
from metaloss.data.video import is_video
from metaloss.errors import ConfigError
from metaloss.inference.finish import Colour, Stretch
from metaloss.inference.fuser import SMALLEST_TILE, Fuser
from metaloss.runtime.folders import check_folder


def fuse(
    sources: list[Path] = typer.Argument(
        metavar="SOURCE",
        help="Two or more folders or quoted patterns ('ir/*.png'), paired by file stem or by what the stars match "
        "('d/*_ir.png' 'd/*_vi.png'); or as many single images, or videos. IMAGES:rgb and IMAGES:alpha are colour and "
        "fourth channel of files with four.",
    ),
    weights: list[Path] = typer.Option(
        [],
        metavar="FILE",
        help="A checkpoint of ours, or a file that the authors of a network have published; repeated where they have "
        "published its parts. Or the name of weights that come with metaloss; default: ivif, those for infrared and "
        "visible images.",
    ),
    network: str | None = typer.Option(
        None,
        metavar="NAME",
        help="The network of the weights, one of `metaloss list`, with its arguments where the files do not tell them: "
        "ifcnn:scheme=sum; or FILE.py:FUNCTION, which is run and builds it; default: what they fit.",
    ),
    out: Path | None = typer.Option(
        None, metavar="FOLDER", help="The folder for the fused images (PNG) or video (MKV, lossless). [required]"
    ),
    colour: Colour = typer.Option(Colour.auto, help="auto: keep the sources' colour; grey: luma only."),
    colour_from: str | None = typer.Option(
        None, metavar="SOURCE", help="Take the colour of this source alone, by name or position from 0; default: merge."
    ),
    stretch: Stretch = typer.Option(
        Stretch.none, help="minmax: scale each image to its full range, as in published results."
    ),
    tile: int | None = typer.Option(
        None,
        metavar="PIXELS",
        help="Fuse in tiles of this many pixels, overlapping and blended, where whole images do not fit.",
    ),
    device: str | None = DEVICE,
    source_range: list[str] = RANGE,
    size_of: str | None = SIZE_OF,
    compile: bool = typer.Option(False, "--compile", help="Compile the network first: pays off from some 50 images."),
    config: str | None = typer.Option(
        None,
        metavar="CONFIG",
        help="The training config of the weights, where it imports modules of its own: those are allowed.",
    ),
) -> None:
    """Fuse registered images or videos with a trained network."""
    given = Sources.to_fuse(sources)
    ranges = given.ranges(source_range)
    videos = [source for source in given.paths if is_video(source) and source.is_file()]
    if videos and len(videos) < len(sources):
        other = next(source for source in given.paths if source not in videos)
        raise ConfigError(f"{videos[0]} is a video and {other} is not: give videos only")
    if videos and size_of is not None:
        raise ConfigError(f"{videos[0]} is a video, and videos have one size: leave --size-of {size_of} out")
    if videos and (any(own != FULL for own in ranges or ()) or any(given.channels)):
        what = ":rgb or :alpha" if any(given.channels) else "--range"
        raise ConfigError(f"{videos[0]} is a video, read at its full range and in colour: leave {what} out")
    chosen = choose(weights, network)
    if out is None:
        raise ConfigError("--out is missing: give the folder for the fused images")
    check_folder(out, "--out")
    if tile is not None and tile < SMALLEST_TILE:
        raise ConfigError(f"--tile {tile}: a tile has at least {SMALLEST_TILE} pixels on a side")
    options: dict[str, Any] = {
        "colour": colour,
        "colour_from": None if colour_from is None else _number_of(colour_from, colour, given),
        "stretch": stretch,
        "tile": tile,
        "device": device_of(device),
        "compile": compile,
    }
    if videos:
        fusion = chosen.load(config, len(sources))
        chosen.announce(fusion)
        if ranges is None and any(own != FULL for own in ranges_of_training({str(chosen): fusion}, given.names)):
            text = f"warning: videos are read at full range, and {chosen} was trained with another"
            typer.echo(text, err=True)
        _fuse_videos(Fuser(fusion, **options), given.paths, out)
        return
    pairs = given.pairs(size_of)
    fuse_images.check_places(pairs, out)
    fusion = chosen.load(config, len(sources))
    chosen.announce(fusion)
    readings = given.chosen(ranges, {str(chosen): fusion})
    given.check(pairs, readings)
    fuse_images.fuse_images(Fuser(fusion, **options), pairs, readings, out)
    typer.echo(f"{len(pairs)} fused image{'s' * (len(pairs) != 1)} in {out}/")


def _fuse_videos(fuser: Fuser, sources: list[Path], out: Path) -> None:
    path = fuse_video.place(sources, out)
    with ExitStack() as stack:
        frames = fuse_video.fuse_videos(fuser, fuse_video.open_videos(sources, stack), path)
    typer.echo(f"{frames} fused frame{'s' * (frames != 1)} in {path}")


def _number_of(source: str, colour: Colour, given: Sources) -> int:
    """The place of the source that ``--colour-from`` names."""
    if colour is Colour.grey:
        raise ConfigError(f"--colour-from {source} with --colour grey: no colour is kept; leave one of them out")
    return given.number_of("--colour-from", source)
