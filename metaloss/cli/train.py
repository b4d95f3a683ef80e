"""``metaloss train``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import typer

from metaloss.cli.dry_run import dry_run
from metaloss.cli.engine import load_engine
from metaloss.cli.options import CFG_OPTIONS, DEVICE, SEED, config_names, device_of, folder_of
from metaloss.cli.train_checks import (
    check_classes,
    check_optimizers,
    check_settings,
    check_smallest_batch,
    check_start,
    check_views,
)
from metaloss.data import as_size, check_dataset, paired_datasets
from metaloss.errors import CheckpointError, ConfigError, MetaLossError
from metaloss.runtime import files
from metaloss.runtime.folders import check_folder, no_empty_folders
from metaloss.runtime.processes import rank
from metaloss.runtime.progress_bar import progress_bar
from metaloss.training import folder
from metaloss.training.changes import check_changes, run_of
from metaloss.training.checkpoint import check_networks
from metaloss.training.schedule import Schedule


def train(
    config: str = typer.Argument(
        autocompletion=config_names,
        metavar="CONFIG",
        help="A config file, or the name of a shipped config (see `metaloss list`).",
    ),
    work_dir: Path | None = typer.Option(
        None,
        metavar="FOLDER",
        help="Where checkpoints, logs and pictures go; default: work_dirs/FOLDER/NAME of the config.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on from the newest whole checkpoint in the work dir."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Remove the checkpoints of a run in the work dir."),
    allow_changes: bool = typer.Option(
        False, "--allow-changes", help="Resume although the data, or settings that the result depends on, are others."
    ),
    dry: bool = typer.Option(
        False, "--dry-run", help="Check the data, build everything and take one step of each phase; write no files."
    ),
    device: str | None = DEVICE,
    seed: int | None = SEED,
    launcher: str = typer.Option(
        "none",
        metavar="none|pytorch|slurm|mpi",
        help="How several training processes were started; pytorch: by "
        "`torchrun --nproc-per-node N -m metaloss train CONFIG --launcher pytorch`.",
    ),
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Train a fusion network with a learned loss."""
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite: choose whether the run in the work dir goes on or is removed")
    _check_alone(launcher, {"--dry-run": dry, f"--device {device}": device is not None})
    if dry and (resume or overwrite):
        raise ConfigError(f"--dry-run and --{'resume' if resume else 'overwrite'}: a dry run touches no files of a run")
    with ExitStack() as stack:
        engine = load_engine("train")
        if device is not None:
            engine.use_device(device_of(device))
        loaded = _start(config, cfg_options, launcher, seed)
        loaded.work_dir = str(work_dir or loaded.get("work_dir") or Path("work_dirs", folder_of(config)))
        if dry:
            for line in dry_run(loaded, *check(loaded)):
                typer.echo(line)
            typer.echo(f"dry run: {loaded.work_dir} was not written to")
            return
        with _together():
            if rank() == 0:
                check_folder(Path(loaded.work_dir), "--work-dir")
                stack.enter_context(no_empty_folders(Path(loaded.work_dir)))
                stack.enter_context(files.locked(loaded.work_dir))
                if not resume and not overwrite:
                    folder.check_unused(Path(loaded.work_dir), "--resume", "--overwrite")
            model, schedule = check(loaded)
            path = newest_to_resume(loaded, model, schedule, allow_changes=allow_changes) if resume else None
            if overwrite and rank() == 0:
                folder.clear(Path(loaded.work_dir))
        runner = engine.build_runner(loaded)
        if path is not None:
            runner.go_on_from(path, allow_changes=allow_changes)
        runner.train()
    del runner, model  # they hold the process group
    engine.leave()


def _check_alone(launcher: str, given: Mapping[str, bool]) -> None:
    option = next((name for name, there in given.items() if there), None)
    if launcher != "none" and option is not None:
        raise ConfigError(f"{option} with --launcher {launcher}: it is for a training of one process; leave it out")


def _start(config: str, cfg_options: Sequence[str], launcher: str, seed: int | None) -> Any:
    """Reads the config, and lets the processes meet; what is wrong is said by one of them."""
    engine = load_engine("train")
    error: Exception | None = None
    loaded: Any = None
    try:
        engine.check_launcher(launcher)
        try:
            loaded = engine.load_config(config, engine.parse_options(cfg_options), seed=seed)
            loaded.launcher = launcher
        except MetaLossError as found:  # the others may have no such error, and wait
            error = found
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


def check(config: Any) -> tuple[Any, Schedule | None]:
    """Checks everything that a training run will need, before anything is written.

    Every data file is read once, by the first process, and the networks are built once.

    Returns:
        The model, and the schedule of its training; ``None`` with another loop than ours.

    Raises:
        MetaLossError: of the kind of what is wrong.
    """
    engine = load_engine("train")
    model: Any = None
    schedule: Schedule | None = None
    check_settings(config)
    loop = config.get("train_cfg") or {}
    keys = ("train_dataloader",) if config.get("val_dataloader") is None else ("train_dataloader", "val_dataloader")
    for key in keys:
        dataset = engine.build_dataset(config, key)
        check_classes(config, dataset)
        for paired in paired_datasets(dataset):
            if rank() == 0:
                with progress_bar(f"checking {key.removesuffix('_dataloader')} data", len(paired)) as advance:
                    size = as_size(loop.get("task_size")) if paired is dataset else None
                    check_dataset(paired, lambda done, total: advance(""), task_size=size)
        model = model or engine.build_model(config)
        if key == "train_dataloader" and str(loop.get("type")).endswith("MetaLossTrainLoop"):
            seed = (config.get("randomness") or {}).get("seed") or 0
            schedule = engine.schedule_of(model.learner, dataset, config.train_dataloader, loop, seed)
            check_views(schedule.episodes)
    if config.get("load_from"):
        check_start(config.load_from)
    if schedule is not None:
        check_optimizers(config, model)
        check_smallest_batch(model, schedule.episodes)
    return model, schedule


def newest_to_resume(config: Any, model: Any, schedule: Schedule | None, *, allow_changes: bool = False) -> Path | None:
    """Finds the newest whole checkpoint in a work dir, and says so where there is none.

    Raises:
        CheckpointError: it is not one of this config's networks, or of other data or settings.
    """
    engine = load_engine("train")
    if rank() == 0:
        files.remove_partials(config.work_dir)
    found, error = None, None
    try:
        found = folder.newest_whole(Path(config.work_dir), "this config's networks") if rank() == 0 else None
    except CheckpointError as met:  # the others wait for the path
        error = str(met)
    path, error = engine.as_first((found[0] if found else None, error))
    if error is not None:
        raise CheckpointError(error)
    if path is None:
        if rank() == 0:
            typer.echo(f"no checkpoint in {config.work_dir}: starting from the beginning", err=True)
        return None
    content = found[1] if found else files.load(path)
    try:
        check_networks(model.learner, content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: not a checkpoint of this config's networks: {error}") from None
    try:
        if schedule is not None:
            run = run_of(model.learner, schedule)
            if (config.get("randomness") or {}).get("seed") is None:  # the checkpoint's is taken
                run["settings"].pop("seed")
            check_changes(content, run, allow=allow_changes, option="--allow-changes")  # the trainer says them
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return Path(path)
