"""What a run shows to people: pictures, a progress bar, and a table at the end."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from metaloss.data import source_names
from metaloss.data.known.said import found
from metaloss.engine.registry import HOOKS
from metaloss.evaluation.class_means import ClassMeans
from metaloss.evaluation.pictures import Scene, file_name, strip, write_pictures
from metaloss.runtime.progress_bar import Advance, progress_bar

_OUTER_LOSS = "outer loss, mean of the first and last meta phase"


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draws the first validation scenes: through the visualizer at each validation, as PNG files at the end.

    Args:
        count: how many scenes.
    """

    def __init__(self, count: int = 4) -> None:
        self.count = count
        self.scenes: list[Scene] = []

    def before_val_epoch(self, runner: Any) -> None:
        """Begins anew."""
        self.scenes = []

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keeps the first scenes that process 0 sees."""
        if not is_main_process():
            return
        for number, output in enumerate(outputs):
            if len(self.scenes) < self.count:
                chroma = None if data_batch.chroma is None else data_batch.chroma[number].cpu()
                name = data_batch.names[number] or str(len(self.scenes))
                sources = tuple(source.cpu() for source in output["sources"])
                self.scenes.append(Scene(name, sources, output["fused"].cpu(), output["weights"].cpu(), chroma))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Hands the scenes to the visualizer (files, TensorBoard, W&B: as configured)."""
        for scene in self.scenes:
            runner.visualizer.add_image(f"val_{file_name(scene.name)}", strip(scene), step=runner.epoch)

    def after_train(self, runner: Any) -> None:
        """Writes the scenes as PNG files, and says where."""
        if self.scenes and is_main_process():
            folder = Path(runner.work_dir, "pictures")
            write_pictures(folder, self.scenes, _names(runner, len(self.scenes[0].sources)))
            runner.logger.info(f"fused images and weight maps: {folder}/ (all at a glance: {folder}/overview.png)")


@HOOKS.register_module()
class SummaryHook(Hook):
    """Validates before the first epoch, logs each phase's means, and ends the run with a table of before and after.

    The outer loss, which the meta steps lower, is there with the means of the first and of the last meta phase.
    """

    priority = "LOWEST"  # the checkpoint hook must be ready for a validation before the first epoch
    _BEFORE, _OUTER = "metaloss_before", "metaloss_outer_loss"

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def before_train(self, runner: Any) -> None:
        """Says what is trained on, and validates the untrained networks, unless the run is resumed."""
        scenes = f"{len(runner.train_loop.steps.dataset)} training scenes"
        if runner.val_loop is not None:
            scenes += f", {len(runner.val_loop.dataloader.dataset)} validation scenes"
        runner.logger.info(f"{scenes}, {runner.max_epochs} epochs, {runner.max_iters} steps")
        scored = [] if runner.val_loop is None else [runner.val_loop.dataloader.dataset]
        for line in dict.fromkeys(line for each in (runner.train_loop.steps.dataset, *scored) for line in found(each)):
            runner.logger.info(line)
        if runner.val_loop is not None and runner.iter == 0:
            runner.val_loop.run()
            runner.message_hub.update_info(self._BEFORE, dict(self.last))

    def after_train_phase(self, runner: Any, phase: str, means: dict[str, float]) -> None:
        """Logs the means of a phase's steps: as a line, and as the scalars ``epoch/PHASE/NAME``."""
        epoch = runner.epoch + 1
        words = "  ".join(f"{name}: {value:.4f}" for name, value in means.items())
        runner.logger.info(f"Epoch(train) [{epoch}] means of the {phase} phase  {words}")
        runner.visualizer.add_scalars({f"epoch/{phase}/{name}": value for name, value in means.items()}, step=epoch)
        if "outer_loss" in means:
            first, _ = _told(runner, self._OUTER) or [means["outer_loss"]] * 2
            runner.message_hub.update_info(self._OUTER, [first, means["outer_loss"]])

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Keeps the newest metrics."""
        self.last = {name: float(value) for name, value in (metrics or {}).items()}

    def after_train(self, runner: Any) -> None:
        """Prints the table."""
        before, after = _told(runner, self._BEFORE) or {}, dict(self.last)
        outer = _told(runner, self._OUTER)
        if outer:
            before, after = ({**values, _OUTER_LOSS: mean} for values, mean in zip((before, after), outer, strict=True))
        if after and is_main_process():
            from rich.console import Console

            count = sum(re.fullmatch(r"weight_\d+", name) is not None for name in after)
            console = Console(width=max(Console().width, 60))
            over = {} if runner.val_loop is None else getattr(runner.val_loop, "class_means", ClassMeans()).over
            console.print(summary(before, after, _names(runner, count), over))
            if (regions := region_table(after)) is not None:
                console.print(regions)


def _told(runner: Any, key: str) -> Any:
    """What an earlier part of the run, before a resume say, has left under a key; ``None`` where nothing."""
    return runner.message_hub.get_info(key) if key in runner.message_hub.runtime_info else None


def summary(
    before: Mapping[str, float],
    after: Mapping[str, float],
    names: Sequence[str],
    over: Mapping[str, str] | None = None,
) -> Any:
    """Makes the table of metrics before and after training.

    Args:
        before: metrics of the untrained networks; the outer loss of the first meta phase.
        after: metrics of the trained ones; the outer loss of the last meta phase.
        names: of the sources.
        over: by metric, how many classes it is a mean over, in words.

    Returns:
        A Rich table.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="validation" if after.keys() != {_OUTER_LOSS} else "training", title_justify="left")
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    labels = {f"weight_{number}": f"mean weight of {name}" for number, name in enumerate(names)}
    labels |= {"task_loss": "task loss", "entropy": "entropy of the weights"}
    labels |= {name: f"{name} ({words})" for name, words in (over or {}).items()}
    for name, value in after.items():
        if name.startswith("weight/"):  # they have a table of their own
            continue
        earlier = f"{before[name]:.4g}" if name in before else "-"
        table.add_row(escape(labels.get(name, name)), earlier, f"{value:.4g}")
    return table


