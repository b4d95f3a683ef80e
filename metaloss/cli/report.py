"""``metaloss report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from metaloss.errors import ConfigError, PluginError
from metaloss.plugins import install_hint
from metaloss.report.page.build import build
from metaloss.report.page.run import read_run
from metaloss.runtime.files import written_whole
from metaloss.runtime.folders import check_folder

_SUFFIXES = (".html", ".htm")


def report(
    work_dirs: list[Path] = typer.Argument(
        metavar="WORK_DIR", help="Folders of runs: the work dirs of `metaloss train` or of `learner.fit`."
    ),
    out: Path | None = typer.Option(None, metavar="FILE", help="The page, a file whose name ends in .html. [required]"),
) -> None:
    """Show trainings as one page that needs nothing else: curves, weights, pictures through the epochs, settings."""
    if out is None:
        raise ConfigError("--out is missing: give the page's file, report.html say")
    if out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give a file in it, {out / 'report.html'} say")
    if out.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--out {out}: expected a file whose name ends in .html")
    names = distinct_names(work_dirs)
    runs = [read_run(folder, name) for folder, name in zip(work_dirs, names, strict=True)]
    check_folder(out.parent, f"--out {out}:")
    plotly = _plotly()
    page = build(runs).html(plotly)
    with written_whole(out) as file:
        file.write(page.encode())
    size = out.stat().st_size / 1e6
    typer.echo(
        f"{out}: {len(runs)} run{'s' * (len(runs) > 1)}, {size:.1f} MB ({len(plotly) / 1e6:.1f} of them plotly.js)"
    )
    for run in runs:
        for note in run.notes:
            typer.echo(f"{run.name}: {note}")


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Names folders by as few of their last parts as tell them apart.

    Raises:
        ConfigError: one is given twice.
    """
    places = [folder.resolve() for folder in folders]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise ConfigError(f"{folders[number]}: given twice; give each run once")
    for count in range(1, max(len(place.parts) for place in places)):
        names = ["/".join(place.parts[-count:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return list(map(str, places))


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError:
        raise PluginError(f"`metaloss report` needs plotly, not installed: {install_hint(('report',))}") from None
    return str(get_plotlyjs())
