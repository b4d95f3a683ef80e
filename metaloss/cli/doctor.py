"""``metaloss doctor``."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from metaloss.batch import FusionBatch
from metaloss.cli.engine import class_count, load_engine
from metaloss.cli.options import CFG_OPTIONS, DEVICE, SEED, config_names
from metaloss.cli.signal import PAIRS, STEPS, show_signal
from metaloss.data import Episodes
from metaloss.errors import ConfigError, DataError, MetaLossError
from metaloss.networks.spec import source_count
from metaloss.plugins import plugin_manager
from metaloss.report.diagnosis import Finding, advice, diagnose
from metaloss.runtime.versions import version_of

SIZE = (32, 32)
_PACKAGES = {
    "torch": ("torch", "torchvision", "numpy", "torchmetrics", "pluggy"),
    "mmengine": ("onedl-mmengine", "mmengine"),
    "mmcv": ("onedl-mmcv", "mmcv", "mmcv-lite"),
    "mmseg": ("onedl-mmsegmentation", "mmsegmentation"),
    "mmdet": ("onedl-mmdetection", "mmdet"),
    "ultralytics": ("ultralytics",),
    "timm": ("timm",),
    "report": ("matplotlib",),
}


def doctor(
    config: str | None = typer.Argument(
        None, autocompletion=config_names, metavar="CONFIG", help="A config file, or the name of a shipped config."
    ),
    signal: bool = typer.Option(
        False,
        "--signal",
        help="Show instead what the config's task asks of the fusion loss: how one-sided that is, and which source "
        "each class asks for, with maps; after the config's warm-up, or at --weights.",
    ),
    weights: Path | None = typer.Option(None, metavar="FILE", help="With --signal: a checkpoint of this config."),
    steps: int | None = typer.Option(
        None, min=0, metavar="NUMBER", help=f"With --signal: the most steps of the warm-up; default: {STEPS}."
    ),
    pairs: int | None = typer.Option(
        None, min=2, metavar="NUMBER", help=f"With --signal: how many pairs of batches; default: {PAIRS}."
    ),
    maps: Path | None = typer.Option(
        None, metavar="FILE", help="With --signal: the PNG of the maps; default: work_dirs/signal/FOLDER/NAME.png."
    ),
    device: str | None = DEVICE,
    seed: int | None = SEED,
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Show versions; with a config, which hypergradient methods its networks allow, and what each costs."""
    if signal and config is None:
        raise ConfigError("--signal is about a config: give one, or the name of a shipped one")
    signals = {"--weights": weights, "--steps": steps, "--pairs": pairs, "--maps": maps, "--device": device}
    for name, given in signals.items():
        if given is not None and not signal:
            raise ConfigError(f"{name} {given}: acts with --signal alone: give that as well, or leave it out")
    if seed is not None and config is None:
        raise ConfigError(f"--seed {seed}: is of a config's networks and batches: give a config, or leave it out")
    console = Console(width=max(Console().width, 100))
    if signal and config is not None:
        asked: dict[str, Any] = {
            "weights": weights,
            "steps": steps,
            "pairs": pairs,
            "maps": maps,
            "device": device,
            "seed": seed,
        }
        show_signal(config, cfg_options, console=console, **asked)
        return
    prepared = None if config is None else prepare(config, cfg_options, seed)
    console.print(versions())
    for failed in plugin_manager().failed:
        console.print(f"plug-in that failed to load: {failed}", markup=False)
    if prepared is None:
        return
    model, batches, origin = prepared
    console.print()
    console.print(networks(model), markup=False, highlight=False)
    steps = model.learner.problem.steps
    console.print(f"one meta step at {SIZE[0]}x{SIZE[1]}, batch 2, K = {steps}, one thread, {origin}\n")
    model.train()
    with one_thread():
        findings = diagnose(model.learner, *batches)
    console.print(table(findings))
    console.print()
    for line in advice(findings):
        console.print(line, markup=False, highlight=False)
    if not any(finding.works for finding in findings):
        raise MetaLossError(f"no hypergradient method works with the networks of {config}: see above")


