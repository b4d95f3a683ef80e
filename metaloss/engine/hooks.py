"""What a run shows to people: pictures, a progress bar, and a table at the end."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from metaloss.engine.pictures import Scene, strip, write_pictures
from metaloss.engine.registry import HOOKS
from metaloss.runtime.progress import Advance, progress


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
            runner.visualizer.add_image(f"val_{scene.name}", strip(scene), step=runner.epoch)

    def after_train(self, runner: Any) -> None:
        """Writes the scenes as PNG files, and says where."""
        if self.scenes and is_main_process():
            folder = Path(runner.work_dir, "pictures")
            write_pictures(folder, self.scenes, source_names(runner))
            runner.logger.info(f"fused images and weight maps: {folder}/ (all at a glance: {folder}/overview.png)")


@HOOKS.register_module()
class SummaryHook(Hook):
    """Validates before the first epoch, and ends the run with a table of before and after."""

    priority = "LOWEST"  # the checkpoint hook must be ready for a validation before the first epoch
    _KEY = "metaloss_before"

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def before_train(self, runner: Any) -> None:
        """Validates the untrained networks, unless the run is resumed."""
        if runner.val_loop is not None and runner.epoch == 0:
            runner.val_loop.run()
            runner.message_hub.update_info(self._KEY, dict(self.last))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Keeps the newest metrics."""
        self.last = {name: float(value) for name, value in (metrics or {}).items()}

    def after_train(self, runner: Any) -> None:
        """Prints the table."""
        before = runner.message_hub.get_info(self._KEY) if self._KEY in runner.message_hub.runtime_info else {}
        if self.last and is_main_process():
            from rich.console import Console

            Console(width=max(Console().width, 60)).print(summary(before, self.last, source_names(runner)))


def summary(before: dict[str, float], after: dict[str, float], names: list[str]) -> Any:
    """Makes the table of metrics before and after training.

    Args:
        before: metrics of the untrained networks.
        after: metrics of the trained ones.
        names: of the sources.

    Returns:
        A Rich table.
    """
    from rich.table import Table

    table = Table(title="validation", title_justify="left")
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    labels = {f"weight_{number}": f"mean weight of {name}" for number, name in enumerate(names)}
    labels |= {"task_loss": "task loss", "entropy": "entropy of the weights"}
    for name, value in after.items():
        earlier = f"{before[name]:.4g}" if name in before else "-"
        table.add_row(labels.get(name, name), earlier, f"{value:.4g}")
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
        self.advance = self.stack.enter_context(progress("training", left))
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
        self.stack.close()


def source_names(runner: Any) -> list[str]:
    """The sources' names, from the data set where it has them."""
    dataset = runner.train_loop.steps.dataset
    return list(getattr(dataset, "sources", ("source 0", "source 1")))
