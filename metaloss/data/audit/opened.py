"""Opens a data set that a training might refuse, so that the rest of it can be looked at as well."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from metaloss.data.annotations import detect_format
from metaloss.data.annotations.files import complaints_of
from metaloss.data.audit.fault import Fault
from metaloss.data.audit.whole import whole_pairs
from metaloss.data.dataset import PairedDataset
from metaloss.data.joined import paired_datasets
from metaloss.data.known import KnownDataset
from metaloss.data.known.dataset import KINDS
from metaloss.data.known.splits import by_rule, in_order, list_of, listed_and_complaints
from metaloss.data.pairing import Pair
from metaloss.data.part import part_of
from metaloss.errors import DataError, MetaLossError

_OF_LABELS = ("classes", "ignore", "others", "labels", "missing")


class Lenient(PairedDataset):
    """Folders of which only whole scenes are taken.

    Attributes:
        faults: what is wrong with the others.
        aside: the scenes whose boxes cannot be read; their images can still be looked at.
    """

    def __init__(self, **options: Any) -> None:
        self.faults: list[Fault] = []
        self.aside: list[Pair] = []
        self._options = options
        super().__init__(**options)

    def _find_pairs(self, root: Any, sources: Any, target: str | None, split: Any) -> list[Pair]:
        try:
            pairs = super()._find_pairs(root, sources, target, split)
        except DataError as error:
            pairs, faults = self._whole(Path(root), sources, target, split)
            self.faults += faults or [Fault.of("error", "pairing", error)]
        if not pairs:
            raise DataError(f"{root}: no scene is whole")
        return self._with_labels(Path(root), pairs)

    def _whole(self, root: Path, sources: Any, target: str | None, split: Any) -> tuple[list[Pair], list[Fault]]:
        return whole_pairs(root, sources, target, split)

    def _labels(self) -> str | None:
        """The folder of the labels."""
        target: str | None = self._options.get("target", "label")
        return target

    def _with_labels(self, root: Path, pairs: list[Pair]) -> list[Pair]:
        """Leaves out the scenes whose boxes cannot be read, of formats with a file for each."""
        target = self._labels()
        kind = None if target is None else detect_format(root / target, self._options.get("labels", "auto"))
        if target is None or kind not in ("yolo", "voc"):
            return pairs
        found = complaints_of(
            root / target,
            [pair.name for pair in pairs],
            [[file.stem for file in pair.sources] for pair in pairs],
            labels=kind,
            choice=self.choice,
            missing=self._options.get("missing", "error"),
        )
        if len(found) == len(pairs):  # said of the folder
            return pairs
        self.faults += [Fault.of("error", "label", error, pairs[number].sources[0]) for number, error in found.items()]
        self.aside += [pairs[number] for number in found]
        return [pair for number, pair in enumerate(pairs) if number not in found]


class LenientKnown(Lenient, KnownDataset):
    """The same of a known data set."""

    def _whole(self, root: Path, sources: Any, target: str | None, split: Any) -> tuple[list[Pair], list[Fault]]:
        split, file = self._split, list_of(root, self._split)
        pairs: list[Pair] = []
        faults: list[Fault] = []
        by_folder = self._tree is not None and self._part.by_folder and self._tree.unpacked
        if file is None and split.name and not by_folder and (self._tree is None or split.name not in self._part.rule):
            file = f"{split.name}.txt"  # which is not there, and said to be missing
        if self._tree is not None and by_folder:
            for place in self._tree.places:
                found, wrong = whole_pairs(root, place.sources, target and place.target, None)
                pairs, faults = pairs + found, faults + wrong
            file = split.file
        elif file is None or self._part.skipped:
            pairs, faults = whole_pairs(root, sources, target, None)
            if file is None and pairs and split.name:
                pairs = by_rule(in_order(pairs), self._part, split.name, str(root))
        else:
            pairs, faults = whole_pairs(root, sources, target, file)
            file = None
        if file is not None:
            aside = {Path(fault.file).stem for fault in faults}
            pairs, complaints = listed_and_complaints(pairs, root / file, self._part.skipped, aside)
            faults += [Fault.of("error", "list", complaint, root / file) for complaint in complaints]
        return (part_of(pairs, split.part, str(root)) if split.part and pairs else pairs), faults

    def _labels(self) -> str | None:
        target: str | None = self._options.get("target")
        return self._tree.places[0].target if self._tree is not None else None if target in KINDS else target


_LENIENT: Mapping[type, type[Lenient]] = {PairedDataset: Lenient, KnownDataset: LenientKnown}


def open_leniently(
    kind: type[PairedDataset], options: Mapping[str, Any], build: Callable[[], Any] | None = None
) -> tuple[list[PairedDataset], list[Fault]]:
    """Opens folders, and says all that is wrong with them where a training would say the first.

    Args:
        kind: :class:`metaloss.data.PairedDataset` or :class:`metaloss.data.KnownDataset`.
        options: its arguments by name; none: no folders are behind what ``build`` makes.
        build: makes the data set as a training does; default: from these.

    Returns:
        What of them can be looked at, perhaps nothing, and what was found on the way.
    """
    datasets, faults = _attempt(build or (lambda: kind(**options)))
    if datasets or not options:  # with nothing to go by, all is said
        return datasets, faults
    several = _several(options)
    if several:
        each = [open_leniently(kind, one) for one in several]
        found = [fault for _, own in each for fault in own]
        return [dataset for own, _ in each for dataset in own], found or faults
    datasets, again = _attempt(lambda: _LENIENT[kind](**options))
    if not datasets and options.get("target", "") is not None:
        images = {name: value for name, value in options.items() if name not in _OF_LABELS}
        datasets, _ = _attempt(lambda: _LENIENT[kind](**{**images, "target": None}))
    found = [fault for dataset in datasets if isinstance(dataset, Lenient) for fault in dataset.faults]
    return datasets, list(dict.fromkeys([*found, *(again if datasets and found else faults)]))


def _several(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options of each, where several roots or several tuples of sources are given."""
    root, sources = options.get("root"), options.get("sources") or ()
    if root and not isinstance(root, (str, os.PathLike)):
        return [{**options, "root": one} for one in root]
    if not isinstance(sources, str) and not all(isinstance(each, str) for each in sources):
        return [{**options, "sources": one} for one in sources]
    return []


def _attempt(build: Callable[[], Any]) -> tuple[list[PairedDataset], list[Fault]]:
    """Builds a data set; what is said in warnings is to be doubted, and an error leaves nothing."""
    datasets: list[PairedDataset] = []
    faults: list[Fault] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            datasets = list(paired_datasets(build()))
        except MetaLossError as error:
            faults.append(Fault.of("error", "refused", error))
    return datasets, [*(Fault.of("doubt", _kind(str(each.message)), each.message) for each in said), *faults]


def _kind(said: str) -> str:
    return "left out" if " left out, of no class that counts" in said else "said"
