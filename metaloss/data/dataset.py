"""A data set of registered image pairs in folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from metaloss.colour import merge_chroma
from metaloss.data.annotations import Annotation, detect_format, read_annotations
from metaloss.data.class_names import class_names
from metaloss.data.images import Channels, read_ids
from metaloss.data.narrow import warn_of_narrow
from metaloss.data.pairing import Pair, pair_by_stem
from metaloss.data.ranges import Ranges, ranges_of
from metaloss.data.reading import Reading, names_with_channels, split_channels
from metaloss.errors import ConfigError, DataError

IGNORED = 255


class PairedDataset(Dataset[dict[str, Any]]):
    """Registered images paired by file stem, with label images of class ids, with boxes, or without labels.

    An item is a dict with the keys of a ``FusionBatch``: ``sources``, a tuple of luma images
    (1, H, W), float32 in [0, 1], one per source; ``target``, (H, W) int64 class ids, or for boxes a
    dict of ``boxes`` (N, 4) float32 xyxy in pixels and ``labels`` (N,) int64, or ``None``; ``chroma``, the
    sources' merged CbCr (2, H, W) in [-0.5, 0.5], or ``None`` where all are grey; ``names``, the stem.

    Args:
        root: the folder that holds one folder per source, and the labels'.
        sources: the names of at least two source folders. Of files with four channels, ``"images:rgb"`` and
            ``"images:alpha"``, the fourth, are two sources.
        target: the name of the labels' folder, or of COCO's json file, or ``None`` for unlabelled data.
        split: a text file of stems, relative to ``root`` or absolute; a part of all stems in order, such as
            ``"[:80%]"`` or ``"[-4:]"``; ``None`` takes every file.
        classes: how many classes there are, or their names, or a text file with one name per line,
            relative to ``root`` or absolute; ``None`` reads ``root/classes.txt`` where there is one.
        ignore: the label id that stands for "no class"; in items it is 255, as tasks expect.
        labels: what the labels are: ``"ids"`` (label images), ``"yolo"`` (txt), ``"voc"`` (Pascal VOC xml),
            ``"coco"`` (json), or ``"auto"``: by the suffixes of what lies there.
        missing: what an image without a file of boxes is: an ``"error"``, or ``"empty"``.
        range: which of the files' numbers become 0 and 1: ``"full"``, those of the files' depth; ``"data"``, the
            smallest and the largest of each image; ``(low, high)``, of 16-bit counts or degrees say; or
            ``("percentiles", 1, 99)`` of each image. One for all sources, one for each in their order, or a dict by a
            source's name or position: ``{"ir": "data"}``. See :mod:`metaloss.data.ranges`.

    Attributes:
        sources: the names of the sources: the last part of each folder's path, or ``"rgb"`` and ``"alpha"``.
        readings: how the files of each source are read: channels and range.
        pairs: the files, one :class:`~metaloss.data.pairing.Pair` per item; boxes are in ``annotations``.
        annotations: the boxes of each item as read from the files, or ``None`` without boxes.
        classes: the names of the classes, in the order of their ids; empty when unknown.
        num_classes: how many there are; 0 when unknown.
        ignore: as given.

    Raises:
        ConfigError: fewer than two sources are named, or ``classes``, ``labels``, ``missing`` or ``range`` cannot be
            used.
        DataError: the files cannot be paired, or the file of classes or a file of boxes cannot be read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        sources: Sequence[str] = ("ir", "vi"),
        target: str | None = "label",
        split: str | os.PathLike[str] | None = None,
        classes: int | str | os.PathLike[str] | Sequence[str] | None = None,
        ignore: int = IGNORED,
        labels: str = "auto",
        missing: str = "error",
        range: Ranges = "full",
    ) -> None:
        folders, channels = split_channels(sources, root)
        kind = "ids" if target is None else detect_format(Path(root, target), labels)
        self.pairs: list[Pair] = self._find_pairs(root, folders, target if kind == "ids" else None, split)
        self.sources = self._name_sources(folders, channels)
        ranges = ranges_of(range, self.sources)
        self.readings = tuple(Reading(*each) for each in zip(channels, ranges, strict=True))
        self.classes = class_names(Path(root), classes)
        self.annotations: list[Annotation] | None = None
        if target is not None and kind != "ids":
            self.annotations, self.classes = read_annotations(
                Path(root, target),
                [pair.name for pair in self.pairs],
                labels=kind,
                classes=() if kind == "coco" and isinstance(classes, int) else self.classes,
                missing=missing,
            )
            if isinstance(classes, int) and len(self.classes) not in (0, classes):
                raise ConfigError(
                    f"{Path(root, target)}: {len(self.classes)} categories ({', '.join(self.classes)}), and "
                    f"classes={classes}"
                )
        self.num_classes = len(self.classes)
        self.ignore = ignore
        warn_of_narrow(self.pairs, self.readings)

    def _find_pairs(
        self, root: str | os.PathLike[str], sources: Sequence[str], target: str | None, split: Any
    ) -> list[Pair]:
        return pair_by_stem(root, sources, target, split)

    def _name_sources(self, folders: Sequence[str], channels: Sequence[Channels | None]) -> tuple[str, ...]:
        return names_with_channels([Path(folder).name for folder in folders], channels)

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMEngine's visualizers and evaluators ask of a data set: ``{"classes": classes}``."""
        return {"classes": self.classes}

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads one scene.

        Args:
            index: its number in ``pairs``.

        Returns:
            The item, as described for the class.

        Raises:
            DataError: a file cannot be read, or the sizes of the scene's images differ.
        """
        pair = self.pairs[index]
        lumas, chromas = zip(*map(Reading.source, self.readings, pair.sources), strict=True)
        target: Any = None if pair.target is None else read_ids(pair.target)
        if target is not None and self.ignore != IGNORED:
            target = target.masked_fill(target == self.ignore, IGNORED)
        for message in size_mismatches(pair, lumas if target is None else (*lumas, target)).values():
            raise DataError(message)
        if self.annotations is not None:
            target = self.annotations[index].target((lumas[0].shape[-2], lumas[0].shape[-1]))
        return {"sources": lumas, "target": target, "chroma": merge_chroma(chromas), "names": pair.name}


def size_mismatches(pair: Pair, images: Sequence[Tensor]) -> dict[Path, str]:
    """Finds the images of a scene that have not the first source's size.

    Args:
        pair: the files.
        images: each (..., H, W): the sources in order, then the target where there is one.

    Returns:
        The message for each file that differs; empty when all have one size.
    """
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    sizes = [(image.shape[-1], image.shape[-2]) for image in images]
    return {
        file: f"{file}: {size[0]}x{size[1]} pixels (width x height), and {files[0]} has {sizes[0][0]}x{sizes[0][1]}: "
        "the images of a scene have one size; register or resize them first"
        for file, size in zip(files, sizes, strict=True)
        if size != sizes[0]
    }
