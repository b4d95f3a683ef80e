"""A runner whose checkpoints hold everything, are never half written, and never need code to be read.

It runs in several processes as MMEngine's does, on the CPU as well.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.hooks import Hook, SyncBuffersHook
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from metaloss.engine.launch import launch
from metaloss.engine.registry import HOOKS, RUNNERS
from metaloss.engine.short_log import ShortLog
from metaloss.networks.spec import describe
from metaloss.runtime.files import load, partial_name, random_state, restore_random_state
from metaloss.training.finite import check_weights


@RUNNERS.register_module()
class MetaLossRunner(ShortLog):
    """MMEngine's runner, with whole checkpoints."""

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Lets the processes meet by a backend that the machine has."""
        launch(self.launcher, env_cfg)
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wraps the model, which gives every process the weights of process 0."""
        if is_distributed():
            model_wrapper_cfg = {"type": "MMDistributedDataParallel", **(model_wrapper_cfg or {})}
            if get_device() == "cpu":  # MMEngine names a GPU to its wrapper unless the config names the devices
                model_wrapper_cfg.setdefault("device_ids", None)
        return super().wrap_model(model_wrapper_cfg, model)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Writes beside and renames."""
        partial = partial_name(filename)
        try:
            super().save_checkpoint(out_dir, partial, *args, **kwargs)
            if self.rank == 0:
                os.replace(Path(out_dir, partial), Path(out_dir, filename))
        finally:
            Path(out_dir, partial).unlink(missing_ok=True)

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = False, revise_keys: Any = ((r"^module\.", ""),)
    ) -> dict[str, Any]:
        """Loads a local file, of plain tensors alone: MMEngine would run the code that a file holds.

        Raises:
            CheckpointError: no such file, damaged, or with code in it.
        """
        content = load(filename)
        self.call_hook("after_load_checkpoint", checkpoint=content)
        state = content.get("state_dict", content)
        for pattern, replacement in revise_keys:
            state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
        load_state_dict(getattr(self.model, "module", self.model), state, strict, self.logger)
        self._has_loaded = True
        self.logger.info(f"weights loaded from {filename}")
        return content

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """Registers the configured hooks, and those for the learner's state and for several processes' buffers."""
        super().register_hooks(default_hooks, custom_hooks)
        if is_distributed():
            self.register_hook(SyncBuffersHook())
        self.register_hook(StateHook(), priority="LOWEST")


@HOOKS.register_module()
class StateHook(Hook):
    """Puts into checkpoints what MMEngine leaves out: random state, progress, and how to rebuild F."""

    def __init__(self) -> None:
        self.resumed: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Adds our part, and makes the rest plain values."""
        model = getattr(runner.model, "module", runner.model)
        check_weights({"fusion": model.fusion, "loss": model.loss, "task": model.task})
        checkpoint["metaloss"] = {
            **specs(runner.cfg, model.learner),
            "random": random_state(),
            "learner": model.learner.progress_state(),
        }
        hub = checkpoint["message_hub"]
        checkpoint["message_hub"] = {**hub, "log_scalars": {}, "runtime_info": _plain(hub["runtime_info"])}
        checkpoint["meta"] = _plain(checkpoint["meta"])

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Takes up the learner's progress; the random state waits until training starts."""
        self.resumed = checkpoint.get("metaloss")

    def before_train(self, runner: Any) -> None:
        """Sets the random state, after every other hook, when this is a resumed run."""
        if self.resumed is not None and runner.iter > 0:
            model = getattr(runner.model, "module", runner.model)
            model.learner.load_progress_state(self.resumed["learner"])
            random = self.resumed["random"]
            restore_random_state(random)
            if is_distributed() and random["cuda"]:  # process 0's device is the first
                torch.cuda.set_rng_state(random["cuda"][0])


def specs(config: Any, learner: Any) -> dict[str, Any]:
    """Says how to rebuild the fusion network and the loss generator: by record and arguments, or by their config."""
    found = describe(learner)
    model = (config or {}).get("model") or {}
    places = {"fusion": model.get("fusion"), "generator": (model.get("loss") or {}).get("generator")}
    imports = list((config or {}).get("custom_imports", {}).get("imports", []))
    for name, part in places.items():
        if "class" in (found[name] or {}) and isinstance(part, dict):
            found[name] = {"config": _plain(dict(part)), "imports": imports}
        elif "class" in (found[name] or {}) and name == "generator" and isinstance(part, str):
            found[name] = {"name": part, "arguments": {}}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
