"""What is known of a published data set: how it unpacks, its classes, its splits and how it is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metaloss.data.ignored import IGNORED
from metaloss.data.pairing import Pair

FOUR_FIFTHS: Mapping[str, str] = {"train": "[:80%]", "test": "[80%:]"}
"""The rule where no split is published: the first four fifths of the scenes in the order of their names, the rest."""


@dataclass(frozen=True)
class Protocol:
    """Over which classes a mean is taken, where papers do not agree.

    Pixels that are labelled with any other class do not count. A class that no pixel is labelled with has an IoU of 0.

    Attributes:
        ids: of the classes.
        says: which they are, in words: ``"without unlabelled"``.
    """

    ids: tuple[int, ...]
    says: str

    @property
    def name(self) -> str:
        """How a metric over them is marked: ``mIoU/14 classes``."""
        return f"{len(self.ids)} classes"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of labels of a data set, or none, with the images that have them.

    Paths are relative to the folder that the data set unpacks to. Capitals do not count in them, ``|`` stands between
    names that people have given a folder, and ``{split}`` for the name of the split.

    Attributes:
        sources: the sources' folders, by the source's name.
        target: the folder of the labels, or ``None``.
        labels: their format, as of :class:`metaloss.data.PairedDataset`.
        classes: in the order of their ids.
        ignore: the id that stands for "no class" and is left out of the loss and of every score.
        counts: how many scenes each published split has; ``"all"`` where none is published.
        rule: a part of the scenes in the order of their names for each split that no list and no folder gives.
        group: of a scene's name, what the rule does not divide: a patient, say; default: the name.
        pairs: finds the scenes of a tree in which no folder belongs to one source.
        size_of: the source to whose size the others are resized as they are read, where they are registered at several
            sizes.
        skipped: ending of names in the published lists that the archive has no files of.
        protocols: over which classes papers take means.
    """

    sources: Mapping[str, str]
    target: str | None = None
    labels: str = "auto"
    classes: tuple[str, ...] = ()
    ignore: int = IGNORED
    counts: Mapping[str, int] = field(default_factory=dict)
    rule: Mapping[str, str] = field(default_factory=dict)
    group: Callable[[str], str] | None = None
    pairs: Callable[[Path], Sequence[Pair]] | None = None
    size_of: str | None = None
    skipped: str | None = None
    protocols: tuple[Protocol, ...] = ()

    @property
    def by_folder(self) -> bool:
        """Whether each split has folders of its own."""
        return any("{split}" in folder for folder in self.sources.values())


@dataclass(frozen=True, kw_only=True)
class Known:
    """A published data set.

    Attributes:
        name: what it is called here.
        title: what its authors call it.
        folders: the names that its folder has, without capitals, marks and a branch's name.
        parts: by the kind of the labels, ``"segmentation"``, ``"detection"`` or ``None``; the first is the default.
        size: of the images, width x height in pixels.
        split: the published split, or the rule.
        licence: as its authors state it.
        home: where its authors publish it.
        tree: how it unpacks, for people.
        remark: what else to know before a training.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    parts: Mapping[str | None, Part]
    size: str
    split: str
    licence: str
    home: str
    tree: str
    remark: str = ""
