"""``metaloss evaluate``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import Enum
from multiprocessing import get_context
from pathlib import Path

import torch
import typer
from torch import Tensor

from metaloss.cli.named import named
from metaloss.cli.options import RANGE
from metaloss.cli.sources import Sources, warn_narrow
from metaloss.colour import luma
from metaloss.data import Pair, images_by_stem
from metaloss.data.listing import is_pattern
from metaloss.data.ranges import FULL
from metaloss.data.reading import Reading
from metaloss.data.scene_files import files_by_scene
from metaloss.errors import ConfigError, DataError, MetaLossError, nearest
from metaloss.metrics import CONVENTIONS
from metaloss.metrics import evaluate as measure
from metaloss.report.scores import FORMATS, Score, with_means
from metaloss.runtime.progress_bar import progress_bar

Format = Enum("Format", {name: name for name in FORMATS}, type=str)  # type: ignore[misc]


@dataclass(frozen=True)
class Job:
    """One fused image and its sources, first the fused one, and how each is read."""

    method: str
    image: str
    files: tuple[Path, ...]
    readings: tuple[Reading, ...]
    convention: str


def evaluate(
    sources: list[Path] = typer.Argument(
        help="Two or more folders of source images, or quoted patterns ('ir/*.png'); IMAGES:rgb and IMAGES:alpha are "
        "colour and fourth channel of files with four."
    ),
    fused: list[str] = typer.Option(
        [],
        metavar="[NAME=]DIR",
        help="A folder or a quoted pattern of fused images, named by stem as the sources; may be repeated.",
    ),
    source_range: list[str] = RANGE,
    convention: str = typer.Option("tdfusion", help=f"Definitions to follow: {', '.join(CONVENTIONS)}."),
    output: Format = typer.Option(Format["table"], "--format", help="csv and json go to stdout alone."),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out images that are missing or unreadable."),
    processes: int = typer.Option(1, min=1, help="Images measured at a time."),
) -> None:
    """Measure fused images with the metrics of the field, by a stated convention."""
    if len(sources) < 2:
        raise ConfigError(f"{len(sources)} source folder given: the metrics compare with at least two")
    if not fused:
        raise ConfigError("--fused is missing: give a folder of fused images, as DIR or NAME=DIR")
    if convention not in CONVENTIONS:
        raise ConfigError(
            f"--convention {convention!r}{nearest(convention, CONVENTIONS)}: choose one of {', '.join(CONVENTIONS)}"
        )
    folders = named(fused, "--fused")
    for text, folder in zip(fused, folders.values(), strict=True):
        if not folder.is_dir() and not is_pattern(folder):
            raise DataError(f"--fused {text}: no such folder")
    given = Sources.of(sources)
    readings = given.readings(given.ranges(source_range) or [FULL] * len(sources))
    jobs, bad = _pair(given.paths, folders, readings, convention)
    warn_narrow([Pair(job.image, job.files[1:]) for job in jobs], readings)
    scores: list[Score] = []
    with progress_bar("measuring", len(jobs)) as advance:
        for job, result in _run(jobs, processes):
            if isinstance(result, str):
                bad.append(result)
            else:
                scores.append(Score(job.image, job.method, result))
            advance(job.image)
    for message in bad:
        print(f"{'skipped' if skip_bad else 'bad'}: {message}", file=sys.stderr)
    if bad and not skip_bad:
        raise DataError(f"{len(bad)} image{'s' * (len(bad) != 1)} cannot be measured; --skip-bad leaves them out")
    if not scores:
        raise DataError("no image could be measured")
    typer.echo(FORMATS[output.value](with_means(scores), convention), nl=False)


def _pair(
    sources: list[Path], fused: dict[str, Path], readings: tuple[Reading, ...], convention: str
) -> tuple[list[Job], list[str]]:
    """Pairs every fused image with its sources by stem; lists what has no partner."""
    for source in sources:
        if not source.is_dir() and not is_pattern(source):
            raise DataError(f"source {source}: no such folder")
    listed = files_by_scene(sources)
    jobs, bad = [], []
    for method, folder in fused.items():
        files = images_by_stem(folder)
        for stem, file in sorted(files.items()):
            partners = [images.get(stem) for images in listed]
            lacking = [str(source) for source, partner in zip(sources, partners, strict=True) if partner is None]
            if lacking:
                bad.append(f"{file}: no image of that name in {', '.join(lacking)}")
            else:
                files_of_job = (file, *(path for path in partners if path))
                jobs.append(Job(method, stem, files_of_job, (Reading(), *readings), convention))
        unfused = sorted(set(listed[0]) - set(files))
        bad += [f"{listed[0][stem]}: not among the fused images in {folder}" for stem in unfused]
    return jobs, bad


def _run(jobs: list[Job], processes: int) -> Iterator[tuple[Job, dict[str, float] | str]]:
    if processes == 1:
        yield from ((job, measure_job(job)) for job in jobs)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from zip(jobs, pool.map(measure_job, jobs), strict=True)


def measure_job(job: Job) -> dict[str, float] | str:
    """Reads and measures one fused image; says what is wrong where it cannot."""
    try:
        fused, *sources = map(_grey, job.files, job.readings)
        for path, image in zip(job.files[1:], sources, strict=True):
            if image.shape != fused.shape:
                return (
                    f"{job.files[0]} is {fused.shape[-1]}x{fused.shape[-2]} pixels and {path} "
                    f"{image.shape[-1]}x{image.shape[-2]}"
                )
        return {name: float(value) for name, value in measure(fused, sources, convention=job.convention).items()}
    except MetaLossError as error:
        return str(error)


def _grey(path: Path, reading: Reading) -> Tensor:
    image = reading.image(path)
    grey = image if len(image) == 1 else luma(image)
    return (grey * 255).round().unsqueeze(0)
