"""Beside the mean weights of each validation, how far they lie apart."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook

from metaloss.engine.registry import HOOKS
from metaloss.engine.val_loops import over_all_processes
from metaloss.evaluation.spread import add_moments, deviations
from metaloss.training.epoch import Means


@HOOKS.register_module()
class SpreadHook(Hook):
    """Keeps the weights' standard deviation over pixels, of each validation.

    It goes to the scalars alone, and into no line of the log: ``epoch/val/spread/SOURCE`` over all pixels, and
    ``epoch/val/spread/SOURCE/on/CLASS`` and ``.../off/CLASS`` beside the means ``weight/SOURCE/on/CLASS``.
    """

    def __init__(self) -> None:
        self.means = Means()

    def before_val_epoch(self, runner: Any) -> None:
        """Begins anew."""
        self.means = Means()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Takes in a batch."""
        weights = torch.stack([output["weights"] for output in outputs])
        add_moments(self.means, weights, data_batch.target, *runner.val_loop.names(weights.shape[1]))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Hands the deviations to the visualizer."""
        found = {f"epoch/val/{name}": value for name, value in deviations(over_all_processes(self.means)).items()}
        runner.visualizer.add_scalars(found, step=runner.epoch)
