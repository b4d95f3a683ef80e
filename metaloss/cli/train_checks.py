"""What a training config must say, checked before anything is written."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from metaloss.cli.engine import class_count, load_engine
from metaloss.data import Episodes, paired_datasets
from metaloss.errors import CheckpointError, ConfigError, MetaLossError, nearest
from metaloss.runtime import files
from metaloss.tasks import targets_of, task_loss
from metaloss.training.parts import PARTS

_LARGEST_SEED = 2**32 - 1  # NumPy takes no larger one
_LEAST = {"max_epochs": 1, "meta_steps": 0, "warmup_epochs": 0, "val_begin": 0, "val_interval": 1}
_LEAST_OF_LOADERS = {"batch_size": 1, "num_workers": 0}
_RUNNERS_OWN = ("runner", "dataloader", "evaluator")  # arguments of loops that are not in their configs
_PACKAGES = {"TensorboardVisBackend": "tensorboard", "WandbVisBackend": "wandb"}


def check_settings(config: Any) -> None:
    """Checks what can be seen without data and networks: numbers, names of types, options that a part takes.

    Raises:
        ConfigError: naming the setting, what was given and what was expected.
    """
    if config.get("train_dataloader") is None:  # said where the data is built
        return
    engine = load_engine("train")
    loop = config.get("train_cfg")
    if not loop:
        raise ConfigError(f"config {config.filename}: no train_cfg, which says how to train: the loop and max_epochs")
    _check_loop(engine, loop, "train_cfg", engine.MetaLossTrainLoop)
    for name, least in _LEAST.items():
        _whole(loop, "train_cfg", name, least)
    for key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if config.get(key) is not None:
            for name, least in _LEAST_OF_LOADERS.items():
                _whole(config[key], key, name, least)
            _known(config[key], key, ("dataset", *_LEAST_OF_LOADERS))
    if config.get("val_cfg"):
        _check_loop(engine, config.val_cfg, "val_cfg", engine.MetaLossValLoop)
    seed = (config.get("randomness") or {}).get("seed")
    if seed is not None and not (_is_whole(seed) and 0 <= seed <= _LARGEST_SEED):
        raise ConfigError(f"randomness.seed={seed!r}: expected a whole number from 0 to {_LARGEST_SEED}")
    level = config.get("log_level", "INFO")
    if not isinstance(level, int) and not isinstance(logging.getLevelName(str(level)), int):
        levels = ("DEBUG", "INFO", "WARNING", "ERROR")
        raise ConfigError(f"log_level={level!r}: choose one of {', '.join(levels)}{nearest(str(level), levels)}")
    _check_parts(engine, config)


def _check_loop(engine: Any, loop: Mapping[str, Any], place: str, own: type) -> None:
    kind = _type_of(engine, "loop", loop, place)
    if kind is not None and inspect.isclass(kind) and issubclass(kind, own):
        takes = [
            name for name in inspect.signature(kind).parameters if name not in ("runner", "dataloader", "evaluator")
        ]
        _known(loop, place, ("type", *takes))
        if "max_epochs" in takes and "max_epochs" not in loop:
            raise ConfigError(f"{place}: no max_epochs, the number of epochs")


def _check_parts(engine: Any, config: Any) -> None:
    """Builds the hooks and metrics, which says what is wrong with them, and looks for the types of the rest."""
    hooks: list[tuple[str, Any]] = [
        (f"default_hooks.{name}", hook) for name, hook in (config.get("default_hooks") or {}).items()
    ]
    hooks += [(f"custom_hooks[{number}]", hook) for number, hook in enumerate(config.get("custom_hooks") or ())]
    for place, hook in hooks:
        _build(engine, "hook", {name: hook[name] for name in hook if name != "priority"} if hook else None, place)
    if config.get("val_dataloader") is not None:
        metrics = config.get("val_evaluator") or ()
        for number, metric in enumerate(metrics if isinstance(metrics, (list, tuple)) else [metrics]):
            _build(engine, "metric", metric, f"val_evaluator[{number}]")
    for place, scheduler in _dicts(config.get("param_scheduler"), "param_scheduler"):
        _type_of(engine, "parameter scheduler", scheduler, place)
    visualizer = config.get("visualizer") or {}
    for backend in engine.backends_of(visualizer.get("loggers")):
        _check_package(backend, "loggers")
    for place, backend in _dicts(visualizer.get("vis_backends"), "visualizer.vis_backends"):
        _type_of(engine, "vis_backend", backend, place)
        _check_package(str(backend.get("type")).rpartition(".")[2], place)


def _check_package(backend: str, place: str) -> None:
    package = _PACKAGES.get(backend)
    if package is not None:
        try:
            __import__(package)
        except ImportError:
            raise ConfigError(
                f"{place}: {backend} needs {package}, not installed: pip install 'metaloss[{package}]'"
            ) from None


def _dicts(parts: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All dicts with a type in a nest of lists and dicts, with their places."""
    if isinstance(parts, Mapping) and "type" in parts:
        yield place, parts
    elif isinstance(parts, Mapping):
        for name, part in parts.items():
            yield from _dicts(part, f"{place}.{name}")
    elif isinstance(parts, (list, tuple)):
        for number, part in enumerate(parts):
            yield from _dicts(part, f"{place}[{number}]")


