"""What lies in a run's folder, as far as a page shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metaloss.errors import CheckpointError, ConfigError
from metaloss.report.page.scalars import Scalars, add_log, read_scalars
from metaloss.report.page.settings import Settings, flat, of_config, read_config
from metaloss.report.signal_file import SavedSignal, read_signal
from metaloss.runtime import files
from metaloss.training import folder as checkpoints

_START = re.compile(r"\d{8}_\d{6}")
_PICTURE = re.compile(r"val_(.+)_(\d+)\.png", re.DOTALL)
_FEW = 3  # validations
_EXPECTED = "the work dir of `metaloss train` or of `learner.fit(work_dir=...)`"

Pictures = dict[str, dict[int, Path]]
"""By scene and by epoch: sources, fused image and weight maps side by side."""


@dataclass
class Run:
    """A training, as its folder tells.

    Attributes:
        name: that the page gives it.
        folder: where it is.
        scalars: its numbers.
        first: the settings that a reader asks for first.
        others: all others.
        epochs: how many it is to have; ``None`` where nothing says.
        sources: their names.
        pictures: of the first scenes of each validation.
        signal: what the doctor found, where that was kept.
        notes: what is missing or could not be read.
    """

    name: str
    folder: Path
    scalars: Scalars
    first: Settings = field(default_factory=dict)
    others: Settings = field(default_factory=dict)
    epochs: int | None = None
    sources: Sequence[str] = ()
    pictures: Pictures = field(default_factory=dict)
    signal: SavedSignal | None = None
    notes: list[str] = field(default_factory=list)


def read_run(folder: Path, name: str) -> Run:
    """Reads what a training has left.

    Args:
        folder: its work dir.
        name: for the page.

    Raises:
        ConfigError: no such folder, or none of a run.
    """
    starts = _starts(folder)
    newest = next(iter(checkpoints.checkpoints(folder)), None)
    if not starts and newest is None:
        raise ConfigError(f"{folder}: {_no_run(folder)}")
    logs = [file for start in starts if (file := start / "vis_data" / "scalars.json").is_file()]
    run = Run(name, folder, read_scalars(logs))
    run.notes += run.scalars.notes
    _add_settings(run, starts)
    _add_checkpoint(run, newest)
    run.sources = _sources(run.scalars)
    run.pictures = _pictures(starts, run.scalars.begins)
    run.signal = _signal(run)
    _add_notes(run, any((start / "vis_data" / "config.py").exists() for start in starts))
    return run


def _starts(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: {'a file' if folder.exists() else 'no such folder'}; give {_EXPECTED}")
    found = (path for path in folder.iterdir() if _START.fullmatch(path.name))
    return sorted(path for path in found if (path / "vis_data").is_dir())


def _no_run(folder: Path) -> str:
    if (folder / "vis_data").is_dir() or folder.name == "vis_data":
        run = folder.parent.parent if folder.name == "vis_data" else folder.parent
        return f"a part of a run; give the whole: {run}"
    inside = {path.parent.parent for path in folder.glob("*/*/vis_data")}
    inside |= {path.parent.parent for path in folder.glob("*/*/*/vis_data")}
    inside |= {path.parent for path in folder.glob("*/epoch_*.pth")}
    if inside:
        return f"no run, but in it are some; give these: {', '.join(map(str, sorted(inside)[:5]))}"
    what = "an empty folder" if not any(folder.iterdir()) else "not the folder of a run"
    return f"{what} (no DATE_TIME/vis_data and no epoch_N.pth in it); give {_EXPECTED}"


def _add_settings(run: Run, starts: Sequence[Path]) -> None:
    files_of_config = [path for start in starts if (path := start / "vis_data" / "config.py").is_file()]
    if not files_of_config:
        return
    try:
        config = read_config(files_of_config[-1].read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError):
        run.notes.append(f"{files_of_config[-1].relative_to(run.folder)}: damaged; settings are not shown")
        return
    run.first, run.others = of_config(config)
    loop = config.get("train_cfg")
    epochs = loop.get("max_epochs") if isinstance(loop, Mapping) else None
    run.epochs = epochs if isinstance(epochs, int) else None


def _add_checkpoint(run: Run, newest: Path | None) -> None:
    """Takes from the newest checkpoint what the logs do not have: all, of a run of ``fit``."""
    scalars = run.scalars
    if newest is None or (run.first and _epoch_of(newest) <= scalars.last):
        return
    try:
        content = files.load(newest)
    except CheckpointError as error:
        run.notes.append(f"its log and settings could not be read: {error}")
        return
    progress, own = content.get("progress"), content.get("metaloss")
    log = progress.get("log") if isinstance(progress, Mapping) else None
    add_log(scalars, [values for values in log if isinstance(values, Mapping)] if isinstance(log, list) else [])
    if not run.first and isinstance(own, Mapping):
        run.first = flat(own.get("settings") or {})
        about = {part: own[part] for part in ("fusion", "generator", "data", "versions") if part in own}
        run.others = {name: text for name, text in flat(about).items() if len(text) < 2000}


def _epoch_of(checkpoint: Path) -> int:
    """The epochs that are done, by a file's name."""
    epoch, _, step = checkpoint.stem.removeprefix("epoch_").partition("_step_")
    return int(epoch) - bool(step)


