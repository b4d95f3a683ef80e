"""``metaloss train``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
import typer

from metaloss.cli.engine import load_engine
from metaloss.cli.folders import check_folder
from metaloss.cli.train_checks import check_optimizers, check_settings, check_smallest_batch, check_views
from metaloss.data import check_dataset, paired_datasets
from metaloss.errors import CheckpointError, ConfigError, MetaLossError
from metaloss.plugins import difference
from metaloss.runtime import files
from metaloss.runtime.processes import rank
from metaloss.runtime.progress import progress
from metaloss.training.fit import newest_whole

if TYPE_CHECKING:
    from mmengine.config import Config


def train(
    config: str = typer.Argument(help="A config file, or the name of a shipped config (see `metaloss list`)."),
    work_dir: Path | None = typer.Option(
        None, help="Where checkpoints, logs and pictures go; default: work_dirs/<config's name>."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on from the newest checkpoint in the work dir."),
    launcher: str = typer.Option(
        "none",
        metavar="none|pytorch|slurm|mpi",
        help="How several training processes were started; pytorch: by "
        "`torchrun --nproc-per-node N -m metaloss train CONFIG --launcher pytorch`.",
    ),
    cfg_options: list[str] = typer.Option(
        [], metavar="KEY=VALUE", help="Override a setting of the config; may be repeated."
    ),
) -> None:
    """Train a fusion network with a learned loss."""
    engine = load_engine("train")
    loaded = _start(config, cfg_options, launcher)
    loaded.work_dir = str(work_dir or Path("work_dirs", Path(config).stem))
    with _together():
        check(loaded)
        if resume:
            resume_newest(loaded)
    with nullcontext() if rank() > 0 else files.locked(loaded.work_dir):
        runner = engine.build_runner(loaded)
        runner.train()
    if dist.is_initialized():
        dist.destroy_process_group()


def _start(config: str, cfg_options: Sequence[str], launcher: str) -> Config:
    """Reads the config, and lets the processes meet; what is wrong is said by one of them."""
    engine = load_engine("train")
    error: Exception | None = None
    loaded: Any = None
    try:
        engine.check_launcher(launcher)
        try:
            loaded = engine.load_config(config, engine.parse_options(cfg_options))
            loaded.launcher = launcher
        except MetaLossError as found:  # the others may have no such error, and wait
            error = found
        except SystemExit as stopped:
            error = ConfigError(f"config {config}: ends the process with sys.exit({stopped.code!r})")
        engine.launch(launcher, (loaded or {}).get("env_cfg") or {})
    except MetaLossError as found:
        error = found
    engine.agree(error)
    if rank() > 0:  # process 0 says the same
        warnings.simplefilter("ignore")
    return loaded


@contextmanager
def _together() -> Iterator[None]:
    """Ends all processes when one of them meets an error inside."""
    met: Exception | None = None
    try:
        yield
    except Exception as error:
        met = error
    load_engine("train").agree(met)


def check(config: Config) -> None:
    """Checks everything that a training run will need, before anything is written.

    Every data file is read once, by the first process, and the networks are built once.

    Raises:
        MetaLossError: of the kind of what is wrong.
    """
    engine = load_engine("train")
    check_settings(config)
    if rank() == 0 and config.get("work_dir"):
        check_folder(Path(config.work_dir), "--work-dir")
    episodes = None
    keys = ("train_dataloader",) if config.get("val_dataloader") is None else ("train_dataloader", "val_dataloader")
    for key in keys:
        dataset = engine.build_dataset(config, key)
        classes = config.get("num_classes")
        for paired in paired_datasets(dataset):
            if classes is not None and paired.classes and paired.num_classes != classes:
                raise ConfigError(
                    f"the data has {paired.num_classes} classes ({', '.join(paired.classes)}) and the config's task "
                    f"num_classes={classes}"
                )
            if rank() == 0:
                with progress(f"checking {key.removesuffix('_dataloader')} data", len(paired)) as advance:
                    check_dataset(paired, lambda done, total: advance(""))
        if key == "train_dataloader" and str(config.train_cfg.get("type")).endswith("MetaLossTrainLoop"):
            episodes = check_views(dataset, config)
    model = engine.build_model(config)
    if episodes is not None:
        check_optimizers(config, model)
        check_smallest_batch(model, episodes)


def resume_newest(config: Config) -> None:
    """Lets a run go on from the newest checkpoint in its work dir, and says so where there is none.

    Raises:
        CheckpointError: it is not one of this config's networks.
    """
    engine = load_engine("train")
    if rank() == 0:
        files.remove_partials(config.work_dir)
    found, error = None, None
    try:
        found = newest_whole(Path(config.work_dir)) if rank() == 0 else None
    except CheckpointError as met:  # the others wait for the path
        error = str(met)
    path, error = engine.as_first((found[0] if found else None, error))
    if error is not None:
        raise CheckpointError(error)
    if path is None:
        if rank() == 0:
            typer.echo(f"no checkpoint in {config.work_dir}: starting from the beginning", err=True)
        return
    content = found[1] if found else files.load(path)
    mismatch = difference(engine.build_model(config), content.get("state_dict", {}))
    if mismatch or "metaloss" not in content:
        raise CheckpointError(f"{path}: not a checkpoint of this config's networks: {mismatch or 'not from metaloss'}")
    config.resume, config.load_from = True, str(path)
