"""Which label format lies in a folder, and the annotations of a list of images."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Literal, get_args

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.coco import read_coco
from metaloss.data.annotations.labelme import LABELME, is_labelme_file
from metaloss.data.annotations.lists import read_list
from metaloss.data.annotations.voc import read_voc
from metaloss.data.annotations.yolo import read_yolo
from metaloss.data.class_choice import ClassChoice
from metaloss.data.images import FORMATS
from metaloss.errors import ConfigError, DataError, nearest

Format = Literal["ids", "yolo", "voc", "coco", "list"]
_SUFFIXES: dict[str, Format] = {".txt": "yolo", ".xml": "voc", ".json": "coco", **dict.fromkeys(FORMATS, "ids")}
_FILES: dict[str, Format] = {".json": "coco", ".txt": "list"}
_NO_LABELS = {"classes.txt", "colours.txt", "labels.txt"}  # lists that programs leave beside the labels
_SHOWN = 3
_LISTED = 12


def detect_format(path: Path, labels: str = "auto") -> Format:
    """Says which format the labels have: as told, or by the suffixes of what lies there.

    Args:
        path: the labels' folder, or the file of COCO's, or a list.
        labels: a format, or ``"auto"``.

    Raises:
        ConfigError: no such format.
        DataError: nothing there to go by, or files of several formats.
    """
    known = get_args(Format)
    if labels in known:
        return labels  # type: ignore[return-value]
    if labels != "auto":
        raise ConfigError(f"labels={labels!r}: give 'auto', {', '.join(map(repr, known))}{nearest(labels, known)}")
    if path.is_file() and path.suffix.lower() in _FILES:
        return _FILES[path.suffix.lower()]
    files = _label_files(path) if path.is_dir() else []
    found = {_SUFFIXES[file.suffix.lower()]: file for file in reversed(files) if file.suffix.lower() in _SUFFIXES}
    if len(found) > 1:
        shown = ", ".join(
            f"{file.name} ({'LabelMe' if kind == 'coco' and is_labelme_file(file) else kind})"
            for kind, file in sorted(found.items())
        )
        raise DataError(f"{path}: labels of several formats, {shown}; say which one with labels=")
    return next(iter(found), "ids")


def read_annotations(
    path: Path, stems: Sequence[str], *, labels: Format, choice: ClassChoice, missing: str
) -> tuple[list[Annotation], tuple[str, ...]]:
    """Reads the annotations of a list of images, and says how many boxes do not count.

    Args:
        path: the labels' folder, or the file of COCO's, or a list.
        stems: of the images.
        labels: the format: ``"yolo"``, ``"voc"``, ``"coco"`` or ``"list"``.
        choice: the classes, and what becomes of others; no names need be known for any but VOC.
        missing: ``"error"``, or ``"empty"``: an image that no label file belongs to has no objects.

    Returns:
        One annotation per image, and the names of the classes.

    Raises:
        ConfigError: names are needed and there are none.
        DataError: a file is missing or wrong; it is named, with the line.
    """
    if labels == "voc" and not choice.names:
        raise ConfigError(f"{path}: xml files have classes by name; give classes= in the order of their ids")
    names = choice.names
    if labels in ("coco", "list"):
        file = _one_file(path, labels)
        found, names = read_coco(file, choice=choice) if labels == "coco" else (read_list(file, choice=choice), names)
        _check_missing(file, stems, found, missing)
        read = [found.get(stem, Annotation(file)) for stem in stems]
    else:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder of labels")
        suffix = ".txt" if labels == "yolo" else ".xml"
        files = {file.stem: file for file in _label_files(path) if file.suffix.lower() == suffix}
        _check_missing(path, stems, files, missing)
        reader = read_yolo if labels == "yolo" else read_voc
        read = [
            reader(files[stem], choice=choice) if stem in files else Annotation(path / f"{stem}{suffix}")
            for stem in stems
        ]
    _say_left_out(path, read, names)
    return read, names


def _say_left_out(path: Path, read: Sequence[Annotation], names: Sequence[str]) -> None:
    counts = Counter(name for annotation in read for name in annotation.left_out)
    if counts:
        first = next(annotation for annotation in read if annotation.left_out)
        listed = ", ".join(f"{name} {count}" for name, count in counts.most_common(_LISTED))
        listed += ", ..." if len(counts) > _LISTED else ""
        known = f"the classes are {', '.join(names)}" if names else "they are ignored"
        warnings.warn(
            f"{path}: {_boxes(counts.total())} left out, of no class that counts: {listed} (first: {first.where}); "
            f"{known}",
            stacklevel=4,
        )


def _boxes(count: int) -> str:
    return f"{count} boxes are" if count > 1 else "1 box is"


def _label_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return [file for file in files if file.name not in _NO_LABELS]


def _one_file(path: Path, labels: Format) -> Path:
    """The one file of all images: the path itself, or COCO's in the folder."""
    if path.is_file() or labels == "list":
        return path
    files = sorted(path.glob("*.json")) if path.is_dir() else []
    if len(files) != 1:
        if files and is_labelme_file(files[0]):
            raise DataError(f"{files[0]}: {LABELME}")
        names = ", ".join(file.name for file in files[:_SHOWN]) or "none"
        raise DataError(f"{path}: expected one json file of annotations, found {names}; give the file itself")
    return files[0]


def _check_missing(path: Path, stems: Sequence[str], found: Container[str], missing: str) -> None:
    absent = [stem for stem in stems if stem not in found]
    # not one label: the wrong folder, rather than nothing to be seen in any image
    if absent and (missing == "error" or len(absent) == len(stems)):
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        remedy = "" if len(absent) == len(stems) else ", or give missing='empty' if these images have no objects"
        raise DataError(
            f"{path} has no labels for {', '.join(absent[:_SHOWN])}{more}: labels are found by stem, add them{remedy}"
        )
