"""A data set of registered image pairs in folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from metaloss.colour import merge_chroma
from metaloss.data.annotations import Annotation, detect_format, read_annotations, read_list
from metaloss.data.class_choice import ClassChoice, Ids, Others
from metaloss.data.class_names import Classes
from metaloss.data.distinct import numbered, place_names
from metaloss.data.ignored import IGNORED
from metaloss.data.images import Channels, read_ids
from metaloss.data.narrow import warn_of_narrow
from metaloss.data.pairing import Pair, pair_by_stem
from metaloss.data.part import part_of
from metaloss.data.ranges import Ranges, ranges_of
from metaloss.data.reading import Reading, names_with_channels, split_channels
from metaloss.data.roots import joined_roots
from metaloss.data.views import resize
from metaloss.errors import ConfigError, DataError

ONE_SIZE = "the images of a scene have one size"


class PairedDataset(Dataset[dict[str, Any]]):
    """Registered images paired by file stem, with label images of class ids, with boxes, or without labels.

    An item is a dict with the keys of a ``FusionBatch``: ``sources``, a tuple of luma images
    (1, H, W), float32 in [0, 1], one per source; ``target``, (H, W) int64 class ids, or for boxes a
    dict of ``boxes`` (N, 4) float32 xyxy in pixels and ``labels`` (N,) int64, or ``None``; ``chroma``, the
    sources' merged CbCr (2, H, W) in [-0.5, 0.5], or ``None`` where all are grey; ``names``, the stem.

    Args:
        root: the folder that holds one folder per source, and the labels'; or several such, whose scenes follow one
            another, under longer names where names repeat. What is relative to ``root`` is then relative to each.
        sources: at least two source folders, or patterns whose stars match the scene's name: ``"images/*_ir.png"``.
            Of files with four channels, ``"images:rgb"`` and ``"images:alpha"``, the fourth, are two sources.
        target: the folder or pattern of the labels, or COCO's json file or a list with boxes, or ``None`` for
            unlabelled data. Files of boxes are called as the scene, or as one of its images.
        split: a text file of scenes, relative to ``root``, else to where Python runs, or absolute; a part of all scenes
            in order, such as ``"[:80%]"`` or ``"[-4:]"``; ``None`` takes every file, and of a list with boxes those
            that it names. See :func:`metaloss.data.pair_by_stem`.
        classes: how many classes there are; or their names; or a file of them, text with one name per line or
            ultralytics' ``data.yaml``, relative to ``root`` or absolute; ``None`` reads ``root/classes.txt`` or
            ``root/data.yaml`` where there is one. Names pick from those of that file, and order them.
        ignore: the id, or ids, in label images that stand for "no class"; in items all are 255, as tasks expect. Boxes
            of these ids are left out. Labels that have classes by name (VOC, COCO) have none.
        others: what a class in the labels that is not among ``classes`` is: an ``"error"``, or left out (``"drop"``):
            its pixels are 255, its boxes are not there. How many there are is said in a warning, for label images by
            :func:`metaloss.data.check_dataset`.
        labels: what the labels are: ``"ids"`` (label images), ``"yolo"`` (txt), ``"voc"`` (Pascal VOC xml),
            ``"coco"`` (json), ``"list"`` (one txt file for all images), or ``"auto"``: by the suffixes of what lies
            there.
        missing: what an image without a file of boxes is: an ``"error"``, or ``"empty"``.
        range: which of the files' numbers become 0 and 1: ``"full"``, those of the files' depth; ``"data"``, the
            smallest and the largest of each image; ``(low, high)``, of 16-bit counts or degrees say; or
            ``("percentiles", 1, 99)`` of each image. One for all sources, one for each in their order, or a dict by a
            source's name or position: ``{"ir": "data"}``. See :mod:`metaloss.data.ranges`.

    Attributes:
        sources: the names of the sources: the last part of the folders' paths, or words of the patterns, in which all
            differ; or ``"rgb"`` and ``"alpha"``.
        readings: how the files of each source are read: channels and range.
        pairs: the files, one :class:`~metaloss.data.pairing.Pair` per item; boxes are in ``annotations``.
        annotations: the boxes of each item as read from the files, or ``None`` without boxes.
        classes: the names of the classes, in the order of their ids; empty when unknown.
        num_classes: how many there are; 0 when unknown.
        ignore: as given.
        choice: what the ids in label files are in items.

    Raises:
        ConfigError: fewer than two sources are named, an option cannot be used, or it would have no effect.
        DataError: the files cannot be paired, or the file of classes or a file of boxes cannot be read.

    Examples:
        >>> from metaloss.data import PairedDataset, SyntheticScenes, write_scenes
        >>> write_scenes("pairs", SyntheticScenes(5, size=32))
        >>> pairs = PairedDataset("pairs", split="train.txt")
        >>> len(pairs), pairs.sources, pairs.num_classes
        (4, ('ir', 'vi'), 4)
    """

    _own_names: tuple[str, ...] = ()  # of the ids in files, where they are known without a file of names

    def __init__(
        self,
        root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        sources: Sequence[str] = ("ir", "vi"),
        target: str | None = "label",
        split: str | os.PathLike[str] | None = None,
        classes: Classes = None,
        ignore: Ids = IGNORED,
        others: Others = "error",
        labels: str = "auto",
        missing: str = "error",
        range: Ranges = "full",
    ) -> None:
        if not isinstance(root, (str, os.PathLike)):
            options: dict[str, Any] = {"sources": sources, "target": target, "split": split, "classes": classes}
            options |= {"ignore": ignore, "others": others, "labels": labels, "missing": missing, "range": range}
            self.__dict__.update(joined_roots(root, [PairedDataset(each, **options) for each in root]))
            return
        folders, channels = split_channels(sources, root)
        if len({*zip(folders, channels, strict=True)}) < len(folders):
            raise ConfigError(
                f"sources={tuple(sources)}: the same images twice; give a folder or pattern of each source"
            )
        kind = None if target is None else detect_format(Path(root, target), labels)
        _check_used(kind, labels=labels, missing=missing, others=others)
        if kind == "voc" and isinstance(classes, int):
            classes = None  # said where the names are needed
        by_name = kind in ("voc", "coco")
        self.choice = ClassChoice.of(
            Path(root), classes, ignore=ignore, others=others, by_name=by_name, own=self._own_names
        )
        if kind == "list" and target is not None:
            read_list(Path(root, target), choice=self.choice)  # a line that is none is named as such
            self.pairs: list[Pair] = self._find_listed(root, folders, target, split)
        else:
            self.pairs = self._find_pairs(root, folders, target if kind == "ids" else None, split)
        self.sources = self._name_sources(folders, channels)
        self.readings = tuple(Reading(*each) for each in zip(channels, ranges_of(range, self.sources), strict=True))
        self.annotations: list[Annotation] | None = None
        self.classes = self.choice.names
        if target is not None and kind is not None and kind != "ids":
            if kind == "coco" and isinstance(classes, int):  # the file names them
                self.choice = replace(self.choice, names=())
            self.annotations, self.classes = read_annotations(
                Path(root, target),
                [pair.name for pair in self.pairs],
                aliases=[[file.stem for file in pair.sources] for pair in self.pairs],
                labels=kind,
                choice=self.choice,
                missing=missing,
            )
            if isinstance(classes, int) and len(self.classes) not in (0, classes):
                raise ConfigError(
                    f"{Path(root, target)}: {len(self.classes)} categories ({', '.join(self.classes)}), and "
                    f"classes={classes}"
                )
            self.choice = replace(self.choice, names=self.classes)
        self.num_classes = len(self.classes)
        self.ignore = ignore
        warn_of_narrow(self.pairs, self.readings)

    def _find_pairs(
        self, root: str | os.PathLike[str], sources: Sequence[str], target: str | None, split: Any
    ) -> list[Pair]:
        return pair_by_stem(root, sources, target, split)

    def _name_sources(self, folders: Sequence[str], channels: Sequence[Channels | None]) -> tuple[str, ...]:
        return numbered(names_with_channels(place_names(folders), channels))

    def _find_listed(
        self, root: str | os.PathLike[str], folders: Sequence[str], target: str, split: str | os.PathLike[str] | None
    ) -> list[Pair]:
        """Pairs by a list with boxes, which is the split where no other list is given."""
        if isinstance(split, str) and split.startswith("["):
            return part_of(self._find_pairs(root, folders, None, target), split, str(Path(root, target)))
        return self._find_pairs(root, folders, None, target if split is None else split)

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
            DataError: a file cannot be read or holds an id that is no class, most of its boxes vanish, or the sizes of
                the scene's images differ.
        """
        pair = self.pairs[index]
        lumas, chromas = map(list, zip(*map(Reading.source, self.readings, pair.sources), strict=True))
        lumas, chromas = of_one_size(pair, lumas), of_one_size(pair, chromas, like=lumas)
        target: Any = None if pair.target is None else self.choice.of_mask(read_ids(pair.target), pair.target)
        for message in size_mismatches(pair, lumas if target is None else (*lumas, target)).values():
            raise DataError(message)
        if self.annotations is not None:
            target = self.annotations[index].target((lumas[0].shape[-2], lumas[0].shape[-1]))
        return {"sources": tuple(lumas), "target": target, "chroma": merge_chroma(chromas), "names": pair.name}