def _type_of(engine: Any, kind: str, part: Any, place: str) -> Any:
    """What a part's type names; ``None`` where it is no config, or needs none.

    Raises:
        ConfigError: nothing is registered under that name.
    """
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        return None
    name = part["type"]
    try:
        found, reason = engine.find_registered(kind, name), ""
    except Exception as error:  # a dotted name is imported, and may raise anything
        found, reason = None, f" ({type(error).__name__}: {_first(error)})"
    if found is None:
        hint = nearest(name.removeprefix("metaloss."), engine.registered(kind))
        raise ConfigError(f"{place}.type={name!r}: no such {kind}{reason}{hint}")
    return found


def _build(engine: Any, kind: str, part: Any, place: str) -> None:
    if _type_of(engine, kind, part, place) is None:
        return
    try:
        engine.build_registered(kind, part)
    except MetaLossError:
        raise
    except Exception as error:  # whatever a constructor thinks of its arguments
        raise ConfigError(f"{place}, {part['type']}: {_first(error)}") from error


def _first(error: Exception) -> str:
    """The first sentence of what MMEngine says; the others are about its documentation."""
    return " ".join(str(error.args[0] if error.args else error).split()).partition(". Please")[0]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(part: Mapping[str, Any], place: str, name: str, least: int) -> None:
    value = part.get(name, least)
    if not _is_whole(value) or value < least:
        raise ConfigError(f"{place}.{name}={value!r}: expected a whole number of at least {least}")


def _known(part: Mapping[str, Any], place: str, names: tuple[str, ...]) -> None:
    strange = [name for name in part if name not in names]
    if strange:
        raise ConfigError(
            f"{place}.{strange[0]}: not known here{nearest(strange[0], names)}: {place} takes {', '.join(names)}"
        )


def check_classes(config: Any, dataset: Any) -> None:
    """Checks that the task has as many classes as the data.

    Raises:
        ConfigError: it has not.
    """
    classes = class_count(config)
    for paired in paired_datasets(dataset):
        if classes is not None and paired.classes and paired.num_classes != classes:
            raise ConfigError(
                f"the data has {paired.num_classes} classes ({', '.join(paired.classes)}) and the config's task "
                f"{classes}"
            )


def check_start(path: str) -> dict[str, Any]:
    """Reads a file of weights to start from, and checks that it has some.

    Returns:
        Its content.

    Raises:
        CheckpointError: unreadable, or without weights.
    """
    content = files.load(path)
    state = content.get("state_dict", {part: content[part] for part in PARTS if part in content} or content)
    tensors = [value for part in (state, *state.values()) if isinstance(part, dict) for value in part.values()]
    if not any(isinstance(value, torch.Tensor) for value in tensors):
        raise CheckpointError(f"load_from={path!r}: no weights are in it: expected a checkpoint, or a state dict")
    return content


def check_optimizers(config: Any, model: Any) -> None:
    """Builds the optimizers, as the training will, and gives them to the model.

    Raises:
        ConfigError: none, another kind than F, T and G's, or one that cannot be built.
    """
    engine = load_engine("train")
    wrapper = config.get("optim_wrapper")
    if not wrapper:
        raise ConfigError(f"config {config.filename}: no optim_wrapper, which says how F, T and G are stepped")
    for name in ("fusion", "task", "loss"):
        part = wrapper.get(name)
        if isinstance(part, Mapping):
            _type_of(engine, "optim_wrapper", part, f"optim_wrapper.{name}")
            _type_of(engine, "optimizer", part.get("optimizer"), f"optim_wrapper.{name}.optimizer")
    try:
        model.use(engine.build_optimizers(model, wrapper))
    except MetaLossError:
        raise
    except Exception as error:  # an optimizer may refuse its options in any way
        raise ConfigError(f"config {config.filename}: optim_wrapper: {_first(error)}") from error


def check_views(episodes: Episodes) -> None:
    """Draws one item as the training will: a wrong size or a crop that does not fit show here."""
    _one(episodes)


def _one(episodes: Episodes) -> Any:
    alone = Episodes(
        dataset=episodes.dataset,
        batch_size=1,
        meta_steps=0,
        fusion_crop=episodes.fusion_crop,
        task_size=episodes.task_size,
        rank=0,
        world_size=1,
    )
    return next(alone.fusion(0))


def check_smallest_batch(model: Any, episodes: Episodes) -> None:
    """Runs the networks on one scene, where a step of one process sees no more: batch norm may need more values.

    Raises:
        ConfigError: it does.
    """
    if episodes.smallest_batch > 1:
        return
    model.train()
    batch = _one(episodes)
    fused = torch.stack(batch.sources).mean(0)
    parts: dict[str, Callable[[], Any]] = {
        "fusion network": lambda: model.fusion(*batch.loss_view),
        "fusion loss": lambda: model.loss(batch.loss_view[0], batch.loss_view),
        "task": lambda: task_loss(model.task, fused, targets_of(model.task, batch)),
    }
    for name, run in parts.items():
        reason = _one_value(run)
        if reason:
            several = episodes.world_size > 1
            height, width = batch.sources[0].shape[-2:]
            raise ConfigError(
                f"{episodes.length} scenes with train_dataloader.batch_size={episodes.batch_size}"
                f"{f' on {episodes.world_size} processes' * several} leave steps of one scene, and batch norm in the "
                f"{name} sees one value per channel of one scene of {height}x{width} pixels ({reason}): give more "
                f"scenes, a larger task_size{', fewer processes' * several} or another batch_size"
            )


def _one_value(run: Callable[[], Any]) -> str:
    """What batch norm says of one value per channel; nothing of other errors, which training will name."""
    try:
        with torch.no_grad():
            run()
    except Exception as error:  # on this device, in this mode: no verdict on the training
        return str(error) if "Expected more than 1 value per channel" in str(error) else ""
    return ""
