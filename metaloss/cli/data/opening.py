"""The data sets that ``metaloss data check`` is given: a config's, or a folder's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metaloss.cli.engine import load_engine
from metaloss.data import Episodes, KnownDataset, PairedDataset, as_size
from metaloss.data.audit import Fault, open_leniently, recognise
from metaloss.errors import ConfigError, MetaLossError

_KINDS = {"PairedDataset": PairedDataset, "KnownDataset": KnownDataset}
_LOADERS = {"train": "train_dataloader", "val": "val_dataloader"}


class Opened(NamedTuple):
    """What can be looked at.

    Attributes:
        datasets: by split.
        faults: what was found as they were opened.
        name: for the folder of the contact sheet.
        crop: (h, w) that the training takes of each scene, or ``None``.
        task_size: (H, W) that it resizes them to for the task, or ``None``.
        unread: folders of images that were passed over.
    """

    datasets: dict[str, list[PairedDataset]]
    faults: list[Fault]
    name: str
    crop: tuple[int, int] | None = None
    task_size: tuple[int, int] | None = None
    unread: tuple[str, ...] = ()


def open_folder(root: Path, options: Mapping[str, Any], splits: Sequence[str]) -> Opened:
    """Opens what lies in a folder.

    Args:
        root: the folder.
        options: arguments of a data set that are given.
        splits: those that are given.

    Raises:
        MetaLossError: it cannot be told what lies there.
    """
    datasets: dict[str, list[PairedDataset]] = {}
    faults: list[Fault] = []
    recipes = recognise(root, options, splits)
    for recipe in recipes:
        for name, split in recipe.splits.items():
            found, said = open_leniently(recipe.kind, {**recipe.options, "split": split})
            datasets.setdefault(name, []).extend(found)
            faults += said
    unread = tuple(name for recipe in recipes for name in recipe.unread)
    return Opened(datasets, faults, root.resolve().name, unread=unread)


def open_config(config: str, cfg_options: Sequence[str]) -> Opened:
    """Opens the training and the validation data of a config.

    Args:
        config: a file, or the name of a shipped config.
        cfg_options: overrides of its settings.

    Raises:
        MetaLossError: the config cannot be read.
    """
    from metaloss.cli.options import folder_of
    from metaloss.cli.train_checks import check_classes, check_settings

    engine = load_engine("data check")
    loaded = engine.load_config(config, engine.parse_options(cfg_options))
    faults: list[Fault] = []
    try:
        check_settings(loaded)
    except MetaLossError as error:
        faults.append(Fault("error", "setting", config, str(error)))
    datasets: dict[str, list[PairedDataset]] = {}
    for name, key in _LOADERS.items():
        if loaded.get(key) is None:
            continue

        def build(key: str = key) -> Any:
            dataset = engine.build_dataset(loaded, key)
            check_classes(loaded, dataset)
            return Episodes(dataset=dataset).dataset if key == _LOADERS["train"] else dataset  # of two scenes or more

        kind, options = _folders_in(loaded[key].get("dataset"))
        datasets[name], found = open_leniently(kind, options, build)
        faults += found
    if not datasets:
        raise ConfigError(f"config {config}: no train_dataloader and no val_dataloader: it has no data to check")
    whole = str((loaded.get("train_dataloader") or {}).get("dataset", {}).get("type")).rpartition(".")[2] in _KINDS
    sizes = (loaded.get("train_cfg") or {}) if whole else {}
    crop, task_size = (as_size(sizes.get(name)) for name in ("fusion_crop", "task_size"))
    return Opened(datasets, faults, str(folder_of(config)), crop, task_size)


def _folders_in(part: Any) -> tuple[type[PairedDataset], dict[str, Any]]:
    """The kind and the arguments of the folders that a data set's dict is, or wraps; else of none."""
    while isinstance(part, Mapping):
        kind = _KINDS.get(str(part.get("type")).rpartition(".")[2])
        if kind is not None:
            return kind, {name: value for name, value in part.items() if name != "type"}
        part = part.get("dataset")
    return PairedDataset, {}
