"""``metaloss doctor CONFIG --signal``: what the task asks of the fusion loss, before hours of training."""

from __future__ import annotations

import copy
import importlib.util
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from metaloss.batch import FusionBatch
from metaloss.cli.engine import load_engine
from metaloss.cli.options import device_of, folder_of
from metaloss.cli.train_checks import (
    check_classes,
    check_optimizers,
    check_settings,
    check_smallest_batch,
    check_start,
    check_views,
)
from metaloss.data import source_names
from metaloss.data.regions import names_of_classes
from metaloss.errors import CheckpointError, ConfigError, MetaGradientError, MetaLossError, PluginError
from metaloss.plugins import install_hint
from metaloss.report.signal_file import write_signal
from metaloss.report.signal_maps import draw_signal, scenes_of
from metaloss.report.signal_table import reading, region_tables, side_table
from metaloss.runtime import files
from metaloss.runtime.folders import check_folder
from metaloss.runtime.progress_bar import Advance, progress_bar
from metaloss.training.changes import changes, run_of
from metaloss.training.learner import MetaLearner
from metaloss.training.meta import INNER_UPDATES
from metaloss.training.schedule import Schedule
from metaloss.training.signal import Pair, Signal, check_signal

STEPS, PAIRS, SCENES = 200, 12, 3
_PLAIN: Any = {"markup": False, "highlight": False, "soft_wrap": True}


def show_signal(
    config: str,
    cfg_options: list[str],
    *,
    weights: Path | None,
    steps: int | None,
    pairs: int | None,
    maps: Path | None,
    device: str | None,
    seed: int | None,
    console: Console,
) -> None:
    """Asks a config's task under both inner updates, and shows what it wants.

    Args:
        config: a config file, or the name of a shipped config.
        cfg_options: overrides of its settings.
        weights: a checkpoint to ask at; ``None``: the warm-up is run first.
        steps: of the warm-up, at most; default 200.
        pairs: of batches, default 12.
        maps: the PNG file, beside which the numbers go as ``.json``; default: ``work_dirs/signal/FOLDER/NAME.png`` of
            the config.
        device: where networks run; ``None``: the GPU where there is one.
        seed: of all that is drawn; ``None``: the config's.
        console: where the tables go.

    Raises:
        MetaLossError: of the kind of what is wrong; nothing is written then.
    """
    picture = maps or Path("work_dirs", "signal", f"{folder_of(config)}.png")
    _check_files(picture, weights, steps)
    start = _start(config, cfg_options, seed, device_of(device), fresh=weights is None)
    if weights is None:
        said, epoch = _warm_up(start, STEPS if steps is None else steps)
    else:
        said, epoch = _take_up(start, weights)
    start.learner.begin_epoch(epoch, start.epochs)
    batches = _pairs(start, epoch, pairs or PAIRS)
    sources = source_names(start.dataset, len(batches[0][0].sources))
    classes, ignore = names_of_classes(start.dataset)
    classes = classes or start.classes
    found, missing = _ask(start.learner, batches, sources, classes, ignore)
    own = start.learner.settings["inner_update"]
    height, width = batches[0][0].sources[0].shape[-2:]
    where = f"asked by {len(batches)} pairs of batches of epoch {epoch + 1}, {height}x{width} pixels"
    console.print(f"{config}, {said}", where, sep="\n", **_PLAIN)
    for table in (side_table(found, own), *region_tables(found, own)):
        console.print()
        console.print(table)
    draw_signal(picture, scenes_of(found, SCENES, ignore), sources, classes, own)
    write_signal(picture.with_suffix(".json"), found, own, [f"{config}, {said}", where])
    notes = [f"{name} is missing: {error}" for name, error in missing.items()]
    console.print("", *reading(found), *notes, f"maps: {picture}", sep="\n", **_PLAIN)


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    Attributes:
        model: F, G and T, in training mode.
        dataset: that it trains on.
        schedule: its steps.
        epochs: how many there will be.
        classes: names, where the config's setting has them.
    """

    model: Any
    dataset: Any
    schedule: Schedule
    epochs: int
    classes: Sequence[str]

    @property
    def learner(self) -> MetaLearner:
        """With the optimizers."""
        learner: MetaLearner = self.model.learner
        return learner


def _check_files(picture: Path, weights: Path | None, steps: int | None) -> None:
    if weights is not None and steps is not None:
        raise ConfigError(f"--steps {steps} with --weights {weights}: a file needs no warm-up: leave one of them out")
    if weights is not None and not weights.is_file():
        raise CheckpointError(f"--weights {weights}: no such file")
    if picture.suffix.lower() != ".png" or picture.is_dir():
        raise ConfigError(f"--maps {picture}: expected a file whose name ends in .png")
    check_folder(picture.parent, f"--maps {picture}:")
    if importlib.util.find_spec("matplotlib") is None:
        hint = install_hint(("matplotlib",))
        raise PluginError(f"`metaloss doctor --signal` needs matplotlib, not installed: {hint}")


def _start(config: str, cfg_options: list[str], seed: int | None, device: torch.device, *, fresh: bool) -> Start:
    """Builds what a training would, at its first weights, and checks it as a training does."""
    engine = load_engine("doctor")
    loaded = engine.load_config(config, engine.parse_options(cfg_options), seed=seed)
    check_settings(loaded)
    dataset = engine.build_dataset(loaded, "train_dataloader")
    check_classes(loaded, dataset)
    loop = loaded.train_cfg
    if not str(loop.get("type")).endswith("MetaLossTrainLoop"):
        raise ConfigError(f"train_cfg.type={loop.get('type')!r}: --signal needs metaloss.MetaLossTrainLoop's epochs")
    seed = (loaded.get("randomness") or {}).get("seed") or 0
    for begin in (random.seed, np.random.seed, torch.manual_seed):
        begin(seed)
    model = engine.build_model(loaded).train()
    drawn, built = files.random_state(), copy.deepcopy(model.state_dict())
    check_signal(model.learner)
    schedule = engine.schedule_of(model.learner, dataset, loaded.train_dataloader, loop, seed)
    check_views(schedule.episodes)
    check_optimizers(loaded, model)
    check_smallest_batch(model, schedule.episodes)
    model.load_state_dict(built)
    files.restore_random_state(drawn)
    if fresh and loaded.get("load_from"):
        engine.load_weights(model, check_start(loaded.load_from))
    model.to(device)
    classes = loaded.get("classes")
    return Start(model, dataset, schedule, loop.max_epochs, classes if isinstance(classes, (list, tuple)) else ())


def _warm_up(start: Start, limit: int) -> tuple[str, int]:
    """Takes the fusion steps before the first meta steps; says so, and gives the epoch that follows, from 0."""
    schedule, learner = start.schedule, start.learner
    epochs = max(schedule.warmup_epochs, 1)
    whole = epochs * schedule.episodes.fusion_steps
    total = min(limit, whole)
    with progress_bar("warm-up", total) as advance:
        for epoch in range(epochs):
            learner.begin_epoch(epoch, start.epochs)
            left = max(total - epoch * schedule.episodes.fusion_steps, 0)
            for batch in islice(schedule.episodes.fusion(epoch) if left else (), left):
                learner.fusion_step(start.model.on_device(batch))
                advance("")
    kind = f"the config's warm-up, {epochs} epoch{'s' * (epochs > 1)}"
    if not schedule.warmup_epochs:
        kind = "one epoch (the config has no warm-up)"
    taken = f"all {whole}" if total == whole else f"{total} of the {whole}"
    return f"after {taken} fusion steps of {kind}", epochs


def _take_up(start: Start, path: Path) -> tuple[str, int]:
    """Reads a checkpoint of the config's networks; says so, and gives the epoch that it would go on with, from 0."""
    learner, content = start.learner, files.load(path)
    try:
        learner.load_state_dict({**content, "schedulers": []})  # the optimizers have their present rates
    except CheckpointError as error:
        raise CheckpointError(f"--weights {path}: not a checkpoint of this config's networks: {error}") from None
    epoch, step = learner.progress["epoch"], learner.progress["step"]
    within = f" and {step} steps" if step else ""
    found = changes(content.get("metaloss") or {}, run_of(learner, start.schedule))
    others = f"\nthat training had other data or settings than this config: {'; '.join(found)}" if found else ""
    return f"at the weights of {path}, after {epoch} epoch{'s' * (epoch != 1)}{within}{others}", epoch


