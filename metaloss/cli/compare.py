"""``metaloss compare``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor, nn

from metaloss.cli.convention import check_convention
from metaloss.cli.engine import load_engine
from metaloss.cli.fuse_images import place
from metaloss.cli.named import named
from metaloss.cli.options import CFG_OPTIONS, DEVICE, RANGE, SIZE_OF, device_of
from metaloss.cli.sources import Sources
from metaloss.colour import luma
from metaloss.data import Pair, write_image
from metaloss.data.dataset import of_one_size
from metaloss.data.images import read_image
from metaloss.data.reading import Reading
from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.evaluation.results import read_result, write_result
from metaloss.inference.cost import Cost, cost
from metaloss.inference.fuser import Fuser
from metaloss.inference.pretrained import shipped_weights
from metaloss.metrics import CONVENTIONS
from metaloss.metrics import evaluate as measure
from metaloss.networks.spec import source_count
from metaloss.plugins import load_fusion
from metaloss.report.comparison_sheet import Scene, draw_comparison
from metaloss.report.method_table import Compared, as_csv, as_latex, as_markdown
from metaloss.report.seeds import spread
from metaloss.runtime.files import written_whole
from metaloss.runtime.folders import check_folder
from metaloss.runtime.progress_bar import progress_bar

_SHOWN = 4  # scenes of the contact sheet


@dataclass(frozen=True)
class Method:
    """A fusion network under its name, and the files of its weights."""

    name: str
    files: tuple[Path, ...]
    network: nn.Module

    @property
    def digest(self) -> str:
        """Of the weights: results of others are not taken up."""
        return hashlib.sha256(b"".join(file.read_bytes() for file in self.files)).hexdigest()


def compare(
    sources: list[Path] = typer.Argument(
        metavar="SOURCE", help="Two or more folders or quoted patterns of source images."
    ),
    method: list[str] = typer.Option(
        [],
        metavar="NAME=FILE",
        help="Weights to fuse with: a checkpoint of ours, a published file, or the name of those that come with "
        "metaloss. Repeated for each method, and for the parts of one under the same name. [required]",
    ),
    out: Path | None = typer.Option(
        None, metavar="FOLDER", help="The folder for images, tables and the contact sheet. [required]"
    ),
    task: str | None = typer.Option(
        None, metavar="CONFIG", help="A training config whose fresh task networks judge each method on its data."
    ),
    seeds: int = typer.Option(1, min=1, metavar="NUMBER", help="Task networks per method, with seeds 0, 1, ..."),
    epochs: int | None = typer.Option(
        None, min=1, metavar="NUMBER", help="Of each of them; default: the config's max_epochs."
    ),
    convention: str = typer.Option("tdfusion", metavar="NAME", help=f"Of the metrics: {', '.join(CONVENTIONS)}."),
    device_name: str | None = DEVICE,
    source_range: list[str] = RANGE,
    size_of: str | None = SIZE_OF,
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Fuse with several networks, measure and time them, and show their images beside each other.

    What is finished is kept: the same command again goes on where it was stopped.
    """
    given = Sources.to_fuse(sources)
    ranges = given.ranges(source_range)
    files = _files(method)
    if out is None:
        raise ConfigError("--out is missing: give the folder for images, tables and the contact sheet")
    check_folder(out, "--out")
    check_convention(convention)
    if task is None and cfg_options:
        raise ConfigError("--cfg-options without --task: they are settings of its config")
    device = device_of(device_name)
    protocol = None if task is None else _protocol(task, out, epochs, cfg_options, device)
    pairs = given.pairs(size_of)
    methods = [Method(name, parts, _load(parts, len(sources))) for name, parts in files.items()]
    readings = given.chosen(ranges, {str(each.files[0]): each.network for each in methods})
    given.check(pairs, readings)
    rows: list[Compared] = []
    for each in methods:
        each.network.to(device)
        settings = {"weights": each.digest, "convention": convention, "sources": _identity(pairs, readings)}
        metrics = _metrics(each, pairs, readings, out, settings, device, convention)
        rows.append(Compared(each.name, _cost(each, pairs[0], readings, out, settings, device), metrics))
    if protocol is not None:
        judged = _judged(protocol, methods, seeds)
        rows = [Compared(row.name, row.cost, row.metrics, judged[row.name]) for row in rows]
    _write(out, rows, pairs, readings, given.names, f"convention {convention}, {len(pairs)} scenes, {_place(device)}")


