"""The downstream protocol from a training config: its data, its task network and its optimizer for that."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from metaloss.data import as_size, source_names, write_image
from metaloss.data.fingerprints import FULL, ranges_read
from metaloss.engine.build import build_dataset
from metaloss.engine.registry import MODELS
from metaloss.errors import ConfigError
from metaloss.evaluation.downstream import Budget, FolderImage, Image, Images, score_task, source_image, train_task
from metaloss.evaluation.results import read_result, write_result
from metaloss.inference.devices import best_device
from metaloss.inference.fuse import fuse_any_size
from metaloss.runtime import files
from metaloss.runtime.progress_bar import progress_bar
from metaloss.tasks import can_be_scored

PARTS = ("train", "test")


@dataclass(frozen=True)
class Method:
    """One fixed way to make the image that the task sees.

    Attributes:
        name: what it is called in the table.
        identity: what it is made from: results of another identity are not taken up.
        images: how an item's image is made, for ``"train"`` and ``"test"``.
    """

    name: str
    identity: str
    images: Mapping[str, Image]


@dataclass(frozen=True)
class Result:
    """The score of one method with one seed."""

    method: str
    seed: int
    metrics: dict[str, float]


class Downstream:
    """Trains and scores fresh task networks, one per method and seed; finished ones are kept and taken up.

    Args:
        config: a training config; its data, task, task optimizer, batch size and task size are used.
        work_dir: where results go.
        epochs: of each training; default: the config's own.
        device: where networks run; default: the GPU where there is one.

    Attributes:
        notes: what is to be known of the scores' means over classes, of all that was trained here.

    Raises:
        ConfigError: the config says too little, or its task has no metric.
    """

    def __init__(
        self, config: Config, work_dir: Path, epochs: int | None = None, device: torch.device | None = None
    ) -> None:
        loop, loader = config.get("train_cfg") or {}, config.get("train_dataloader") or {}
        if config.get("model") is None or "task" not in config.model or "task" not in config.get("optim_wrapper", {}):
            raise ConfigError(f"config {config.filename}: downstream needs model.task and optim_wrapper.task")
        self.config, self.work_dir = config, work_dir
        self.notes: list[str] = []
        self.datasets = {part: build_dataset(config, key) for part, key in zip(PARTS, _KEYS, strict=True)}
        self.budget = Budget(
            epochs=epochs or loop.get("max_epochs", 0),
            batch_size=loader.get("batch_size", 2),
            size=as_size(loop.get("task_size")),
            num_workers=loader.get("num_workers", 0),
        )
        self.device = best_device() if device is None else device
        task = self._task(0)
        if not can_be_scored(task):
            raise ConfigError(f"config {config.filename}: its task {type(task).__name__} has no evaluator to score it")

    def sources(self) -> list[Method]:
        """Each source by itself: the baselines."""
        dataset = self.datasets["train"]
        return [
            Method(name, f"source {number}", dict.fromkeys(PARTS, source_image(number)))
            for number, name in enumerate(source_names(dataset, len(dataset[0]["sources"])))
        ]

    def folder(self, name: str, folder: Path) -> Method:
        """Images that were fused before.

        Raises:
            DataError: an image is missing.
        """
        image = FolderImage(folder)
        for dataset in self.datasets.values():
            image.check(_names(dataset))
        return Method(name, str(folder.resolve()), dict.fromkeys(PARTS, image))

    def fused(self, name: str, weights: Path | Sequence[Path], network: nn.Module) -> Method:
        """Fuses all scenes with a network, to 8-bit files as ``metaloss fuse`` does; those that are there stay.

        Args:
            name: of the method.
            weights: the network's file, or the files of its parts: images of others are not taken up.
            network: it.
        """
        read = {part: ranges_read(dataset) for part, dataset in self.datasets.items()}
        full = all(own == FULL for found in read.values() for ranges in found for own in ranges)
        parts = [weights] if isinstance(weights, Path) else weights
        held = b"".join(sorted(part.read_bytes() for part in parts))
        arguments = getattr(network, "metaloss_record", {}).get("arguments")
        held += f"{arguments or ''}{'' if full else read}".encode()
        identity = hashlib.sha256(held).hexdigest()
        network.to(self.device)
        images: dict[str, Image] = {}
        for part, dataset in self.datasets.items():
            folder = self.work_dir / name / f"fused_{identity[:12]}" / part
            folder.mkdir(parents=True, exist_ok=True)
            with progress_bar(f"fusing {part} scenes, {name}", len(dataset)) as advance:
                for index, scene in enumerate(_names(dataset)):
                    if not (folder / f"{scene}.png").is_file():
                        sources = [source.unsqueeze(0).to(self.device) for source in dataset[index]["sources"]]
                        write_image(folder / f"{scene}.png", fuse_any_size(network, sources)[0].clamp(0, 1).cpu())
                    advance(scene)
            images[part] = FolderImage(folder)
        return Method(name, f"weights {identity}", images)

    def run(self, methods: Sequence[Method], seeds: Sequence[int]) -> Iterator[Result]:
        """Trains and scores what is not there yet, seed by seed.

        Yields:
            Every result, as it becomes known.

        Raises:
            ConfigError: results of other settings are in the way.
        """
        known = {(method.name, seed): self._known(method, seed) for seed in seeds for method in methods}
        for seed in seeds:
            for method in methods:
                metrics = known[method.name, seed]
                yield Result(method.name, seed, self._run(method, seed) if metrics is None else metrics)

    def _run(self, method: Method, seed: int) -> dict[str, float]:
        before = files.random_state()
        torch.manual_seed(seed)
        task = self._task(seed).to(self.device)
        with DefaultScope.overwrite_default_scope("metaloss"):
            optimizer: Any = build_optim_wrapper(task, dict(self.config.optim_wrapper["task"])).optimizer
        train, test = (Images(self.datasets[part], method.images[part]) for part in PARTS)
        state = self._file(method, seed).with_suffix(".pth")
        with progress_bar(f"{method.name}, seed {seed}", self.budget.epochs) as advance:
            train_task(task, optimizer, train, self.budget, seed=seed, state=state, advance=advance)
        with _without_tables():
            metrics = score_task(task, test, self.budget, self.notes.append)  # type: ignore[arg-type]
        files.restore_random_state(before)
        write_result(self._file(method, seed), self._settings(method, seed), metrics)
        state.unlink(missing_ok=True)
        return metrics

    def _task(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(), DefaultScope.overwrite_default_scope("metaloss"):
            torch.manual_seed(seed)
            task: nn.Module = MODELS.build(self.config.model.task)
        return task

    def _file(self, method: Method, seed: int) -> Path:
        return self.work_dir / method.name / f"seed_{seed}.json"

    def _settings(self, method: Method, seed: int) -> dict[str, Any]:
        config = self.config
        return {
            "images": method.identity,
            "seed": seed,
            **{name: value for name, value in asdict(self.budget).items() if name != "num_workers"},
            "task": config.model.task,
            "optimizer": config.optim_wrapper["task"],
            **{f"{part} data": config[key].dataset for part, key in zip(PARTS, _KEYS, strict=True)},
        }

    def _known(self, method: Method, seed: int) -> dict[str, float] | None:
        return read_result(self._file(method, seed), self._settings(method, seed))


_KEYS = ("train_dataloader", "val_dataloader")


@contextmanager
def _without_tables() -> Iterator[None]:
    """Keeps from standard output, which is the command's, the tables that OpenMMLab's metrics log there."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _names(dataset: Any) -> list[str]:
    pairs = getattr(dataset, "pairs", None)
    return [pair.name for pair in pairs] if pairs else [dataset[index]["names"] for index in range(len(dataset))]
