"""``metaloss compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import typer

from metaloss.cli.chosen_weights import ChosenWeights, choose
from metaloss.cli.compare_methods import Method, cost_of, identity_of, images_of, metrics_of, name_of_device
from metaloss.cli.convention import check_convention
from metaloss.cli.engine import load_engine
from metaloss.cli.fuse_images import check_places, place
from metaloss.cli.judging import judged, warn_of_another_range
from metaloss.cli.named import named_parts
from metaloss.cli.options import CFG_OPTIONS, DEVICE, RANGE, SIZE_OF, device_of
from metaloss.cli.sources import Sources
from metaloss.data import Pair
from metaloss.data.images import read_image
from metaloss.data.reading import Reading
from metaloss.errors import ConfigError, nearest
from metaloss.metrics import CONVENTIONS, get_convention
from metaloss.report.comparison_sheet import Scene, draw_comparison
from metaloss.report.method_table import Compared, as_csv, as_latex, as_markdown
from metaloss.report.seeds import spread
from metaloss.runtime.files import written_whole
from metaloss.runtime.folders import check_folder

_SHOWN = 4  # scenes of the contact sheet


def compare(
    sources: list[Path] = typer.Argument(
        metavar="SOURCE", help="Two or more folders or quoted patterns of source images."
    ),
    method: list[str] = typer.Option(
        [],
        metavar="[NAME=]FILE",
        help="Weights to fuse with: a checkpoint of ours, a published file, or the name of those that come with "
        "metaloss. Repeated for each method, and with the same NAME= for the parts of one. [required]",
    ),
    network: list[str] = typer.Option(
        [],
        metavar="METHOD=NETWORK",
        help="The network of a method, as `metaloss fuse --network` takes it: tardal=tardal:halved=False, or "
        "ours=FILE.py:FUNCTION; default: what its files say or fit.",
    ),
    out: Path | None = typer.Option(
        None, metavar="FOLDER", help="The folder for images, tables and the contact sheet. [required]"
    ),
    task: str | None = typer.Option(
        None, metavar="CONFIG", help="A training config whose fresh task networks judge each method on its data."
    ),
    seeds: int | None = typer.Option(
        None, min=1, metavar="NUMBER", help="Task networks per method, with seeds 0, 1, ...; default: 1."
    ),
    epochs: int | None = typer.Option(
        None, min=1, metavar="NUMBER", help="Of each of them; default: the config's max_epochs."
    ),
    convention: str = typer.Option("tdfusion", metavar="NAME", help=f"Of the metrics: {', '.join(CONVENTIONS)}."),
    device_name: str | None = DEVICE,
    source_range: list[str] = RANGE,
    size_of: str | None = SIZE_OF,
    config: str | None = typer.Option(
        None,
        metavar="CONFIG",
        help="The training config of the weights, where it imports modules of its own: those are allowed.",
    ),
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Fuse with several networks, measure and time them, and show their images beside each other.

    What is finished is kept: the same command again goes on where it was stopped.
    """
    given = Sources.to_fuse(sources)
    ranges = given.ranges(source_range)
    chosen = _chosen(method, network, given.names)
    if out is None:
        raise ConfigError("--out is missing: give the folder for images, tables and the contact sheet")
    check_folder(out, "--out")
    check_convention(convention)
    if task is None and cfg_options:
        raise ConfigError("--cfg-options without --task: they are settings of its config")
    for option, value in (("--seeds", seeds), ("--epochs", epochs)):
        if task is None and value is not None:
            raise ConfigError(f"{option} {value} without --task: it is of the networks that judge")
    device = device_of(device_name)
    protocol = None if task is None else _protocol(task, out, epochs, cfg_options, device)
    pairs = given.pairs(size_of)
    _check_places(pairs, out, list(chosen))
    methods = [Method(name, each, each.load(config, len(sources))) for name, each in chosen.items()]
    readings = given.chosen(ranges, {str(each.chosen): each.network for each in methods})
    given.check(pairs, readings)
    settings = {"convention": convention, "sources": identity_of(pairs, readings)}
    rows: list[Compared] = []
    for each in methods:
        each.network.to(device)
        metrics = metrics_of(each, pairs, readings, out, {**each.identity, **settings}, device)
        rows.append(Compared(each.name, cost_of(each, pairs[0], readings, out, settings, device), metrics))
    if protocol is not None:
        scores = _judged(protocol, methods, readings, seeds or 1)
        rows = [Compared(row.name, row.cost, row.metrics, scores[row.name]) for row in rows]
    for each in methods:
        each.chosen.announce(each.network, each.name)
    size = "x".join(map(str, images_of(pairs[0], readings)[0].shape[:0:-1]))
    words = f"convention {convention} ({get_convention(convention).of_colour}), {_scenes(pairs)}; cost of one image of "
    _write(out, rows, pairs, readings, given.names, f"{words}{size} pixels on {name_of_device(device)}")


