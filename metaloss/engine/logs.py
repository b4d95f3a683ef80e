"""Log lines that show the phase, and of the losses only that phase's; where phases alternate those of both."""

from __future__ import annotations

from typing import Any

from mmengine.runner import LogProcessor

from metaloss.engine.registry import LOG_PROCESSORS

_PHASES = ("meta", "fusion")


@LOG_PROCESSORS.register_module()
class MetaLossLogProcessor(LogProcessor):
    """MMEngine's log processor, one phase at a time.

    Interleaved steps alternate, and every tenth, say, may be of one phase: lines then have the losses of both.
    """

    def get_log_after_iter(self, runner: Any, batch_idx: int, mode: str) -> tuple[dict[str, Any], str]:
        """Formats one line: ``Epoch(train) [2][ 10/45]  phase: meta  eta: ...  outer_loss: ...``."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode == "train" and not _alternate(runner):
            phase = runner.train_loop.phase
            line = line.replace("]  ", f"]  phase: {phase}  ", 1).replace(f"  {phase}/", "  ")
        return tag, line

    def _collect_scalars(self, custom_cfg: Any, runner: Any, mode: str, reserve_prefix: bool = False) -> dict[str, Any]:
        scalars = super()._collect_scalars(custom_cfg, runner, mode, reserve_prefix)
        if mode != "train":  # a validation's numbers are means already: no window over earlier validations
            history = {key.removeprefix(f"{mode}/"): buffer for key, buffer in runner.message_hub.log_scalars.items()}
            newest = {
                key: history[key.removeprefix(f"{mode}/")].current()
                for key in scalars
                if key.removeprefix(f"{mode}/") in history and "time" not in key
            }
            return {**scalars, **newest}
        if _alternate(runner):
            return scalars
        others = tuple(f"{phase}/" for phase in _PHASES if phase != runner.train_loop.phase)
        return {key: value for key, value in scalars.items() if not key.removeprefix("train/").startswith(others)}


def _alternate(runner: Any) -> bool:
    """Whether steps of both phases follow each other in this epoch."""
    schedule = runner.train_loop.schedule
    return schedule.order == "interleaved" and len(schedule.phases(runner.epoch)) > 1