def _pairs(start: Start, epoch: int, count: int) -> list[Pair]:
    """The first pairs of an epoch; where the config has fewer, of an epoch with as many."""
    episodes = start.schedule.episodes
    episodes = replace(episodes, meta_steps=max(count, episodes.meta_steps))
    on_device = start.model.on_device
    return [(on_device(train), on_device(test)) for train, test in islice(episodes.meta(epoch), count)]


def _ask(
    learner: MetaLearner, pairs: Sequence[Pair], sources: Sequence[str], classes: Sequence[str], ignore: int
) -> tuple[dict[str, Signal], dict[str, MetaLossError]]:
    """Asks under both inner updates, on the same images: the loss sees the first batch of a pair or the second.

    Returns:
        What was found, and why something was not, by inner update.

    Raises:
        MetaLossError: nothing was found under either; of the learner's own.
    """
    own = learner.settings["inner_update"]
    found: dict[str, Signal] = {}
    missing: dict[str, MetaLossError] = {}
    with progress_bar("asking", len(INNER_UPDATES) * len(pairs)) as advance:
        for name in INNER_UPDATES:
            given = pairs if name == own else [(test, train) for train, test in pairs]
            try:
                found[name] = learner.signal(_counted(given, advance), sources, classes, ignore, inner_update=name)
            except (ConfigError, MetaGradientError) as error:
                missing[name] = error
    if not found:
        raise missing[own]
    return found, missing


def _counted(pairs: Sequence[Pair], advance: Advance) -> Iterator[tuple[FusionBatch, FusionBatch]]:
    for pair in pairs:
        yield pair
        advance("")