@contextmanager
def one_thread() -> Iterator[None]:
    """At this size several are no faster, and beside other work many times slower: they wait for each other awake."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def versions() -> Table:
    """What is installed, by extra."""
    shown = Table(title="versions", title_justify="left", show_header=False, box=None, pad_edge=False, padding=(0, 2))
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    shown.add_row("  python", f"{platform.python_version()}, {platform.system()}, {cuda}")
    shown.add_row("  metaloss", importlib.metadata.version("metaloss"))
    for extra, packages in _PACKAGES.items():
        found = [f"{name} {version}" for name in packages if (version := version_of(name)) is not None]
        if found and extra == "mmcv":
            found.append("with its operators" if _has_operators() else "without its operators, which MMDetection needs")
        hint = "" if extra in ("torch", "mmcv") else rf": pip install 'metaloss\[{extra}]'"
        shown.add_row(f"  {extra}", ", ".join(found) or f"not installed{hint}")
    return shown


def _has_operators() -> bool:
    spec = importlib.util.find_spec("mmcv")  # found, not imported
    places = spec.submodule_search_locations if spec else None
    return any(True for place in places or () for _ in Path(place).glob("_ext.*"))


def prepare(config: str, options: list[str], seed: int | None) -> tuple[Any, tuple[FusionBatch, FusionBatch], str]:
    """Builds a config's networks, and two small batches for them.

    Returns:
        The model, meta-train and meta-test batch, and a word on where they come from.

    Raises:
        MetaLossError: of the kind of what is wrong with the config.
    """
    engine = load_engine("doctor")
    loaded = engine.load_config(config, engine.parse_options(options), seed=seed)
    torch.manual_seed(seed or 0)
    model = engine.build_model(loaded)
    try:
        episodes = Episodes(
            dataset=engine.build_dataset(loaded, "train_dataloader"),
            meta_steps=1,
            seed=seed or 0,
            task_size=SIZE,
            fusion_crop=SIZE if "fusion_crop" in loaded.get("train_cfg", {}) else None,
        )
        return model, next(episodes.meta(0)), "on its training data"
    except DataError as error:
        first, second = (_random(model, class_count(loaded), seed) for seed in (0, 1))
        reason = str(error).partition(":")[0]
        return model, (first, second), f"on random images, its data being absent ({reason})"


def _random(model: Any, classes: int | None, seed: int) -> FusionBatch:
    generator = torch.Generator().manual_seed(seed)
    count = source_count(model.fusion) or 2
    sources = tuple(torch.rand(2, 1, *SIZE, generator=generator) for _ in range(count))
    return FusionBatch(sources, torch.randint(0, classes or 2, (2, *SIZE), generator=generator))


def networks(model: Any) -> str:
    """The three networks with their sizes, one line each."""
    roles: Mapping[str, nn.Module] = {"F": model.fusion, "L_f with G": model.loss, "T": model.task}
    lines = []
    for role, module in roles.items():
        learning = sum(param.numel() for param in module.parameters() if param.requires_grad)
        frozen = sum(param.numel() for param in module.parameters()) - learning
        note = f", {frozen:,} more are frozen" if frozen else ""
        lines.append(f"{role}: {type(module).__name__}, {learning:,} parameters{note}")
    return "\n".join(lines)


def table(findings: list[Finding]) -> Table:
    """What each method did."""
    shown = Table(title="hypergradient methods", title_justify="left")
    for name in ("method", "works", "seconds", "memory (MB)", "relative difference"):
        shown.add_column(name, justify="left" if name in ("method", "works") else "right")
    for finding in findings:
        works = "yes" if finding.works else f"no: {finding.operator or 'see below'}"
        values = (finding.seconds, finding.megabytes, finding.error)
        cells = ["-" if value is None else f"{value:.3g}" for value in values]
        shown.add_row(finding.method, works, *cells)
    return shown
