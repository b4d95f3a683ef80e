"""``metaloss data check``."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from metaloss.cli.options import CFG_OPTIONS, RANGE, ranges_given


class Format(str, Enum):
    """How the result is written."""

    table = "table"
    json = "json"


def check(
    data: str = typer.Argument(
        metavar="CONFIG|FOLDER", help="A config file, the name of a shipped config, or a folder of data."
    ),
    cfg_options: list[str] = CFG_OPTIONS,
    sources: str | None = typer.Option(
        None, metavar="A,B", help="Of a folder: the sources' folders or patterns; default: those that are found."
    ),
    target: str | None = typer.Option(
        None, metavar="FOLDER|none", help="Of a folder: the labels' folder, pattern or file, or none."
    ),
    split: list[str] = typer.Option(
        [], metavar="SPLIT", help="Of a folder: a list, a part such as '[:80%]', or a split of a known data set."
    ),
    classes: str | None = typer.Option(
        None, metavar="A,B|N|FILE", help="Of a folder: the names of the classes, their number, or a file of names."
    ),
    ignore: str | None = typer.Option(
        None, metavar="ID,ID", help="Of a folder: the ids in label images that are no class."
    ),
    others: str | None = typer.Option(
        None, metavar="error|drop", help="Of a folder: whether classes in its labels that are not named are left out."
    ),
    missing: str | None = typer.Option(
        None, metavar="error|empty", help="Of a folder: whether an image without a file of boxes has none."
    ),
    source_range: list[str] = RANGE,
    out: Path | None = typer.Option(
        None, metavar="FOLDER", help="Where overview.png goes; default: work_dirs/data_check/NAME."
    ),
    output: Format = typer.Option(Format.table, "--format", help="json goes to stdout alone, and is complete."),
) -> None:
    """Check data before a training: all that it would refuse, and what is to be doubted, each with its file.

    A config's training and validation data, or a folder: a known data set as it unpacks, or plain folders. The exit
    status is 0 where all is right, 1 where something is to be doubted, and 2 where something is wrong.
    """
    from metaloss.cli.data.findings import as_plain, written
    from metaloss.cli.data.opening import open_config, open_folder
    from metaloss.cli.data.overview import draw_overview
    from metaloss.configs import shipped_configs
    from metaloss.data.audit import audit
    from metaloss.data.listing import what_is_missing
    from metaloss.errors import ConfigError, nearest
    from metaloss.runtime.folders import check_folder
    from metaloss.runtime.progress_bar import progress_bar

    given = {
        "--sources": sources,
        "--target": target,
        "--split": split or None,
        "--classes": classes,
        "--ignore": ignore,
        "--others": others,
        "--missing": missing,
        "--range": source_range or None,
    }
    if Path(data).is_dir():
        if cfg_options:
            raise ConfigError(
                f"--cfg-options with the folder {data}: they are a config's; give --sources, --target, ..."
            )
        options = _options(sources, target, classes, ignore)
        options |= {name: value for name, value in (("others", others), ("missing", missing)) if value is not None}
        options |= {"range": ranges_given(source_range)} if source_range else {}
        opened = open_folder(Path(data), options, split)
    else:
        foreign = [name for name, value in given.items() if value is not None]
        if foreign:
            raise ConfigError(f"{foreign[0]} with the config {data}: it is a folder's; give --cfg-options")
        if not Path(data).is_file() and data not in shipped_configs():
            missing = what_is_missing(Path(data), "folder of data or config file")
            raise ConfigError(
                f"{data}: {missing}, and no shipped config is called so{nearest(data, shipped_configs())}"
            )
        opened = open_config(data, cfg_options)
    folder = out or Path("work_dirs", "data_check", opened.name)
    check_folder(folder, "--out")
    total = sum(len(dataset) for several in opened.datasets.values() for dataset in several)
    with progress_bar("checking", total) as advance:
        found = audit(opened.datasets, opened.faults, lambda: advance(""), opened.crop, opened.task_size)
    picture = draw_overview(folder / "overview.png", found)
    if output is Format.json:
        typer.echo(json.dumps(as_plain(found, picture), indent=1, ensure_ascii=False))
    else:
        if opened.unread:
            typer.echo(f"not read: {', '.join(opened.unread)} (--sources names what is)\n")
        typer.echo(written(found, picture), nl=False)
    raise typer.Exit(found.status)


def _options(sources: str | None, target: str | None, classes: str | None, ignore: str | None) -> dict[str, Any]:
    """The arguments of a data set that are given."""
    options: dict[str, Any] = {}
    if sources is not None:
        options["sources"] = tuple(sources.split(","))
    if target is not None:
        options["target"] = None if target == "none" else target
    if classes is not None:
        options["classes"] = _classes(classes)
    if ignore is not None:
        options["ignore"] = _ids(ignore)
    return options


def _classes(text: str) -> Any:
    if text.isdecimal():
        return int(text)
    return tuple(text.split(",")) if "," in text or "." not in text else text


def _ids(text: str) -> tuple[int, ...]:
    from metaloss.errors import ConfigError

    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ConfigError(f"--ignore {text}: expected whole numbers such as 255 or 0,255") from None
