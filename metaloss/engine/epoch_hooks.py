"""What MMEngine does at the end of an epoch, done as the library's ``fit`` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, ParamSchedulerHook

from metaloss.engine.registry import HOOKS
from metaloss.training import folder


@HOOKS.register_module()
class MetaLossSchedulerHook(ParamSchedulerHook):
    """Steps the schedulers; those of the loss only after epochs in which it learns."""

    def after_train_epoch(self, runner: Any) -> None:
        """Steps them, but for the loss's in warm-up epochs."""
        schedulers, schedule = runner.param_schedulers, getattr(runner.train_loop, "schedule", None)
        waits = schedule is not None and "meta" not in schedule.phases(runner.epoch)
        if waits and isinstance(schedulers, dict):
            runner.param_schedulers = {name: each for name, each in schedulers.items() if name != "loss"}
        try:
            super().after_train_epoch(runner)
        finally:
            runner.param_schedulers = schedulers


@HOOKS.register_module()
class MetaLossCheckpointHook(CheckpointHook):
    """Saves, and only then removes what that makes needless: MMEngine's own removes first."""

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        keep = int(self.max_keep_ckpts)  # type: ignore[has-type]
        self.max_keep_ckpts = -1
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = keep
        if is_main_process():
            folder.prune(Path(self.out_dir), keep if keep > 0 else None)
