"""``metaloss evaluate``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from multiprocessing import get_context
from pathlib import Path

import torch
import typer

from metaloss.cli.convention import check_convention
from metaloss.cli.named import named
from metaloss.cli.options import RANGE, SIZE_OF
from metaloss.cli.sources import Sources, warn_narrow
from metaloss.data.listing import is_pattern
from metaloss.data.ranges import FULL
from metaloss.data.reading import Reading
from metaloss.errors import ConfigError, DataError, MetaLossError, PluginError, nearest
from metaloss.metrics import CONVENTIONS, METRICS, get_convention, metric_info
from metaloss.metrics import evaluate as measure
from metaloss.metrics.files import FusedFile, pair_fused
from metaloss.plugins.records import install_hint
from metaloss.report import comparison
from metaloss.report.box_plots import SUFFIXES, draw_box_plots
from metaloss.report.scores import FORMATS, Score, with_means
from metaloss.runtime.folders import check_folder
from metaloss.runtime.interrupts import interrupts_blocked
from metaloss.runtime.progress_bar import progress_bar

Format = Enum("Format", {name: name for name in FORMATS}, type=str)  # type: ignore[misc]

_DEFAULT = [name for name, info in METRICS.items() if not info.optional]
_MORE = [name for name, info in METRICS.items() if info.optional and not info.needs_network]


@dataclass(frozen=True)
class Job:
    """One fused image, what is to be measured of it, and how its files are read, the fused image's first."""

    method: str
    pair: FusedFile
    readings: tuple[Reading, ...]
    convention: str
    metrics: tuple[str, ...] | None


def evaluate(
    sources: list[Path] = typer.Argument(
        metavar="SOURCE",
        help="Two or more folders of source images, or quoted patterns ('ir/*.png'); IMAGES:rgb and IMAGES:alpha are "
        "colour and fourth channel of files with four.",
    ),
    fused: list[str] = typer.Option(
        [],
        metavar="[NAME=]FOLDER",
        help="A folder or a quoted pattern of fused images, named by stem as the sources; may be repeated. [required]",
    ),
    source_range: list[str] = RANGE,
    size_of: str | None = SIZE_OF,
    convention: str = typer.Option(
        "tdfusion",
        metavar="NAME",
        help=f"Definitions to follow: {', '.join(CONVENTIONS)}. Each table says what is done with colour.",
    ),
    metrics: str = typer.Option(
        "",
        metavar="NAME,...",
        help=f"What to measure, in this order. Default: {', '.join(_DEFAULT)}. By name also: {', '.join(_MORE)}.",
    ),
    output: Format = typer.Option(Format["table"], "--format", help="csv and json go to stdout alone."),
    per_image: bool = typer.Option(
        False, "--per-image", help="Rows for each image in tables for people, too; csv and json always have them."
    ),
    compare: str = typer.Option(
        "",
        metavar="NAME,NAME",
        help="Two of the methods to compare image by image (Wilcoxon's signed-rank test): a second table; csv and "
        "json then hold this one alone.",
    ),
    plot: Path | None = typer.Option(
        None, metavar="FILE", help=f"Draw a box plot per metric, a box per method: {', '.join(SUFFIXES)}."
    ),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out images that are missing or unreadable."),
    processes: int = typer.Option(1, min=1, metavar="NUMBER", help="Images measured at a time."),
) -> None:
    """Measure fused images with the metrics of the field, by a stated convention."""
    if len(sources) < 2:
        raise ConfigError(f"{len(sources)} source folder given: the metrics compare with at least two")
    if not fused:
        raise ConfigError("--fused is missing: give a folder of fused images, as DIR or NAME=DIR")
    check_convention(convention)
    folders = named(fused, "--fused")
    chosen, compared = _metrics(metrics), _two(compare, list(folders))
    _check_plot(plot)
    for text, folder in zip(fused, folders.values(), strict=True):
        if not folder.is_dir() and not is_pattern(folder):
            raise DataError(f"--fused {text}: no such folder")
    given = Sources.of(sources)
    readings = (Reading(), *given.readings(given.ranges(source_range) or [FULL] * len(sources)))
    number = None if size_of is None else given.number_of("--size-of", size_of)
    jobs: list[Job] = []
    bad: list[str] = []
    for method, folder in folders.items():
        pairs, unpaired = pair_fused(folder, given.paths)
        jobs += [Job(method, replace(pair, size_of=number), readings, convention, chosen) for pair in pairs]
        bad += unpaired
    warn_narrow([job.pair.sources for job in jobs], readings[1:])
    scores: list[Score] = []
    with progress_bar("measuring", len(jobs)) as advance:
        for job, result in _run(jobs, processes):
            if isinstance(result, str):
                bad.append(result)
            else:
                scores.append(Score(job.pair.name, job.method, result))
            advance(job.pair.name)
    for message in bad:
        line = " ".join(given.with_size_cure(message).splitlines())  # names of files may have several
        print(f"{'skipped' if skip_bad else 'bad'}: {line}", file=sys.stderr)
    if bad and not skip_bad:
        raise DataError(f"{len(bad)} image{'s' * (len(bad) != 1)} cannot be measured; --skip-bad leaves them out")
    if not scores:
        raise DataError("no image could be measured")
    texts = []
    if not compared or output.value not in ("csv", "json"):
        texts.append(FORMATS[output.value](with_means(scores), convention, per_image=per_image))
    if compared:
        differences = comparison.compare(scores, *compared)
        texts.append(comparison.FORMATS[output.value](differences, *compared, convention))
    if plot is not None:
        draw_box_plots(plot, scores, convention)
    typer.echo("\n".join(texts), nl=False)