def of_one_size(pair: Pair, images: Sequence[Any], like: Sequence[Tensor] | None = None) -> list[Any]:
    """Resizes a scene's images where they are registered at several sizes.

    Args:
        pair: the files.
        images: of the sources in order, each (C, H, W), or ``None``.
        like: the images whose sizes count; default: the same.

    Returns:
        Images of one size, where the pair says whose; else as given.
    """
    if pair.size_of is None:
        return list(images)
    height, width = (like or images)[pair.size_of].shape[-2:]
    return [
        image if image is None or image.shape[-2:] == (height, width) else resize(image, (height, width))
        for image in images
    ]


def size_mismatches(pair: Pair, images: Sequence[Tensor]) -> dict[Path, str]:
    """Finds the images of a scene that have not the first source's size.

    Args:
        pair: the files.
        images: each (..., H, W): the sources in order, then the target where there is one. Sources that are resized as
            they are read have no size of their own.

    Returns:
        The message for each file that differs; empty when all have one size.
    """
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    of_sources = len(pair.sources)
    if pair.size_of is not None:
        images = [*[images[pair.size_of]] * of_sources, *images[of_sources:]]
    sizes = [(image.shape[-1], image.shape[-2]) for image in images]
    return {
        file: f"{file}: {size[0]}x{size[1]} pixels (width x height), and {files[0]} has {sizes[0][0]}x{sizes[0][1]}: "
        f"{ONE_SIZE}; register or resize them first"
        for file, size in zip(files, sizes, strict=True)
        if size != sizes[0]
    }


def _check_used(kind: str | None, *, labels: str, missing: str, others: str) -> None:
    """Refuses options that would have no effect on labels of this kind."""
    if missing not in ("error", "empty"):
        raise ConfigError(f"missing={missing!r}: give 'error' or 'empty'")
    if kind in (None, "ids") and missing != "error":
        raise ConfigError(f"missing={missing!r} is for boxes, and there are {'label images' if kind else 'no labels'}")
    for name, value, default in (("labels", labels, "auto"), ("others", others, "error")):
        if kind is None and value != default:
            raise ConfigError(f"{name}={value!r} with target=None: no labels are read; name them with target=")