def _chosen(methods: Sequence[str], networks: Sequence[str], sources: Sequence[str]) -> dict[str, ChosenWeights]:
    """The weights of each method, and the network that is asked for."""
    if not methods:
        raise ConfigError("--method is missing: give weights, as FILE or NAME=FILE")
    files = named_parts(methods, "--method")
    asked: dict[str, str] = {}
    for text in networks:
        name, equals, network = text.partition("=")
        if not equals or name not in files:
            raise ConfigError(f"--network {text}: expected METHOD=NETWORK{nearest(name, files)}: {', '.join(files)}")
        asked[name] = network
    for name in files:
        if name in sources:
            raise ConfigError(f"--method {name}: the sheet shows a source of that name; give another as NAME=FILE")
    return {name: choose(parts, asked.get(name), f"--method {name}=") for name, parts in files.items()}


def _check_places(pairs: Sequence[Pair], out: Path, methods: Sequence[str]) -> None:
    """Checks that nothing is written among the sources."""
    for method in methods:
        check_places(pairs, out / "fused" / method)
    if out.resolve() in {path.resolve().parent for pair in pairs for path in pair.sources}:
        raise ConfigError(f"--out {out}: sources lie in it; give another folder")


def _scenes(pairs: Sequence[Pair]) -> str:
    return f"{len(pairs)} scene{'s' * (len(pairs) != 1)}"


def _protocol(task: str, out: Path, epochs: int | None, options: Sequence[str], device: torch.device) -> Any:
    engine = load_engine("compare")
    return engine.Downstream(engine.load_config(task, engine.parse_options(options)), out / "task", epochs, device)


def _judged(
    protocol: Any, methods: Sequence[Method], readings: Sequence[Reading], seeds: int
) -> dict[str, dict[str, float]]:
    """Means over the seeds of what fresh task networks score on each method's images."""
    ranges = [each.range for each in readings]
    cure = "--cfg-options range=... is what its data takes"
    warn_of_another_range("the images of the table are of the range", ranges, protocol.datasets["train"], cure)
    rows = [protocol.fused(method.name, method.chosen.files, method.network) for method in methods]
    values = judged(protocol, rows, range(seeds))
    return {
        name: {metric: spread(values, name, metric)[0] for metric in next(iter(found.values()))}
        for name, found in values.items()
    }


def _write(
    out: Path,
    rows: list[Compared],
    pairs: Sequence[Pair],
    readings: Sequence[Reading],
    names: Sequence[str],
    circumstances: str,
) -> None:
    latex = f"% {circumstances}\n{as_latex(rows)}"
    tables = {"md": f"{circumstances}\n\n{as_markdown(rows)}", "csv": as_csv(rows), "tex": latex}
    for ending, text in tables.items():
        with written_whole(out / f"comparison.{ending}") as file:
            file.write(text.encode())
    methods = [row.name for row in rows]
    scenes = []
    for pair in pairs[:: max(len(pairs) // _SHOWN, 1)][:_SHOWN]:
        images = dict(zip(names, images_of(pair, readings), strict=True))
        images |= {name: read_image(place(pair, out / "fused" / name)) for name in methods}
        scenes.append(Scene(pair.name, images, methods))
    draw_comparison(out / "comparison.png", scenes)
    typer.echo(tables["md"], nl=False)
    typer.echo(f"comparison.md, .csv, .tex and .png, and the images of {_scenes(pairs)}, in {out}/")
