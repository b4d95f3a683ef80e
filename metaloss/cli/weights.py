"""``metaloss weights``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
import typer
from torch import Tensor, nn

from metaloss.cli.engine import builder
from metaloss.cli.named import named
from metaloss.cli.options import RANGE
from metaloss.cli.sources import Sources, warn_narrow
from metaloss.colour import luma
from metaloss.data import check_pairs, pair_folders, write_image
from metaloss.data.reading import Reading
from metaloss.errors import CheckpointError, ConfigError, PluginError
from metaloss.inference.pretrained import shipped_weights
from metaloss.networks.spec import source_count
from metaloss.plugins import install_hint, load_generator
from metaloss.report.tables import aligned
from metaloss.report.weight_maps import draw_weight_maps
from metaloss.runtime.folders import check_folder
from metaloss.runtime.progress_bar import progress_bar


def weights(
    sources: list[Path] = typer.Argument(
        metavar="SOURCE",
        help="Two or more folders or quoted patterns ('ir/*.png'), paired by file stem, or as many single files; "
        "IMAGES:rgb and IMAGES:alpha are colour and fourth channel of files with four.",
    ),
    checkpoints: list[str] = typer.Option(
        [],
        "--weights",
        metavar="[NAME=]FILE",
        help="A checkpoint with a loss generator; may be repeated, for each task. [required]",
    ),
    out: Path | None = typer.Option(None, metavar="FOLDER", help="The folder for the pictures. [required]"),
    source_range: list[str] = RANGE,
    config: str | None = typer.Option(
        None,
        metavar="CONFIG",
        help="The training config of the weights, where it imports modules of its own: those are allowed.",
    ),
) -> None:
    """Draw the weights that a trained loss gives each source, as heat maps over the sources.

    Writes SCENE.png with all loss generators side by side, and each map by itself as NAME/SCENE_SOURCE.png,
    black for 0 and white for 1.
    """
    if len(sources) < 2:
        raise ConfigError(f"{len(sources)} source given ({sources[0]}): weights are shared by at least two")
    given = Sources.of(sources)
    given.check_there()
    ranges = given.ranges(source_range)
    if not checkpoints:
        raise ConfigError("--weights is missing: give a checkpoint with a loss generator, as FILE or NAME=FILE")
    files = named(checkpoints, "--weights")
    for text, file in zip(checkpoints, files.values(), strict=True):
        if not file.is_file():
            shipped = ", and the weights that come with metaloss have none" if text in shipped_weights() else ""
            raise CheckpointError(f"--weights {text}: no such file; give a checkpoint with a loss generator{shipped}")
    if out is None:
        raise ConfigError("--out is missing: give the folder for the pictures")
    check_folder(out, "--out")
    if importlib.util.find_spec("matplotlib") is None:
        raise PluginError(f"`metaloss weights` needs matplotlib, not installed: {install_hint(('matplotlib',))}")
    pairs = pair_folders(given.paths)
    generators = {name: _load(file, len(sources), config) for name, file in files.items()}
    readings = given.chosen(ranges, {str(files[name]): generator for name, generator in generators.items()})
    with progress_bar("checking", len(pairs)) as advance:
        check_pairs(pairs, lambda done, total: advance(""), readings=readings)
    warn_narrow(pairs, readings)
    names = given.names
    means: dict[str, list[Tensor]] = {}
    with progress_bar("drawing", len(pairs)) as advance:
        for pair in pairs:
            images = map(Reading.image, readings, pair.sources)
            lumas = [image if len(image) == 1 else luma(image) for image in images]
            maps = {
                title: found
                for name, generator in generators.items()
                for title, found in propose(generator, lumas, name).items()
            }
            draw_weight_maps(out / f"{pair.name}.png", lumas, maps, names)
            for title, found in maps.items():
                means.setdefault(title, []).append(found.mean((-2, -1)))
                for source_name, weight in zip(names, found, strict=True):
                    write_image(out / title / f"{pair.name}_{source_name}.png", weight.unsqueeze(0))
            advance(pair.name)
    rows = [[title, *(f"{float(mean):.4f}" for mean in torch.stack(found).mean(0))] for title, found in means.items()]
    typer.echo("mean weight of each source\n" + aligned([["loss generator", *names], *rows]), nl=False)
    typer.echo(f"{len(pairs)} picture{'s' * (len(pairs) != 1)} in {out}/")


def propose(generator: nn.Module, sources: list[Tensor], name: str) -> Mapping[str, Tensor]:
    """The weights that a loss generator gives one scene.

    Args:
        generator: G, in evaluation mode.
        sources: n grey images (1, H, W), in [0, 1].
        name: what to call its weights.

    Returns:
        (n, H, W) by name; with a generator of several outputs, by name and output.
    """
    with torch.no_grad():
        proposed = generator(*(source.unsqueeze(0) for source in sources))
    if isinstance(proposed, Tensor):
        return {name: proposed[0]}
    return {f"{name} {output}": found[0] for output, found in proposed.items()}


def _load(file: Path, sources: int, config: str | None) -> nn.Module:
    generator = load_generator(file, builder(config))
    expected = source_count(generator)
    if expected is not None and expected != sources:
        raise CheckpointError(f"{file}: was trained on {expected} sources, and {sources} are given")
    return generator
