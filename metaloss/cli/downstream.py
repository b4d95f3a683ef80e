"""``metaloss downstream``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import typer

from metaloss.cli.engine import builder, load_engine
from metaloss.cli.judging import judged, warn_of_another_range
from metaloss.cli.named import named, named_parts
from metaloss.cli.options import CFG_OPTIONS, DEVICE, RANGE, config_names, device_of, folder_of, ranges_given
from metaloss.errors import CheckpointError, ConfigError, DataError
from metaloss.plugins import load_fusion
from metaloss.report.seeds import FORMATS
from metaloss.runtime.folders import check_folder

Format = Enum("Format", {name: name for name in FORMATS}, type=str)  # type: ignore[misc]


def downstream(
    config: str = typer.Argument(
        autocompletion=config_names,
        metavar="CONFIG",
        help="A training config, or its name: its data and its task network are used.",
    ),
    fused: list[str] = typer.Option(
        [], metavar="[NAME=]FOLDER", help="A folder of fused images of the training and test scenes; may be repeated."
    ),
    weights: list[str] = typer.Option(
        [],
        metavar="[NAME=]FILE",
        help="Weights of a fusion network that fuses the scenes first; repeated for each network, and with the same "
        "NAME= for the parts of one.",
    ),
    seeds: int = typer.Option(
        3, min=1, metavar="NUMBER", help="How many task networks are trained per row, with seeds 0, 1, ..."
    ),
    epochs: int | None = typer.Option(
        None, min=1, metavar="NUMBER", help="Of each training; default: the config's max_epochs."
    ),
    device: str | None = DEVICE,
    work_dir: Path | None = typer.Option(
        None, metavar="FOLDER", help="Where results go; default: work_dirs/downstream/FOLDER/NAME."
    ),
    source_range: list[str] = RANGE,
    output: Format = typer.Option(Format["table"], "--format", help="csv and json go to stdout alone."),
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Score fused images by a fresh task network trained on them, and on each source alone.

    What is finished is kept: the same command again goes on where it was stopped.
    """
    folders, files = named(fused, "--fused"), named_parts(weights, "--weights")
    for text, folder in zip(fused, folders.values(), strict=True):
        if not folder.is_dir():
            raise DataError(f"--fused {text}: no such folder")
    for name, parts in files.items():
        for file in parts:
            if not file.is_file():
                raise CheckpointError(f"--weights {name}={file}: no such file")
    engine = load_engine("downstream")
    options = engine.parse_options(cfg_options)
    if source_range:
        options["range"] = ranges_given(source_range)
    loaded = engine.load_config(config, options)
    folder = work_dir or Path("work_dirs", "downstream", folder_of(config))
    check_folder(folder, "--work-dir")
    protocol = engine.Downstream(loaded, folder, epochs, device_of(device))
    rows: list[Any] = protocol.sources()
    taken = [row.name for row in rows]
    for name in [*folders, *files]:
        if name in taken:
            raise ConfigError(f"the name {name!r} is taken by another row: give another as NAME=PATH")
        taken.append(name)
    rows += [protocol.folder(name, folder) for name, folder in folders.items()]
    for name, parts in files.items():
        network = load_fusion(parts, builder(config))
        trained = getattr(network, "metaloss_range", None)
        if trained:
            what = f"{' and '.join(map(str, parts))} was trained on sources of the range"
            warn_of_another_range(what, trained.ranges, protocol.datasets["train"], "--range takes another")
        rows.append(protocol.fused(name, parts, network))
    typer.echo(FORMATS[output.value](judged(protocol, rows, range(seeds))), nl=False)
