"""A runner whose checkpoints hold everything, are never half written, and never need code to be read.

It runs in several processes as MMEngine's does, on the CPU as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.hooks import Hook, SyncBuffersHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from metaloss.engine.build import model_of
from metaloss.engine.hooks import ProgressHook
from metaloss.engine.launch import launch
from metaloss.engine.loops import MetaLossTrainLoop
from metaloss.engine.registry import HOOKS, RUNNERS
from metaloss.engine.short_log import ShortLog
from metaloss.errors import CheckpointError
from metaloss.networks.spec import describe
from metaloss.runtime.files import load, random_state, restore_random_state, save
from metaloss.training.changes import check_changes
from metaloss.training.checkpoint import content_of
from metaloss.training.folder import newest_whole
from metaloss.training.learner import MetaLearner
from metaloss.training.parts import PARTS
from metaloss.training.structure import check_structure

_REVISED = ((r"^module\.", ""),)
_LENGTHS = ("end", "total_iters", "T_max", "total_steps")  # of MMEngine's schedulers: how long they act


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

    allow_changes = False  # go on with other data or settings
    saved = ""  # the name of the file that was written last
    resumed: dict[str, Any] | None = None  # the random state of the run that goes on

    def train(self) -> nn.Module:
        """Trains; what is shown on a terminal is put in order, however that ends."""
        try:
            return super().train()
        finally:
            for hook in self.hooks:
                if isinstance(hook, ProgressHook):
                    hook.close()

    @property
    def learner(self) -> MetaLearner:
        """The learner that is trained, with the trainer's optimizers and schedulers."""
        model = model_of(self)
        learner: MetaLearner = model.learner
        if isinstance(self.optim_wrapper, OptimWrapperDict):
            model.use(self.optim_wrapper)
        found = self.param_schedulers if self.param_schedulers is not None else []
        parts = list(found.values()) if isinstance(found, dict) else [found]
        learner.schedulers = [scheduler for part in parts for scheduler in part]
        return learner

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Writes a checkpoint as the library does, and beside its content what MMEngine's hooks keep."""
        learner = self.learner
        run = self.train_loop.described() if isinstance(self.train_loop, MetaLossTrainLoop) else {}
        content = content_of(learner, spec=specs(self.cfg, learner), **run)
        content["state_dict"] = _one_state(content)
        hub = self.message_hub.state_dict()
        content["message_hub"] = {**hub, "log_scalars": {}, "runtime_info": _plain(hub["runtime_info"])}
        content["meta"] = {
            "epoch": learner.progress["epoch"],
            "iter": self.train_loop.iter,
            "cfg": self.cfg.pretty_text,
            "seed": self.seed,
            "experiment_name": self.experiment_name,
            "mmengine_version": mmengine.__version__,
        }
        self.call_hook("before_save_checkpoint", checkpoint=content)
        if self.rank == 0:
            save(Path(out_dir, filename), content)
        self.saved = filename

    def go_on_from(self, path: Path, *, allow_changes: bool = False) -> None:
        """Lets :meth:`train` resume from a checkpoint; the config, which the work dir keeps, does not say so."""
        self._resume, self._load_from, self.allow_changes = True, str(path), allow_changes

    def load_or_resume(self) -> None:
        """Goes on from the newest whole checkpoint in the work dir where a run is to be resumed from none by name."""
        if self._resume and not self._load_from:
            found = newest_whole(Path(self.work_dir))
            path: Any = None if found is None else str(found[0])
            self._resume, self._load_from = found is not None, path
        super().load_or_resume()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Goes on from a checkpoint of this class, or of :meth:`metaloss.MetaLearner.fit`.

        Raises:
            CheckpointError: unreadable, of other networks, or of a run with other data or settings, unless the config
                says ``allow_changes``; nothing has changed then.
        """
        content, loop = load(filename), self.train_loop
        self.call_hook("after_load_checkpoint", checkpoint=content)
        learner, fresh = self.learner, None
        lengths = [{name: own for name, own in vars(each).items() if name in _LENGTHS} for each in learner.schedulers]
        try:
            check_structure(content)
            if isinstance(loop, MetaLossTrainLoop):
                if self._randomness_cfg.get("seed") is None:
                    loop.use_seed(content["progress"]["seed"])
                fresh = check_changes(
                    content,
                    loop.described(),
                    allow=self.allow_changes,
                    option="--allow-changes",
                    say=self.logger.warning,
                )
            learner.load_state_dict(content)
        except CheckpointError as error:
            raise CheckpointError(f"{filename}: {error}") from None
        for scheduler, own in zip(learner.schedulers, lengths, strict=True):
            vars(scheduler).update(own)  # a longer run than the saved one goes on from its rates to an end of its own
        if fresh:
            learner.progress.update(step=0, means={})
        if isinstance(loop, MetaLossTrainLoop):
            learner.progress["seed"] = loop.schedule.episodes.seed
        if isinstance(content.get("message_hub"), dict):
            self.message_hub.load_state_dict(content["message_hub"])
        self.resumed = random_state()
        self.logger.info(f"going on from {filename}")

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = False, revise_keys: Any = _REVISED
    ) -> dict[str, Any]:
        """Loads a local file, of plain tensors alone: MMEngine would run the code that a file holds.

        Raises:
            CheckpointError: no such file, damaged, or with code in it.
        """
        content = load(filename)
        self.call_hook("after_load_checkpoint", checkpoint=content)
        load_weights(model_of(self), content, strict, revise_keys, self.logger)
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
    """Sets the random state of a resumed run, after whatever else happens before training."""

    def before_train(self, runner: Any) -> None:
        """Sets it."""
        if runner.resumed is not None:
            restore_random_state(runner.resumed)
            runner.resumed = None


def load_weights(
    model: nn.Module, content: dict[str, Any], strict: bool = False, revise_keys: Any = _REVISED, logger: Any = None
) -> None:
    """Loads the weights that a file holds, as MMEngine does.

    Args:
        model: what they are loaded into.
        content: of a checkpoint, or a state dict.
        strict: whether names that differ are errors.
        revise_keys: patterns in the names, and what stands for them.
        logger: where names that differ are said; ``None``: on stdout.
    """
    state = content.get("state_dict", _one_state(content) or content)
    for pattern, replacement in revise_keys:
        state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
    load_state_dict(model, state, strict, logger)


def _one_state(content: dict[str, Any]) -> dict[str, Any]:
    """The networks' tensors under the names that they have in the model."""
    parts = {name: content[name] for name in PARTS if isinstance(content.get(name), dict)}
    return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}


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
