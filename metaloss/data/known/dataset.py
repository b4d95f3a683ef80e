"""A published data set, read as it unpacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metaloss.data.class_choice import Ids
from metaloss.data.class_names import Classes
from metaloss.data.dataset import PairedDataset
from metaloss.data.images import Channels
from metaloss.data.joined import Joined
from metaloss.data.known.places import LABEL_FOLDERS, Tree, find_tree, resolve
from metaloss.data.known.record import Known, Part, Protocol
from metaloss.data.known.said import what_was_found
from metaloss.data.known.splits import Split, by_rule, in_order, list_of, listed
from metaloss.data.known.table import HARVARD, find_known
from metaloss.data.listing import is_pattern, what_is_missing
from metaloss.data.pairing import Pair, pair_by_stem
from metaloss.data.part import part_of
from metaloss.data.reading import split_channels
from metaloss.data.roots import joined_roots
from metaloss.data.split_list import place_of_list
from metaloss.errors import ConfigError, DataError, nearest

AUTO = "auto"
KINDS = ("segmentation", "detection")


class KnownDataset(PairedDataset):
    """A published data set in a folder: as its archive unpacks, or in plain folders.

    In ``root`` lies the data set's own tree (:func:`known_datasets` shows it), perhaps in a folder of its name; or
    plain folders, one per source and one ``label`` or ``labels``, with ``train.txt`` and ``test.txt``. What was found
    is in ``found``. With ``sources`` of other names, ``root`` is any folder with these, as for :class:`PairedDataset`.

    Args:
        name: of the data set: ``"msrs"``, ``"fmb"``, ...; see :func:`known_datasets`.
        root: the folder; or several, whose scenes follow one another.
        split: ``"train"``, ``"val"`` or ``"test"``: the published split; else the list ``train.txt`` that lies there;
            else by the record's rule. A part of it: ``"train[::10]"``. Or, as for :class:`PairedDataset`, a text
            file of names (in the data set's folder, in ``root``, or where Python runs), a part of all scenes in the
            order of their names, ``None`` for all.
        target: the kind of labels, ``"segmentation"`` or ``"detection"``; ``"auto"``: the first that the data set
            has; ``None`` for none; or another folder of labels, relative to ``root``.
        sources: the names of the sources in the order in which they are wanted, or folders of other names; ``None``:
            the data set's own, ``("ir", "vi")``, say.
        classes: as for :class:`PairedDataset`; ``None``: the data set's own.
        ignore: the label id, or ids, that stand for "no class"; ``None``: the data set's own.
        options: further ones of :class:`PairedDataset`.

    Attributes:
        record: what is known of it.
        found: what was found, and where, in one line.
        protocols: over which classes papers take the mean of a score, where its classes are the data set's own.

    Raises:
        ConfigError: no such data set, split or kind of labels, or an option that cannot be used.
        DataError: neither its tree nor plain folders are there, or files cannot be paired or read.
    """

    def __init__(
        self,
        name: str,
        root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        split: str | os.PathLike[str] | None = None,
        target: str | None = AUTO,
        *,
        sources: Sequence[str] | None = None,
        classes: Classes = None,
        ignore: Ids | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(root, (str, os.PathLike)):
            options |= {"sources": sources, "classes": classes, "ignore": ignore}
            self.__dict__.update(
                joined_roots(root, [KnownDataset(name, each, split, target, **options) for each in root])
            )
            self.found = f"{', '.join(map(str, root))}: {len(self)} scenes of {self.record.title}"
            return
        self.record: Known = find_known(name, sources)
        kind, own_target = _kind(self.record, target)
        self._part: Part = self.record.parts.get(kind) or next(iter(self.record.parts.values()))
        self._split = Split.of(split)
        sources = tuple(sources or self._part.sources)
        self._names: tuple[str, ...] = sources
        self._tree: Tree | None = None
        if own_target is not None and (meant := nearest(own_target, KINDS)) and not Path(root, own_target).exists():
            raise ConfigError(f"target={own_target!r}: {root} holds nothing of that name{meant}")
        if set(sources) == set(self._part.sources):
            self._tree = find_tree(
                self.record,
                self._part,
                Path(root),
                sources=sources,
                target=own_target,
                kind=kind,
                split=self._split.name,
            )
            self._check_split()
            if self._split.file is not None:
                place = place_of_list(self._split.file, self._tree.folder, Path(root))
                self._split = replace(self._split, file=place.absolute())
            root, folders = self._tree.folder, self._tree.places[0]
            options = {"sources": folders.sources, "target": folders.target, **options}
            if self._tree.unpacked and own_target is None and folders.target is not None:
                options = {"labels": self._part.labels, **options}
            if self._tree.unpacked and own_target is None:
                self._own_names = self._part.classes
            if classes is None and kind and (self._tree.unpacked or not Path(root, "classes.txt").exists()):
                classes = self._part.classes or None
        else:
            self._check_sources(Path(root), sources)
            options = {"sources": sources, "target": own_target or _own_labels(Path(root), kind), **options}
        super().__init__(
            root, split=split, classes=classes, ignore=self._part.ignore if ignore is None else ignore, **options
        )
        own = kind and self._tree is not None and own_target is None and self.classes == self._part.classes
        self.protocols: tuple[Protocol, ...] = tuple(
            each for each in self._part.protocols if own and _ids(self.ignore).isdisjoint(each.ids)
        )
        self.found = f"{root}: {', '.join(self.sources)}: {len(self)} scenes"
        if self._tree is not None:
            self.found = what_was_found(self.record, self._part, self._tree, self._split, len(self))

    def _name_sources(self, folders: Sequence[str], channels: Sequence[Channels | None]) -> tuple[str, ...]:
        return super()._name_sources(folders, channels) if self._tree is None else self._names

    def _find_pairs(
        self, root: str | os.PathLike[str], sources: Sequence[str], target: str | None, split: Any
    ) -> list[Pair]:
        folder, wanted, where = Path(root), self._split, f"{self.record.title} in {root}"
        if self._tree is None:
            file = list_of(folder, wanted) or (f"{wanted.name}.txt" if wanted.name else None)
            pairs = pair_by_stem(root, sources, target, file)
        elif self._part.by_folder and self._tree.unpacked:
            pairs = [
                pair
                for place in self._tree.places
                for pair in in_order(pair_by_stem(folder, place.sources, target and place.target))
            ]
            pairs = pairs if wanted.file is None else listed(pairs, folder / wanted.file)
        else:
            pairs = self._of_one_place(folder, sources, target, where)
        pairs = part_of(pairs, wanted.part, where) if wanted.part else pairs
        if self._tree is None or not self._tree.unpacked or self._part.size_of is None:
            return pairs
        reference = self._names.index(self._part.size_of)
        return [replace(pair, size_of=reference) for pair in pairs]

    def _find_listed(
        self, root: str | os.PathLike[str], folders: Sequence[str], target: str, split: str | os.PathLike[str] | None
    ) -> list[Pair]:
        if self._split.file is None and not self._split.name:
            self._split = replace(self._split, file=Path(root, target).absolute())
        return self._find_pairs(root, folders, None, split)

    def _of_one_place(self, folder: Path, sources: Sequence[str], target: str | None, where: str) -> list[Pair]:
        file, name = list_of(folder, self._split), self._split.name
        if file is None and name and name not in self._part.rule:
            file = f"{name}.txt"
        if file is not None and not (folder / file).exists():
            raise DataError(f"{folder / file}: {what_is_missing(folder / file, 'split file')}")
        if self._part.pairs is not None and self._tree is not None and self._tree.unpacked:
            pairs = list(self._part.pairs(folder))
            pairs = pairs if file is None else listed(pairs, folder / file)
        elif file is not None and self._part.skipped:
            pairs = listed(pair_by_stem(folder, sources, target), folder / file, self._part.skipped)
        else:
            pairs = pair_by_stem(folder, sources, target, file)
        if file is not None:
            return pairs
        pairs = in_order(pairs)
        return by_rule(pairs, self._part, name, where) if name else pairs

    def _check_sources(self, root: Path, sources: Sequence[str]) -> None:
        """Refuses folders of one's own that are not there, some of which may be meant to be the data set's sources.

        Raises:
            DataError: naming the first, and the data set's own sources.
        """
        own = self._part.sources
        places = [root / name for name in split_channels(sources, root)[0]]
        missing = next((place for place in places if not place.exists() and not is_pattern(place)), None)
        if missing is not None and root.is_dir() and len(places) > 1:
            raise DataError(
                f"{missing}: {what_is_missing(missing)}; the sources of {self.record.title} are called "
                f"{' and '.join(own)}, and other names are folders or patterns in {root}"
            )

    def _check_split(self) -> None:
        """Refuses a split that the data set does not have as it unpacks.

        Raises:
            ConfigError: naming those that it has.
        """
        if self._tree is None or not self._tree.unpacked or not self._split.name:
            return
        name, folder = self._split.name, self._tree.folder
        known = [each for each in {**self._part.rule, **self._part.counts} if each != "all"]
        if name in known or (not self._part.by_folder and list_of(folder, self._split) is not None):
            return
        raise ConfigError(
            f"split={name!r}: {self.record.title} has the splits {', '.join(map(repr, known))}{nearest(name, known)}: "
            "give one of them, a part such as '[:80%]', or a text file of names"
        )


def known_dataset(
    name: str,
    root: str | os.PathLike[str],
    split: str | os.PathLike[str] | None = None,
    target: str | None = AUTO,
    *,
    sources: Sequence[Any] | None = None,
    **options: Any,
) -> KnownDataset | Joined:
    """Reads a published data set: ``known_dataset("fmb", "FMB", "train")``.

    Args:
        name: as for :class:`KnownDataset`; ``"harvard"`` are its three kinds of pairs, one after the other.
        root: the folder; or several, whose scenes follow one another.
        split: as for :class:`KnownDataset`.
        target: likewise.
        sources: likewise; or several tuples of names, which are data sets one after the other.
        options: further ones of :class:`KnownDataset`.

    Returns:
        The data set.

    Raises:
        ConfigError: as :class:`KnownDataset`.
        DataError: likewise.
    """
    if sources is not None and not all(isinstance(each, str) for each in sources):
        return Joined([KnownDataset(name, root, split, target, sources=each, **options) for each in sources])
    if sources is None and name.lower() == "harvard":
        return Joined([KnownDataset(each, root, split, target, **options) for each in HARVARD])
    return KnownDataset(name, root, split, target, sources=sources, **options)


def _kind(record: Known, target: str | None) -> tuple[str | None, str | None]:
    """The kind of the labels, and the folder that was given for them.

    Raises:
        ConfigError: the data set has no labels of the kind.
    """
    kinds = [kind for kind in record.parts if kind is not None]
    if target is None or (target == AUTO and not kinds):
        return None, None
    if target == AUTO:
        return kinds[0], None
    if target in KINDS:
        if target not in kinds:
            raise ConfigError(
                f"target={target!r}: {record.title} has {' and '.join(kinds) or 'no'} labels; give one of these, None, "
                "or a folder of labels"
            )
        return target, None
    return (kinds or KINDS)[0], target


def _ids(ignore: Any) -> set[int]:
    return {ignore} if isinstance(ignore, int) else set(ignore)


def _own_labels(root: Path, kind: str | None) -> str | None:
    """The folder of labels in a folder of one's own, where none was named."""
    if kind is None:
        return None
    return (resolve(root, LABEL_FOLDERS[kind]) if root.is_dir() else None) or LABEL_FOLDERS[kind].split("|")[0]