def _files(texts: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    if not texts:
        raise ConfigError("--method is missing: give weights, as FILE or NAME=FILE")
    found: dict[str, tuple[Path, ...]] = {}
    shipped = shipped_weights()
    for text in texts:
        [(name, path)] = named([text], "--method").items()
        file = path if path.is_file() else shipped.get(str(path), path)
        if not file.is_file():
            raise CheckpointError(f"--method {text}: no such file{nearest(str(path), shipped)}")
        found[name] = (*found.get(name, ()), file)
    return found


def _load(files: tuple[Path, ...], count: int) -> nn.Module:
    network = load_fusion(files)
    expected = source_count(network)
    if expected is not None and expected != count:
        raise CheckpointError(f"{files[0]}: was trained on {expected} sources, and {count} are given")
    return network


def _identity(pairs: Sequence[Pair], readings: Sequence[Reading]) -> str:
    """Of the sources: their names and sizes on the disk, and how they are read."""
    listed = [(pair.size_of, [(path.name, path.stat().st_size) for path in pair.sources]) for pair in pairs]
    return hashlib.sha256(repr((listed, list(map(str, readings)))).encode()).hexdigest()


def _metrics(
    method: Method,
    pairs: Sequence[Pair],
    readings: Sequence[Reading],
    out: Path,
    settings: Mapping[str, Any],
    device: torch.device,
    convention: str,
) -> dict[str, float]:
    """Fuses and measures what is not there yet; the means over the scenes."""
    results = out / "results" / f"{method.name}.json"
    values = read_result(results, settings) or {}
    fuser, folder = Fuser(method.network, device=device), out / "fused" / method.name
    names: list[str] = []
    with progress_bar(method.name, len(pairs)) as advance:
        for pair in pairs:
            done = [key for key in values if key.rpartition("/")[0] == pair.name]
            if not done or not place(pair, folder).is_file():
                images = _images(pair, readings)
                write_image(place(pair, folder), fuser.fuse([images])[0])
                fused = read_image(place(pair, folder))  # as it was written, in 8 bits
                found = measure(_grey(fused), [_grey(image) for image in images], convention=convention)
                values |= {f"{pair.name}/{name}": float(value) for name, value in found.items()}
                write_result(results, settings, values)
            names = [key.rpartition("/")[2] for key in values if key.rpartition("/")[0] == pair.name]
            advance(pair.name)
    columns = {name: [values[f"{pair.name}/{name}"] for pair in pairs] for name in names}
    defined = {name: [value for value in column if value == value] for name, column in columns.items()}
    return {name: sum(column) / len(column) if column else float("nan") for name, column in defined.items()}


def _images(pair: Pair, readings: Sequence[Reading]) -> list[Tensor]:
    """The sources of a scene, each (1, H, W) or (3, H, W), of one size."""
    return of_one_size(pair, list(map(Reading.image, readings, pair.sources)))


def _grey(image: Tensor) -> Tensor:
    grey = image if len(image) == 1 else luma(image)
    return (grey * 255).round().unsqueeze(0)


def _cost(
    method: Method,
    pair: Pair,
    readings: Sequence[Reading],
    out: Path,
    settings: Mapping[str, Any],
    device: torch.device,
) -> Cost:
    """Measured on the first scene, once."""
    path = out / "results" / f"{method.name}_cost.json"
    settings = {**settings, "device": _place(device)}
    known = read_result(path, settings)
    if known is None:
        images = [_grey(image).to(device) / 255 for image in _images(pair, readings)]
        known = asdict(cost(method.network, images))
        write_result(path, settings, known)
    return Cost(int(known["parameters"]), int(known["multiply_adds"]), known["images_per_second"])


def _place(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU thread{'s' * (torch.get_num_threads() != 1)}"


def _protocol(task: str, out: Path, epochs: int | None, options: Sequence[str], device: torch.device) -> Any:
    engine = load_engine("compare")
    return engine.Downstream(engine.load_config(task, engine.parse_options(options)), out / "task", epochs, device)


def _judged(protocol: Any, methods: Sequence[Method], seeds: int) -> dict[str, dict[str, float]]:
    """Means over the seeds of what fresh task networks score on each method's images."""
    rows = [protocol.fused(method.name, method.files, method.network) for method in methods]
    values: dict[str, dict[int, dict[str, float]]] = {row.name: {} for row in rows}
    for result in protocol.run(rows, range(seeds)):
        values[result.method][result.seed] = result.metrics
    for note in dict.fromkeys(protocol.notes):
        typer.echo(note, err=True)
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
    tables = {"md": f"{circumstances}\n\n{as_markdown(rows)}", "csv": as_csv(rows), "tex": as_latex(rows)}
    for ending, text in tables.items():
        with written_whole(out / f"comparison.{ending}") as file:
            file.write(text.encode())
    methods = [row.name for row in rows]
    scenes = []
    for pair in pairs[:: max(len(pairs) // _SHOWN, 1)][:_SHOWN]:
        images = dict(zip(names, _images(pair, readings), strict=True))
        images |= {name: read_image(place(pair, out / "fused" / name)) for name in methods}
        scenes.append(Scene(pair.name, images, methods))
    draw_comparison(out / "comparison.png", scenes)
    typer.echo(tables["md"], nl=False)
    count = f"{len(pairs)} scene{'s' * (len(pairs) != 1)}"
    typer.echo(f"comparison.md, .csv, .tex and .png, and the images of {count}, in {out}/")