def region_table(metrics: Mapping[str, float]) -> Any:
    """Makes the table of the weights on and off the regions of each class; ``None`` where there are none.

    Args:
        metrics: with ``weight/SOURCE/on/CLASS`` and ``weight/SOURCE/off/CLASS`` among them.
    """
    from rich.markup import escape
    from rich.table import Table

    means = {tuple(name.split("/")[1:]): value for name, value in metrics.items() if name.startswith("weight/")}
    if not means:
        return None
    sources = dict.fromkeys(source for source, _, _ in means)
    table = Table(title="weights by region", title_justify="left")
    table.add_column("")
    for source in sources:
        for where in ("on", "off"):
            table.add_column(escape(f"{source} {where}"), justify="right")
    for name in dict.fromkeys(name for _, _, name in means):
        values = [means.get((source, where, name)) for source in sources for where in ("on", "off")]
        table.add_row(escape(name), *("-" if value is None else f"{value:.3f}" for value in values))
    return table


@HOOKS.register_module()
class ProgressHook(Hook):
    """A progress bar over the whole training with phase, losses and ETA; log lines appear above it."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.advance: Advance | None = None

    def before_train(self, runner: Any) -> None:
        """Shows the bar, when a terminal is there to show it on."""
        if not is_main_process() or not sys.stderr.isatty():
            return
        left = runner.max_iters - runner.iter
        self.advance = self.stack.enter_context(progress_bar("training", left))
        for handler in runner.logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                stream = handler.setStream(sys.stdout)
                self.stack.callback(handler.setStream, stream or sys.stdout)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Moves on."""
        if self.advance is not None:
            names = ("meta/outer_loss",) if runner.train_loop.phase == "meta" else ("fusion/loss", "fusion/task_loss")
            key = next(name for name in names if name in outputs)
            value = runner.message_hub.get_scalar(f"train/{key}").current()
            label = key.replace("/", " phase, ").replace("_", " ")
            self.advance(f"epoch {runner.epoch + 1}/{runner.max_epochs}, {label} {value:.3f}")

    def after_train(self, runner: Any) -> None:
        """Takes the bar away."""
        self.close()

    def close(self) -> None:
        """Takes the bar away, however the training ends."""
        self.stack.close()


def _names(runner: Any, count: int) -> tuple[str, ...]:
    return source_names(runner.train_loop.steps.dataset, count)