def _sources(scalars: Scalars) -> list[str]:
    """The names of the sources, from the names of the weights; numbers where there are none."""
    spreads = [
        name.removeprefix("epoch/val/spread/") for name in scalars.epochs if name.startswith("epoch/val/spread/")
    ]
    named = [name for name in spreads if "/" not in name]
    named = named or list(dict.fromkeys(name.split("/")[1] for name in scalars.epochs if name.startswith("weight/")))
    names = [*scalars.epochs, *scalars.steps]
    count = len({match[1] for name in names if (match := re.search(r"(?:^|/)weight_(\d+)$", name))})
    return named if count in (0, len(named)) else [f"source {number}" for number in range(count)]


def _pictures(starts: Sequence[Path], begins: Mapping[Path, int]) -> Pictures:
    """The pictures of every validation; a later start takes the place of what it did again."""
    found: Pictures = {}
    for number, start in enumerate(starts):
        later = [begins.get(each / "vis_data" / "scalars.json") for each in starts[number + 1 :]]
        end = min((begin for begin in later if begin is not None), default=None)
        for path in sorted((start / "vis_data" / "vis_image").glob("val_*.png")):
            match = _PICTURE.fullmatch(path.name)
            if match and (end is None or int(match[2]) < end):
                found.setdefault(match[1], {})[int(match[2])] = path
    return {scene: dict(sorted(epochs.items())) for scene, epochs in sorted(found.items())}


def _signal(run: Run) -> SavedSignal | None:
    """What ``metaloss doctor --signal`` has left in the run's folder, or where it leaves it by itself."""
    folder = run.folder.resolve()
    by_itself = folder.parent.parent / "signal" / folder.parent.name / f"{folder.name}.json"
    for place in (folder / "signal.json", by_itself):
        if place.is_file():
            try:
                return read_signal(place)
            except ConfigError as error:
                run.notes.append(str(error))
    return None


def _add_notes(run: Run, by_trainer: bool) -> None:
    done = run.scalars.last
    if not run.scalars.epochs:
        run.notes.append(
            "no numbers of a whole epoch or of a validation: the run has just begun, or ended before it wrote one"
        )
    elif run.epochs is not None and done < run.epochs:
        run.notes.append(f"{done} of {run.epochs} epochs are done: the run goes on, was stopped, or has died")
    validations = run.scalars.epochs.get("task_loss", {})
    if by_trainer and done > len(validations) > 0 and len(validations) < _FEW:
        run.notes.append(
            f"{len(validations)} validations: `--cfg-options train_cfg.val_interval=1` makes one each epoch, with its "
            "weights and pictures"
        )
    if run.scalars.epochs and not run.pictures:
        why = (
            "PicturesHook is not among its custom_hooks, or it was never validated"
            if by_trainer
            else "`learner.fit` keeps them with `callbacks=[metaloss.evaluation.Watch(scenes, work_dir)]`"
        )
        run.notes.append(f"no pictures: {why}")