def _metrics(text: str) -> tuple[str, ...] | None:
    """Reads ``--metrics``."""
    if not text:
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in METRICS:
            raise ConfigError(f"--metrics {text}: {name!r} is not known{nearest(name, METRICS)}: see --help")
        if metric_info(name).needs_network:
            raise ConfigError(f"--metrics {text}: {name} needs a network, which only metaloss.metrics.evaluate takes")
        if names.count(name) > 1:
            raise ConfigError(f"--metrics {text}: {name} is there twice")
    return tuple(names)


def _two(text: str, methods: Sequence[str]) -> tuple[str, ...]:
    """Reads ``--compare``: the names of two methods, or none."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    for name in names:
        if name not in methods:
            raise ConfigError(f"--compare {text}: no --fused is named {name!r}{nearest(name, methods)}")
    if names and (len(names) != 2 or names[0] == names[1]):
        raise ConfigError(f"--compare {text}: expected two different methods, as NAME,NAME")
    if names and importlib.util.find_spec("scipy") is None:
        raise PluginError(f"--compare needs scipy, not installed: {install_hint(('scipy',))}")
    return names


def _check_plot(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise ConfigError(f"--plot {path}: expected a file whose name ends in {', '.join(SUFFIXES)}")
    check_folder(path.parent, f"--plot {path}:")
    if importlib.util.find_spec("matplotlib") is None:
        raise PluginError(f"--plot needs matplotlib, not installed: {install_hint(('matplotlib',))}")


def _run(jobs: list[Job], processes: int) -> Iterator[tuple[Job, dict[str, float] | str]]:
    if processes == 1:
        yield from ((job, measure_job(job)) for job in jobs)
        return
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    )
    try:
        with interrupts_blocked():  # its processes start here, and are ended below
            results = pool.map(measure_job, jobs)
        yield from zip(jobs, results, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def measure_job(job: Job) -> dict[str, float] | str:
    """Reads and measures one fused image; says what is wrong where it cannot."""
    try:
        fused, sources = job.pair.read(job.readings, get_convention(job.convention).colour)
        values = measure(fused, sources, convention=job.convention, metrics=job.metrics)
    except MetaLossError as error:
        return str(error)
    return {name: float(value) for name, value in values.items()}
