"""Several data sets as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import Dataset

from metaloss.data.dataset import PairedDataset
from metaloss.data.items import check_item
from metaloss.data.naming import source_names
from metaloss.errors import ConfigError


class Joined(Dataset[dict[str, Any]]):
    """Data sets one after the other: folders whose sources have different names, say.

    A scene's name begins with what sets its data set apart: the names of those sources that differ, or its number.

    Args:
        datasets: at least one; items with the keys of a ``FusionBatch``, all with as many sources.

    Attributes:
        datasets: as given.
        sources: the names of the sources; where they differ all of them, joined by a hyphen.

    Raises:
        ConfigError: no data set, or different numbers of sources.
        DataError: a data set that has no items and names no sources.
    """

    def __init__(self, datasets: Sequence[Any]) -> None:
        if not datasets:
            raise ConfigError("no data sets to join: give at least one")
        self.datasets = list(datasets)
        names = [source_names(dataset) for dataset in datasets]
        if len({len(each) for each in names}) > 1:
            raise ConfigError(f"the data sets to join have different numbers of sources: {names}")
        columns = list(zip(*names, strict=True))
        self.sources = tuple("-".join(dict.fromkeys(column)) for column in columns)
        differing = [column for column in columns if len(set(column)) > 1]
        prefixes = ["_".join(own) for own in zip(*differing, strict=True)]
        self._prefixes = prefixes if len(set(prefixes)) == len(names) else [str(k) for k in range(len(names))]
        self._places = [(number, index) for number, each in enumerate(self.datasets) for index in range(len(each))]

    def __len__(self) -> int:
        """The number of scenes in all."""
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads one scene.

        Args:
            index: its number, data set by data set.

        Returns:
            The data set's item, under its longer name.
        """
        number, place = self._places[index]
        item = dict(check_item(self.datasets[number][place]))
        if len(self.datasets) > 1:
            item["names"] = f"{self._prefixes[number]}_{item.get('names', place)}"
        return item


def paired_datasets(dataset: Any) -> Iterator[PairedDataset]:
    """The folders behind a data set: itself, or those that it wraps as ``dataset`` or ``datasets``."""
    if isinstance(dataset, PairedDataset):
        yield dataset
        return
    for inner in (getattr(dataset, "dataset", None), *getattr(dataset, "datasets", ())):
        if inner is not None:
            yield from paired_datasets(inner)
