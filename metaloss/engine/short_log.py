"""A log that begins with what its reader wants to know, where MMEngine begins with hundreds of lines."""

from __future__ import annotations

import logging
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.runner import Runner

from metaloss.runtime.versions import version_of

# the packages whose versions tell, by the module that is imported from them
_PACKAGES = {
    "mmengine": ("onedl-mmengine", "mmengine"),
    "mmcv": ("onedl-mmcv", "mmcv", "mmcv-lite"),
    "mmseg": ("onedl-mmsegmentation", "mmsegmentation"),
    "mmdet": ("onedl-mmdetection", "mmdet"),
    "ultralytics": ("ultralytics",),
    "timm": ("timm",),
    "torchvision": ("torchvision",),
}
# what MMEngine says of itself, in every run, and nobody can act on
_NOISE = (
    "Hooks will be executed in the following order",
    "Exp name: ",
    "resumed key: ",
    "`save_param_scheduler` is True but",
    "`resume_param_scheduler` is True but",
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    "Distributed training is not used, all SyncBatchNorm",
    "The prefix is not set in metric class",
)


class ShortLog(Runner):
    """A runner whose log begins with versions, device, seed and where the whole config is.

    ``log_level="DEBUG"`` brings MMEngine's own beginning back.
    """

    _whole_log = False

    def build_logger(self, log_level: int | str = "INFO", *args: Any, **kwargs: Any) -> logging.Logger:
        """Builds MMEngine's logger, without what it says of itself."""
        logger: logging.Logger = super().build_logger(log_level, *args, **kwargs)
        self._whole_log = log_level in ("DEBUG", logging.DEBUG)
        if not self._whole_log:
            logger.addFilter(without_noise)
        return logger

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        if self._whole_log:
            super()._log_env(env_cfg)
            return
        for line in beginning(self):
            self.logger.info(line)


def without_noise(record: logging.LogRecord) -> bool:
    """Whether a line of the log is worth reading."""
    return not str(record.msg).startswith(_NOISE)


def beginning(runner: Any) -> list[str]:
    """What a log begins with: versions, device and seed, and where config and log are."""
    device = get_device()
    if device == "cuda":
        device = f"{device} ({torch.cuda.get_device_name()})"
    processes = f", {runner.world_size} processes" if runner.world_size > 1 else ""
    lines = [", ".join(versions()), f"device: {device}{processes}; seed: {runner.seed}"]
    if runner.cfg.filename:
        lines.append(f"config: {runner.cfg.filename}; whole, as it is used: {_dumped(runner)}")
    return [*lines, f"log and scalars: {runner.log_dir}"]


def versions() -> list[str]:
    """Names the versions of metaloss, torch, Python and of those frameworks that are in use."""
    import metaloss

    found = [f"metaloss {metaloss.__version__}", f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    for module, names in _PACKAGES.items():
        version = next(filter(None, map(version_of, names)), None) if module in sys.modules else None
        if version is not None:
            found.append(f"{module} {version}")
    return found


def _dumped(runner: Any) -> Path:
    return Path(runner.work_dir, Path(runner.cfg.filename).name)
