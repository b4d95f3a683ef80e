"""What a run writes into its folder, and what it goes on from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.runtime import files
from metaloss.runtime.folders import check_folder
from metaloss.runtime.processes import gathered, rank
from metaloss.training import folder
from metaloss.training.changes import check_changes
from metaloss.training.checkpoint import content_of
from metaloss.training.trained import Trained


@dataclass
class Store:
    """The checkpoints of one run in one folder; process 0 writes, and the others wait until it has.

    Attributes:
        path: the folder.
        keep: how many ends of epochs stay; ``None``: all.
        save_best: the name in an epoch's log whose best epoch stays.
        run: the run's ``settings`` and ``data``, for the checkpoints.
    """

    path: Path
    keep: int | None = 3
    save_best: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def opened(cls, path: Path, keep: int | None, save_best: str | None) -> Iterator[Store]:
        """Keeps the folder to this run while the block runs.

        Raises:
            ConfigError: another process trains there, or it is no folder.
        """
        if rank() == 0:
            check_folder(path, "work_dir")
        with files.locked(path) if rank() == 0 else nullcontext():
            yield cls(path, keep, save_best)

    def check_unused(self, resume: str, overwrite: str) -> None:
        """Refuses a folder with another run's checkpoints; see :func:`metaloss.training.folder.check_unused`."""
        if rank() == 0:
            folder.check_unused(self.path, resume, overwrite)

    def clear(self) -> None:
        """Removes the checkpoints of the run that was there."""
        if rank() == 0:
            folder.clear(self.path)

    def newest(self) -> dict[str, Any] | None:
        """Reads the newest whole checkpoint; ``None`` where there is none.

        Raises:
            CheckpointError: all that are there are damaged.
        """
        if rank() == 0:
            files.remove_partials(self.path)
        found = folder.newest_whole(self.path)
        return None if found is None else {**found[1], "path": found[0]}

    def take_up(
        self,
        learner: Trained,
        content: Mapping[str, Any] | None,
        run: Mapping[str, Mapping[str, Any]],
        *,
        allow_changes: bool,
        option: str,
        say: Callable[[str], Any],
    ) -> None:
        """Lets a learner go on from a checkpoint, and remembers what the run depends on.

        Args:
            learner: nothing of it changes when the checkpoint is refused.
            content: what :meth:`newest` gave; ``None`` where the run begins.
            run: what the run depends on now.
            allow_changes: go on although that has changed; a run within an epoch begins it anew then.
            option: how its user allows it.
            say: where changes are said.

        Raises:
            CheckpointError: it is another run's, or another network's.
        """
        self.run = run
        if content is None:
            return
        try:
            changed = check_changes(content, run, allow=allow_changes, option=option, say=say if rank() == 0 else None)
            learner.load_state_dict(content)
        except CheckpointError as error:
            raise CheckpointError(f"{content['path']}: {error}") from None
        if changed:
            learner.progress.update(step=0, means={})

    def save(self, learner: Trained) -> Path:
        """Writes the learner's state where it stands, and removes what that makes needless.

        Returns:
            The file.

        Raises:
            MetaGradientError: weights that are not finite; nothing is written then.
        """
        path = self.path / folder.file_name(learner.progress)
        content = content_of(learner, **self.run)
        if rank() == 0:
            files.save(path, content)
            if self.save_best is not None and learner.progress["step"] == 0:
                self._save_best(learner.progress, content)
            folder.prune(self.path, self.keep)
        gathered(None)  # nobody goes on, or ends, before the file is there
        return path

    def _save_best(self, progress: Mapping[str, Any], content: dict[str, Any]) -> None:
        name, log = str(self.save_best), progress["log"]
        sign = -1 if "loss" in name else 1
        *before, value = [sign * entry.get(name, -sign * math.inf) for entry in log]
        if value > max((one for one in before if not math.isnan(one)), default=-math.inf):
            files.save(self.path / folder.best_name(name, progress["epoch"]), content)
            folder.keep_best(self.path, name, progress["epoch"])

    def check_best(self, log: Sequence[Mapping[str, float]]) -> None:
        """Checks, at the end, that the value to choose the best epoch by has been there.

        Raises:
            ConfigError: it was in no epoch's log.
        """
        name, known = self.save_best, list(dict.fromkeys(key for entry in log for key in entry))
        if name is not None and log and name not in known:
            raise ConfigError(f"save_best={name!r}: no epoch's log has such a value{nearest(name, known)}: {known}")
