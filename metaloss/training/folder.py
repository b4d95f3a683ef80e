"""The folder of a run: which checkpoints are in it, and which of them stay."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaloss.errors import CheckpointError, ConfigError
from metaloss.runtime import files
from metaloss.training.parts import PARTS
from metaloss.training.structure import check_structure

_NAME = re.compile(r"epoch_(\d+)(?:_step_(\d+))?\.pth")
_BEST = re.compile(r"best_.+_epoch_\d+\.pth")


def file_name(progress: Mapping[str, Any]) -> str:
    """Names the checkpoint of a run that stands here.

    Args:
        progress: ``epoch``, the epochs done, and ``step``, the steps done of the next one.

    Returns:
        ``epoch_3.pth`` after three epochs; ``epoch_4_step_5.pth`` after five steps of the fourth.
    """
    epoch, step = progress["epoch"], progress["step"]
    return f"epoch_{epoch + 1}_step_{step}.pth" if step else f"epoch_{epoch}.pth"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first."""
    found = {path: place for path in folder.glob("epoch_*.pth") if (place := _place(path)) is not None}
    return sorted(found, key=lambda path: found[path], reverse=True)


def _place(path: Path) -> tuple[int, int] | None:
    """The epochs done and the steps of the next, by a file's name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    return (int(match[1]), 0) if match[2] is None else (int(match[1]) - 1, int(match[2]))


def newest(folder: Path) -> Path | None:
    """The checkpoint that was written last."""
    return next(iter(checkpoints(folder)), None)


def newest_whole(folder: Path, whose: str = "a training") -> tuple[Path, dict[str, Any]] | None:
    """Reads the newest checkpoint in a folder that is whole; warns of newer ones that are damaged, also in their form.

    Args:
        folder: of the run.
        whose: checkpoints are looked for, for messages.

    Raises:
        CheckpointError: there are some, and all are damaged, or the newest is something else.
    """
    damaged: list[str] = []
    for path in checkpoints(folder):
        try:
            content = files.load(path)
            ours = any(part in content for part in PARTS)
            if ours:
                check_structure(content)
        except CheckpointError as error:
            damaged.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        if not ours:
            raise CheckpointError(f"{path}: not a checkpoint of {whose}: it has none of {', '.join(PARTS)}")
        if damaged:
            warnings.warn(f"{'; '.join(damaged)}; going on from {path}", stacklevel=2)
        return path, content
    if damaged:
        raise CheckpointError(
            f"{'; '.join(damaged)}; no other is there: remove {'it' if len(damaged) == 1 else 'them'} to start again"
        )
    return None


def check_unused(folder: Path, resume: str, overwrite: str) -> None:
    """Refuses a folder in which another run has left checkpoints: they would be mixed.

    Args:
        folder: where a new run would write.
        resume: how its user goes on with the run that is there.
        overwrite: how its user lets the new run take its place.

    Raises:
        ConfigError: naming the newest checkpoint and the ways out.
    """
    found = newest(folder)
    if found is not None:
        raise ConfigError(
            f"{folder}: a run is there already, up to {found.name}: go on with it ({resume}), give another folder, or "
            f"let the new run take its place ({overwrite}), which removes its checkpoints"
        )


def clear(folder: Path) -> None:
    """Removes a run's checkpoints, the newest last, and what is half written."""
    files.remove_partials(folder)
    for path in [
        *(path for path in folder.glob("best_*.pth") if _BEST.fullmatch(path.name)),
        *checkpoints(folder)[::-1],
    ]:
        path.unlink()


def prune(folder: Path, keep: int | None) -> None:
    """Removes the checkpoints that a newer one makes needless.

    Args:
        folder: of the run.
        keep: how many ends of epochs stay; ``None``: all. Of those within an epoch only the newest file of all stays.
    """
    found = checkpoints(folder)
    ends = [path for path in found if "_step_" not in path.name]
    needless = [] if keep is None else ends[keep:]
    for path in [*needless, *(path for path in found[1:] if "_step_" in path.name)]:
        path.unlink(missing_ok=True)


def keep_best(folder: Path, metric: str, epoch: int) -> None:
    """Removes the files of epochs that were the best before."""
    for path in folder.glob(best_name(metric, "*")):
        if path.name != best_name(metric, epoch):
            path.unlink()


def best_name(metric: str, epoch: int | str) -> str:
    """Names the file of the epoch with the best value of a metric, as MMEngine does."""
    return f"best_{metric.replace('/', '_')}_epoch_{epoch}.pth"
