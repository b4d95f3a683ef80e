"""``metaloss train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from metaloss import checkpoint
from metaloss.data import Episodes, PairedDataset, as_size, check_dataset
from metaloss.errors import CheckpointError, ConfigError, PluginError
from metaloss.fitting import newest
from metaloss.plugins import difference, install_hint
from metaloss.progress import progress

if TYPE_CHECKING:
    from mmengine.config import Config


def train(
    config: str = typer.Argument(help="A config file, or the name of a shipped config (see `metaloss list`)."),
    work_dir: Path | None = typer.Option(
        None, help="Where checkpoints, logs and pictures go; default: work_dirs/<config's name>."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on from the newest checkpoint in the work dir."),
    cfg_options: list[str] = typer.Option(
        [], metavar="KEY=VALUE", help="Override a setting of the config; may be repeated."
    ),
) -> None:
    """Train a fusion network with a learned loss."""
    engine = _engine()
    loaded = engine.load_config(config, engine.parse_options(cfg_options))
    loaded.work_dir = str(work_dir or Path("work_dirs", Path(config).stem))
    check(loaded)
    if resume:
        _resume(loaded)
    runner = engine.build_runner(loaded)
    runner.train()


def _engine() -> Any:
    try:
        import metaloss.engine
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("metaloss"):
            raise
        name = error.name.partition(".")[0]
        raise PluginError(f"`metaloss train` needs {name}, not installed: {install_hint((name,))}") from None
    return metaloss.engine


def check(config: Config) -> None:
    """Checks everything that a training run will need, before anything is written.

    Every data file is read once, and the networks are built once.

    Raises:
        MetaLossError: of the kind of what is wrong.
    """
    engine = _engine()
    keys = ("train_dataloader",) if config.get("val_dataloader") is None else ("train_dataloader", "val_dataloader")
    for key in keys:
        dataset = engine.build_dataset(config, key)
        classes = config.get("num_classes")
        if isinstance(dataset, PairedDataset):
            if classes is not None and dataset.classes and dataset.num_classes != classes:
                raise ConfigError(
                    f"the data has {dataset.num_classes} classes ({', '.join(dataset.classes)}) and the config's task "
                    f"num_classes={classes}"
                )
            with progress(f"checking {key.removesuffix('_dataloader')} data", len(dataset)) as advance:
                check_dataset(dataset, lambda done, total: advance(""))
        loop = config.get("train_cfg") or {}
        if key == "train_dataloader" and str(loop.get("type")).endswith("MetaLossTrainLoop"):
            _check_views(dataset, loop)
    engine.build_model(config)


def _check_views(dataset: Any, loop: Mapping[str, Any]) -> None:
    """Draws one item as the training will: too few scenes, a wrong size or a crop that does not fit show here."""
    episodes = Episodes(
        dataset=dataset, fusion_crop=as_size(loop.get("fusion_crop")), task_size=as_size(loop.get("task_size"))
    )
    next(episodes.fusion(0))


def _resume(config: Config) -> None:
    checkpoint.remove_partials(config.work_dir)
    path = newest(Path(config.work_dir))
    if path is None:
        typer.echo(f"no checkpoint in {config.work_dir}: starting from the beginning", err=True)
        return
    content = checkpoint.load(path)
    mismatch = difference(_engine().build_model(config), content.get("state_dict", {}))
    if mismatch or "metaloss" not in content:
        raise CheckpointError(f"{path}: not a checkpoint of this config's networks: {mismatch or 'not from metaloss'}")
    config.resume, config.load_from = True, str(path)
