"""``metaloss ablation``."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from metaloss.cli.engine import load_engine
from metaloss.cli.options import CFG_OPTIONS, DEVICE, config_names, device_of, folder_of
from metaloss.cli.train import check, newest_to_resume
from metaloss.errors import ConfigError
from metaloss.evaluation.results import read_result, write_result
from metaloss.report.seeds import FORMATS
from metaloss.training.folder import newest

EXPERIMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "I": ("uniform weights", {"model.loss.weights": "uniform"}),
    "II": ("no gradient term", {"model.loss.alpha": 0}),
    "III": ("F sees the task loss", {"model.fusion_sees_task_loss": True}),
    "IV": ("no fusion phase", {"model.separate_fusion_learning": False}),
    "V": ("weighted sum", {"model.fusion": "weighted_sum"}),
    "full": ("the method", {}),
}
"""What each row of TDFusion's Table 3 changes; :mod:`metaloss.training.variants` says what that means."""
_OF_NETWORK = ("IV", "V")
_NO_SCORES = ("task_loss", "entropy")

Format = Enum("Format", {name: name for name in FORMATS}, type=str)  # type: ignore[misc]


def ablation(
    config: str = typer.Argument(
        autocompletion=config_names, metavar="CONFIG", help="A training config, or the name of a shipped one."
    ),
    only: list[str] = typer.Option(
        [], metavar="|".join(EXPERIMENTS), help="Run just this row of the table; may be repeated."
    ),
    seeds: int = typer.Option(
        1, min=1, metavar="NUMBER", help="How many trainings per row, with the config's seed set to 0, 1, ..."
    ),
    device: str | None = DEVICE,
    work_dir: Path | None = typer.Option(
        None, metavar="FOLDER", help="Where runs go; default: work_dirs/ablation/FOLDER/NAME."
    ),
    output: Format = typer.Option(Format["table"], "--format", help="csv and json go to stdout at the end."),
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Train with each part of the method left out (TDFusion, Table 3), all with one budget, and compare.

    What is finished is kept: the same command again goes on where it was stopped.
    """
    unknown = [name for name in only if name not in EXPERIMENTS]
    if unknown:
        raise ConfigError(f"--only {unknown[0]}: choose from {', '.join(EXPERIMENTS)}")
    engine = load_engine("ablation")
    if device is not None:
        engine.use_device(device_of(device))
    options = engine.parse_options(cfg_options)
    folder = work_dir or Path("work_dirs", "ablation", folder_of(config))
    names = [name for name in EXPERIMENTS if not only or name in only]
    inner_update = (engine.load_config(config, options).get("model") or {}).get("inner_update")
    refused = [name for name in names if name in _OF_NETWORK]
    if inner_update == "image" and refused:
        raise ConfigError(
            f"config {config} has inner_update='image', and the rows {', '.join(refused)} change the inner update of F "
            "that it replaces: leave them out, as --only I --only II --only III --only full, or compare with "
            "--cfg-options model.inner_update=network"
        )
    values: dict[str, dict[int, dict[str, float]]] = {}
    for name in names:
        label, changes = EXPERIMENTS[name]
        for seed in range(seeds):
            settings = {**options, **changes, **({"seed": seed} if seeds > 1 else {})}
            with redirect_stdout(sys.stderr):  # the trainer's log and tables; stdout is the comparison's
                metrics = _run(config, settings, folder / name / (f"seed_{seed}" if seeds > 1 else ""))
            values.setdefault(f"{name} {label}", {})[seed] = metrics
    typer.echo(FORMATS[output.value](values), nl=False)


def _run(config: str, settings: Mapping[str, Any], work_dir: Path) -> dict[str, float]:
    """Trains and validates one experiment, or takes up what is there of it."""
    engine = load_engine("ablation")
    loaded = engine.load_config(config, settings)
    if settings.get("model.loss.weights") == "uniform" and loaded.model.loss.get("generator") is not None:
        loaded.model.loss.generator = None
    if loaded.get("val_dataloader") is None:
        raise ConfigError(f"config {config}: no val_dataloader, so there is nothing to compare")
    described = loaded.to_dict()
    known = read_result(work_dir / "result.json", described)
    if known is not None:
        return known
    loaded.work_dir = str(work_dir)
    # MMEngine keeps logs and messages by this name, for the life of the process
    loaded.experiment_name = f"{Path(config).stem}_{work_dir.name}_{time.time_ns()}"
    model, schedule = check(loaded)
    path = newest_to_resume(loaded, model, schedule) if newest(work_dir) is not None else None
    runner = engine.build_runner(loaded)
    if path is not None:
        runner.go_on_from(path)
    runner.train()
    found = runner.val_loop.run()
    metrics = {
        key.removeprefix("fusion/"): float(value)
        for key, value in found.items()
        if key not in _NO_SCORES and not key.startswith(("weight_", "weight/"))
    }
    write_result(work_dir / "result.json", described, metrics)
    return metrics
